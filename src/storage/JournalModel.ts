/**
 * The model of a journal: what each write makes of what is stored, and what a caller must never ask of it.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import type { Entry } from "../vr/Message.ts"
import type { Durability, JournalWrite, ReplicaHead, Stored } from "./Journal.ts"

export const nothingStored: Stored = { head: null, entries: [], commit: 0, doubt: null, notes: [] }

/** The first write to a log that is in doubt: it begins anew, empty, and stays not `whole` until it is recovered. */
export const replacement = (head: ReplicaHead): JournalWrite => ({
  head: { ...head, fresh: false, whole: false },
  truncate_to: 0,
  entries: [],
  commit: 0
})

/** Does this write give up all that is there? */
export const isReplacement = ({ head, truncate_to }: JournalWrite): boolean =>
  truncate_to === 0 && head !== null && !head.whole

/** Is there nothing to be stored? */
export const isNothing = ({ entries, head, truncate_to }: JournalWrite): boolean =>
  head === null && truncate_to === null && entries.length === 0

/** The model: what a write makes of what is stored. Dies if the write breaks the contract. */
export const afterWrite = (stored: Stored, write: JournalWrite, durability: Durability): Stored => {
  checkContiguous(write.entries)
  if (write.head) checkHead(stored.head, write.head)
  const head = write.head ?? stored.head
  if (durability === "memory") return { ...nothingStored, head }
  checkLog({ op: stored.entries.length, commit: stored.commit, doubt: stored.doubt }, write)
  if (isNothing(write)) return stored
  const kept = write.truncate_to === null ? stored.entries : stored.entries.slice(0, write.truncate_to)
  return { head, entries: [...kept, ...write.entries], commit: write.commit, doubt: null, notes: [] }
}

/** Durability `disk`: a write continues the log that is there; `op` is its last entry. */
export const checkLog = (
  log: { readonly op: number; readonly commit: number; readonly doubt: string | null },
  write: JournalWrite
): void => {
  const { commit, entries, truncate_to } = write
  const replaces = isReplacement(write)
  invariant(log.doubt === null || replaces, "a log in doubt is replaced before anything else is written", log)
  invariant(truncate_to === null || truncate_to <= log.op, "what is cut was there", { truncate_to, op: log.op })
  const last = truncate_to ?? log.op
  const next = entries[0]
  invariant(next === undefined || next.op === last + 1, "entries follow the log", { last, next: next?.op })
  invariant(replaces || last >= log.commit, "what is committed is never cut", { truncate_to, commit: log.commit })
  invariant(replaces || commit >= log.commit, "the commit number never falls", { before: log.commit, after: commit })
  invariant(commit <= last + entries.length, "what is committed is there", { commit, op: last + entries.length })
}

/** Promises are never taken back: view and log view do not fall within an epoch, and a started replica stays one. */
export const checkHead = (before: ReplicaHead | null, after: ReplicaHead): void => {
  invariant(after.log_view <= after.view, "the log view is not above the view", after)
  if (before === null) return
  invariant(before.fresh || !after.fresh, "a replica that was started is not fresh again", { before, after })
  invariant(after.epoch >= before.epoch, "the epoch never falls", { before, after })
  if (after.epoch > before.epoch) return
  invariant(after.view >= before.view, "the view never falls", { before, after })
  invariant(after.log_view >= before.log_view, "the log view never falls", { before, after })
}

export const checkContiguous = (entries: ReadonlyArray<Entry>): void => {
  for (let index = 1; index < entries.length; index++) {
    invariant(entries[index]!.op === entries[0]!.op + index, "entries are contiguous", { first: entries[0]!.op, index })
  }
}
