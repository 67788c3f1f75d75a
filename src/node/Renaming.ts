/**
 * Renaming and deleting a tenant, from the node that was asked.
 *
 * A new name is reserved first, by the claim of a tenant that nobody will ever use; then the tenant gets the name, and
 * the reservation is withdrawn, in one change of the registry: at no node is the name free in between. Whoever ends
 * halfway withdraws the reservation when it starts again, as it does with any claim of its own.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { uuid } from "../base/Names.ts"
import * as Tenants from "../tenants/Tenants.ts"
import { AdminError, type Args, type Ok } from "../wire/AdminProtocol.ts"
import { announce, checkInside, checkMajority, claim, type ClaimOptions, findTenant } from "./Claims.ts"

const not_renamed = "the tenant was not renamed"

/** Fails with the reason, and then nothing has changed. With the name that it has already there is nothing to do. */
export const renameTenant = (
  options: ClaimOptions,
  { name, tenant: nameOrId }: Args<"vr.rename">
): Effect.Effect<Ok<"vr.rename">, AdminError> =>
  Effect.gen(function*() {
    const { gossip, node } = options
    yield* checkInside(options)
    const { durability, id, name: was, replicas } = yield* findTenant(options, nameOrId)
    if (was === name) return { tenant: id, name, was, unheard: [] }
    const random = yield* Random.Random
    const reserving = { id: uuid({ next: () => random.nextDoubleUnsafe() }), name, replicas, durability, coordinator: node }
    const reserved = Tenants.create(gossip.state().tenants, reserving)
    if (!reserved.ok) return yield* new AdminError({ code: reserved.code, message: `${not_renamed}: ${reserved.reason}` })
    yield* checkMajority(options, not_renamed)
    yield* claim(options, reserved.tenant, not_renamed)
    const renamed = (yield* gossip.update((tenants) => handOver(tenants, reserving.id, id, name))).get(id)
    if (renamed?.name !== name || renamed.withdrawn) {
      return yield* new AdminError({ code: "conflict", message: `${not_renamed}: it, or its new name, was deleted meanwhile` })
    }
    return { tenant: id, name, was, unheard: yield* announce(options, renamed) }
  })

/** The tenant gets the name that was reserved for it, unless one of the two is not there any more. */
const handOver = (tenants: Tenants.Tenants, reservation: string, id: string, name: string): Tenants.Tenants => {
  const isReserved = tenants.get(reservation)?.withdrawn === false
  return Tenants.withdraw(isReserved ? Tenants.rename(tenants, id, name) : tenants, reservation)
}

/** Withdraws it for good. By its id, that can also be done to a claim whose creator will not come back to withdraw it. */
export const deleteTenant = (
  options: ClaimOptions,
  { tenant: nameOrId }: Args<"vr.delete">
): Effect.Effect<Ok<"vr.delete">, AdminError> =>
  Effect.gen(function*() {
    const { gossip } = options
    yield* checkInside(options)
    const claimed = gossip.state().tenants.get(nameOrId)
    const { id, name } = claimed?.withdrawn === false ? claimed : yield* findTenant(options, nameOrId)
    yield* checkMajority(options, "the tenant was not deleted")
    const withdrawn = (yield* gossip.update((tenants) => Tenants.remove(tenants, id))).get(id)
    return { tenant: id, name, unheard: withdrawn === undefined ? [] : yield* announce(options, withdrawn) }
  })
