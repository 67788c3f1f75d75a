/**
 * The tenants of a cluster: a registry that every node keeps and merges with what others send. Pure values.
 *
 * What can be said of one id is merged part by part, so that nothing is lost that has nothing to do with the rest: the
 * group of the highest epoch, the name of the highest stamp; and a claim may be withdrawn, or confirmed, which holds against
 * that, and then deleted, which is final. What is not there any more is remembered, so that a node that comes late cannot
 * bring it back. Names are not keys: two nodes may claim one name at
 * the same time, by creating a tenant or renaming one. Then one of them at most is acknowledged by a majority, and the
 * other one withdraws its claim. Where none is withdrawn, as of two clusters that were joined, all nodes agree on the
 * holder of the name, the lowest (stamp, id); the other one goes by its id.
 *
 * `merge` is commutative, associative and idempotent, also for tenants that no sequence of calls here can make.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import { isUuid, nameProblem, type Parsed, type ReplicaName, replicaId } from "../base/Names.ts"

/**
 * What a crash leaves of a tenant's log. `disk`: all that was acknowledged. `memory`: nothing; a replica that comes back
 * gets its log from the others, which only works while no more than f of them are gone at the same time.
 */
export const durabilities = ["disk", "memory"] as const
export type Durability = (typeof durabilities)[number]

export interface Tenant {
  /** UUID. */
  readonly id: string
  /** Null: known by its id only. */
  readonly name: string | null
  /** Counts configurations, from 0. */
  readonly epoch: number
  /** 1 to 7, distinct names on distinct nodes, sorted by name, then node. */
  readonly replicas: ReadonlyArray<ReplicaName>
  readonly durability: Durability
  /** Of its name: 1 + the highest stamp that was known where it got that. A name given with knowledge of another one is younger. */
  readonly stamp: number
  /** Until a majority of the nodes has acknowledged it, it claims its name and does nothing else: nobody may use it. */
  readonly confirmed: boolean
  readonly withdrawn: boolean
  /** The node that created it, and withdraws it if a majority does not acknowledge it. */
  readonly coordinator: string
}

/** By id, in the order in which this node heard of them. Never changed in place. */
export type Tenants = ReadonlyMap<string, Tenant>

/** Several tenants, none of them withdrawn, that claim one name. */
export interface TenantConflict {
  readonly name: string
  readonly winner: Tenant
  readonly losers: ReadonlyArray<Tenant>
}

export interface Create {
  /** A fresh UUID. */
  readonly id: string
  readonly name: string | null
  readonly replicas: ReadonlyArray<ReplicaName>
  readonly durability: Durability
  readonly coordinator: string
}

export type Created =
  | { readonly ok: true; readonly tenants: Tenants; readonly tenant: Tenant }
  /** `usage`: never possible; `conflict`: the name is taken; `denied`: the registry is full. */
  | { readonly ok: false; readonly code: "usage" | "conflict" | "denied"; readonly reason: string }

export const noTenants: Tenants = new Map()

/** Adds a tenant in its first epoch. Whether the nodes of its replicas are members is for the caller to know. */
export const create = (tenants: Tenants, { id, name, replicas, durability, coordinator }: Create): Created => {
  const problem = (name === null ? null : nameProblem(name)) ?? replicasProblem(replicas)
  if (problem !== null) return { ok: false, code: "usage", reason: problem }
  if (!isUuid(id) || tenants.has(id)) return { ok: false, code: "usage", reason: "a tenant needs a new UUID as its id" }
  const holder = name === null ? undefined : holderOf(tenants, name)
  if (holder) return { ok: false, code: "conflict", reason: takenReason(holder) }
  const tenant: Tenant = {
    id,
    name,
    epoch: 0,
    replicas: sortReplicas(replicas),
    durability,
    stamp: nextStamp(tenants),
    confirmed: false,
    withdrawn: false,
    coordinator
  }
  const next = new Map(tenants).set(id, tenant)
  const full = sizeProblem(next)
  return full === null ? { ok: true, tenants: next, tenant } : { ok: false, code: "denied", reason: full }
}

/** From now on the tenant is there to be used. */
export const confirm = (tenants: Tenants, id: string): Tenants => {
  const tenant = tenants.get(id)
  if (!tenant || tenant.withdrawn || tenant.confirmed) return tenants
  return new Map(tenants).set(id, { ...tenant, confirmed: true })
}

/** A creator that ended halfway takes back what it had begun. */
export const withdrawUnfinished = (tenants: Tenants, coordinator: string): Tenants =>
  [...tenants.values()]
    .filter((tenant) => tenant.coordinator === coordinator && !tenant.confirmed)
    .reduce((left, { id }) => withdraw(left, id), tenants)

/**
 * The tenant's replicas have committed this group, in this epoch. What is older, or of a tenant that is not there any
 * more, changes nothing.
 */
export const adopt = (tenants: Tenants, id: string, epoch: number, replicas: ReadonlyArray<ReplicaName>): Tenants => {
  const tenant = tenants.get(id)
  if (!tenant || tenant.withdrawn || epoch <= tenant.epoch) return tenants
  return new Map(tenants).set(id, { ...tenant, epoch, replicas: sortReplicas(replicas) })
}

/** Whether the name is free is for the caller to have settled; nobody has claimed it later than this tenant now has. */
export const rename = (tenants: Tenants, id: string, name: string): Tenants => {
  const tenant = tenants.get(id)
  if (!tenant || tenant.withdrawn || tenant.name === name) return tenants
  const renamed = new Map(tenants)
  put(renamed, { ...tenant, name, stamp: nextStamp(tenants) })
  return renamed
}

/** Its creator takes a claim back. One that was confirmed stays: whoever says otherwise has forgotten that. */
export const withdraw = (tenants: Tenants, id: string): Tenants => {
  const tenant = tenants.get(id)
  if (!tenant || tenant.withdrawn || tenant.confirmed) return tenants
  return new Map(tenants).set(id, { ...tenant, withdrawn: true })
}

/** Takes a tenant, or a claim, out of the registry, for good. */
export const remove = (tenants: Tenants, id: string): Tenants => {
  const tenant = tenants.get(id)
  if (!tenant || lifeOf(tenant) === 3) return tenants
  return new Map(tenants).set(id, { ...tenant, confirmed: true, withdrawn: true })
}

/** A claim, one that was taken back, a tenant, one that was deleted: what comes later holds, whatever else is said. */
const lifeOf = ({ confirmed, withdrawn }: Tenant): number => (confirmed ? 2 : 0) + (withdrawn ? 1 : 0)

/** All that either knows. Gives `ours` itself back when `theirs` adds nothing: a change can be told by identity. */
export const merge = (ours: Tenants, theirs: Tenants): Tenants => {
  const merged = new Map(ours)
  let changed = false
  for (const [id, tenant] of theirs) {
    const known = ours.get(id)
    const both = known === undefined ? tenant : join(known, tenant)
    if (both === known) continue
    put(merged, both)
    changed = true
  }
  return changed ? merged : ours
}

/** By id, or by the name that it holds. Only one that may be used is found. */
export const find = (tenants: Tenants, nameOrId: string): Tenant | undefined => {
  const tenant = tenants.get(nameOrId)
  if (tenant) return isUsable(tenant) ? tenant : undefined
  return oldest(tenants, (other) => other.name === nameOrId && isUsable(other))
}

/** Of all tenants that claim this name, the one that all nodes agree on: the lowest (stamp, id). */
export const holderOf = (tenants: Tenants, name: string): Tenant | undefined =>
  oldest(tenants, (tenant) => tenant.name === name && !tenant.withdrawn)

const isUsable = (tenant: Tenant): boolean => tenant.confirmed && !tenant.withdrawn

const oldest = (tenants: Tenants, matches: (tenant: Tenant) => boolean): Tenant | undefined => {
  // Asked for every session that a client opens: one pass, no sorting.
  let holder: Tenant | undefined
  for (const tenant of tenants.values()) {
    if (!matches(tenant)) continue
    if (holder === undefined || byAge(tenant, holder) < 0) holder = tenant
  }
  return holder
}

/**
 * Of those that claim the name of this one, itself included, the one to whom it belongs as far as is known here: one that
 * may be used, for a majority has acknowledged it, else the first that was heard of. The order alone would not tell: a
 * tenant that was renamed came to its name by a claim that is withdrawn by now.
 */
export const firstOf = (tenants: Tenants, { id, name }: Tenant): Tenant | undefined => {
  const claiming = [...tenants.values()].filter((other) =>
    !other.withdrawn && (other.id === id || (name !== null && other.name === name)))
  return claiming.find(isUsable) ?? claiming[0]
}

/** All that may be used: by name, then those without one by id. */
export const list = (tenants: Tenants): ReadonlyArray<Tenant> =>
  claims(tenants).filter(isUsable).toSorted((a, b) => {
    if (a.name === null || b.name === null) return Number(a.name === null) - Number(b.name === null) || byId(a, b)
    return compareText(a.name, b.name) || byId(a, b)
  })

/** The names that more than one tenant claims, sorted. The losers go by their ids; operators are told. */
export const nameConflicts = (tenants: Tenants): ReadonlyArray<TenantConflict> => {
  const byName = Map.groupBy(claims(tenants).filter(isUsable), (tenant) => tenant.name)
  return [...byName]
    .flatMap(([name, [winner, ...losers]]) =>
      name !== null && winner && losers.length > 0 ? [{ name, winner, losers }] : []
    )
    .sort((a, b) => compareText(a.name, b.name))
}

/** For the one whose tenant cannot have its name: which tenant has it. */
export const takenReason = (holder: Tenant): string =>
  `the tenant name "${holder.name}" is already taken by tenant ${holder.id}, created through ${holder.coordinator}`

/** Why these replicas cannot form a group, or null if they can. */
export const replicasProblem = (replicas: ReadonlyArray<ReplicaName>): string | null => {
  const count = replicas.length
  if (count < 1 || count > Limits.replicas_max) return `a tenant has 1 to ${Limits.replicas_max} replicas, got ${count}`
  for (const { name, node } of replicas) {
    const problem = nameProblem(name)
    if (problem !== null) return `replica name: ${problem}`
    const nodeProblem = nameProblem(node)
    if (nodeProblem !== null) return `node name: ${nodeProblem}`
  }
  const name = firstTwice(replicas.map((replica) => replica.name))
  if (name !== undefined) return `replica names are distinct within a tenant, "${name}" is there twice`
  const node = firstTwice(replicas.map((replica) => replica.node))
  return node === undefined ? null : `a node holds one replica of a tenant at most, "${node}" is there twice`
}

/** By name, then node, by code unit. */
export const sortReplicas = (replicas: ReadonlyArray<ReplicaName>): ReadonlyArray<ReplicaName> =>
  replicas
    .map(({ name, node }) => ({ name, node }))
    .sort((a, b) => compareText(a.name, b.name) || compareText(a.node, b.node))

/** In an order of their own, to be stored or sent; {@link fromRecords} is the way back. */
export const toRecords = (tenants: Tenants): ReadonlyArray<Tenant> => [...tenants.values()].sort(byId)

/**
 * Refuses what breaks a rule of this module: these records come from a disk or from another node. How many they are is
 * not asked: what a cluster came to, by whatever way, each of its nodes has to be able to read.
 */
export const fromRecords = (records: ReadonlyArray<Tenant>): Parsed<Tenants> => {
  const tenants = new Map<string, Tenant>()
  for (const record of records) {
    const problem = tenantProblem(record)
    if (problem !== null) return { ok: false, reason: problem }
    if (tenants.has(record.id)) return { ok: false, reason: `tenant ${record.id} is there twice` }
    tenants.set(record.id, { ...record, replicas: sortReplicas(record.replicas) })
  }
  return { ok: true, value: tenants }
}

/** Why these are too many, or null: for who creates one or joins clusters, beforehand. A merge may give more. */
export const sizeProblem = (tenants: Tenants): string | null => {
  const count = claims(tenants).length
  if (count > Limits.tenants_max) return `a cluster has at most ${Limits.tenants_max} tenants, got ${count}`
  const known_max = Limits.tenants_known_max - Limits.tenants_known_slack
  return tenants.size > known_max ? `a cluster remembers at most ${known_max} tenants, got ${tenants.size}` : null
}

/** Why this registry cannot be kept and sent, or null. Many creations at once, on all nodes, stay below it. */
export const capProblem = (tenants: Tenants): string | null =>
  tenants.size > Limits.tenants_known_max
    ? `a cluster remembers at most ${Limits.tenants_known_max} tenants, got ${tenants.size}`
    : null

/** Those not withdrawn; the first of a name is its holder. */
const claims = (tenants: Tenants): ReadonlyArray<Tenant> =>
  [...tenants.values()].filter((tenant) => !tenant.withdrawn).sort(byAge)

/** Which of two claims to a name is the older: the lower (stamp, id). */
export const byAge = (a: Tenant, b: Tenant): number => a.stamp - b.stamp || byId(a, b)

const tenantProblem = (tenant: Tenant): string | null => {
  if (!isUuid(tenant.id)) return "a tenant id is a UUID"
  const problem = (tenant.name === null ? null : nameProblem(tenant.name)) ??
    replicasProblem(tenant.replicas) ??
    nameProblem(tenant.coordinator)
  if (problem !== null) return `tenant ${tenant.id}: ${problem}`
  const { id, epoch, stamp } = tenant
  if (!Number.isSafeInteger(epoch) || epoch < 0 || epoch > Limits.epoch_max) {
    return `tenant ${id}: an epoch is an integer from 0 to ${Limits.epoch_max}`
  }
  if (!Number.isSafeInteger(stamp) || stamp < 1 || stamp > Limits.counter_max) {
    return `tenant ${id}: a stamp is an integer from 1 to ${Limits.counter_max}`
  }
  return null
}

/** All that is said of one id by two records. Gives `ours` itself back when `theirs` adds nothing. */
const join = (ours: Tenant, theirs: Tenant): Tenant => {
  const group = later(ours, theirs, (tenant) => tenant.epoch, groupText)
  const named = later(ours, theirs, (tenant) => tenant.stamp, ({ name }) => name ?? "")
  const made = later(ours, theirs, () => 0, ({ coordinator, durability }) => `${durability} ${coordinator}`)
  const { confirmed, withdrawn } = lifeOf(theirs) > lifeOf(ours) ? theirs : ours
  const isSame = confirmed === ours.confirmed && withdrawn === ours.withdrawn
  if (group === ours && named === ours && made === ours && isSame) return ours
  return {
    id: ours.id,
    name: named.name,
    epoch: group.epoch,
    replicas: group.replicas,
    durability: made.durability,
    stamp: named.stamp,
    confirmed,
    withdrawn,
    coordinator: made.coordinator
  }
}

/** The one of the higher count; at equal counts, which no two records of one cluster have, that of the higher text. */
const later = (
  ours: Tenant,
  theirs: Tenant,
  count: (tenant: Tenant) => number,
  text: (tenant: Tenant) => string
): Tenant => (count(theirs) - count(ours) || compareText(text(theirs), text(ours))) > 0 ? theirs : ours

const groupText = ({ replicas }: Tenant): string => replicas.map(replicaId).join(" ")

/** A tenant that comes to another name claims that from now on, after all others: it moves to the end. */
const put = (tenants: Map<string, Tenant>, tenant: Tenant): void => {
  if (tenants.get(tenant.id)?.name !== tenant.name) tenants.delete(tenant.id)
  tenants.set(tenant.id, tenant)
}

const nextStamp = (tenants: Tenants): number =>
  1 + [...tenants.values()].reduce((highest, tenant) => Math.max(highest, tenant.stamp), 0)

const firstTwice = (texts: ReadonlyArray<string>): string | undefined =>
  texts.find((text, index) => texts.indexOf(text) !== index)

const byId = (a: Tenant, b: Tenant): number => compareText(a.id, b.id)

/** By code unit: the same order on every machine. */
const compareText = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0
