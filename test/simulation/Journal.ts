/**
 * What a simulated replica writes. In disk mode all of it survives a crash; in memory mode the head does, and the entries
 * do not.
 *
 * @module
 */
import { invariant } from "../../src/base/Invariant.ts"
import type { Durability } from "../../src/storage/Journal.ts"
import type { Entry, OpNumber } from "../../src/vr/Message.ts"
import type { Head, Outcome } from "../../src/vr/Replica.ts"

export class Journal {
  head: Head = { epoch: 0, view: 0, log_view: 0 }
  readonly entries: Array<Entry> = []
  /** As it was at the last write. */
  commit: OpNumber = 0
  /** False from when damage is found until the log is recovered from the peers. */
  isWhole = true
  /** Something is damaged. Nobody knows before the next restart. */
  isDamaged = false
  readonly durability: Durability

  constructor(durability: Durability) {
    this.durability = durability
  }

  /** A restart would find all that was acknowledged. */
  get isTrusted(): boolean {
    return this.durability === "disk" && this.isWhole && !this.isDamaged
  }

  /** One atomic change. A replica that recovers writes no head before it is done: from then on its log counts. */
  write({ entries, head, truncate_to }: Outcome, commit: OpNumber): void {
    if (head !== null) {
      this.head = head
      this.isWhole = true
    }
    if (truncate_to !== null) {
      invariant(truncate_to <= this.entries.length, "what is cut was there", { truncate_to, op: this.entries.length })
      this.entries.length = truncate_to
    }
    for (const entry of entries) {
      invariant(entry.op === this.entries.length + 1, "what is written is contiguous", { op: entry.op })
      this.entries.push(entry)
    }
    this.commit = commit
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
    this.entries.length = 0
    this.commit = 0
  }
}
