/**
 * Where new replicas may go: to members that are not draining, those with the fewest replicas first.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { Limits } from "../base/Limits.ts"
import type { ReplicaName } from "../base/Names.ts"
import * as Members from "../members/Members.ts"
import * as Tenants from "../tenants/Tenants.ts"
import { AdminError } from "../wire/AdminProtocol.ts"
import type { Gossip, State } from "./Gossip.ts"
import type { Links } from "./Links.ts"

export interface PlacementOptions {
  readonly node: string
  readonly gossip: Gossip["Service"]
  readonly links: Pick<Links, "connected">
}

/** Up to three nodes that are there. */
export const choose = (options: PlacementOptions): ReadonlyArray<ReplicaName> =>
  candidates(options)
    .slice(0, Limits.replicas_default)
    .sort()
    .map((name, index) => ({ name: `r${index + 1}`, node: name }))

/** The node that a replica of this tenant had best move to, or null if none can take one. */
export const otherPlace = (options: PlacementOptions, { replicas }: Tenants.Tenant): string | null =>
  candidates(options).find((name) => !replicas.some(({ node }) => node === name)) ?? null

/** Nodes that are there and may be given replicas, those with the fewest first. */
export const candidates = ({ gossip, links, node }: PlacementOptions): Array<string> => {
  const { members, tenants } = gossip.state()
  const there = [node, ...links.connected()].filter((name) => placeProblem(members, name) === null)
  const loads = new Map(there.map((name) => [name, 0]))
  for (const { replicas } of Tenants.list(tenants)) {
    for (const replica of replicas) {
      const load = loads.get(replica.node)
      if (load !== undefined) loads.set(replica.node, load + 1)
    }
  }
  return [...loads].sort(([a, loadA], [b, loadB]) => loadA - loadB || (a < b ? -1 : 1)).map(([name]) => name)
}

/** Fails with the reason unless all these may be given a replica, as far as is known here. */
export const checkPlaces = (
  { members }: State,
  replicas: ReadonlyArray<ReplicaName>
): Effect.Effect<void, AdminError> =>
  Effect.forEach(replicas, ({ node }) => {
    const problem = placeProblem(members, node)
    return problem === null ? Effect.void : new AdminError(problem)
  }, { discard: true })

/** Why a node may not be given a replica, or null. */
export const placeProblem = (members: Members.Members, node: string): Pick<AdminError, "code" | "message"> | null => {
  const record = Members.recordOf(members, node)
  if (record === undefined) return { code: "not_found", message: strangerReason(members, node) }
  if (!Members.isDraining(record)) return null
  return { code: "conflict", message: `node ${node} is draining: no new replica may be placed on it` }
}

/** Why a node of this name is no member. */
export const strangerReason = (members: Members.Members, node: string): string => {
  const gone = Members.departed(members).find((record) => record.gone.name === node)?.gone
  return gone === undefined ? `node ${node} is not a member of the cluster` : Members.goneReason(gone)
}
