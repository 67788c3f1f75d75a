/**
 * How tests of the client begin: a fake cluster in a network in memory, and time that stands still unless it is moved.
 *
 * @module
 */
import { it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { type ClientOptions, type TenantService, V2R2 } from "../../src/client/index.ts"
import { Network } from "../../src/network/Network.ts"
import type { ClientMessage, Outcome } from "../../src/wire/ClientProtocol.ts"
import { FakeCluster, type FakeNode, type Reaction } from "./FakeServer.ts"

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A client of its own for each call, until the end of the test. */
export const client = (cluster: FakeCluster, options: Partial<ClientOptions> = {}) =>
  Effect.gen(function*() {
    const endpoints = cluster.nodes.map(({ address }) => address)
    const layer = V2R2.layer({ endpoints, ...options })
    return Context.get(yield* Layer.build(layer), V2R2)
  })

/** Nodes, started, and a tenant `dev` that was entered through the first of them. */
export const scenario = <E>(
  name: string,
  test: (cluster: FakeCluster, tenant: TenantService) => Effect.Effect<void, E, Network | Scope.Scope>,
  { nodes = 3, seed = 1, ...options }: Partial<ClientOptions> & { readonly nodes?: number; readonly seed?: number } = {}
) =>
  story(name, Effect.suspend(() => {
    const cluster = new FakeCluster(nodes)
    return cluster.startAll.pipe(
      Effect.andThen(client(cluster, options)),
      Effect.flatMap((v2r2) => v2r2.tenant("dev")),
      Effect.flatMap((tenant) => test(cluster, tenant))
    )
  }), seed)

export const story = <E>(name: string, test: Effect.Effect<void, E, Network | Scope.Scope>, seed = 1) =>
  it.effect(name, () => test.pipe(Effect.scoped, Effect.provide(Network.layerMemory), Random.withSeed(seed)))

/** Lets everybody run until `holds`; no time passes. */
export const until = (what: string, holds: () => boolean): Effect.Effect<void> =>
  Effect.gen(function*() {
    for (let turn = 0; turn < 20_000; turn++) {
      if (holds()) return
      yield* Effect.yieldNow
    }
    throw new Error(`it never happened: ${what}`)
  })

/** From here on, time passes whenever nobody has anything to do. */
export const timeFlows: Effect.Effect<void, never, Scope.Scope> = TestClock.adjust(10).pipe(
  Effect.forever,
  Effect.forkScoped,
  Effect.asVoid
)

/** So much time passes, and everybody does what is due. */
export const pass = (ms: number): Effect.Effect<void> =>
  Effect.forEach(Array.from({ length: ms / 10 }), () => TestClock.adjust(10), { discard: true })

/** A node's answer to a write. */
export const written = (message: ClientMessage, outcome: Outcome): Reaction =>
  message._tag === "Write" ? [{ _tag: "Written", channel: message.channel, request: message.request, outcome }] : undefined

/** Lets the node answer the next write in this way, and the others as usual. */
export const once = (node: FakeNode, react: (message: ClientMessage) => Reaction): void => {
  node.intercept = (message) => {
    if (message._tag !== "Write") return undefined
    node.intercept = () => undefined
    return react(message)
  }
}
