/**
 * What a simulated replica writes. In disk mode all of it survives a crash; in memory mode the head does, and the rest
 * does not. Two snapshots are kept, and the log from the older one on.
 *
 * @module
 */
import { isSameEntry } from "./checkers/Check.ts"
import { invariant } from "../../src/base/Invariant.ts"
import type { Durability } from "../../src/storage/Journal.ts"
import { type Configuration } from "../../src/vr/Configuration.ts"
import { type Entry, firstView, type OpNumber } from "../../src/vr/Message.ts"
import type { ReplicaOptions } from "../../src/vr/MakeReplica.ts"
import type { Head, Outcome, Replica } from "../../src/vr/Replica.ts"
import { Restoration } from "../../src/vr/Snapshot.ts"

export interface KeptSnapshot {
  readonly op: OpNumber
  readonly parts: ReadonlyArray<Uint8Array>
  /** Nobody knows before the next restart. */
  isDamaged: boolean
}

export class Journal {
  head: Head
  /** Of that epoch. */
  configuration: Configuration
  /** Its replica was a member once, and is not one any more. */
  left = false
  /** The entries are base + 1, base + 2, … */
  base: OpNumber = 0
  readonly entries: Array<Entry> = []
  /** Oldest first. */
  snapshots: ReadonlyArray<KeptSnapshot> = []
  /** As it was at the last write. */
  commit: OpNumber = 0
  /** False from when damage is found until the log is recovered from the peers. */
  isWhole = true
  /** Something in the log is damaged. Nobody knows before the next restart. */
  isDamaged = false
  readonly durability: Durability

  constructor(durability: Durability, configuration: Configuration) {
    this.durability = durability
    this.configuration = configuration
    const view = firstView(configuration.epoch)
    this.head = { epoch: configuration.epoch, view, log_view: view }
  }

  /** The last one written. */
  get op(): OpNumber {
    return this.base + this.entries.length
  }

  /** A restart would find all that was acknowledged. */
  get isTrusted(): boolean {
    const isCovered = this.base === 0 || this.newest !== null
    return this.durability === "disk" && this.isWhole && !this.isDamaged && isCovered
  }

  /** What a restart begins with. */
  get newest(): KeptSnapshot | null {
    return this.snapshots.findLast(({ isDamaged, op }) => !isDamaged && op >= this.base && op <= this.op) ?? null
  }

  /** Is it there, or what it made? */
  holds(entry: Entry): boolean {
    const there = this.entry(entry.op)
    return entry.op <= this.base || there !== undefined && isSameEntry(there, entry)
  }

  entry(op: OpNumber): Entry | undefined {
    return this.entries[op - this.base - 1]
  }

  /** One atomic change. A replica that recovers writes no head before it is done: from then on its log counts. */
  write({ configuration, entries, head, install, truncate_to }: Outcome, { commit, left }: Pick<Replica, "commit" | "left">): void {
    this.configuration = configuration ?? this.configuration
    this.left = left
    if (head !== null) {
      this.head = head
      this.isWhole = true
    }
    if (install !== null) {
      invariant(install.op >= this.commit, "what is installed is ahead", { op: install.op, commit: this.commit })
      this.snapshots = [{ op: install.op, parts: allParts(install), isDamaged: false }]
      this.entries.length = 0
      this.base = install.op
      this.isDamaged = false
    }
    if (truncate_to !== null) {
      invariant(truncate_to <= this.op, "what is cut was there", { truncate_to, op: this.op })
      this.entries.length = truncate_to - this.base
    }
    for (const entry of entries) {
      invariant(entry.op === this.op + 1, "what is written is contiguous", { op: entry.op })
      this.entries.push(entry)
    }
    this.commit = commit
  }

  /** A snapshot is written, and the log is shortened. */
  save(op: OpNumber, parts: ReadonlyArray<Uint8Array>): void {
    // One was installed meanwhile.
    if (this.durability === "memory" || op < this.base) return
    // What is above it was found to be damaged by a restart, and set aside.
    const below = this.snapshots.filter((one) => one.op < op)
    this.snapshots = [...below, { op, parts, isDamaged: false }].slice(-2)
    const first = this.snapshots.length === 2 ? this.snapshots[0]!.op : 0
    if (first <= this.base) return
    this.entries.splice(0, first - this.base)
    this.base = first
  }

  /** The power goes; in memory mode the disk held nothing but the head. */
  lose(): void {
    if (this.durability === "memory") this.empty()
  }

  /** The log cannot be trusted, and is to be replaced: that is durable before anything else happens. */
  giveUp(): void {
    this.isWhole = this.durability === "memory"
    this.isDamaged = false
    this.empty()
  }

  private empty(): void {
    this.base = 0
    this.entries.length = 0
    this.snapshots = []
    this.commit = 0
  }
}

const allParts = (snapshot: NonNullable<Outcome["install"]>): ReadonlyArray<Uint8Array> => {
  const reader = snapshot.read()
  const parts: Array<Uint8Array> = []
  for (let part = reader.next(); part !== null; part = reader.next()) parts.push(part)
  return parts
}

export const hasToWrite = ({ entries, head, install, truncate_to }: Outcome): boolean =>
  head !== null || install !== null || truncate_to !== null || entries.length > 0

/** What a replica begins with. */
export const imageOf = (kept: KeptSnapshot | null, options: ReplicaOptions): Restoration | null => {
  if (kept === null) return null
  const image = new Restoration(options.application)
  for (const part of kept.parts) {
    const refusal = image.add(part)
    invariant(refusal === null, "what was written can be read", { refusal })
  }
  invariant(image.isWhole, "a snapshot is whole")
  return image
}
