/**
 * How a replica begins, by what its journal holds: as a new voter, from its own log, or in recovery from its group. What
 * has to be durable before it says its first word is written here.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { replicaId } from "../base/Names.ts"
import { type Journal, type JournalError, type JournalWrite, type ReplicaHead, type Stored } from "../storage/Journal.ts"
import { replacement } from "../storage/JournalModel.ts"
import type { Tenant } from "../tenants/Tenants.ts"
import { type Configuration, makeConfiguration } from "../vr/Configuration.ts"
import { countOf, type Entry, epochOf, firstView, type ReplicaId, type View } from "../vr/Message.ts"
import type { Snapshot } from "../vr/Snapshot.ts"

export type Beginning =
  /**
   * Bootstrapped and never started: the only one that starts as a voter without a log of its own, once. Empty, or with the
   * snapshot of this op, which is still to be read.
   */
  | { readonly _tag: "New"; readonly snapshot: number | null }
  /** Durability `disk`, and all is there; `snapshot`: its op, if there is one, and then it is still to be read. */
  | {
    readonly _tag: "Restart"
    readonly head: ReplicaHead
    readonly snapshot: number | null
    readonly base: number
    readonly entries: ReadonlyArray<Entry>
    readonly commit: number
  }
  /** `promised`: the view that it had promised, null if that is lost. `doubt`: why its own log will not do; null if it never had one. */
  | { readonly _tag: "Recovery"; readonly promised: number | null; readonly doubt: string | null }
  /** It is to join the group, and follows: from nothing, whether it has lost its log or never had one. */
  | { readonly _tag: "Learner"; readonly promised: number; readonly logView: number; readonly doubt: string | null }
  /** Without a head, and not in the group: the removal of one that had left was cut short. */
  | { readonly _tag: "Leftover" }

/** `group`: the one that it begins in; `left`: it is not in it any more. */
export interface Start {
  readonly beginning: Beginning
  readonly group: Configuration
  readonly left: boolean
}

/** Its log cannot be trusted, and there is nobody to ask. The replica stops; nothing on the disk was changed. */
export class Irreparable extends Schema.TaggedError<Irreparable>()("Irreparable", { message: Schema.String }) {}

/** A head for a replica that nobody has ever started, of the group that the tenant has: in it, or to join it. */
export const freshHead = ({ epoch, replicas }: Tenant): ReplicaHead => {
  const view = firstView(epoch)
  return { epoch, view, log_view: view, fresh: true, whole: true, replicas: replicas.map(replicaId).sort(), left: false }
}

/**
 * What a replica is prepared with, before anybody knows of its tenant. With a snapshot in durability `memory`, which does
 * not keep it, it is never new again: it starts as a new one in this life of its node, or recovers from its group.
 */
export const preparation = (tenant: Tenant, snapshot: Snapshot | null): JournalWrite => {
  const head = freshHead(tenant)
  if (snapshot === null) return onlyHead(head)
  return tenant.durability === "memory" ? onlyHead({ ...head, fresh: false }) : { ...onlyHead(head), snapshot, commit: snapshot.op }
}

/** A write of the head alone, to a log that is empty. */
export const onlyHead = (head: ReplicaHead): JournalWrite =>
  ({ head, snapshot: null, truncate_to: null, entries: [], commit: 0 })

/**
 * Opens the journal, decides, and writes what must be known after a crash before the replica takes part in anything.
 * `pinned`: the snapshot that it was prepared with, if that is in memory, and was never used.
 */
export const begin = (
  tenant: Tenant,
  id: string,
  journal: Journal,
  pinned: Snapshot | null
): Effect.Effect<Start, JournalError | Irreparable> =>
  Effect.gen(function*() {
    const stored = yield* journal.open
    const said = `replica ${id} of tenant ${label(tenant)}`
    for (const note of stored.notes) yield* Effect.logInfo(`${said}: ${note}`)
    for (const damage of stored.damage) yield* Effect.logWarning(`${said}: ${damage}`)
    const beginning = decide(tenant, id, stored, pinned)
    if (beginning._tag === "Irreparable") return yield* beginning
    const { commit, head } = stored
    if ("doubt" in beginning && beginning.doubt !== null) {
      yield* replaceLog(tenant, id, journal, stored, beginning.doubt)
    } else if (head?.fresh === true && head.whole) {
      // After this it is never new again.
      yield* journal.write({ ...onlyHead({ ...head, fresh: false }), commit })
    }
    const { epoch, left, replicas } = headOf(tenant, head)
    return { beginning, group: makeConfiguration(epoch, replicas), left }
  })

/** What it does with what its journal holds; `pinned`: as in {@link begin}. */
export const decide = (tenant: Tenant, id: ReplicaId, stored: Stored, pinned: Snapshot | null): Beginning | Irreparable => {
  const { base, commit, entries, head, snapshot } = stored
  const doubt = doubtOf(tenant, stored)
  const restart = (kept: ReplicaHead): Beginning => ({ _tag: "Restart", head: kept, snapshot, base, entries, commit })
  // Nobody can have use for a damaged log of one that has left: it goes on with nothing, and is soon removed.
  if (head?.left === true) return restart(head)
  const isNamed = tenant.replicas.some((replica) => replicaId(replica) === id)
  // That was written when there was none: what it had promised, and in which epochs it was, is not known, and stays so.
  if (head !== null && isLostHead(head)) {
    return isNamed ? { _tag: "Recovery", promised: null, doubt: doubt ?? lost_head } : { _tag: "Leftover" }
  }
  const isLearner = head !== null && !head.replicas.includes(id)
  if (isLearner && (doubt !== null || head.fresh || tenant.durability === "memory")) {
    return { _tag: "Learner", promised: head.view, logView: head.log_view, doubt }
  }
  // What is damaged is set aside first, and the rest removed after that.
  if (head === null && stored.doubt === null && !isNamed) return { _tag: "Leftover" }
  const group = head?.replicas ?? tenant.replicas
  if (doubt !== null && group.length === 1 && (head !== null || isNamed)) return irreparable(tenant, doubt)
  if (doubt !== null) return { _tag: "Recovery", promised: head?.view ?? null, doubt }
  // Without a head it has lost its disk, and is never taken for a new one.
  if (head === null) return { _tag: "Recovery", promised: null, doubt: null }
  if (head.fresh) return { _tag: "New", snapshot }
  if (pinned !== null) return { _tag: "New", snapshot: pinned.op }
  return tenant.durability === "memory" ? { _tag: "Recovery", promised: head.view, doubt: null } : restart(head)
}

const viewText = (view: View): string => `view ${countOf(view)}${epochOf(view) === 0 ? "" : ` of epoch ${epochOf(view)}`}`

const lost_head = "what it had promised is lost"

/** Where there is no head, the registry has to do, as it is by now. */
const headOf = (tenant: Tenant, head: ReplicaHead | null): ReplicaHead =>
  head === null || (isLostHead(head) && head.epoch < tenant.epoch) ? { ...freshHead(tenant), whole: false } : head

/** Stands for a head that was lost, until the replica has recovered: no replica writes such a one of itself. */
export const isLostHead = ({ fresh, whole }: ReplicaHead): boolean => fresh && !whole

/** In words for the log. */
export const describeBeginning = (beginning: Beginning): string => {
  switch (beginning._tag) {
    case "New":
      return beginning.snapshot === null ? "starts, new" : `starts, new, with a snapshot of op ${beginning.snapshot}`
    case "Restart":
      return `starts from its own ${beginning.snapshot === null ? "" : `snapshot of op ${beginning.snapshot}, and its `}log: ` +
        `${viewText(beginning.head.view)}, op ${beginning.base + beginning.entries.length}, committed up to ${beginning.commit}`
    case "Leftover":
      return "is in no group, and is removed"
    case "Learner":
      return "starts, to join the group, and follows it"
    case "Recovery":
      return `recovers from its group (promised ${beginning.promised === null ? "view unknown" : viewText(beginning.promised)})`
  }
}

/** Why the log on the disk is not all that this replica has acknowledged, or null. In memory it never is. */
export const doubtOf = ({ durability }: Tenant, { doubt, head }: Stored): string | null => {
  if (durability === "memory") return null
  if (doubt !== null) return `its log is damaged: ${doubt}`
  if (head === null) return "its journal is not there: the disk was lost, or files were removed"
  return head.whole ? null : "its log was damaged, and the recovery from its group did not come to an end"
}

/** What is there is given up in favour of what the group knows; that it is not whole is durable first. */
const replaceLog = (
  tenant: Tenant,
  id: string,
  journal: Journal,
  { head }: Stored,
  doubt: string
): Effect.Effect<void, JournalError> =>
  Effect.gen(function*() {
    yield* Effect.logWarning(
      `replica ${id} of tenant ${label(tenant)} does not trust its own log: ${doubt}. It takes part in nothing before it ` +
        "has recovered from the other replicas"
    )
    const known = headOf(tenant, head)
    yield* journal.write(isLostHead(known) ? { ...replacement(known), head: known } : replacement(known))
  })

const irreparable = ({ id }: Tenant, doubt: string): Irreparable =>
  new Irreparable({
    message: `${doubt}; it is the only replica of its tenant, so there is no other to repair it from, and it does not ` +
      `start without what it has acknowledged. Put back the files of tenants/${id} in its data_dir from a ` +
      "backup, and start the node again; or create a new tenant. Nothing on the disk was changed"
  })

const label = ({ id, name }: Tenant): string => name ?? id
