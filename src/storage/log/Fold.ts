/**
 * What the batches of a log come to: the model `afterWrite` of JournalModel.ts, in place, for a log of any length.
 *
 * @module
 */
import type { Entry } from "../../vr/Message.ts"
import type { ReplicaHead, SavedSnapshot } from "../Journal.ts"
import { type BatchHeader, decodeBody } from "./Batch.ts"

export class Fold {
  head: ReplicaHead | null = null
  /** Contiguous, from `base` + 1; none if they are not kept. */
  readonly entries: Array<Entry> = []
  /** What came before is in files that were removed, or was replaced by a snapshot. */
  base: number
  commit = 0
  /** The snapshot that the log was begun anew with, if it was. */
  installed: SavedSnapshot | null = null
  private count = 0
  private readonly keeps: boolean

  /** Without `keeps` it judges as well, and takes no memory that grows with the log. */
  constructor(base: number, keeps = true) {
    this.base = base
    this.keeps = keeps
  }

  /** The last op. */
  get op(): number {
    return this.base + this.count
  }

  /** Takes a batch whose checksums are right. Returns what is wrong with it, or null. Shares memory with `bytes`. */
  take(bytes: Uint8Array, at: number, header: BatchHeader): string | null {
    const body = decodeBody(bytes, at, header)
    if (body === null) return `write ${header.sequence} cannot be read`
    const { commit, truncate_to } = header
    const { entries, head, snapshot } = body
    const last = snapshot?.op ?? truncate_to ?? this.op
    if (snapshot === null && last > this.op) return `write ${header.sequence} cuts at op ${last}, which is not there`
    if (entries.length > 0 && header.first_op !== last + 1) {
      return `write ${header.sequence} begins with op ${header.first_op}, the log before it ends with op ${last}`
    }
    if (commit > last + entries.length) return `write ${header.sequence} commits op ${commit}, which is not there`
    if (snapshot !== null) this.beginAt(last, snapshot)
    // The files with what it kept are removed: nothing of that is needed any more.
    else if (last < this.base) this.beginAt(last, null)
    else if (last < this.op) this.cut(last - this.base)
    this.count += entries.length
    if (this.keeps) for (const entry of entries) this.entries.push(entry)
    this.head = head ?? this.head
    this.commit = commit
    return null
  }

  private beginAt(base: number, installed: SavedSnapshot | null): void {
    this.cut(0)
    this.base = base
    this.installed = installed
  }

  private cut(count: number): void {
    this.count = count
    if (this.keeps) this.entries.length = count
  }
}
