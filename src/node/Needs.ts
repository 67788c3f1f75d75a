/**
 * What still needs a node, and the commands that would change that, in words for who wants to take it out.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { replicaId } from "../base/Names.ts"
import type * as Tenants from "../tenants/Tenants.ts"
import { AdminError, type ReplicaStatus } from "../wire/AdminProtocol.ts"
import type { Calls } from "./Calls.ts"
import { otherPlace, type PlacementOptions } from "./Placement.ts"
import { allReplicas } from "./Survey.ts"

/** Most of them that one message names. */
const lines_max = 20

export interface NeedsOptions extends PlacementOptions {
  readonly calls: Pick<Calls, "summary">
}

/** Fails if a replica is there: by the registry, by what the node itself says, or by a change of a group that is under way. */
export const checkEmpty = (
  options: NeedsOptions,
  node: string
): Effect.Effect<void, AdminError> =>
  Effect.gen(function*() {
    const there = yield* Effect.mapError(options.calls.summary(node), ({ reason }) =>
      new AdminError({
        code: "unavailable",
        message: `node ${node} cannot be asked which replicas it has: ${reason}. Start it first; ` +
          `or, if it will never return: cluster remove ${node} --dead`
      }))
    const named = tenantsOn(options, node)
    const others = there.filter((replica) => !named.some(({ id }) => id === replica.tenant))
    const lines = [
      ...named.map((tenant) => tenantLine(options, tenant, node)),
      ...others.map((other) => otherLine(options, other)),
      ...(yield* changeLines(options, node))
    ]
    if (lines.length === 0) return
    return yield* needed(`node ${node} still has replicas. To move all of them: cluster drain ${node}. Or each by itself:`, lines)
  })

/** Fails if the registry names a replica there, or a group is about to have one. */
export const checkUnneeded = (options: NeedsOptions, node: string): Effect.Effect<void, AdminError> =>
  Effect.gen(function*() {
    const lines = [
      ...tenantsOn(options, node).map((tenant) =>
        tenant.confirmed && tenant.replicas.length === 1 ? lostLine(tenant) : tenantLine(options, tenant, node)),
      ...(yield* changeLines(options, node))
    ]
    if (lines.length > 0) return yield* needed(`tenants still count on node ${node}:`, lines)
  })

/** Of tenants whose primaries are asked to give that node a replica which it has not got yet. */
const changeLines = (options: NeedsOptions, node: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(allReplicas(options), (replicas) =>
    replicas.flatMap(({ change, replicas: group, tenant }) => {
      const joins = (change?.next ?? []).filter((id) => !group.includes(id) && id.endsWith(`::${node}`))
      const label = options.gossip.state().tenants.get(tenant)?.name ?? tenant
      if (joins.length === 0) return []
      return [change?.in_log === true
        ? `  ${joins.join()} of tenant ${label} is part of a change that is in the log, and needed for it. If it is gone for good: ` +
          "stop the nodes of the group, and v2r2-admin recover"
        : `  ${joins.join()} of tenant ${label} is to join its group: vr withdraw ${label}`]
    }))

const needed = (what: string, lines: ReadonlyArray<string>): Effect.Effect<never, AdminError> => {
  const more = lines.length > lines_max ? [`  and ${lines.length - lines_max} more`] : []
  return Effect.fail(new AdminError({ code: "conflict", message: [what, ...lines.slice(0, lines_max), ...more].join("\n") }))
}

/** Those that may be used, and those that perhaps will. */
const tenantsOn = ({ gossip }: PlacementOptions, node: string): ReadonlyArray<Tenants.Tenant> =>
  [...gossip.state().tenants.values()].filter(({ replicas, withdrawn }) =>
    !withdrawn && replicas.some((replica) => replica.node === node))

const tenantLine = (options: PlacementOptions, tenant: Tenants.Tenant, node: string): string => {
  const label = tenant.name ?? tenant.id
  if (!tenant.confirmed) {
    return `  ${label} is being created or renamed through node ${tenant.coordinator}: try again; if that does not end: ` +
      `vr delete tenant ${tenant.id}`
  }
  const own = tenant.replicas.filter((replica) => replica.node === node).map(replicaId).join()
  const place = otherPlace(options, tenant)
  return place === null
    ? `  vr replace ${label} ${own} <node>   (a node without a replica of ${label} has to join first)`
    : `  vr replace ${label} ${own} ${place}`
}

const lostLine = ({ id, name }: Tenants.Tenant): string =>
  `  vr delete tenant ${name ?? id}   (its only replica was there: what it held is lost)`

/** One that is there, and not by the registry: it is to join, has left, or was left behind. */
const otherLine = ({ gossip }: PlacementOptions, replica: ReplicaStatus): string => {
  const id = replicaId(replica)
  const label = gossip.state().tenants.get(replica.tenant)?.name ?? replica.tenant
  switch (replica.state) {
    case "learner":
      return `  ${id} of tenant ${label} is to join its group: let that end, or: vr withdraw ${label}; vr forget ${label} ${id}`
    case "failed":
      return `  ${id} of tenant ${label} is in no group any more, and has stopped: ${replica.detail}. If what it has is not needed: ` +
        `stop the node, remove its files under tenants/${replica.tenant}, and start it again`
    default:
      return `  ${id} of tenant ${label} is no longer in its group, and still needed until the others go on without it: try again`
  }
}
