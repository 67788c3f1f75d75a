/**
 * The nodes of a cluster: an observed-remove set that every node keeps and merges with what others send. Pure values.
 *
 * An element is added only by the node that it describes, tagged (id, 1), (id, 2), … and each add replaces what that
 * node added before. So of all tags of an id only the newest matters, and one record per id holds the whole set:
 * the newest tag, and the member, or null once that tag was removed. A remove takes away only the tag that it saw: a
 * node that adds itself again, with a higher tag, is back, whatever the order in which others hear of it.
 *
 * What operators say of a node is kept beside that, and does not depend on tags: that it is to be drained, and that it is
 * gone, having left or being dead. The latter is final for its id: no add brings it back, and its name is free.
 *
 * `merge` is commutative, associative and idempotent, also for records that no sequence of calls here can make.
 *
 * @module
 */
import { addressProblem } from "../base/Address.ts"
import { Limits } from "../base/Limits.ts"
import { isUuid, nameProblem, type Parsed } from "../base/Names.ts"

/** A node as others know it. `id` tells "the same node, at another address" from "another node of that name". */
export interface Member {
  /** UUID, made once and kept under the node's `data_dir`. */
  readonly id: string
  readonly name: string
  /** Addresses, `host:port`, as others can dial them. */
  readonly admin: string
  readonly client: string
  readonly cluster: string
  readonly peer: string
}

/** The newest of what is known about one id. */
export interface MemberRecord {
  readonly id: string
  /** From 1; counts how often the node added itself. */
  readonly tag: number
  /** Null: removed. */
  readonly member: Member | null
  /** How often operators have begun or called off draining it: odd while no new replicas are to come to it. */
  readonly drains: number
  readonly gone: Departure | null
}

/** Why a node is out for good: it `left` in an orderly way, or was removed as `dead`. `name`: what it was called. */
export interface Departure {
  readonly name: string
  readonly why: "left" | "dead"
}

/** By id. Never changed in place. */
export type Members = ReadonlyMap<string, MemberRecord>

/** Several nodes that claim one name. All nodes agree on the winner: the lowest id. */
export interface MemberConflict {
  readonly name: string
  readonly winner: Member
  readonly losers: ReadonlyArray<Member>
}

export const noMembers: Members = new Map()

/**
 * A node announces itself. Idempotent: with nothing new, the same set comes back, so a node may call this whenever
 * it starts, and again whenever a merge left it with another entry than its own. Refused if the member is malformed,
 * if its id is gone, if another id holds the name, or if the cluster is full.
 */
export const add = (members: Members, member: Member): Parsed<Members> => {
  const problem = memberProblem(member)
  if (problem !== null) return { ok: false, reason: problem }
  const known = members.get(member.id)
  if (known?.gone) return { ok: false, reason: goneReason(known.gone) }
  if (known?.member && sameMember(known.member, member)) return { ok: true, value: members }
  const holder = find(members, member.name)
  if (holder && holder.id !== member.id) return { ok: false, reason: takenReason(holder) }
  if (!known?.member && list(members).length >= Limits.members_max) {
    return { ok: false, reason: `a cluster has at most ${Limits.members_max} nodes` }
  }
  const record = { id: member.id, tag: (known?.tag ?? 0) + 1, member, drains: known?.drains ?? 0, gone: null }
  return { ok: true, value: new Map(members).set(member.id, record) }
}

/** Forgets a node, as it is known here: an announcement of its own that was not seen yet survives. */
export const remove = (members: Members, id: string): Members => {
  const known = members.get(id)
  if (!known?.member) return members
  return new Map(members).set(id, { ...known, member: null })
}

/** Whether new replicas are to stay away from a node. */
export const setDraining = (members: Members, id: string, draining: boolean): Members => {
  const known = members.get(id)
  if (!known || isDraining(known) === draining) return members
  return new Map(members).set(id, { ...known, drains: known.drains + 1 })
}

export const isDraining = ({ drains }: MemberRecord): boolean => drains % 2 === 1

/** Takes a node out for good. */
export const depart = (members: Members, id: string, why: Departure["why"]): Members => {
  const known = members.get(id)
  if (!known?.member || known.gone) return members
  return new Map(members).set(id, { ...known, gone: { name: known.member.name, why } })
}

/** Those that are gone and whose names nobody holds now, by name. */
export const departed = (members: Members): ReadonlyArray<MemberRecord & { readonly gone: Departure }> =>
  toRecords(members)
    .flatMap((record) => record.gone !== null && find(members, record.gone.name) === undefined ? [{ ...record, gone: record.gone }] : [])
    .sort((a, b) => compareText(a.gone.name, b.gone.name))

/** For a node that asks why it is out. */
export const goneReason = ({ name, why }: Departure): string =>
  why === "left" ? `node ${name} has left the cluster` : `node ${name} was removed from the cluster as dead`

/** All that either knows. Gives `ours` itself back when `theirs` adds nothing: a change can be told by identity. */
export const merge = (ours: Members, theirs: Members): Members => {
  const merged = new Map(ours)
  let changed = false
  for (const [id, record] of theirs) {
    const known = ours.get(id)
    const both = known === undefined ? record : join(known, record)
    if (both === known) continue
    merged.set(id, both)
    changed = true
  }
  return changed ? merged : ours
}

/** The nodes of the cluster by name, one for each name: the losers of a conflict are left out. */
export const list = (members: Members): ReadonlyArray<Member> => {
  const byName = new Map<string, Member>()
  for (const member of all(members)) if (!byName.has(member.name)) byName.set(member.name, member)
  return [...byName.values()].sort((a, b) => compareText(a.name, b.name))
}

/** The node that holds a name, conflict or not. */
export const find = (members: Members, name: string): Member | undefined =>
  all(members).find((member) => member.name === name)

/** What a node says of itself, conflict or not. */
export const findById = (members: Members, id: string): Member | undefined => present(members.get(id))

/** What is known of the node that holds a name. */
export const recordOf = (members: Members, name: string): MemberRecord | undefined => {
  const member = find(members, name)
  return member && members.get(member.id)
}

/** The names that more than one node claims, sorted. */
export const conflicts = (members: Members): ReadonlyArray<MemberConflict> => {
  const claims = Map.groupBy(all(members), (member) => member.name)
  return [...claims]
    .flatMap(([name, [winner, ...losers]]) => winner && losers.length > 0 ? [{ name, winner, losers }] : [])
    .sort((a, b) => compareText(a.name, b.name))
}

/**
 * Takes the losers of all conflicts out, for good: each learns of it like everybody else, and cannot add itself again
 * while it knows of the winner. As all agree on the winners, they agree on this, whoever does it first.
 */
export const settle = (members: Members): Members =>
  conflicts(members).flatMap(({ losers }) => losers).reduce((rest, { id }) => remove(rest, id), members)

/** For the one that is turned away: which node holds the name that it wanted. */
export const takenReason = (holder: Member): string =>
  `the node name "${holder.name}" is already taken by another node, at cluster address ${holder.cluster}`

/** In an order of their own, to be stored or sent; {@link fromRecords} is the way back. */
export const toRecords = (members: Members): ReadonlyArray<MemberRecord> =>
  [...members.values()].sort((a, b) => compareText(a.id, b.id))

/**
 * Refuses what breaks a rule of this module: these records come from a disk or from another node. How many they are is
 * not asked: what a cluster came to, by whatever way, each of its nodes has to be able to read.
 */
export const fromRecords = (records: ReadonlyArray<MemberRecord>): Parsed<Members> => {
  const members = new Map<string, MemberRecord>()
  for (const record of records) {
    const problem = recordProblem(record)
    if (problem !== null) return { ok: false, reason: problem }
    if (members.has(record.id)) return { ok: false, reason: `node id ${record.id} is there twice` }
    members.set(record.id, record)
  }
  return { ok: true, value: members }
}

/** Why these are too many nodes, or null: for an operator who joins some, beforehand. A merge may come to more. */
export const sizeProblem = (members: Members): string | null => {
  const count = list(members).length
  return count > Limits.members_max ? `a cluster has at most ${Limits.members_max} nodes, got ${count}` : null
}

/** Why this set cannot be kept and sent, or null. It is far above what a cluster comes to. */
export const capProblem = (members: Members): string | null =>
  members.size > Limits.members_known_max
    ? `a cluster remembers at most ${Limits.members_known_max} nodes, got ${members.size}`
    : null

/** All present, by id: the first of a name is its winner. */
const all = (members: Members): ReadonlyArray<Member> =>
  toRecords(members).map(present).filter((member) => member !== undefined)

const present = (record: MemberRecord | undefined): Member | undefined =>
  record?.gone === null && record.member !== null ? record.member : undefined

const memberProblem = (member: Member): string | null => {
  if (!isUuid(member.id)) return "a node id is a UUID"
  const name = nameProblem(member.name)
  if (name !== null) return `node name: ${name}`
  for (const key of ["admin", "client", "cluster", "peer"] as const) {
    const problem = addressProblem(member[key])
    if (problem !== null) return `${key} address of ${member.name}: ${problem}`
  }
  return null
}

const recordProblem = (record: MemberRecord): string | null => {
  if (!isUuid(record.id)) return "a node id is a UUID"
  if (!Number.isSafeInteger(record.tag) || record.tag < 1 || record.tag > Limits.counter_max) {
    return `the tag of node ${record.id} is an integer from 1 to ${Limits.counter_max}`
  }
  if (!Number.isSafeInteger(record.drains) || record.drains < 0 || record.drains > Limits.counter_max) {
    return `the drains of node ${record.id} are an integer from 0 to ${Limits.counter_max}`
  }
  const gone = record.gone === null ? null : nameProblem(record.gone.name)
  if (gone !== null) return `name of node ${record.id}, which is gone: ${gone}`
  if (record.member === null) return null
  return record.member.id === record.id ? memberProblem(record.member) : `node ${record.id} has a member of another id`
}

/**
 * All that is said of one id by two records: each part is the larger of the two, whatever the others are. Gives `ours`
 * itself back when `theirs` adds nothing.
 */
const join = (ours: MemberRecord, theirs: MemberRecord): MemberRecord => {
  const said = supersedes(theirs, ours) ? theirs : ours
  const drains = Math.max(ours.drains, theirs.drains)
  const gone = goneText(theirs) > goneText(ours) ? theirs.gone : ours.gone
  if (said === ours && drains === ours.drains && gone === ours.gone) return ours
  return { id: ours.id, tag: said.tag, member: said.member, drains, gone }
}

/** A total order of what a node says of itself: by tag, then removed, then the rest. */
const supersedes = (a: MemberRecord, b: MemberRecord): boolean => {
  if (a.tag !== b.tag) return a.tag > b.tag
  if (a.member === null || b.member === null) return a.member === null && b.member !== null
  return compareText(canonical(a.member), canonical(b.member)) > 0
}

/** Gone is more than not gone. */
const goneText = ({ gone }: MemberRecord): string => gone === null ? "" : `${gone.why} ${gone.name}`

const canonical = (member: Member): string =>
  [member.name, member.admin, member.client, member.cluster, member.peer].join(" ")

const sameMember = (a: Member, b: Member): boolean => a.id === b.id && canonical(a) === canonical(b)

/** By code unit: the same order on every machine. */
const compareText = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0
