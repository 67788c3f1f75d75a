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
import { type ReplicaName, uuid } from "../base/Names.ts"
import * as Tenants from "../tenants/Tenants.ts"
import { AdminError } from "../wire/AdminProtocol.ts"
import type { Upload } from "./Calls.ts"
import { announce, checkInside, checkMajority, claim, type ClaimOptions } from "./Claims.ts"
import { checkPlaces, choose } from "./Placement.ts"

export interface TenantWish {
  /** Null: it goes by its id. */
  readonly name: string | null
  /** Null: this node chooses. */
  readonly replicas: ReadonlyArray<ReplicaName> | null
  readonly durability: Tenants.Durability
}

const undone = "the tenant was not created"

/** The tenant as it would be created now, and as far as is known here; nothing is done. Fails with the reason. */
export const planTenant = Effect.fnUntraced(function*(
  options: ClaimOptions,
  { durability, name, replicas }: TenantWish
): Effect.fn.Return<Tenants.Tenant, AdminError> {
  const { gossip, node } = options
  const random = yield* Random.Random
  const id = uuid({ next: () => random.nextDoubleUnsafe() })
  const create = (tenants: Tenants.Tenants) =>
    Tenants.create(tenants, { id, name, replicas: replicas ?? choose(options), durability, coordinator: node })

  yield* checkInside(options)
  if (replicas === null && choose(options).length === 0) {
    return yield* new AdminError({ code: "conflict", message: `${undone}: all nodes that can be reached are draining` })
  }
  const planned = create(gossip.state().tenants)
  if (!planned.ok) return yield* new AdminError({ code: planned.code, message: planned.reason })
  yield* checkPlaces(gossip.state(), planned.tenant.replicas)
  yield* checkMajority(options, undone)
  return planned.tenant
})

/** Fails with the reason; a failed creation leaves nothing behind that serves. `upload`: what it begins with. */
export const createTenant = (
  options: ClaimOptions,
  wish: TenantWish,
  upload: Upload | null
): Effect.Effect<Tenants.Tenant, AdminError> =>
  Effect.gen(function*() {
    const tenant = yield* planTenant(options, wish)
    yield* Effect.onError(prepare(options, tenant, upload), () => abandon(options, tenant, upload))
    yield* Effect.onError(reserve(options, tenant), () => abandon(options, tenant, upload))
    return yield* publish(options, tenant)
  })

/** Nobody knows of it yet. All of its replicas begin with the same, or there are none. */
const prepare = ({ calls }: ClaimOptions, tenant: Tenants.Tenant, upload: Upload | null): Effect.Effect<void, AdminError> =>
  Effect.gen(function*() {
    const digests = yield* Effect.forEach(tenant.replicas, ({ node }) =>
      Effect.mapError(calls.bootstrap(node, tenant, upload), (error) =>
        new AdminError({ code: "unavailable", message: `${undone}: ${error.message}` })), {
      concurrency: "unbounded"
    })
    if (new Set(digests).size === 1) return
    const made = tenant.replicas.map(({ node }, index) => `node ${node} made ${digests[index]}`).join(", ")
    const message = `${undone}: the nodes made different data of one snapshot, by their digests: ${made}`
    return yield* new AdminError({ code: "internal", message })
  })

const abandon = ({ calls }: ClaimOptions, tenant: Tenants.Tenant, upload: Upload | null): Effect.Effect<void> =>
  Effect.forEach(tenant.replicas, ({ node }) => Effect.ignore(calls.abandon(node, tenant, upload)), {
    concurrency: "unbounded",
    discard: true
  })

/** Its name, and its nodes, if they may still have it. */
const reserve = (options: ClaimOptions, tenant: Tenants.Tenant): Effect.Effect<void, AdminError> =>
  Effect.gen(function*() {
    const { gossip } = options
    yield* claim(options, tenant, undone)
    // A node that is to leave was marked before it looked for claims like this one: either it saw this, or this sees the mark.
    yield* Effect.onError(Effect.suspend(() => checkPlaces(gossip.state(), tenant.replicas)), () =>
      gossip.update((tenants) => Tenants.withdraw(tenants, tenant.id)))
  })

/** Confirmed: from then on it may be used. */
const publish = (options: ClaimOptions, tenant: Tenants.Tenant): Effect.Effect<Tenants.Tenant, AdminError> =>
  Effect.gen(function*() {
    const { gossip } = options
    const confirmed = { ...tenant, confirmed: true }
    yield* gossip.update((tenants) => Tenants.confirm(tenants, tenant.id))
    const isSaved = gossip.unsaved() === null
    yield* announce(options, confirmed)
    const unsaved = isSaved ? null : gossip.unsaved()
    if (unsaved === null) return confirmed
    const label = tenant.name ?? tenant.id
    const message = `tenant ${label} was created, and its creator, node ${options.node}, could not write that down: ${unsaved}`
    return yield* new AdminError({ code: "internal", message: `${message}. Mend that before the node is started again` })
  })
