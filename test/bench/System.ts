/**
 * What is measured beside each other: a way to start a fresh cluster, and the same questions to each.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Trouble } from "../../src/devrel/Trouble.ts"
import type { Durability } from "../../src/wire/AdminProtocol.ts"
import type { Generator } from "./Generator.ts"
import type { Work } from "./Plan.ts"
import { type Server, until } from "./Server.ts"

export const nodes = 3

export interface SystemOptions {
  readonly durability: Durability
  /** Of V2R2's nodes; 0: none. */
  readonly lease_ms: number
  /** A folder for processor profiles, or null. */
  readonly profile: string | null
  /** What nodes and generators write that is for people. */
  readonly line: (text: string) => void
}

export interface NodeStatus {
  readonly leads: boolean
  /** It takes part: it leads or follows. */
  readonly serves: boolean
  /** Up to where it has the log. */
  readonly position: number
}

/** A cluster that serves, and its load generator. */
export interface Running {
  /** From the start of the processes, with empty disks, to a client's first write; null: no node decides anything there. */
  readonly first_write_ms: number | null
  readonly servers: ReadonlyArray<Server>
  /** Client addresses, in the order of the servers. */
  readonly endpoints: ReadonlyArray<string>
  readonly generator: Generator
  readonly status: (index: number) => Effect.Effect<NodeStatus, unknown>
  /** Its process, just started, accepts connections. */
  readonly ready: (index: number) => Effect.Effect<unknown, Trouble>
}

export interface System {
  readonly name: string
  readonly start: (options: SystemOptions) => Effect.Effect<Running, Trouble, Scope.Scope>
  /** The same work as this system does it best, over other connections perhaps; null: it cannot do that. */
  readonly shape: (work: Work) => Work | null
}

/** Starts all; how long it took until a client that was there before had its first write. All serve then. */
export const firstWrite = Effect.fnUntraced(function*({ generator, ready, servers }: Pick<Running, "generator" | "ready" | "servers">) {
  yield* generator.tell("first")
  const begin_ms = performance.now()
  yield* Effect.forEach(servers, (server) => server.start(Effect.void), { concurrency: "unbounded" })
  yield* generator.hear("written")
  const first_write_ms = performance.now() - begin_ms
  yield* Effect.forEach(servers.keys(), ready, { concurrency: "unbounded" })
  return first_write_ms
})

/** The node that leads, of all but one. */
export const leaderOf = Effect.fnUntraced(function*({ endpoints, status }: Running, except = -1) {
  let leader = -1
  yield* until("one of the nodes leads", Effect.gen(function*() {
    for (const index of endpoints.keys()) {
      if (index === except || leader >= 0) continue
      const { leads } = yield* Effect.catch(status(index), () => Effect.succeed({ leads: false }))
      if (leads) leader = index
    }
    return leader >= 0
  }))
  return leader
})
