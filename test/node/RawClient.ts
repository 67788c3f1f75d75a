/**
 * A client of one node of a test's world, message by message.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Limits } from "../../src/base/Limits.ts"
import { connectFramed, type HelloRejected } from "../../src/network/Framed.ts"
import { type Closed, Network, type NetworkError } from "../../src/network/Network.ts"
import { encodeOperation } from "../../src/store/Operation.ts"
import {
  type ClientMessage, decodeServerMessage, encodeClientMessage, type Malformed, type ServerMessage
} from "../../src/wire/ClientProtocol.ts"
import { makeHello } from "../../src/wire/Hello.ts"
import type { TestNode, World } from "./World.ts"

export interface RawClient {
  readonly send: (...messages: ReadonlyArray<ClientMessage>) => Effect.Effect<void, Closed>
  /** Waits for it. */
  readonly next: Effect.Effect<ServerMessage | Malformed, Closed>
}

const hello = makeHello("v2r2-client", { cluster: null, node: null, limits: { frame_bytes_max: Limits.client_frame_bytes_max } })

export const rawClient = (
  world: World,
  node: TestNode
): Effect.Effect<RawClient, NetworkError | HelloRejected, Scope.Scope> =>
  Effect.gen(function*() {
    const framed = yield* connectFramed(node.config.client_host, hello)
    const messages: Array<ServerMessage | Malformed> = []
    const next: RawClient["next"] = Effect.suspend(() => {
      const message = messages.shift()
      if (message !== undefined) return Effect.succeed(message)
      return Effect.flatMap(framed.receive, (payloads) => {
        messages.push(...payloads.map(decodeServerMessage))
        return next
      })
    })
    return {
      next,
      send: (...messages: ReadonlyArray<ClientMessage>) => framed.send([Buffer.concat(messages.map(encodeClientMessage))])
    }
  }).pipe(Effect.provideService(Network, world.networkOf("client")))

/** `number` makes it a session of its own. */
export const open = (tenant: string, channel = 1, number = channel): ClientMessage =>
  ({ _tag: "Open", channel, tenant, nonce: new Uint8Array(Limits.session_nonce_bytes).fill(number) })

/** Waits until the channel is open. */
export const enter = (client: RawClient, tenant: string, channel = 1) =>
  Effect.gen(function*() {
    yield* client.send(open(tenant, channel))
    const opened = yield* client.next
    if (opened._tag !== "Opened") throw new Error(`not opened: ${JSON.stringify(opened)}`)
    return opened
  })

export const put = (request: number, path: string, data: string, answered = 0, channel = 1): ClientMessage => ({
  _tag: "Write", channel, request, answered,
  operation: encodeOperation({ _tag: "Put", path, data: new TextEncoder().encode(data), version: null })
})

export const create = (request: number, path: string, data = "", answered = 0, channel = 1): ClientMessage => ({
  _tag: "Write", channel, request, answered,
  operation: encodeOperation({
    _tag: "Create", path, type: "blob", data: new TextEncoder().encode(data), parents: false
  })
})

export const get = (id: number, path: string, channel = 1): ClientMessage =>
  ({ _tag: "Read", channel, id, operation: encodeOperation({ _tag: "Get", path }) })
