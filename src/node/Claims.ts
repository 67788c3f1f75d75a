/**
 * Claims to the name of a tenant, by those who create one and those who rename one: of several that are made at the same
 * time, to whomever, one at most is acknowledged by a majority of the nodes.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Members from "../members/Members.ts"
import * as Tenants from "../tenants/Tenants.ts"
import { AdminError } from "../wire/AdminProtocol.ts"
import type { Calls } from "./Calls.ts"
import { type Gossip, outcastReason } from "./Gossip.ts"
import type { Links } from "./Links.ts"

export interface ClaimOptions {
  readonly node: string
  readonly gossip: Gossip["Service"]
  readonly links: Links
  readonly calls: Calls
}

/** How often a claim is put to the vote, and the pause in between, in which a younger rival gives way. */
const rounds_max = 20
const round_pause_ms = 100

/** As many as are needed so that any two such numbers of nodes have one in common. */
const majority = (nodes: number): number => Math.floor(nodes / 2) + 1

/** Nothing is changed from a node that is out. */
export const checkInside = ({ gossip }: Pick<ClaimOptions, "gossip">): Effect.Effect<void, AdminError> => {
  const reason = outcastReason(gossip.state(), gossip.self)
  return reason === null ? Effect.void : new AdminError({ code: "conflict", message: reason })
}

/** One that may be used. */
export const findTenant = (
  { gossip }: Pick<ClaimOptions, "gossip">,
  nameOrId: string
): Effect.Effect<Tenants.Tenant, AdminError> => {
  const tenant = Tenants.find(gossip.state().tenants, nameOrId)
  return tenant === undefined
    ? new AdminError({ code: "not_found", message: `tenant ${JSON.stringify(nameOrId)} does not exist` })
    : Effect.succeed(tenant)
}

/** Before anything is begun: a change that cannot come to an end would only leave traces. `undone`: what is the case then. */
export const checkMajority = ({ gossip, links, node }: ClaimOptions, undone: string): Effect.Effect<void, AdminError> => {
  const members = Members.list(gossip.state().members)
  const gone = members.filter(({ name }) => name !== node && !links.status(name).connected)
  const there = members.length - gone.length
  return there >= majority(members.length) ? Effect.void : tooFew(
    `${undone}: ${there} of ${members.length} nodes can be reached`,
    members.length,
    gone.map(({ name }) => `node ${name}: ${links.status(name).reason ?? "not connected"}`)
  )
}

const tooFew = (have: string, nodes: number, why: ReadonlyArray<string>): Effect.Effect<never, AdminError> => {
  const message = `${have}, ${majority(nodes)} are needed: ${why.join("; ")}`
  return Effect.fail(new AdminError({ code: "unavailable", message }))
}

/**
 * Puts a tenant in the registry that nobody may use yet, and asks all nodes; withdraws it unless a majority has it then,
 * and no earlier claim to its name. A node goes by what it heard of first, so of two that are made at the same moment one
 * at most gets that far.
 */
export const claim = (options: ClaimOptions, tenant: Tenants.Tenant, undone: string): Effect.Effect<void, AdminError> =>
  Effect.gen(function*() {
    const { gossip } = options
    const before = yield* gossip.update((tenants) => {
      const free = tenant.name === null || Tenants.holderOf(tenants, tenant.name) === undefined
      return free && !tenants.has(tenant.id) ? new Map(tenants).set(tenant.id, tenant) : tenants
    })
    if (!before.has(tenant.id)) return yield* conflict(Tenants.holderOf(before, tenant.name ?? ""), tenant)
    yield* Effect.onError(acknowledged(options, tenant, undone, rounds_max), () =>
      gossip.update((tenants) => Tenants.withdraw(tenants, tenant.id)))
  })

/**
 * Gossip brings a change to everyone; whom a client or an operator may ask next had better know at once. Gives the names
 * of the nodes that do not.
 */
export const announce = (
  { calls, gossip, node }: ClaimOptions,
  tenant: Tenants.Tenant
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(
    Effect.forEach(Members.list(gossip.state().members).filter(({ name }) => name !== node), ({ name }) =>
      Effect.match(calls.publish(name, tenant), { onFailure: () => [name], onSuccess: () => [] }), { concurrency: "unbounded" }),
    (unheard) => unheard.flat()
  )

/**
 * Fails unless a majority has acknowledged this tenant as the holder of its name. When two creators split the votes, so
 * that neither has a majority, the younger claim gives way, and the older one asks again.
 */
const acknowledged = (
  options: ClaimOptions,
  tenant: Tenants.Tenant,
  undone: string,
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
      return yield* Effect.andThen(Effect.sleep(round_pause_ms), acknowledged(options, tenant, undone, rounds - 1))
    }
    const have = `${undone}: ${votes} of ${members.length} nodes ${votes === 1 ? "has" : "have"} acknowledged it`
    return yield* tooFew(have, members.length, silent)
  })

const conflict = (holder: Tenants.Tenant | undefined, { name }: Tenants.Tenant): Effect.Effect<never, AdminError> => {
  const message = holder === undefined ? `the tenant name "${name}" is already taken` : Tenants.takenReason(holder)
  return Effect.fail(new AdminError({ code: "conflict", message }))
}
