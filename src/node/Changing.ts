/**
 * Changes of a tenant's group, from the node that an admin asks: what a change would do, and the steps of it. Each call does
 * what is next and says how far it is, so whoever wants the change repeats it, through any node, until it is done.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { parseReplicaId, replicaId, type ReplicaName } from "../base/Names.ts"
import * as Tenants from "../tenants/Tenants.ts"
import { quorum, tolerates } from "../vr/Quorum.ts"
import { AdminError, type Args, type Ok, type ReplicaStatus } from "../wire/AdminProtocol.ts"
import type { ChangePlan, ChangeProgress, ChangeReport, ChangeWish } from "../wire/Changes.ts"
import type { Gossip } from "./Gossip.ts"
import type { GroupCalls } from "./GroupCalls.ts"
import type { Links } from "./Links.ts"
import { nextGroup, type Places } from "./Choosing.ts"
import { candidates, placeProblem } from "./Placement.ts"
import { isServing, primaryAmong } from "./Status.ts"

export interface ChangingOptions {
  readonly node: string
  readonly gossip: Gossip["Service"]
  readonly links: Links
  readonly calls: GroupCalls
  /** Of all replicas that can be asked. */
  readonly replicas: Effect.Effect<ReadonlyArray<ReplicaStatus>>
}

/** What it takes to ask a primary, and those that are to join. */
type Reach = Pick<ChangingOptions, "calls" | "replicas">

/** A tenant as its primary knows it. */
interface Led {
  readonly primary: ReplicaName
  readonly report: ChangeReport
  readonly statuses: ReadonlyArray<ReplicaStatus>
}

/** Fails with the reason if the change is not possible at all. */
export const planChange = (
  options: ChangingOptions,
  tenant: Tenants.Tenant,
  wish: ChangeWish
): Effect.Effect<ChangePlan, AdminError> =>
  Effect.gen(function*() {
    const led = yield* awaitLead(options, tenant)
    const { report } = led
    const places: Places = { candidates: candidates(options), problem: (node) => placeProblem(options.gossip.state().members, node) }
    const next = nextGroup(wish, report.replicas.flatMap(placeOf), report.former, places)
    if (!next.ok) return yield* new AdminError({ code: next.code, message: next.reason })
    const plan = describePlan(tenant, led, next.value.map(replicaId).sort())
    if (report.stage === "in the log" && report.next?.join() !== plan.next.join()) {
      return yield* conflict(`another change of the group is in the log: it becomes ${report.next?.join(", ")}`)
    }
    const blocked = blockedReason(tenant, led, plan)
    if (blocked !== null) return yield* conflict(blocked)
    const gone = yield* goneNodes(options, plan.joins)
    if (gone !== null) return yield* new AdminError({ code: "unavailable", message: gone })
    return plan
  })

/** See {@link ChangeProgress}. Fails if the change cannot come about any more, or is refused. */
export const askChange = (
  options: Reach,
  tenant: Tenants.Tenant,
  { epoch, force, replicas }: Args<"vr.group.ask">
): Effect.Effect<ChangeProgress, AdminError> =>
  Effect.gen(function*() {
    const led = yield* lead(options, tenant)
    if (led === null) return waiting(tenant, "there is no primary at this moment")
    const wanted = [...replicas].sort()
    const { report } = led
    if (report.epoch > epoch) {
      if (report.replicas.join() === wanted.join()) return { ...progressOf(report, null), done: true, stage: "none" }
      return yield* conflict(`another change of the group came first: it is ${report.replicas.join(", ")} now`)
    }
    if (report.stage === "in the log") {
      if (report.next?.join() !== wanted.join()) {
        return yield* conflict(`another change of the group is in the log: it becomes ${report.next?.join(", ")}`)
      }
      // None of those that join is begun anew now: what it has said may count, and it would have forgotten that.
      const silent = report.learners.filter(({ heard }) => !heard).map(({ id }) => id)
      const waits = "a quorum of both groups has to hold the change"
      return progressOf(report, silent.length === 0 ? waits : `${waits}, and ${silent.join(", ")} is not heard`)
    }
    const plan = describePlan(tenant, led, wanted)
    if (plan.refusal !== null && force !== true && report.stage === "none") return yield* conflict(plan.refusal)
    const blocked = blockedReason(tenant, led, plan)
    if (blocked !== null) return yield* conflict(blocked)
    const absent = yield* enlist(options, tenant, report, plan.joins)
    const wish = { epoch, replicas: wanted, of: wanted }
    const asked = yield* Effect.mapError(options.calls.change(led.primary.node, tenant.id, wish), ({ message }) =>
      new AdminError({ code: "unavailable", message }))
    if (asked === null) return waiting(tenant, "there is no primary at this moment")
    if (asked.refusal !== null) return yield* conflict(asked.refusal)
    return progressOf(asked, absent ?? behind(asked) ?? plan.refusal)
  })

/**
 * A change is taken back: the primary forgets it, and those that were to join go. Without `epoch` and `replicas` it is whatever is
 * under way.
 */
export const withdrawChange = (
  options: Reach,
  tenant: Tenants.Tenant,
  wanted: Args<"vr.group.withdraw">
): Effect.Effect<Ok<"vr.group.withdraw">, AdminError> =>
  Effect.gen(function*() {
    const kept = (reason: string) => ({ withdrawn: false, reason })
    const led = yield* lead(options, tenant)
    if (led === null) return kept("there is no primary at this moment, so nobody can say whether the change is under way")
    const { report } = led
    const epoch = wanted.epoch ?? report.epoch
    const of = [...wanted.replicas ?? report.next ?? []].sort()
    if (report.epoch > epoch) return kept(`the group has changed: it is ${report.replicas.join(", ")} now`)
    if (of.length === 0) return kept("no change is under way")
    const wish = { epoch, replicas: report.replicas, of }
    const asked = yield* Effect.orElseSucceed(options.calls.change(led.primary.node, tenant.id, wish), () => null)
    if (asked === null) return kept("the primary does not answer")
    // It may have come about since it was looked at.
    if (asked.epoch > epoch) return kept(`the group has changed: it is ${asked.replicas.join(", ")} now`)
    const isOther = asked.stage !== "none" && asked.next?.join() !== of.join()
    if (asked.stage === "in the log" && !isOther) return kept("it is in the log already, and will come about")
    const joins = of.filter((id) => !report.replicas.includes(id) && !(isOther && asked.next?.includes(id) === true)).flatMap(placeOf)
    yield* Effect.forEach(joins, (place) => Effect.ignore(options.calls.forget(place.node, tenant.id, replicaId(place), null)), {
      concurrency: "unbounded", discard: true
    })
    return { withdrawn: true, reason: null }
  })

/** Returns once the primary has agreed; it takes a moment more. */
export const handOff = (
  options: ChangingOptions,
  tenant: Tenants.Tenant,
  wanted: ReplicaName | null
): Effect.Effect<Ok<"vr.handoff">, AdminError> =>
  Effect.gen(function*() {
    const led = yield* awaitLead(options, tenant)
    const { primary, report, statuses } = led
    const from = replicaId(primary)
    const isOther = (id: string): boolean => id !== from && report.replicas.includes(id)
    const others = statuses.filter((status) => isServing(status) && isOther(replicaId(status)))
    const furthest = others.reduce<ReplicaStatus | null>((best, one) => best === null || one.op > best.op ? one : best, null)
    const to = wanted ?? furthest
    if (to === null) return yield* conflict(`no other replica of tenant ${tenant.name ?? tenant.id} serves: there is none to hand off to`)
    if (isOther(replicaId(to)) && !others.some((status) => replicaId(status) === replicaId(to))) {
      return yield* conflict(`${replicaId(to)} does not serve at this moment`)
    }
    const answer = yield* Effect.mapError(options.calls.handOff(primary.node, tenant.id, replicaId(to)), (error) =>
      new AdminError({ code: "unavailable", message: error.message }))
    if (answer === null) return yield* leaderless(tenant)
    if (answer.refusal !== null) return yield* conflict(`${from} does not hand off to ${replicaId(to)}: ${answer.refusal}`)
    return { tenant: tenant.id, from, to: replicaId(to) }
  })

/**
 * One that is in no group: that was to join, by a change that nobody wants any more; or that was left behind, and is needed by
 * nobody, as a quorum of a later group has begun.
 */
export const forget = (
  options: ChangingOptions,
  tenant: Tenants.Tenant,
  place: { readonly replica: string; readonly node: string }
): Effect.Effect<Record<string, never>, AdminError> =>
  Effect.gen(function*() {
    const { calls } = options
    const led = yield* awaitLead(options, tenant)
    const id = `${place.replica}::${place.node}`
    if (led.report.replicas.includes(id)) return yield* conflict(`${id} is in the group: vr remove takes it out`)
    // What it holds may count for a change that is on its way.
    if (led.report.next?.includes(id) === true) return yield* conflict(`the group is about to change, and ${id} is to join it`)
    const status = led.statuses.find((one) => replicaId(one) === id)
    if (status === undefined) return yield* new AdminError({ code: "not_found", message: `there is no replica ${id} at this moment` })
    if (status.state === "failed") {
      return yield* conflict(`${id} has stopped (${status.detail}): stop its node, and remove its files under tenants/${tenant.id}`)
    }
    const isLearner = status.state === "learner"
    if (!isLearner && !hasBegun(led)) return yield* conflict(`the group after ${id} has not begun with a quorum: it may be needed yet`)
    const ended = yield* Effect.mapError(calls.forget(place.node, tenant.id, id, isLearner ? null : led.report.epoch), ({ message }) =>
      new AdminError({ code: "unavailable", message }))
    return ended ? {} : yield* conflict(`${id} does not go: it is in a group, or may soon be; see: status`)
  })

const lead = (
  { calls, replicas }: Reach,
  tenant: Tenants.Tenant
): Effect.Effect<Led | null> =>
  Effect.gen(function*() {
    const statuses = (yield* replicas).filter((status) => status.tenant === tenant.id)
    const primary = primaryAmong(statuses)
    if (primary === null) return null
    const report = yield* Effect.orElseSucceed(calls.change(primary.node, tenant.id, null), () => null)
    return report === null ? null : { primary, report, statuses }
  })

/** A quorum of the group is in its epoch, and so holds all that was before. */
const hasBegun = ({ report, statuses }: Led): boolean => {
  const begun = statuses.filter((status) => status.epoch >= report.epoch && report.replicas.includes(replicaId(status)))
  return begun.filter(isServing).length >= quorum(report.replicas.length)
}

/** A view change, or a moment of load, is waited for: less long than whoever asks waits. */
const lead_ms = 5_000
const pause_ms = 300

const awaitLead = (options: ChangingOptions, tenant: Tenants.Tenant): Effect.Effect<Led, AdminError> =>
  Effect.gen(function*() {
    const end = (yield* Clock.currentTimeMillis) + lead_ms
    while (true) {
      const led = yield* lead(options, tenant)
      if (led !== null) return led
      if ((yield* Clock.currentTimeMillis) >= end) return yield* leaderless(tenant)
      yield* Effect.sleep(pause_ms)
    }
  })

const leaderless = ({ id, name }: Tenants.Tenant) =>
  Effect.fail(new AdminError({
    code: "unavailable",
    message: `tenant ${name ?? id} has no primary at this moment, and only a primary changes its group. Start its nodes; ` +
      "if most of them are gone for good: v2r2-admin recover"
  }))

const conflict = (message: string) => Effect.fail(new AdminError({ code: "conflict", message }))

const placeOf = (id: string): ReadonlyArray<ReplicaName> => {
  const parsed = parseReplicaId(id)
  return parsed.ok ? [parsed.value] : []
}

/**
 * A node has one replica of a tenant at a time: is there another one where one is to join? One that leaves will be gone, and one
 * that does not say how it is may be that.
 */
const blockedReason = ({ id, name }: Tenants.Tenant, { statuses }: Led, { joins }: ChangePlan): string | null => {
  const stays = statuses.filter(({ state }) => state !== "leaving" && state !== "busy")
  const blocking = stays.find((status) => joins.some((each) => each !== replicaId(status) && placeOf(each)[0]?.node === status.node))
  if (blocking === undefined) return null
  const other = replicaId(blocking)
  return `node ${blocking.node} has ${other} of this tenant, which is in no group: vr forget ${name ?? id} ${other}`
}

const describePlan = (tenant: Tenants.Tenant, { report, statuses }: Led, next: ReadonlyArray<string>): ChangePlan => {
  const present = report.replicas
  const joins = next.filter((id) => !present.includes(id))
  const serving = new Set(statuses.filter(isServing).map(replicaId))
  const down = present.filter((id) => !serving.has(id))
  const there = next.filter((id) => !down.includes(id)).length
  const needed = quorum(next.length)
  return {
    tenant: tenant.id,
    name: tenant.name,
    epoch: report.epoch,
    present,
    next,
    joins,
    leaves: present.filter((id) => !next.includes(id)),
    tolerates: tolerates(present.length),
    tolerates_next: tolerates(next.length),
    down,
    elements: report.elements,
    bytes: report.bytes,
    refusal: there >= needed ? null :
      `of the ${next.length} replicas of the next group ${there} would be there, and ${needed} are needed to serve: ` +
        `${next.filter((id) => down.includes(id)).join(", ")} ${next.length - there === 1 ? "does" : "do"} not answer`
  }
}

/** Why those that are to join cannot be started, or null. */
const goneNodes = ({ links, node }: ChangingOptions, joins: ReadonlyArray<string>): Effect.Effect<string | null> =>
  Effect.sync(() => {
    const gone = joins.flatMap(placeOf).filter((place) => place.node !== node && !links.status(place.node).connected)
    const why = gone.map((place) => `node ${place.node} cannot be reached: ${links.status(place.node).reason ?? "not connected"}`)
    return why.length === 0 ? null : why.join("; ")
  })

/** Those that the primary has not heard of late are started. Gives why one cannot be, for now. */
const enlist = (
  { calls }: Reach,
  tenant: Tenants.Tenant,
  { epoch, learners, replicas }: ChangeReport,
  joins: ReadonlyArray<string>
): Effect.Effect<string | null, AdminError> =>
  Effect.gen(function*() {
    const silent = joins.filter((id) => learners.find((learner) => learner.id === id)?.heard !== true).flatMap(placeOf)
    // The group as its primary has it: the registry may be late.
    const known = { ...tenant, epoch, replicas: Tenants.sortReplicas(replicas.flatMap(placeOf)) }
    const troubles = yield* Effect.forEach(silent, (place) =>
      calls.enlist(place.node, known, replicaId(place)).pipe(
        Effect.as(null),
        Effect.catch((error) => error.code === "unavailable" || error.code === "timeout"
          ? Effect.succeed(error.message)
          : new AdminError({ code: "conflict", message: error.message }))
      ), { concurrency: "unbounded" })
    return troubles.find((trouble) => trouble !== null) ?? null
  })

const behind = ({ commit, learners }: ChangeReport): string | null => {
  const slow = learners.filter(({ heard, op }) => !heard || op < commit)
  if (slow.length === 0) return null
  return slow.map(({ heard, id, op }) => heard ? `${id} is at op ${op} of ${commit}` : `${id} is not heard yet`).join("; ")
}

const progressOf = ({ commit, epoch, learners, replicas, stage }: ChangeReport, waits: string | null): ChangeProgress =>
  ({ done: false, epoch, replicas, stage, learners, commit, waits })

const waiting = ({ epoch, replicas }: Tenants.Tenant, waits: string): ChangeProgress =>
  ({ done: false, epoch, replicas: replicas.map(replicaId), stage: "none", learners: [], commit: 0, waits })
