/**
 * `cluster join`: one exchange of all that two nodes know, after which gossip and the links do the rest.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { connectFramed, type Framed } from "../network/Framed.ts"
import type { Network } from "../network/Network.ts"
import * as Members from "../members/Members.ts"
import { AdminError } from "../wire/AdminProtocol.ts"
import { type ClusterMessage, decodeClusterMessage } from "../wire/ClusterProtocol.ts"
import type { Hello } from "../wire/Hello.ts"
import type { Gossip } from "./Gossip.ts"

const exchange_ms = 5_000

export interface JoinOptions {
  readonly hello: Hello
  readonly gossip: Gossip["Service"]
}

/** Joins the cluster of the node whose cluster server has this address; gives the names of all members. Idempotent. */
export const joinCluster = (
  { gossip, hello }: JoinOptions,
  address: string
): Effect.Effect<ReadonlyArray<string>, AdminError, Network> =>
  Effect.gen(function*() {
    if (address === gossip.self.cluster) return yield* refused("usage", address, "that is this node itself")
    const framed = yield* connectFramed(address, hello).pipe(
      Effect.catchTag("NetworkError", ({ reason }) => refused("unavailable", address, reason)),
      Effect.catchTag("HelloRejected", ({ code, reason }) =>
        refused(code === "name" || code === "cluster" ? "conflict" : "unavailable", address, reason))
    )
    const state = yield* exchange(framed, gossip, address)
    const refusal = yield* gossip.merge(state)
    if (refusal !== null) return yield* refused("conflict", address, refusal)
    return Members.list(gossip.state().members).map(({ name }) => name)
  }).pipe(Effect.scoped)

const refused = (code: AdminError["code"], address: string, reason: string): Effect.Effect<never, AdminError> =>
  Effect.fail(new AdminError({ code, message: `cannot join ${address}: ${reason}` }))

/** Says all that we know; the other side merges it and says what it knows, or why it will not. */
const exchange = (
  framed: Framed,
  gossip: Gossip["Service"],
  address: string
): Effect.Effect<Extract<ClusterMessage, { readonly _tag: "State" }>, AdminError> =>
  Effect.gen(function*() {
    yield* framed.send([gossip.frame()])
    while (true) {
      for (const payload of yield* framed.receive) {
        const message = decodeClusterMessage(payload)
        if (message._tag === "State") return message
        if (message._tag === "Failure") return yield* refused("conflict", address, message.message)
        if (message._tag === "Malformed") return yield* refused("unavailable", address, message.reason)
      }
    }
  }).pipe(
    Effect.catchTag("Closed", ({ reason }) => refused("unavailable", address, reason)),
    Effect.timeoutOrElse({
      duration: exchange_ms,
      orElse: () => refused("timeout", address, `it did not say what it knows within ${exchange_ms} ms`)
    })
  )
