/**
 * Creating a tenant, from the node that was asked: choose its nodes, prepare every replica, publish, and see whether
 * another node took the name at the same time.
 *
 * A replica starts empty, as a voter, only if it was prepared here; a node that merely hears of a tenant recovers.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { Limits } from "../base/Limits.ts"
import { type ReplicaName, uuid } from "../base/Names.ts"
import * as Members from "../members/Members.ts"
import * as Tenants from "../tenants/Tenants.ts"
import { AdminError } from "../wire/AdminProtocol.ts"
import type { Calls } from "./Calls.ts"
import type { Gossip } from "./Gossip.ts"
import type { Links } from "./Links.ts"

export interface TenancyOptions {
  readonly node: string
  readonly gossip: Gossip["Service"]
  readonly links: Links
  readonly calls: Calls
}

/** `replicas` null: this node chooses. Fails with the reason; a failed creation leaves nothing behind that serves. */
export const createTenant = Effect.fnUntraced(function*(
  options: TenancyOptions,
  name: string | null,
  replicas: ReadonlyArray<ReplicaName> | null
): Effect.fn.Return<Tenants.Tenant, AdminError> {
  const { calls, gossip, node } = options
  const random = yield* Random.Random
  const id = uuid({ next: () => random.nextDoubleUnsafe() })
  const create = (tenants: Tenants.Tenants) =>
    Tenants.create(tenants, { id, name, replicas: replicas ?? choose(options), coordinator: node })

  const planned = create(gossip.state().tenants)
  if (!planned.ok) return yield* new AdminError({ code: planned.code, message: planned.reason })
  yield* checkMembers(options, planned.tenant)
  yield* Effect.forEach(planned.tenant.replicas, (replica) =>
    Effect.mapError(calls.bootstrap(replica.node, planned.tenant), (error) =>
      new AdminError({ code: "unavailable", message: `the tenant was not created: ${error.message}` })), {
    concurrency: "unbounded",
    discard: true
  })
  return yield* publish(options, planned.tenant)
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

/**
 * The tenant exists once it is in the registry. All nodes that are there hear of it before the creator is answered, so
 * whoever creates the same name later sees it; two that publish at the same moment both see both, agree on the winner
 * by its stamp and id, and the other one is withdrawn by its creator.
 */
const publish = (options: TenancyOptions, tenant: Tenants.Tenant): Effect.Effect<Tenants.Tenant, AdminError> =>
  Effect.gen(function*() {
    const { calls, gossip, links } = options
    let known = yield* gossip.update((tenants) => {
      const taken = tenant.name !== null && Tenants.holderOf(tenants, tenant.name) !== undefined
      return taken || tenants.has(tenant.id) ? tenants : new Map(tenants).set(tenant.id, tenant)
    })
    if (!known.has(tenant.id)) return yield* conflict(known, tenant)
    const answers = yield* Effect.forEach(links.connected(), (node) =>
      Effect.catch(calls.publish(node, tenant), (error) =>
        Effect.as(Effect.logWarning(`tenant ${tenant.id} not published: ${error.message}`), Tenants.noTenants)), {
      concurrency: "unbounded"
    })
    known = yield* gossip.update((tenants) => answers.reduce(Tenants.merge, tenants))
    if (tenant.name === null || Tenants.holderOf(known, tenant.name)?.id === tenant.id) return tenant
    yield* gossip.update((tenants) => Tenants.withdraw(tenants, tenant.id))
    return yield* conflict(known, tenant)
  })

const conflict = (known: Tenants.Tenants, { name }: Tenants.Tenant): Effect.Effect<never, AdminError> => {
  const holder = Tenants.holderOf(known, name ?? "")
  const message = holder === undefined ? `the tenant name "${name}" is already taken` : Tenants.takenReason(holder)
  return Effect.fail(new AdminError({ code: "conflict", message }))
}
