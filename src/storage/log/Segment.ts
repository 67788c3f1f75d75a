/**
 * The first bytes of a segment, a file of a write-ahead log: whose log it is and what came before, and a lower bound of
 * what has to be in it. docs/STORAGE.md has the tables.
 *
 * Every checksum of a log but that of this header starts from the log's own random id, so that bytes of another log, or
 * bytes that a client made up, are never taken for a part of this one.
 *
 * @module
 */
import type { Crc32 } from "../../base/Bytes.ts"
import { getUint, setUint, viewOf } from "../../base/Numbers.ts"

/** Raise it when an older program could misread a newer file. Its place in the header never changes. */
export const format_version = 3

/** What stands before the first batch: the header, and the {@link Bound}, each in a sector of its own. */
export const preamble_bytes = 1024
/** Where the {@link Bound} is. */
export const bound_offset = 512
const bound_bytes = 24
const bound_magic = 0x56325245
/** "V2R2LOG\n" */
const segment_magic = [0x56325232, 0x4c4f470a] as const

/** What a segment says of itself, and of all that came before it. */
export interface SegmentHeader {
  readonly tenant: string
  readonly replica: string
  /** The id of the log, drawn when it was begun: 16 hexadecimal digits. */
  readonly log: string
  /** From 1. */
  readonly number: number
  /** The size of the file is a multiple of this. */
  readonly step_bytes: number
  /** Sequence number of the first batch. */
  readonly sequence: number
  /** What the first batch has as `chain`. */
  readonly chain: number
  /** The last op before it; 0 if there is none. */
  readonly op: number
}

/** A lower bound of what is durable in a segment. */
export interface Bound {
  readonly size: number
  readonly sequence: number
}

/** Where all checksums of a log start. */
export const seedOf = (log: string, crc: Crc32): number => crc(new TextEncoder().encode(log), 0)

export const encodePreamble = (header: SegmentHeader, crc: Crc32): Uint8Array => {
  const bytes = new Uint8Array(preamble_bytes)
  const view = viewOf(bytes)
  view.setUint32(0, segment_magic[0])
  view.setUint32(4, segment_magic[1])
  view.setUint32(8, format_version)
  view.setUint32(16, header.number)
  view.setUint32(20, header.step_bytes)
  setUint(view, 24, header.sequence)
  setUint(view, 32, header.op)
  view.setUint32(40, header.chain)
  let at = 44
  for (const text of [header.log, header.tenant, header.replica]) {
    view.setUint16(at, text.length)
    at += 2 + new TextEncoder().encodeInto(text, bytes.subarray(at + 2, bound_offset)).written
  }
  view.setUint32(12, preambleChecksum(bytes, crc))
  return bytes
}

/** Of the version and of all that follows the checksum itself. */
const preambleChecksum = (bytes: Uint8Array, crc: Crc32): number =>
  crc(bytes.subarray(16, bound_offset), crc(bytes.subarray(8, 12), 0))

/** The header of a segment, or what is wrong with it. `version`: it is whole, and for such a version of this program. */
export const decodePreamble = (
  bytes: Uint8Array,
  crc: Crc32
): SegmentHeader | { readonly version: "older" | "newer" | null; readonly reason: string } => {
  if (bytes.length < preamble_bytes) return { version: null, reason: "its header is missing" }
  const view = viewOf(bytes)
  const whole = view.getUint32(0) === segment_magic[0] && view.getUint32(4) === segment_magic[1] &&
    view.getUint32(12) === preambleChecksum(bytes, crc)
  if (!whole) return { version: null, reason: "its header is not as it was written" }
  const version = view.getUint32(8)
  if (version !== format_version) {
    const reason = `it has format version ${version}; this program knows version ${format_version}`
    return { version: version < format_version ? "older" : "newer", reason }
  }
  let at = 44
  const text = (): string => {
    const length = view.getUint16(at)
    at += 2 + length
    return new TextDecoder().decode(bytes.subarray(at - length, at))
  }
  const [log, tenant, replica] = [text(), text(), text()]
  return {
    tenant,
    replica,
    log,
    number: view.getUint32(16),
    step_bytes: view.getUint32(20),
    sequence: getUint(view, 24),
    op: getUint(view, 32),
    chain: view.getUint32(40)
  }
}

/** To be written at {@link bound_offset}. */
export const encodeBound = ({ sequence, size }: Bound, seed: number, crc: Crc32): Uint8Array => {
  const bytes = new Uint8Array(bound_bytes)
  const view = viewOf(bytes)
  view.setUint32(0, bound_magic)
  setUint(view, 8, size)
  setUint(view, 16, sequence)
  view.setUint32(4, crc(bytes.subarray(8), seed))
  return bytes
}

/** The bound of a segment; null if there is none, or none that can be read: it is needed by nobody but to find damage. */
export const decodeBound = (bytes: Uint8Array, seed: number, crc: Crc32): Bound | null => {
  const slot = bytes.subarray(bound_offset, bound_offset + bound_bytes)
  const view = viewOf(slot)
  const whole = view.getUint32(0) === bound_magic && view.getUint32(4) === crc(slot.subarray(8), seed)
  return whole ? { size: getUint(view, 8), sequence: getUint(view, 16) } : null
}
