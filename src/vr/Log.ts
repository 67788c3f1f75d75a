/**
 * The log of one replica, in memory: contiguous entries from op 1.
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

  /** The head: op number of the last entry, 0 when empty. */
  get op(): OpNumber {
    return this.entries.length
  }

  /** Bytes of all entries. */
  get bytes(): number {
    return this.held
  }

  get(op: OpNumber): Entry {
    const entry = this.entries[op - 1]
    invariant(entry !== undefined, "the log holds every op up to its head", { op, head: this.op })
    return entry
  }

  append(entry: Entry): void {
    invariant(entry.op === this.entries.length + 1, "the log is contiguous", { op: entry.op, head: this.op })
    this.entries.push(entry)
    this.held += entryBytes(entry)
  }

  /** Keeps ops up to `op`. */
  truncate(op: OpNumber): void {
    for (let i = op; i < this.entries.length; i++) this.held -= entryBytes(this.entries[i]!)
    if (op < this.entries.length) this.entries.length = op
  }

  /** Entries from `first` to `last`, whole. */
  range(first: OpNumber, last: OpNumber): ReadonlyArray<Entry> {
    return this.entries.slice(first - 1, last)
  }

  /** Entries from `first` up to `last`, as many as fit `bytesMax`, at least one if there is one. */
  chunk(first: OpNumber, last: OpNumber, bytesMax: number): ReadonlyArray<Entry> {
    let end = first - 1
    let bytes = 0
    while (end < last) {
      bytes += entryBytes(this.entries[end]!)
      if (bytes > bytesMax && end >= first) break
      end++
    }
    return this.range(first, end)
  }
}
