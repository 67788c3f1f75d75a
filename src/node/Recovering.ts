/**
 * A tenant that has lost a quorum for good is begun anew from one replica that is left: which one, what that may cost, and
 * what is written. Nobody can prove any more what was committed, so an operator has to want it.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import type { JournalWrite, ReplicaHead, Stored } from "../storage/Journal.ts"
import { lastOp } from "../storage/JournalModel.ts"
import type { Tenant } from "../tenants/Tenants.ts"
import { replicaId } from "../base/Names.ts"
import { type Entry, type Epoch, firstView, type Millis, type OpNumber, type ReplicaId, type View } from "../vr/Message.ts"
import { decodeNextGroup, encodeNextGroup } from "../vr/NextGroup.ts"
import { quorum } from "../vr/Quorum.ts"
import { doubtOf } from "./Beginning.ts"

/** A node of which the disk is left, and its replica of the tenant. */
export interface Survivor {
  readonly folder: string
  readonly node: string
  readonly replica: ReplicaId
  readonly bytes: number
  /** What it has promised, as far as that can be read. */
  readonly head: ReplicaHead | null
  /** Null: it cannot be relied on. */
  readonly log: SurvivingLog | null
  /** Why not. */
  readonly problem: string | null
}

export interface SurvivingLog {
  /** The last op before its first entry. */
  readonly base: OpNumber
  readonly op: OpNumber
  readonly commit: OpNumber
  readonly snapshot: OpNumber | null
  /** Of each entry. */
  readonly views: ReadonlyArray<View>
  readonly last: Entry | null
}

/** By what is stored of it. */
export const survivorOf = (
  tenant: Tenant,
  who: Pick<Survivor, "bytes" | "folder" | "node" | "replica">,
  stored: Stored
): Survivor => {
  const { base, commit, entries, head, snapshot } = stored
  const problem = doubtOf(tenant, stored)
  if (problem !== null) return { ...who, head, log: null, problem }
  const views = entries.map(({ view }) => view)
  const log = { base, op: lastOp(stored), commit, snapshot, views, last: entries.at(-1) ?? null }
  return { ...who, head, log, problem }
}

/** One that the tenant can be begun anew from. */
export interface Usable extends Survivor {
  readonly head: ReplicaHead
  readonly log: SurvivingLog
}

export interface Plan {
  readonly tenant: Tenant
  readonly chosen: Usable
  /** Nobody is left of that group: the chosen one was in an earlier one. */
  readonly isOutside: boolean
  /** The newest group that is known, and its epoch. */
  readonly group: ReadonlyArray<ReplicaId>
  readonly known: Epoch
  /** In which the tenant goes on, with the chosen replica alone. */
  readonly epoch: Epoch
  /** Those of its group that are not among the survivors. */
  readonly absent: ReadonlyArray<ReplicaId>
  /** What other survivors have in their logs, and the chosen one has not. */
  readonly given_up: ReadonlyArray<GivenUp>
}

export interface GivenUp {
  readonly replica: ReplicaId
  /** The first op that is another one there, or is not here. */
  readonly from: OpNumber
  readonly count: number
  /** So many of them were committed: others may have been told so. */
  readonly committed: number
}

/** Why there is nothing to be done, and what to do instead. */
export interface Refusal {
  readonly code: "no_survivor" | "serves"
  readonly message: string
  readonly hint: string
}

/**
 * Chooses as a view change would: of those in the newest group, the latest log view, then the longest log. If none of them is left,
 * of those that were in an earlier one.
 */
export const planRecovery = (tenant: Tenant, survivors: ReadonlyArray<Survivor>): Plan | Refusal => {
  const { epoch: known, replicas: group } = newestGroup(tenant, survivors)
  const members = survivors.filter((one): one is Usable => whyUnusable(one, group) === null)
  const isOutside = members.length === 0
  const usable = isOutside ? survivors.filter((one): one is Usable => whyUnusable(one, null) === null) : members
  const [chosen] = usable.toSorted((a, b) => b.head.log_view - a.head.log_view || b.log.op - a.log.op)
  if (chosen === undefined) {
    const reasons = survivors.map((one) => `${one.replica}: ${whyUnusable(one, null)}`)
    return {
      code: "no_survivor",
      message: `none of these can be used: ${reasons.join("; ")}`,
      hint: "look for the disks of other nodes of its group, or make a new tenant of a backup: snapshot restore <file> --tenant <name>"
    }
  }
  const next = pending(chosen)
  const ids = usable.map(({ replica }) => replica)
  if (!isOutside && hasQuorum(group, ids) && (next === null || hasQuorum(next, ids))) {
    return {
      code: "serves",
      message: `${ids.join(", ")} are enough of ${group.join(", ")}, and whole: they serve by themselves`,
      hint: "start their nodes: v2r2 start --config <config.json>"
    }
  }
  return {
    tenant,
    chosen,
    isOutside,
    group,
    known,
    // An epoch has one group, whichever of them it is begun anew from, should that happen more than once.
    epoch: known + Limits.recovery_epochs + placeOf(chosen, group),
    absent: group.filter((id) => !survivors.some(({ replica }) => replica === id)),
    given_up: survivors.flatMap((other) => other === chosen || other.log === null ? [] : givenUp(chosen.log, other.replica, other.log))
  }
}

/** Of each that it may be begun anew from, another one. */
const placeOf = ({ replica }: Usable, group: ReadonlyArray<ReplicaId>): number => {
  const place = group.indexOf(replica)
  if (place >= 0) return place
  // Outside the group: behind it, by its name.
  let sum = 0
  for (let i = 0; i < replica.length; i++) sum = (sum * 31 + replica.charCodeAt(i)) % 512
  return Limits.replicas_max + sum
}

/** By what any of the survivors has promised, or its node has heard of. */
const newestGroup = (
  { epoch, replicas }: Tenant,
  survivors: ReadonlyArray<Survivor>
): Pick<ReplicaHead, "epoch" | "replicas"> =>
  survivors.reduce<Pick<ReplicaHead, "epoch" | "replicas">>(
    (newest, { head }) => head !== null && head.epoch >= newest.epoch ? head : newest,
    { epoch, replicas: replicas.map(replicaId).sort() }
  )

/** Null if the tenant can go on from it: as one of `group`, or of any (null). */
export const whyUnusable = ({ head, problem, replica }: Survivor, group: ReadonlyArray<ReplicaId> | null): string | null => {
  if (problem !== null) return problem
  if (group !== null && !group.includes(replica)) return `it is not in the newest group that is known, ${group.join(", ")}`
  if (head?.left === true) return group === null ? null : "it has left the group"
  return head?.replicas.includes(replica) === true ? null : "it was to join, and never was in a group"
}

const hasQuorum = (group: ReadonlyArray<ReplicaId>, ids: ReadonlyArray<ReplicaId>): boolean =>
  group.filter((id) => ids.includes(id)).length >= quorum(group.length)

/** Whom the group was about to become: that takes a quorum of them, too, as long as it is not known to be committed. */
const pending = ({ log: { commit, last } }: Usable): ReadonlyArray<ReplicaId> | null =>
  last?.kind === "reconfigure" && last.op > commit ? decodeNextGroup(last.operation).replicas : null

/** An op in a view is one operation, and so are all before it. What is in a snapshot was committed, and is the same in all. */
const givenUp = (chosen: SurvivingLog, replica: ReplicaId, other: SurvivingLog): ReadonlyArray<GivenUp> => {
  const common = Math.max(Math.min(chosen.commit, other.commit), chosen.base, other.base)
  let from = Math.min(common, chosen.op) + 1
  while (from <= Math.min(chosen.op, other.op) && viewAt(chosen, from) === viewAt(other, from)) from++
  if (from > other.op) return []
  return [{ replica, from, count: other.op - from + 1, committed: Math.max(0, other.commit - from + 1) }]
}

const viewAt = ({ base, views }: SurvivingLog, op: OpNumber): View => views[op - base - 1]!

/**
 * The one write that begins the tenant anew: all that the log holds is committed, and then the group is this replica alone.
 * `time`: of the last operation.
 */
export const recoveryWrite = (
  { chosen: { head, log, replica }, epoch, group }: Pick<Plan, "chosen" | "epoch" | "group">,
  time: Millis
): JournalWrite => {
  const op = log.op + 1
  // A change that the log ends with has named those that leave by it.
  const before = log.last?.kind === "reconfigure" ? decodeNextGroup(log.last.operation).replicas : head.replicas
  // Ids are never used again: of its group, and of a newer one that it has not seen. There is room for as many as a group has.
  const leaving = [...new Set([...group, ...before])].filter((id) => id !== replica).slice(0, Limits.replicas_max)
  const operation = encodeNextGroup({ epoch, replicas: [replica], leaving })
  const view = firstView(epoch)
  return {
    head: { epoch, view, log_view: view, fresh: false, whole: true, replicas: [replica], left: false },
    snapshot: null,
    truncate_to: null,
    entries: [{ op, view: head.log_view, time, kind: "reconfigure", session: 0, request: 0, answered: 0, operation }],
    commit: op
  }
}
