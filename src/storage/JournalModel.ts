/**
 * The model of a journal: what each write and each save makes of what is stored, and what a caller must never ask of it.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import { Limits } from "../base/Limits.ts"
import { parseReplicaId } from "../base/Names.ts"
import type { Entry } from "../vr/Message.ts"
import type { Snapshot } from "../vr/Snapshot.ts"
import type { Durability, JournalWrite, ReplicaHead, Stored } from "./Journal.ts"

export interface KeptSnapshot {
  readonly op: number
  readonly parts: ReadonlyArray<Uint8Array>
}

/** All that a journal holds. */
export interface Held extends Stored {
  /** At most two, the older one first: the last one is `snapshot`. */
  readonly kept: ReadonlyArray<KeptSnapshot>
}

export const nothingStored: Stored = {
  head: null,
  base: 0,
  snapshot: null,
  entries: [],
  commit: 0,
  doubt: null,
  notes: [],
  damage: []
}
export const nothingHeld: Held = { ...nothingStored, kept: [] }

/** What opening gives. */
export const foundIn = ({ base, commit, damage, doubt, entries, head, notes, snapshot }: Held): Stored =>
  doubt === null ? { head, base, snapshot, entries, commit, doubt, notes, damage } : { ...nothingStored, head, doubt }

/** The last op of the log. */
export const lastOp = ({ base, entries }: Pick<Stored, "base" | "entries">): number => base + entries.length

/** The last op of a log after a write to it; `op` is the one before. */
export const opAfter = ({ entries, snapshot, truncate_to }: Span, op: number): number =>
  (snapshot?.op ?? truncate_to ?? op) + entries.length

/** What a write makes of the ops of a log. */
type Span = Pick<JournalWrite, "entries" | "truncate_to"> & { readonly snapshot: { readonly op: number } | null }

/** The first write to a log that is in doubt: it begins anew, empty, and stays not `whole` until it is recovered. */
export const replacement = (head: ReplicaHead): JournalWrite => ({
  head: { ...head, fresh: false, whole: false },
  snapshot: null,
  truncate_to: 0,
  entries: [],
  commit: 0
})

/** Does this write give up all that is there? */
export const isReplacement = ({ head, truncate_to }: JournalWrite): boolean =>
  truncate_to === 0 && head !== null && !head.whole

/** Is there nothing to be stored? */
export const isNothing = ({ entries, head, snapshot, truncate_to }: JournalWrite): boolean =>
  head === null && snapshot === null && truncate_to === null && entries.length === 0

/** The model: what a write makes of what is stored. Dies if the write breaks the contract. */
export const afterWrite = (held: Held, write: JournalWrite, durability: Durability): Held => {
  const { commit, entries, snapshot, truncate_to } = write
  checkContiguous(entries)
  if (write.head) checkHead(held.head, write.head)
  const head = write.head ?? held.head
  if (durability === "memory") return write.head === null ? held : { ...nothingHeld, head }
  checkLog({ op: lastOp(held), commit: held.commit, doubt: held.doubt }, write)
  if (isNothing(write)) return held
  if (isReplacement(write)) return { ...nothingHeld, head, entries, commit }
  if (snapshot !== null) {
    const { op } = snapshot
    return { ...nothingHeld, head, base: op, snapshot: op, entries, commit, kept: [{ op, parts: partsOf(snapshot) }] }
  }
  const left = truncate_to === null ? held.entries : held.entries.slice(0, truncate_to - held.base)
  return { ...held, head, entries: [...left, ...entries], commit, notes: [], damage: [] }
}

/** What a save makes of it; the log may be {@link shortened} then. A newer snapshot makes it superfluous. */
export const afterSave = (held: Held, saved: KeptSnapshot): Held => {
  const { op } = saved
  if (held.snapshot !== null && op <= held.snapshot) return held
  checkSave({ op: lastOp(held), doubt: held.doubt }, op)
  return { ...held, snapshot: op, commit: Math.max(held.commit, op), kept: [...held.kept.slice(-1), saved] }
}

/** Without the entries that the older of two snapshots makes superfluous. */
export const shortened = (held: Held): Held => {
  const base = held.kept.length < 2 ? held.base : Math.max(held.base, held.kept[0]!.op)
  return { ...held, base, entries: held.entries.slice(base - held.base) }
}

const partsOf = ({ read }: Snapshot): ReadonlyArray<Uint8Array> => {
  const parts: Array<Uint8Array> = []
  const reader = read()
  for (let part = reader.next(); part !== null; part = reader.next()) parts.push(part.slice())
  return parts
}

/** Durability `disk`: a write continues the log that is there; `op` is its last one. */
export const checkLog = (
  log: { readonly op: number; readonly commit: number; readonly doubt: string | null },
  write: JournalWrite
): void => {
  const { commit, entries, snapshot, truncate_to } = write
  const replaces = isReplacement(write)
  invariant(log.doubt === null || replaces, "a log in doubt is replaced before anything else is written", log)
  invariant(snapshot === null || truncate_to === null, "nothing is cut of a log that a snapshot replaces", { truncate_to })
  invariant(truncate_to === null || truncate_to <= log.op, "what is cut was there", { truncate_to, op: log.op })
  const last = snapshot?.op ?? truncate_to ?? log.op
  const next = entries[0]
  invariant(next === undefined || next.op === last + 1, "entries follow the log", { last, next: next?.op })
  invariant(replaces || last >= log.commit, "what is committed is never cut", { last, commit: log.commit })
  invariant(snapshot === null || commit >= last, "what a snapshot has is committed", { snapshot: last, commit })
  invariant(replaces || commit >= log.commit, "the commit number never falls", { before: log.commit, after: commit })
  invariant(commit <= last + entries.length, "what is committed is there", { commit, op: last + entries.length })
}

/** Durability `disk`: a snapshot is saved of what is written. */
export const checkSave = (log: { readonly op: number; readonly doubt: string | null }, op: number): void => {
  invariant(log.doubt === null, "a log in doubt is replaced before anything else is written", log)
  invariant(op > 0 && op <= log.op, "a snapshot is saved of what is written", { snapshot: op, op: log.op })
}

/** Can a head name these as its group? */
export const isGroup = (replicas: ReadonlyArray<string>): boolean =>
  replicas.length >= 1 && replicas.length <= Limits.replicas_max &&
  replicas.every((id, index) => parseReplicaId(id).ok && (index === 0 || replicas[index - 1]! < id))

/**
 * Promises are never taken back: view and log view do not fall within an epoch, a started replica stays one, and one that
 * has left does not come back. The group is that of the epoch, so it is the same as long as that is.
 */
export const checkHead = (before: ReplicaHead | null, after: ReplicaHead): void => {
  invariant(after.log_view <= after.view, "the log view is not above the view", after)
  invariant(isGroup(after.replicas), "a group has 1 to 7 replicas, sorted and distinct", after)
  if (before === null) return
  invariant(before.fresh || !after.fresh, "a replica that was started is not fresh again", { before, after })
  // But for an operator, who begins its group anew.
  const isBack = before.left && !after.left && after.epoch - before.epoch < Limits.recovery_epochs
  invariant(!isBack, "a replica that has left never comes back", { before, after })
  invariant(after.epoch >= before.epoch, "the epoch never falls", { before, after })
  if (after.epoch > before.epoch) return
  invariant(after.replicas.join() === before.replicas.join(), "the group of an epoch never changes", { before, after })
  invariant(after.view >= before.view, "the view never falls", { before, after })
  invariant(after.log_view >= before.log_view, "the log view never falls", { before, after })
}

export const checkContiguous = (entries: ReadonlyArray<Entry>): void => {
  for (let index = 1; index < entries.length; index++) {
    invariant(entries[index]!.op === entries[0]!.op + index, "entries are contiguous", { first: entries[0]!.op, index })
  }
}
