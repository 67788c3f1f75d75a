/**
 * The log of one replica, in memory: contiguous entries behind its base. What is at or below the base is in a snapshot.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import type { Entry, OpNumber } from "./Message.ts"

/** What an entry takes on the wire and in memory beside its operation, in bytes (an upper estimate). */
const entryOverheadBytes = 64

export const entryBytes = (entry: Entry): number => entry.operation.length + entryOverheadBytes

export class Log {
  private readonly entries: Array<Entry> = []
  private held = 0
  private before: OpNumber

  constructor(base: OpNumber = 0) {
    this.before = base
  }

  /** The entries are base + 1, base + 2, … */
  get base(): OpNumber {
    return this.before
  }

  /** The head: op number of the last entry, the base when there is none. */
  get op(): OpNumber {
    return this.before + this.entries.length
  }

  /** Bytes of all entries. */
  get bytes(): number {
    return this.held
  }

  get(op: OpNumber): Entry {
    const entry = this.entries[op - this.before - 1]
    invariant(entry !== undefined, "the log holds every op from its base to its head", { op, base: this.base, head: this.op })
    return entry
  }

  append(entry: Entry): void {
    invariant(entry.op === this.op + 1, "the log is contiguous", { op: entry.op, head: this.op })
    this.entries.push(entry)
    this.held += entryBytes(entry)
  }

  /** Keeps ops up to `op`. */
  truncate(op: OpNumber): void {
    invariant(op >= this.before, "a log is not cut below its base", { op, base: this.before })
    const keep = op - this.before
    for (let i = keep; i < this.entries.length; i++) this.held -= entryBytes(this.entries[i]!)
    if (keep < this.entries.length) this.entries.length = keep
  }

  /** Forgets ops up to `op`, which a snapshot holds. No harm if it has none of them. */
  shorten(op: OpNumber): void {
    invariant(op <= this.op, "a log is not shortened above its head", { op, head: this.op })
    if (op <= this.before) return
    for (const entry of this.entries.splice(0, op - this.before)) this.held -= entryBytes(entry)
    this.before = op
  }

  /** Empty, behind `op`. */
  reset(op: OpNumber): void {
    this.entries.length = 0
    this.held = 0
    this.before = op
  }

  /** Entries from `first` to `last`, whole. */
  range(first: OpNumber, last: OpNumber): ReadonlyArray<Entry> {
    invariant(first > this.before, "what is asked of a log is above its base", { first, base: this.before })
    return this.entries.slice(first - this.before - 1, last - this.before)
  }

  /** Entries from `first` up to `last`, as many as fit `bytesMax`, at least one if there is one. */
  chunk(first: OpNumber, last: OpNumber, bytesMax: number): ReadonlyArray<Entry> {
    let end = first - 1
    let bytes = 0
    while (end < last) {
      bytes += entryBytes(this.entries[end - this.before]!)
      if (bytes > bytesMax && end >= first) break
      end++
    }
    return this.range(first, end)
  }
}
