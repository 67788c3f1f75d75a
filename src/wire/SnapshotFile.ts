/**
 * The file of a snapshot, as bytes: a header, a block for each part, and an end. The parts are opaque here.
 *
 * The checksum of each block is continued from that of the block before, that of the first one from the header's. So a
 * block of another file, or one that is doubled, missing or out of its place, is found like one that is damaged; and a
 * file without its end is none. docs/STORAGE.md has the tables.
 *
 * @module
 */
import { crc32, joinedCrc32 } from "../base/Checksum.ts"
import { invariant } from "../base/Invariant.ts"
import { Limits } from "../base/Limits.ts"
import { isUuid } from "../base/Names.ts"
import { getUint, setUint, viewOf } from "../base/Numbers.ts"

/** Raise it when an older program could misread a newer file. Its place in the header never changes. */
const format_version = 1
/** "V2R2SNP\n" */
const magic = [0x56325232, 0x534e500a] as const

/** Does a file that begins so mean to be a snapshot? It takes {@link magic_bytes} to say yes. */
export const beginsAsSnapshot = (head: Uint8Array): boolean =>
  head.length >= magic_bytes && viewOf(head).getUint32(0) === magic[0] && viewOf(head).getUint32(4) === magic[1]
export const magic_bytes = 8

export const header_bytes = 64
/** Stands before each part. */
export const block_header_bytes = 8
/** What follows the header of the block that ends the file. */
const end_bytes = 24
/** No part is longer: a full one, to which a single element was added. */
export const part_bytes_max = Limits.snapshot_part_bytes_max + Limits.operation_bytes_max
export const block_bytes_max = block_header_bytes + part_bytes_max

export interface SnapshotHeader {
  /** The id of the tenant: a UUID. */
  readonly tenant: string
  readonly op: number
}

/** All parts, in figures. */
export interface PartsTotal {
  readonly parts: number
  readonly bytes: number
  /** CRC-32 of all parts, one after the other: the same at equal ops, wherever one part ends and the next begins. */
  readonly digest: number
}

export const noParts: PartsTotal = { parts: 0, bytes: 0, digest: 0 }

/** `length` and `checksum`, its CRC-32, of one more part. */
export const withPart = ({ bytes, digest, parts }: PartsTotal, length: number, checksum: number): PartsTotal => ({
  parts: parts + 1,
  bytes: bytes + length,
  digest: joinedCrc32(digest, checksum, length)
})

/** Makes a file, piece by piece: the header, what {@link part} gives for each part, and the end. */
export class SnapshotEncoder {
  readonly header: Uint8Array
  total = noParts
  private readonly op: number
  private chain: number

  constructor({ op, tenant }: SnapshotHeader) {
    invariant(isUuid(tenant), "a snapshot is of a tenant", { tenant })
    const header = new Uint8Array(header_bytes)
    const view = viewOf(header)
    view.setUint32(0, magic[0])
    view.setUint32(4, magic[1])
    view.setUint32(8, format_version)
    setUint(view, 16, op)
    new TextEncoder().encodeInto(tenant, header.subarray(24))
    this.chain = headerChecksum(header)
    view.setUint32(12, this.chain)
    this.header = header
    this.op = op
  }

  /** The block of the next part: what stands before it, and the part itself. `checksum`: its CRC-32 by itself. */
  part(part: Uint8Array, checksum = crc32(part, 0)): readonly [Uint8Array, Uint8Array] {
    invariant(part.length > 0 && part.length <= part_bytes_max, "a part is not empty, and not too long", {
      bytes: part.length
    })
    this.total = withPart(this.total, part.length, checksum)
    return [this.blockHeader(part.length, part.length, checksum), part]
  }

  /** The last block. */
  end(): Uint8Array {
    const { bytes, digest, parts } = this.total
    const block = new Uint8Array(block_header_bytes + end_bytes)
    const view = viewOf(block)
    setUint(view, 8, this.op)
    setUint(view, 16, bytes)
    view.setUint32(24, parts)
    view.setUint32(28, digest)
    block.set(this.blockHeader(0, end_bytes, crc32(block.subarray(block_header_bytes), 0)))
    return block
  }

  /** `length`: as the header has it. `checksum`: of the content, which has so many `bytes`. */
  private blockHeader(length: number, bytes: number, checksum: number): Uint8Array {
    const header = new Uint8Array(block_header_bytes)
    const view = viewOf(header)
    view.setUint32(0, length)
    this.chain = joinedCrc32(crc32(header.subarray(0, 4), this.chain), checksum, bytes)
    view.setUint32(4, this.chain)
    return header
  }
}

/** Of the version and of all that follows the checksum itself. */
const headerChecksum = (header: Uint8Array): number => crc32(header.subarray(16), crc32(header.subarray(8, 12), 0))

export interface SnapshotFault {
  readonly reason: string
  /** The header is whole, and says that another version of this program made the file. */
  readonly newer: boolean
}

const nothing = new Uint8Array(0)

/**
 * Reads such a file out of chunks of any size. A part within one chunk comes out as a view of it; at most one block is
 * gathered. What comes out before a fault is as it was written.
 */
export class SnapshotDecoder {
  /** Null until it was read. */
  header: SnapshotHeader | null = null
  /** Of what was read so far. */
  total = noParts
  /** Set by the first thing that is not as it was written; nothing is decoded after it. */
  fault: SnapshotFault | null = null
  /** Where the piece begins that is being read, in bytes of the file: with a fault, the one that has it. */
  offset = 0
  private chain = 0
  private stage: "header" | "block" | "part" | "end" | "behind" = "header"
  /** The bytes that the stage needs, and those of them that came in earlier chunks. */
  private needed = header_bytes
  private gathered = nothing
  private filled = 0
  /** The length of the block that is being read, as its header has it, and the checksum there. */
  private readonly length = new Uint8Array(4)
  private checksum = 0

  /** The parts that `chunk` completes. */
  push(chunk: Uint8Array): ReadonlyArray<Uint8Array> {
    const parts: Array<Uint8Array> = []
    let at = 0
    while (at < chunk.length && this.fault === null) {
      const taken = Math.min(this.needed - this.filled, chunk.length - at)
      const piece = this.gather(chunk.subarray(at, at + taken))
      at += taken
      if (piece === null) continue
      this.take(piece, parts)
      if (this.fault === null) this.offset += piece.length
    }
    return parts
  }

  /** There are no more chunks. What keeps them from being a whole snapshot, or null. */
  finish(): SnapshotFault | null {
    if (this.stage === "behind") return this.fault
    return this.fault ?? { newer: false, reason: `it was cut: it ends behind part ${this.total.parts}` }
  }

  /** Adds to the piece that the stage needs; the piece, if that completes it. */
  private gather(bytes: Uint8Array): Uint8Array | null {
    const isWhole = this.filled + bytes.length === this.needed
    if (isWhole && this.filled === 0) return bytes
    if (this.filled === 0) this.gathered = new Uint8Array(this.needed)
    this.gathered.set(bytes, this.filled)
    this.filled += bytes.length
    if (!isWhole) return null
    const piece = this.gathered
    this.gathered = nothing
    this.filled = 0
    return piece
  }

  private take(piece: Uint8Array, parts: Array<Uint8Array>): void {
    switch (this.stage) {
      case "header":
        return this.takeHeader(piece)
      case "block":
        return this.takeBlockHeader(piece)
      case "part":
        return this.takePart(piece, parts)
      case "end":
        return this.takeEnd(piece)
      case "behind":
        return this.refuse("something follows its end")
    }
  }

  private takeHeader(piece: Uint8Array): void {
    const view = viewOf(piece)
    const checksum = view.getUint32(12)
    const whole = view.getUint32(0) === magic[0] && view.getUint32(4) === magic[1] &&
      checksum === headerChecksum(piece)
    if (!whole) return this.refuse("its header is not as it was written")
    const version = view.getUint32(8)
    if (version !== format_version) {
      return this.refuse(`it has format version ${version}; this program knows version ${format_version}`, true)
    }
    this.header = { op: getUint(view, 16), tenant: new TextDecoder().decode(piece.subarray(24, 60)) }
    this.chain = checksum
    this.expect("block", block_header_bytes)
  }

  private takeBlockHeader(piece: Uint8Array): void {
    const view = viewOf(piece)
    const length = view.getUint32(0)
    if (length > part_bytes_max) return this.refuse(`part ${this.total.parts + 1} is not as it was written`)
    this.length.set(piece.subarray(0, 4))
    this.checksum = view.getUint32(4)
    if (length === 0) this.expect("end", end_bytes)
    else this.expect("part", length)
  }

  private takePart(part: Uint8Array, parts: Array<Uint8Array>): void {
    const checksum = crc32(part, 0)
    if (!this.follows(part.length, checksum)) return this.refuse(`part ${this.total.parts + 1} is not as it was written`)
    this.total = withPart(this.total, part.length, checksum)
    parts.push(part)
    this.expect("block", block_header_bytes)
  }

  private takeEnd(piece: Uint8Array): void {
    const { bytes, digest, parts } = this.total
    const view = viewOf(piece)
    const says = getUint(view, 0) === this.header?.op && getUint(view, 8) === bytes &&
      view.getUint32(16) === parts && view.getUint32(20) === digest
    if (!this.follows(end_bytes, crc32(piece, 0)) || !says) return this.refuse(`its end, behind part ${parts}, is not as it was written`)
    this.expect("behind", 1)
  }

  /** Is the content of a block, of so many bytes and with this checksum, what its header says, behind the block before? */
  private follows(bytes: number, checksum: number): boolean {
    this.chain = joinedCrc32(crc32(this.length, this.chain), checksum, bytes)
    return this.chain === this.checksum
  }

  private expect(stage: SnapshotDecoder["stage"], needed: number): void {
    this.stage = stage
    this.needed = needed
  }

  private refuse(reason: string, newer = false): void {
    this.fault = { newer, reason }
  }
}
