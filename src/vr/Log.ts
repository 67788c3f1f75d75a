/**
 * The log of one replica, in memory: contiguous entries behind its base. What is at or below the base is in a snapshot.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import { Limits } from "../base/Limits.ts"
import type { Entry, OpNumber } from "./Message.ts"
import { PackedLog } from "./PackedLog.ts"

/** What an entry takes on the wire and in memory beside its operation, in bytes (an upper estimate). */
const entryOverheadBytes = 64

export const entryBytes = (entry: Entry): number => entry.operation.length + entryOverheadBytes

export class Log {
  /** The first entries, once they are not needed soon. */
  private readonly packed: PackedLog
  /** Those behind them. */
  private readonly entries: Array<Entry> = []
  private held = 0

  constructor(base: OpNumber = 0) {
    this.packed = new PackedLog(base)
  }

  /** The entries are base + 1, base + 2, … */
  get base(): OpNumber {
    return this.packed.base
  }

  /** The head: op number of the last entry, the base when there is none. */
  get op(): OpNumber {
    return this.packed.op + this.entries.length
  }

  /** Bytes of all entries. */
  get bytes(): number {
    return this.held
  }

  get(op: OpNumber): Entry {
    const at = op - this.packed.op - 1
    if (at < 0) return this.packed.get(op)
    const entry = this.entries[at]
    invariant(entry !== undefined, "the log holds every op from its base to its head", { op, base: this.base, head: this.op })
    return entry
  }

  append(entry: Entry): void {
    invariant(entry.op === this.op + 1, "the log is contiguous", { op: entry.op, head: this.op })
    this.entries.push(entry)
    this.held += entryBytes(entry)
  }

  /** Keeps ops up to `op`. What is {@link settle settled} is not cut. */
  truncate(op: OpNumber): void {
    invariant(op >= this.packed.op, "a log is not cut below its base, nor where it is settled", { op, settled: this.packed.op })
    const keep = op - this.packed.op
    for (let i = keep; i < this.entries.length; i++) this.held -= entryBytes(this.entries[i]!)
    if (keep < this.entries.length) this.entries.length = keep
  }

  /** Ops up to `op` will not be cut, and hardly be read: they are packed, if they are many. */
  settle(op: OpNumber): void {
    const count = op - this.packed.op
    if (count < Limits.log_unpacked_max) return
    for (let i = 0; i < count; i++) this.packed.push(this.entries[i]!)
    this.entries.splice(0, count)
  }

  /** Forgets ops up to `op`, which a snapshot holds. No harm if it has none of them. */
  shorten(op: OpNumber): void {
    invariant(op <= this.op, "a log is not shortened above its head", { op, head: this.op })
    if (op <= this.base) return
    const packed = Math.min(op, this.packed.op)
    this.held -= this.packed.bytesTo(packed) + (packed - this.base) * entryOverheadBytes
    const settled = this.packed.op
    if (op <= settled) return this.packed.shorten(op)
    for (const entry of this.entries.splice(0, op - settled)) this.held -= entryBytes(entry)
    this.packed.reset(op)
  }

  /** So far below `op` that what is packed between comes to `bytes`, or a piece of memory more; the base, if that is less. */
  opBehind(op: OpNumber, bytes: number): OpNumber {
    return this.packed.opBehind(op, bytes)
  }

  /** Lets go of memory that it has not needed for long. */
  onTick(): void {
    this.packed.onTick()
  }

  /** Empty, behind `op`. */
  reset(op: OpNumber): void {
    this.entries.length = 0
    this.held = 0
    this.packed.reset(op)
  }

  /** Entries from `first` to `last`, whole. */
  range(first: OpNumber, last: OpNumber): ReadonlyArray<Entry> {
    invariant(first > this.base, "what is asked of a log is above its base", { first, base: this.base })
    const settled = this.packed.op
    if (first > settled) return this.entries.slice(first - settled - 1, Math.max(0, last - settled))
    const found = this.packed.range(first, Math.min(last, settled))
    return last > settled ? [...found, ...this.entries.slice(0, last - settled)] : found
  }

  /** Entries from `first` up to `last`, as many as fit `bytesMax`, at least one if there is one. */
  chunk(first: OpNumber, last: OpNumber, bytesMax: number): ReadonlyArray<Entry> {
    let end = first - 1
    let bytes = 0
    while (end < last) {
      bytes += this.bytesAt(end + 1)
      if (bytes > bytesMax && end >= first) break
      end++
    }
    return this.range(first, end)
  }

  private bytesAt(op: OpNumber): number {
    const entry = this.entries[op - this.packed.op - 1]
    return entryOverheadBytes + (entry === undefined ? this.packed.lengthAt(op) : entry.operation.length)
  }
}
