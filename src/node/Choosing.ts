/**
 * Which group a wish comes to: names that were never used, nodes that have room. Pure.
 *
 * @module
 */
import { type ReplicaName, replicaId } from "../base/Names.ts"
import * as Tenants from "../tenants/Tenants.ts"
import type { AdminErrorCode } from "../wire/AdminProtocol.ts"
import type { ChangeWish } from "../wire/Changes.ts"

/** The nodes of the cluster. */
export interface Places {
  /** Those that are there and may be given replicas, those with the fewest first. */
  readonly candidates: ReadonlyArray<string>
  /** Why a node may not be given one, or null. */
  readonly problem: (node: string) => { readonly code: AdminErrorCode; readonly message: string } | null
}

export type Next =
  | { readonly ok: true; readonly value: ReadonlyArray<ReplicaName> }
  | { readonly ok: false; readonly code: AdminErrorCode; readonly reason: string }

const refused = (code: AdminErrorCode, reason: string): Next => ({ ok: false, code, reason })

/** `former`: ids that have left, and are never used again. */
export const nextGroup = (
  { add, off, remove, to }: ChangeWish,
  present: ReadonlyArray<ReplicaName>,
  former: ReadonlyArray<string>,
  places: Places
): Next => {
  const leaving = [...remove ?? [], ...present.filter(({ node }) => node === off)]
  const unknown = leaving.find((place) => !isIn(present, place))
  if (unknown !== undefined) {
    return refused("not_found", `${replicaId(unknown)} is not in the group: it is ${present.map(replicaId).join(", ")}`)
  }
  if (off != null && leaving.length === 0) return refused("not_found", `node ${off} has no replica of this tenant`)
  const kept = present.filter((place) => !isIn(leaving, place))
  const substitute = off == null ? null : places.candidates.find((node) => !present.some((place) => place.node === node)) ?? null
  const added = [...add ?? [], ...(substitute === null ? [] : [{ name: null, node: substitute }])]
  const wanted = to ?? [...kept, ...named(added, present, former)]
  if (wanted.length === 0) return refused("conflict", only_reason)
  return judge(wanted, present, former, places)
}

const only_reason = "a tenant cannot lose its only replica: add one elsewhere in the same step, or delete the tenant"

const judge = (
  wanted: ReadonlyArray<ReplicaName>,
  present: ReadonlyArray<ReplicaName>,
  former: ReadonlyArray<string>,
  places: Places
): Next => {
  const problem = Tenants.replicasProblem(wanted)
  if (problem !== null) return refused("usage", problem)
  const joins = wanted.filter((place) => !isIn(present, place))
  for (const place of joins) {
    const unfit = places.problem(place.node)
    if (unfit !== null) return refused(unfit.code, unfit.message)
    if (former.includes(replicaId(place))) {
      return refused("conflict", `${replicaId(place)} has left this group before, and ids are never used again: name it otherwise`)
    }
    const other = present.find(({ node }) => node === place.node)
    if (other !== undefined) {
      const reason = `node ${place.node} has replica ${replicaId(other)} of this tenant: remove that one first, then add another`
      return refused("conflict", reason)
    }
  }
  if (joins.length === 0 && wanted.length === present.length) {
    return refused("conflict", `that is the group as it is: ${present.map(replicaId).join(", ")}`)
  }
  return { ok: true, value: Tenants.sortReplicas(wanted) }
}

const isIn = (group: ReadonlyArray<ReplicaName>, { name, node }: ReplicaName): boolean =>
  group.some((other) => other.name === name && other.node === node)

/** `r4` behind `r1`, `r2` and `r3`: higher than any number that was ever used. */
const named = (
  added: ReadonlyArray<{ readonly name: string | null; readonly node: string }>,
  present: ReadonlyArray<ReplicaName>,
  former: ReadonlyArray<string>
): ReadonlyArray<ReplicaName> => {
  const used = [...present.map(({ name }) => name), ...former.map((id) => id.split("::")[0]!), ...added.map(({ name }) => name ?? "")]
  let highest = used.reduce((most, name) => Math.max(most, Number(/^r(\d{1,9})$/.exec(name)?.[1] ?? 0)), 0)
  return added.map(({ name, node }) => ({ name: name ?? `r${++highest}`, node }))
}
