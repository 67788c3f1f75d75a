/**
 * What a simulated replica writes: in memory mode the head survives a crash, the entries do not.
 *
 * @module
 */
import { invariant } from "../../src/base/Invariant.ts"
import type { Entry } from "../../src/vr/Message.ts"
import type { Head, Outcome } from "../../src/vr/Replica.ts"

export class Journal {
  head: Head = { epoch: 0, view: 0, log_view: 0 }
  readonly entries: Array<Entry> = []

  write({ entries, head, truncate_to }: Outcome): void {
    if (head !== null) this.head = head
    if (truncate_to !== null) {
      invariant(truncate_to <= this.entries.length, "what is cut was there", { truncate_to, op: this.entries.length })
      this.entries.length = truncate_to
    }
    for (const entry of entries) {
      invariant(entry.op === this.entries.length + 1, "what is written is contiguous", { op: entry.op })
      this.entries.push(entry)
    }
  }

  /** The power goes; the disk held nothing but the head. */
  lose(): void {
    this.entries.length = 0
  }
}
