/**
 * Entries that were received but are not part of the log yet: state transfer, recovery and the fetch before a view
 * starts all gather here, so that the log is never cut before its replacement has arrived (F2).
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import type { Entry, OpNumber, View } from "./Message.ts"
import type { Restoration } from "./Snapshot.ts"

export interface Staging {
  /** The staged entries are base + 1, base + 2, … */
  readonly base: OpNumber
  /** All that is committed up to `base`, where our own log does not reach that far; it goes in before the entries. */
  readonly image: Restoration | null
  /** What is in that was committed in this view at the latest. */
  readonly imageView: View
  readonly entries: Array<Entry>
  /** Staged entries up to here are committed: they stay valid whatever view comes. */
  committed: OpNumber
}

export const makeStaging = (base: OpNumber, image: Restoration | null = null, imageView: View = 0): Staging =>
  ({ base, image, imageView, entries: [], committed: base })

export const stagedEnd = (staging: Staging): OpNumber => staging.base + staging.entries.length

/** Adds what is new and contiguous; false if there is a gap before `first`. `commit` is the sender's. */
export const stage = (
  staging: Staging,
  first: OpNumber,
  entries: ReadonlyArray<Entry>,
  commit: OpNumber
): boolean => {
  const end = stagedEnd(staging)
  if (first > end + 1) return false
  for (let i = end + 1 - first; i < entries.length; i++) {
    const entry = entries[i]!
    invariant(entry.op === first + i, "entries on the wire are contiguous", { op: entry.op, first, i })
    staging.entries.push(entry)
  }
  staging.committed = Math.max(staging.committed, Math.min(commit, stagedEnd(staging)))
  return true
}

/** Drops what another view may have decided otherwise. */
export const keepCommitted = (staging: Staging): void => {
  staging.entries.length = staging.committed - staging.base
}
