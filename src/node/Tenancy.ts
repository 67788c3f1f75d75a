/**
 * Creating a tenant, from the node that was asked: choose its nodes, prepare every replica, publish, and see that a
 * majority of the nodes knows it, and knew no other tenant of that name before. Otherwise it is withdrawn.
 *
 * A replica starts as a voter without a log, empty or with a snapshot, only if it was prepared here; a node that merely
 * hears of a tenant recovers.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import { Limits } from "../base/Limits.ts"
import { type ReplicaName, uuid } from "../base/Names.ts"
import * as Members from "../members/Members.ts"
import * as Tenants from "../tenants/Tenants.ts"
import { AdminError } from "../wire/AdminProtocol.ts"
import type { Calls, Upload } from "./Calls.ts"
import { type Gossip, outcastReason } from "./Gossip.ts"
import type { Links } from "./Links.ts"

export interface TenancyOptions {
  readonly node: string
  readonly gossip: Gossip["Service"]
  readonly links: Links
  readonly calls: Calls
}

export interface TenantWish {
  /** Null: it goes by its id. */
  readonly name: string | null
  /** Null: this node chooses. */
  readonly replicas: ReadonlyArray<ReplicaName> | null
  readonly durability: Tenants.Durability
}

/** The tenant as it would be created now, and as far as is known here; nothing is done. Fails with the reason. */
export const planTenant = Effect.fnUntraced(function*(
  options: TenancyOptions,
  { durability, name, replicas }: TenantWish
): Effect.fn.Return<Tenants.Tenant, AdminError> {
  const { gossip, node } = options
  const random = yield* Random.Random
  const id = uuid({ next: () => random.nextDoubleUnsafe() })
  const create = (tenants: Tenants.Tenants) =>
    Tenants.create(tenants, { id, name, replicas: replicas ?? choose(options), durability, coordinator: node })

  const lost = outcastReason(gossip.state(), gossip.self)
  if (lost !== null) return yield* new AdminError({ code: "conflict", message: lost })
  const planned = create(gossip.state().tenants)
  if (!planned.ok) return yield* new AdminError({ code: planned.code, message: planned.reason })
  yield* checkMembers(options, planned.tenant)
  yield* checkMajority(options)
  return planned.tenant
})

/** Fails with the reason; a failed creation leaves nothing behind that serves. `upload`: what it begins with. */
export const createTenant = (
  options: TenancyOptions,
  wish: TenantWish,
  upload: Upload | null
): Effect.Effect<Tenants.Tenant, AdminError> =>
  Effect.gen(function*() {
    const tenant = yield* planTenant(options, wish)
    yield* Effect.onError(prepare(options, tenant, upload), () => abandon(options, tenant, upload))
    return yield* publish(options, tenant)
  })

/** Nobody knows of it yet. All of its replicas begin with the same, or there are none. */
const prepare = ({ calls }: TenancyOptions, tenant: Tenants.Tenant, upload: Upload | null): Effect.Effect<void, AdminError> =>
  Effect.gen(function*() {
    const digests = yield* Effect.forEach(tenant.replicas, ({ node }) =>
      Effect.mapError(calls.bootstrap(node, tenant, upload), (error) =>
        new AdminError({ code: "unavailable", message: `the tenant was not created: ${error.message}` })), {
      concurrency: "unbounded"
    })
    if (new Set(digests).size === 1) return
    const made = tenant.replicas.map(({ node }, index) => `node ${node} made ${digests[index]}`).join(", ")
    const message = `the tenant was not created: the nodes made different data of one snapshot, by their digests: ${made}`
    return yield* new AdminError({ code: "internal", message })
  })

const abandon = ({ calls }: TenancyOptions, tenant: Tenants.Tenant, upload: Upload | null): Effect.Effect<void> =>
  Effect.forEach(tenant.replicas, ({ node }) => Effect.ignore(calls.abandon(node, tenant, upload)), {
    concurrency: "unbounded",
    discard: true
  })

/** Up to three nodes that are there, those with the fewest replicas first. */
const choose = ({ gossip, links, node }: TenancyOptions): ReadonlyArray<ReplicaName> => {
  const loads = new Map([node, ...links.connected()].map((name) => [name, 0]))
  for (const tenant of Tenants.list(gossip.state().tenants)) {
    for (const replica of tenant.replicas) {
      const load = loads.get(replica.node)
      if (load !== undefined) loads.set(replica.node, load + 1)
    }
  }
  return [...loads]
    .sort(([a, loadA], [b, loadB]) => loadA - loadB || (a < b ? -1 : 1))
    .slice(0, Limits.replicas_default)
    .map(([name]) => name)
    .sort()
    .map((name, index) => ({ name: `r${index + 1}`, node: name }))
}

const checkMembers = ({ gossip }: TenancyOptions, tenant: Tenants.Tenant): Effect.Effect<void, AdminError> =>
  Effect.forEach(tenant.replicas, (replica) =>
    Members.find(gossip.state().members, replica.node) === undefined
      ? new AdminError({ code: "not_found", message: `node ${replica.node} is not a member of the cluster` })
      : Effect.void, { discard: true })

/** How often a claim is put to the vote, and the pause in between, in which a younger rival gives way. */
const rounds_max = 20
const round_pause_ms = 100

/** As many as are needed so that any two such numbers of nodes have one in common. */
const majority = (nodes: number): number => Math.floor(nodes / 2) + 1

/** Before anything is begun: a creation that cannot come to an end would only leave traces. */
const checkMajority = ({ gossip, links, node }: TenancyOptions): Effect.Effect<void, AdminError> => {
  const members = Members.list(gossip.state().members)
  const gone = members.filter(({ name }) => name !== node && !links.status(name).connected)
  const there = members.length - gone.length
  return there >= majority(members.length) ? Effect.void : tooFew(
    `${there} of ${members.length} nodes can be reached`,
    members.length,
    gone.map(({ name }) => `node ${name}: ${links.status(name).reason ?? "not connected"}`)
  )
}

const tooFew = (have: string, nodes: number, why: ReadonlyArray<string>): Effect.Effect<never, AdminError> => {
  const message = `the tenant was not created: ${have}, ${majority(nodes)} are needed: ${why.join("; ")}`
  return Effect.fail(new AdminError({ code: "unavailable", message }))
}

/**
 * First a claim, which nobody may use; confirmed once a majority of the nodes has it in the registry, and no earlier
 * claim to its name. A node goes by what it heard of first, so of two that are published at the same moment, to
 * whomever, one at most gets that far; the other one is withdrawn by its creator.
 */
const publish = (options: TenancyOptions, tenant: Tenants.Tenant): Effect.Effect<Tenants.Tenant, AdminError> =>
  Effect.gen(function*() {
    const { gossip } = options
    const before = yield* gossip.update((tenants) => {
      const free = tenant.name === null || Tenants.holderOf(tenants, tenant.name) === undefined
      return free && !tenants.has(tenant.id) ? new Map(tenants).set(tenant.id, tenant) : tenants
    })
    if (!before.has(tenant.id)) return yield* conflict(Tenants.holderOf(before, tenant.name ?? ""), tenant)
    yield* Effect.onError(acknowledged(options, tenant, rounds_max), () =>
      gossip.update((tenants) => Tenants.withdraw(tenants, tenant.id)))
    return yield* confirm(options, tenant)
  })

/** From here on it may be used. Gossip brings that to everyone; whom a client may ask first had better know at once. */
const confirm = ({ calls, gossip, links }: TenancyOptions, tenant: Tenants.Tenant): Effect.Effect<Tenants.Tenant> =>
  Effect.gen(function*() {
    const confirmed = { ...tenant, confirmed: true }
    yield* gossip.update((tenants) => Tenants.confirm(tenants, tenant.id))
    yield* Effect.forEach(links.connected(), (node) => Effect.ignore(calls.publish(node, confirmed)), {
      concurrency: "unbounded",
      discard: true
    })
    return confirmed
  })

/**
 * Fails unless a majority has acknowledged this tenant as the holder of its name. When two creators split the votes, so
 * that neither has a majority, the younger claim gives way, and the older one asks again.
 */
const acknowledged = (
  options: TenancyOptions,
  tenant: Tenants.Tenant,
  rounds: number
): Effect.Effect<void, AdminError> =>
  Effect.gen(function*() {
    const { calls, gossip, node } = options
    const members = Members.list(gossip.state().members)
    const results = yield* Effect.forEach(members.filter(({ name }) => name !== node), ({ name }) =>
      Effect.result(calls.publish(name, tenant)), { concurrency: "unbounded" })
    const answers = results.flatMap((result) => Result.isSuccess(result) ? [result.success] : [])
    const silent = results.flatMap((result) => Result.isFailure(result) ? [result.failure.message] : [])
    const known = yield* gossip.update((tenants) => answers.reduce(Tenants.merge, tenants))
    const firsts = [known, ...answers].map((tenants) => Tenants.firstOf(tenants, tenant))
    const votes = firsts.filter((first) => first?.id === tenant.id).length
    if (votes >= majority(members.length)) return
    const rival = firsts.find((first) => first !== undefined && first.id !== tenant.id)
    if (rival !== undefined) {
      const outlasts = !rival.confirmed && Tenants.byAge(tenant, rival) < 0 && rounds > 1
      if (!outlasts) return yield* conflict(rival, tenant)
      return yield* Effect.andThen(Effect.sleep(round_pause_ms), acknowledged(options, tenant, rounds - 1))
    }
    const have = `${votes} of ${members.length} nodes ${votes === 1 ? "has" : "have"} acknowledged it`
    return yield* tooFew(have, members.length, silent)
  })

const conflict = (holder: Tenants.Tenant | undefined, { name }: Tenants.Tenant): Effect.Effect<never, AdminError> => {
  const message = holder === undefined ? `the tenant name "${name}" is already taken` : Tenants.takenReason(holder)
  return Effect.fail(new AdminError({ code: "conflict", message }))
}
