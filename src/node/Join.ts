/**
 * `cluster join`: two nodes look at what each of them knows, and if nothing speaks against it, both take in all of it.
 * Gossip and the links do the rest. Only here is anything refused: what nodes hear of each other later is the union.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Parsed } from "../base/Names.ts"
import { connectFramed, type Framed } from "../network/Framed.ts"
import type { Network } from "../network/Network.ts"
import * as Members from "../members/Members.ts"
import * as Tenants from "../tenants/Tenants.ts"
import { AdminError } from "../wire/AdminProtocol.ts"
import { decodeClusterMessage, encodeClusterMessage } from "../wire/ClusterProtocol.ts"
import type { Hello } from "../wire/Hello.ts"
import { parseMembers, parserOf, parseTenants } from "../wire/Records.ts"
import { type Gossip, outcastReason, type State } from "./Gossip.ts"

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
    const lost = outcastReason(gossip.state(), gossip.self)
    if (lost !== null) return yield* refused("conflict", address, lost)
    const framed = yield* connectFramed(address, hello).pipe(
      Effect.catchTag("NetworkError", ({ reason }) => refused("unavailable", address, reason)),
      Effect.catchTag("HelloRejected", ({ code, reason }) =>
        refused(code === "name" || code === "cluster" ? "conflict" : "unavailable", address, reason))
    )
    const state = yield* exchange(framed, gossip, address)
    const refusal = yield* gossip.merge(state)
    if (refusal !== null) return yield* refused("conflict", address, refusal)
    const out = outcastReason(gossip.state(), gossip.self)
    if (out !== null) return yield* refused("conflict", address, out)
    return Members.list(gossip.state().members).map(({ name }) => name)
  }).pipe(Effect.scoped)

const refused = (code: AdminError["code"], address: string, reason: string): Effect.Effect<never, AdminError> =>
  Effect.fail(new AdminError({ code, message: `cannot join ${address}: ${reason}` }))

/** First both look, then both take in what the other one says. */
const exchange = (
  framed: Framed,
  gossip: Gossip["Service"],
  address: string
): Effect.Effect<State, AdminError> =>
  Effect.gen(function*() {
    yield* framed.send([encodeClusterMessage({ _tag: "Call", id: 1, method: "join", args: toKnown(gossip.state()) })])
    while (true) {
      for (const payload of yield* framed.receive) {
        const message = decodeClusterMessage(payload)
        if (message._tag === "State") return message
        if (message._tag === "Return") {
          yield* check(gossip, address, parseKnown(message.ok))
          yield* framed.send([gossip.frame()])
        }
        if (message._tag === "Failure") {
          const code = message.code === "conflict" ? "conflict" : "unavailable"
          return yield* refused(code, address, message.message)
        }
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

const check = (gossip: Gossip["Service"], address: string, theirs: Parsed<State>): Effect.Effect<void, AdminError> => {
  if (!theirs.ok) return refused("unavailable", address, theirs.reason)
  const problem = joinProblem(gossip.state(), theirs.value, gossip.self)
  return problem === null ? Effect.void : refused("conflict", address, problem)
}

/**
 * Why two nodes that know this may not be joined, or null: no two nodes have one name, and the bounds hold. Where
 * nothing is added to what one of them knows there is nothing against it: joining again is always possible.
 */
export const joinProblem = (ours: State, theirs: State, self: Members.Member): string | null => {
  const lost = outcastReason(ours, self)
  if (lost !== null) return lost
  const members = Members.merge(ours.members, theirs.members)
  const [conflict] = Members.conflicts(members)
  if (conflict !== undefined) {
    const known = Members.list(ours.members).find(({ name }) => name === conflict.name)
    return Members.takenReason(known ?? conflict.winner)
  }
  const tenants = Tenants.merge(ours.tenants, theirs.tenants)
  const grows = (both: number, one: number, other: number): boolean => both > Math.max(one, other)
  return (grows(members.size, ours.members.size, theirs.members.size) ? Members.sizeProblem(members) : null) ??
    (grows(tenants.size, ours.tenants.size, theirs.tenants.size) ? Tenants.sizeProblem(tenants) : null)
}

/** What a node knows as plain data; {@link parseKnown} is the way back. */
export const toKnown = ({ members, tenants }: State): unknown => ({
  members: Members.toRecords(members),
  tenants: Tenants.toRecords(tenants)
})

const parseParts = parserOf(Schema.Struct({ members: Schema.Unknown, tenants: Schema.Unknown }))

export const parseKnown = (value: unknown): Parsed<State> => {
  const parts = parseParts(value)
  if (!parts.ok) return parts
  const members = parseMembers(parts.value.members)
  if (!members.ok) return members
  const tenants = parseTenants(parts.value.tenants)
  return tenants.ok ? { ok: true, value: { members: members.value, tenants: tenants.value } } : tenants
}
