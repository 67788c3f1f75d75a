/**
 * What nodes ask of each other while a group changes, over the cluster protocol: one function for each side of each method.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { parseReplicaId, parseReplicas } from "../base/Names.ts"
import * as Members from "../members/Members.ts"
import * as Tenants from "../tenants/Tenants.ts"
import { ChangeReport, GroupWish, HandOffReport } from "../wire/Changes.ts"
import { parserOf, parseTenants } from "../wire/Records.ts"
import { askReplica } from "./Asking.ts"
import { CallError } from "./Links.ts"
import type { Gossip } from "./Gossip.ts"
import type { DispatcherInbox, Question } from "./Queues.ts"
import type { Replicas } from "./Replicas.ts"

const answer_ms = 1_000
const call_ms = 2_000
const enlist_ms = 3_000

export interface GroupCallsOptions {
  readonly node: string
  readonly gossip: Gossip["Service"]
  readonly replicas: Replicas["Service"]
  readonly dispatcher: DispatcherInbox
}

export interface GroupCalls {
  /** A node starts a replica that is to join the group which `tenant` has. No harm if it runs already. */
  readonly enlist: (node: string, tenant: Tenants.Tenant, id: string) => Effect.Effect<void, CallError>
  /** Of the primary on that node, its group and what becomes of it; null if there is none. `wish`: asked for first. */
  readonly change: (node: string, tenant: string, wish: GroupWish | null) => Effect.Effect<ChangeReport | null, CallError>
  /** The primary on that node is to hand off; null if there is none. */
  readonly handOff: (node: string, tenant: string, to: string) => Effect.Effect<HandOffReport | null, CallError>
  /**
   * This replica on that node was to join, and is not to; or was left behind by a group that has begun this epoch. False: it is a
   * member, or may soon be one, or is not there.
   */
  readonly forget: (node: string, tenant: string, id: string, begun: number | null) => Effect.Effect<boolean, CallError>
}

/** How another node, or this one, is asked. */
export type Ask = (node: string, method: string, args: unknown, timeout_ms: number) => Effect.Effect<unknown, CallError>

const parseEnlisted = parserOf(Schema.Struct({ tenant: Schema.Unknown, replica: Schema.String }))
const parseWish = parserOf(Schema.Struct({ tenant: Schema.String, wish: Schema.NullOr(GroupWish) }))
const parseReport = parserOf(Schema.NullOr(ChangeReport))
const parseHandOff = parserOf(Schema.Struct({ tenant: Schema.String, to: Schema.String }))
const parseHandOffReport = parserOf(Schema.NullOr(HandOffReport))
const parseForgotten = parserOf(Schema.Struct({ tenant: Schema.String, replica: Schema.String, begun: Schema.NullOr(Schema.Natural) }))
const parseBoolean = parserOf(Schema.Boolean)

export const makeGroupCalls = (ask: Ask): GroupCalls => ({
  enlist: (node, tenant, id) => Effect.asVoid(ask(node, "enlist", { tenant: [tenant], replica: id }, enlist_ms)),
  change: (node, tenant, wish) => answered(node, "change", parseReport, ask(node, "change", { tenant, wish }, call_ms)),
  handOff: (node, tenant, to) => answered(node, "handOff", parseHandOffReport, ask(node, "handOff", { tenant, to }, call_ms)),
  forget: (node, tenant, id, begun) =>
    answered(node, "forget", parseBoolean, ask(node, "forget", { tenant, replica: id, begun }, call_ms))
})

type Parser<A> = ReturnType<typeof parserOf<Schema.ConstraintDecoder<unknown> & { readonly Type: A }>>

const answered = <A>(node: string, method: string, parse: Parser<A>, call: Effect.Effect<unknown, CallError>) =>
  Effect.flatMap(call, (answer) => {
    const parsed = parse(answer)
    if (parsed.ok) return Effect.succeed(parsed.value)
    return Effect.fail(new CallError({ node, code: "internal", reason: `its answer to ${method} is malformed: ${parsed.reason}` }))
  })

/** The other side. Undefined: it is none of these methods. */
export const serveGroupCall = (
  options: GroupCallsOptions,
  method: string,
  args: unknown
): Effect.Effect<unknown, CallError> | undefined => {
  const { dispatcher, node } = options
  const checked = <A, B>(parse: Parser<A>, serve: (value: A) => Effect.Effect<B, CallError>) => {
    const parsed = parse(args)
    return parsed.ok ? serve(parsed.value) : Effect.fail(new CallError({ node, code: "usage", reason: parsed.reason }))
  }
  const question = <A>(tenant: string, make: (answer: (answer: A | null) => void) => Question) =>
    askReplica<A>(dispatcher, tenant, make, answer_ms)
  switch (method) {
    case "enlist":
      return checked(parseEnlisted, ({ replica, tenant }) => enlist(options, tenant, replica))
    case "change":
      return checked(parseWish, ({ tenant, wish }) => {
        const problem = wish === null ? null : groupProblem(wish.replicas)
        return problem === null
          ? question<ChangeReport>(tenant, (answer) => ({ _tag: "Change", wish, answer }))
          : Effect.fail(new CallError({ node, code: "usage", reason: problem }))
      })
    case "handOff":
      return checked(parseHandOff, ({ tenant, to }) =>
        question<HandOffReport>(tenant, (answer) => ({ _tag: "HandOff", to, answer })))
    case "forget":
      return checked(parseForgotten, ({ begun, replica, tenant }) =>
        Effect.map(question<boolean>(tenant, (answer) => ({ _tag: "Forget", id: replica, begun, answer })), (ended) => ended === true))
  }
  return undefined
}

/** Why these ids are no group, or null. */
const groupProblem = (ids: ReadonlyArray<string>): string | null => {
  const places = parseReplicas(ids.join())
  return places.ok ? Tenants.replicasProblem(places.value) : places.reason
}

/** The registry hears of it first: a replica of a tenant that is not known would be stopped again. */
const enlist = ({ gossip, node, replicas }: GroupCallsOptions, record: unknown, id: string): Effect.Effect<null, CallError> =>
  Effect.gen(function*() {
    const parsed = parseTenants(record)
    const [tenant] = parsed.ok ? parsed.value.values() : []
    if (tenant === undefined) return yield* new CallError({ node, code: "usage", reason: "malformed tenant" })
    const place = parseReplicaId(id)
    if (!place.ok || place.value.node !== node) {
      return yield* new CallError({ node, code: "usage", reason: `${JSON.stringify(id.slice(0, 200))} is no replica of this node` })
    }
    const known = yield* gossip.update((tenants) => Tenants.merge(tenants, new Map([[tenant.id, tenant]])))
    const { members } = gossip.state()
    const own = Members.recordOf(members, node)
    const isHere = replicas.local().get(tenant.id)?.id === id
    // Whoever takes this node out goes by what is here by then.
    if (!isHere && (own === undefined || own.gone !== null || Members.isDraining(own))) {
      return yield* new CallError({ node, code: "conflict", reason: "it is draining, or leaves: it takes no new replicas" })
    }
    if (known.get(tenant.id)?.withdrawn === true) {
      return yield* new CallError({ node, code: "conflict", reason: "the tenant is deleted" })
    }
    // Asked for by one that is behind: what it was to join is over, and it would be in no group, or have been in this one.
    if ((known.get(tenant.id)?.epoch ?? 0) > tenant.epoch) {
      return yield* new CallError({ node, code: "unavailable", reason: "the group has changed meanwhile" })
    }
    const refusal = yield* Effect.mapError(replicas.enlist(tenant, id), ({ message }) =>
      new CallError({ node, code: "internal", reason: message }))
    return refusal === null ? null : yield* new CallError({ node, code: "unavailable", reason: refusal })
  })
