/**
 * A snapshot file with all that is in it: every byte is checked, and its parts become data, in a store of their own.
 * For those who get a file from somewhere and have to know that a tenant can be made of it.
 *
 * @module
 */
import { makeStore, type Store } from "../store/Store.ts"
import { Restoration, type SnapshotHeader } from "../vr/Snapshot.ts"
import { beginsAsSnapshot, magic_bytes, SnapshotDecoder } from "./SnapshotFile.ts"

export interface ImageFault {
  /**
   * `foreign`: it never was a snapshot; `damaged`: it is not as it was written; `cut`: its end is missing; `newer`: it is
   * as it was written, and this program cannot read it.
   */
  readonly kind: "foreign" | "damaged" | "cut" | "newer"
  readonly reason: string
}

/** What a whole file says of itself. */
export interface ImageFacts {
  /** The id of the tenant that it is of. */
  readonly tenant: string
  readonly header: SnapshotHeader
  readonly sessions: number
  readonly elements: number
  readonly parts: number
  /** Of the file. */
  readonly bytes: number
  /** CRC-32 of all parts: that of any other snapshot of this tenant at this op. */
  readonly digest: number
}

export class SnapshotImage {
  /** Holds the data once {@link finish} was content. */
  readonly store: Store = makeStore()
  fault: ImageFault | null = null
  private readonly decoder = new SnapshotDecoder()
  private readonly restoration = new Restoration(this.store)
  private head = new Uint8Array(0)
  private taken = 0

  /** Takes the next bytes; once there is a fault, nothing more. */
  push(chunk: Uint8Array): void {
    if (this.fault !== null) return
    if (this.head.length < magic_bytes) this.head = Uint8Array.of(...this.head, ...chunk.subarray(0, magic_bytes - this.head.length))
    for (const part of this.decoder.push(chunk)) {
      this.taken++
      this.fault ??= this.refusalOf(this.restoration.add(part))
    }
    const { fault, offset } = this.decoder
    if (fault === null) return
    if (!beginsAsSnapshot(this.head)) this.fault ??= foreign
    else if (fault.newer) this.fault ??= { kind: "newer", reason: fault.reason }
    else this.fault ??= { kind: "damaged", reason: `${fault.reason} (from byte ${offset} on)` }
  }

  /** There is no more. Without a fault, the data is in the store, and these are the facts. */
  finish(): ImageFacts | null {
    const { header, offset, total } = this.decoder
    const incomplete = this.decoder.finish()
    if (incomplete !== null) {
      this.fault ??= beginsAsSnapshot(this.head) ? { kind: "cut", reason: incomplete.reason } : foreign
    }
    const inner = this.restoration.header
    if (!this.restoration.isWhole || header?.op !== inner?.op) this.fault ??= this.refusalOf("it does not hold what it says")
    if (this.fault !== null || header === null || inner === null) return null
    this.restoration.install(null)
    return {
      tenant: header.tenant,
      header: inner,
      sessions: this.restoration.sessionCount,
      elements: this.store.stats().elements,
      parts: total.parts,
      bytes: offset,
      digest: total.digest
    }
  }

  /** The checksums say that it is as it was written, so it was written by another program. */
  private refusalOf(refusal: string | null): ImageFault | null {
    return refusal === null ? null : { kind: "newer", reason: `part ${this.taken}: ${refusal}` }
  }
}

const foreign: ImageFault = { kind: "foreign", reason: "it is no snapshot of a tenant" }
