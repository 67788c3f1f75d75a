/**
 * What the batches of a log come to: the model `afterWrite` of Journal.ts, in place, for a log of any length.
 *
 * @module
 */
import type { Entry } from "../../vr/Message.ts"
import type { ReplicaHead } from "../Journal.ts"
import { type BatchHeader, decodeBody } from "./Batch.ts"

export class Fold {
  head: ReplicaHead | null = null
  readonly entries: Array<Entry> = []
  commit = 0

  /** Takes a batch whose checksums are right. Returns what is wrong with it, or null. Shares memory with `bytes`. */
  take(bytes: Uint8Array, at: number, header: BatchHeader): string | null {
    const body = decodeBody(bytes, at, header)
    if (body === null) return `write ${header.sequence} cannot be read`
    const { commit, truncate_to } = header
    const last = truncate_to ?? this.entries.length
    if (last > this.entries.length) return `write ${header.sequence} cuts at op ${last}, which is not there`
    if (body.entries.length > 0 && header.first_op !== last + 1) {
      return `write ${header.sequence} begins with op ${header.first_op}, the log before it ends with op ${last}`
    }
    if (commit > last + body.entries.length) return `write ${header.sequence} commits op ${commit}, which is not there`
    if (last < this.entries.length) this.entries.length = last
    for (const entry of body.entries) this.entries.push(entry)
    this.head = body.head ?? this.head
    this.commit = commit
    return null
  }
}
