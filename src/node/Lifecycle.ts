/**
 * How nodes go: `cluster leave` and `cluster remove --dead`, both for good, and the mark that keeps new replicas away.
 * A node goes once no tenant needs it. The others hear of it before it counts here: this node may be the one that goes.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Members from "../members/Members.ts"
import type { Network } from "../network/Network.ts"
import * as Tenants from "../tenants/Tenants.ts"
import { AdminError, type Args, type Ok } from "../wire/AdminProtocol.ts"
import type { Hello } from "../wire/Hello.ts"
import type { Calls } from "./Calls.ts"
import { checkInside } from "./Claims.ts"
import { knock } from "./Knocking.ts"
import type { Links } from "./Links.ts"
import { checkEmpty, checkUnneeded } from "./Needs.ts"
import { type PlacementOptions, strangerReason } from "./Placement.ts"

export interface LifecycleOptions extends PlacementOptions {
  readonly calls: Pick<Calls, "summary" | "tell">
}

export interface RemovingOptions extends LifecycleOptions {
  readonly links: Links
  readonly clusterHello: Hello
}

/** Takes a node out that is there and has no replicas. */
export const leaveCluster = (options: LifecycleOptions, node: string): Effect.Effect<Ok<"cluster.leave">, AdminError> =>
  Effect.gen(function*() {
    const record = yield* recordNamed(options, node)
    if (Members.list(options.gossip.state().members).length === 1) {
      return yield* refused("conflict", `node ${node} is the only one of its cluster: there is nothing to leave`)
    }
    yield* checkEmpty(options, node)
    // Once more when nobody begins to put a replica there: whoever had begun before has told of it by then.
    yield* mark(options, record.id, true)
    yield* Effect.onError(checkEmpty(options, node), () => Effect.ignore(mark(options, record.id, Members.isDraining(record))))
    return { node, unheard: yield* spread(options, (members) => Members.depart(members, record.id, "left")) }
  })

/** Takes a node out that will never answer again. */
export const removeDead = (
  options: RemovingOptions,
  node: string
): Effect.Effect<Ok<"cluster.remove">, AdminError, Network> =>
  Effect.gen(function*() {
    const { id } = yield* recordNamed(options, node)
    yield* checkSilent(options, node)
    yield* checkUnneeded(options, node)
    const unheard = yield* spread(options, (members) => Members.depart(members, id, "dead"))
    return { node, unheard: unheard.filter((name) => name !== node) }
  })

/** Marks a node, or takes the mark away. */
export const drainNode = (
  options: LifecycleOptions,
  { draining, node }: Args<"cluster.drain">
): Effect.Effect<Ok<"cluster.drain">, AdminError> =>
  Effect.gen(function*() {
    const { id } = yield* recordNamed(options, node)
    return { node, draining, unheard: yield* mark(options, id, draining) }
  })

const refused = (code: AdminError["code"], message: string): Effect.Effect<never, AdminError> =>
  Effect.fail(new AdminError({ code, message }))

const recordNamed = (options: LifecycleOptions, node: string): Effect.Effect<Members.MemberRecord, AdminError> =>
  Effect.gen(function*() {
    yield* checkInside(options)
    const { members } = options.gossip.state()
    return Members.recordOf(members, node) ?? (yield* refused("not_found", strangerReason(members, node)))
  })

/** A node that is merely cut off from here would go on, and not know why nobody talks to it. */
const checkSilent = (
  { clusterHello, gossip, links }: RemovingOptions,
  node: string
): Effect.Effect<void, AdminError, Network> =>
  Effect.gen(function*() {
    if (node === gossip.self.name) return yield* refused("conflict", `node ${node} is the one that answers you: it is not dead`)
    const member = Members.find(gossip.state().members, node)
    const answer = member === undefined ? "nobody" : yield* knock(clusterHello, member)
    if (answer === "there" || (answer === "nobody" && links.status(node).connected)) {
      return yield* refused("conflict", `node ${node} answers at ${member?.cluster}: it is not dead. To take it out: cluster leave ${node}`)
    }
  })

const mark = (options: LifecycleOptions, id: string, draining: boolean): Effect.Effect<ReadonlyArray<string>, AdminError> =>
  spread(options, (members) => Members.setDraining(members, id, draining))

/** All nodes that can be reached hear of it, and this one hears what they know; gives the names of those that have not. */
const spread = (
  { calls, gossip }: LifecycleOptions,
  change: (members: Members.Members) => Members.Members
): Effect.Effect<ReadonlyArray<string>, AdminError> =>
  Effect.gen(function*() {
    const { members: before, tenants } = gossip.state()
    const members = change(before)
    const others = Members.list(before).filter(({ name }) => name !== gossip.self.name)
    const results = yield* Effect.forEach(others, ({ name }) =>
      Effect.result(calls.tell(name, { members, tenants })), { concurrency: "unbounded" })
    const known = results.flatMap((result) => Result.isSuccess(result) ? [result.success] : [])
    const refusal = yield* gossip.merge({
      members: known.map((state) => state.members).reduce(Members.merge, members),
      tenants: known.map((state) => state.tenants).reduce(Tenants.merge, tenants)
    })
    if (refusal !== null) return yield* refused("conflict", refusal)
    return others.flatMap(({ name }, index) => Result.isFailure(results[index]!) ? [name] : [])
  })
