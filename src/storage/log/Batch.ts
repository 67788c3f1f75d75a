/**
 * The bytes of a *batch*, which is one `JournalWrite` in a write-ahead log: a header, and a body with the head, which
 * snapshot is installed, and the entries. Each carries the checksum of the one before. docs/STORAGE.md has the tables.
 *
 * @module
 */
import type { Crc32 } from "../../base/Bytes.ts"
import { invariant } from "../../base/Invariant.ts"
import { Limits } from "../../base/Limits.ts"
import { MsgpackReader } from "../../base/MsgpackReader.ts"
import { MsgpackWriter } from "../../base/MsgpackWriter.ts"
import { getUint, isZero, setUint, viewOf } from "../../base/Numbers.ts"
import { type Entry, entryKinds } from "../../vr/Message.ts"
import type { JournalWrite, ReplicaHead, SavedSnapshot } from "../Journal.ts"
import { isGroup } from "../JournalModel.ts"

/** A disk writes a sector whole or not at all. */
const sector_bytes = 512
/** Batches begin at multiples of this, so that no batch header crosses the end of a sector. */
export const alignment_bytes = 64
const batch_header_bytes = 64
/** Behind it comes the group. */
const head_bytes = 32
const snapshot_bytes = 24
const entry_header_bytes = 48

const batch_magic = 0x56325242
/** The last byte of a batch. No single bit that flips makes it zero. */
const end_mark = 0xa5

/** A `JournalWrite`, but for the parts of its snapshot: these are in a file of their own. */
export interface Batch extends Omit<JournalWrite, "snapshot"> {
  readonly snapshot: SavedSnapshot | null
}

export interface BatchHeader {
  /** Counts the batches of a log, from 1. */
  readonly sequence: number
  /** Of the header: the `chain` of the next batch. */
  readonly checksum: number
  /** The checksum of the batch before; that of the first one in a log is its {@link seedOf seed}. */
  readonly chain: number
  readonly body_bytes: number
  readonly body_checksum: number
  /**
   * Sectors of the batch, without the first, that hold nothing but zeros, though they were written. One that has a
   * single bit counts as well: were it to flip, nothing would seem to be there.
   */
  readonly zero_sectors: number
  /** 0 without entries. */
  readonly first_op: number
  readonly entries: number
  readonly commit: number
  readonly truncate_to: number | null
  readonly head: boolean
  readonly snapshot: boolean
}

/** What a write takes in the file: a multiple of {@link alignment_bytes}. */
export const batchBytes = (batch: Batch): number => wholeBytes(bodyBytes(batch))

/** Where the next batch begins. */
export const nextOffset = (at: number, header: BatchHeader): number => at + wholeBytes(header.body_bytes)

/** Header, body, at least one byte more, of which the last is the {@link end_mark}. */
const wholeBytes = (body_bytes: number): number =>
  Math.ceil((batch_header_bytes + body_bytes + 1) / alignment_bytes) * alignment_bytes

const bodyBytes = ({ entries, head, snapshot }: Batch): number =>
  entries.reduce(
    (bytes, { operation }) => bytes + entry_header_bytes + operation.length,
    (head === null ? 0 : head_bytes + encodeGroup(head.replicas).length) + (snapshot === null ? 0 : snapshot_bytes)
  )

/** Where a batch stands in its log: `at`, its offset in the file. */
export interface BatchPlace {
  readonly at: number
  readonly sequence: number
  readonly chain: number
  readonly seed: number
}

/** The batch, in `room` if it fits, and its checksum, which is the `chain` of the next one. */
export const encodeBatch = (
  batch: Batch,
  { at, chain, seed, sequence }: BatchPlace,
  crc: Crc32,
  room: Uint8Array = nothing
): { readonly bytes: Uint8Array; readonly checksum: number } => {
  const { commit, entries, head, snapshot, truncate_to } = batch
  const body_bytes = bodyBytes(batch)
  invariant(body_bytes < 2 ** 32, "the length of a batch is an integer of 4 bytes", { body_bytes })
  const length = batchBytes(batch)
  const bytes = length <= room.length ? room.subarray(0, length).fill(0) : new Uint8Array(length)
  const view = viewOf(bytes)
  encodeBody(bytes, view, batch)
  bytes[bytes.length - 1] = end_mark
  view.setUint32(0, batch_magic)
  setUint(view, 8, sequence)
  view.setUint32(16, body_bytes)
  view.setUint32(20, crc(bytes.subarray(batch_header_bytes, batch_header_bytes + body_bytes), seed))
  view.setUint32(24, chain)
  view.setUint32(28, sectors(bytes, 0, bytes.length, at, isAlmostZero))
  setUint(view, 32, entries[0]?.op ?? 0)
  setUint(view, 40, commit)
  setUint(view, 48, truncate_to ?? 0)
  view.setUint32(56, entries.length)
  view.setUint32(60, (head === null ? 0 : 1) + (truncate_to === null ? 0 : 2) + (snapshot === null ? 0 : 4))
  const checksum = crc(bytes.subarray(8, batch_header_bytes), seed)
  view.setUint32(4, checksum)
  return { bytes, checksum }
}

const nothing = new Uint8Array(0)

const encodeBody = (bytes: Uint8Array, view: DataView, { entries, head, snapshot }: Batch): void => {
  let at = batch_header_bytes
  if (head !== null) {
    setUint(view, at, head.epoch)
    setUint(view, at + 8, head.view)
    setUint(view, at + 16, head.log_view)
    view.setUint32(at + 24, (head.fresh ? 1 : 0) + (head.whole ? 2 : 0) + (head.left ? 4 : 0))
    const group = encodeGroup(head.replicas)
    view.setUint32(at + 28, group.length)
    bytes.set(group, at + head_bytes)
    at += head_bytes + group.length
  }
  if (snapshot !== null) {
    setUint(view, at, snapshot.op)
    setUint(view, at + 8, snapshot.bytes)
    view.setUint32(at + 16, snapshot.digest)
    at += snapshot_bytes
  }
  for (const entry of entries) {
    setUint(view, at, entry.view)
    setUint(view, at + 8, entry.time)
    setUint(view, at + 16, entry.session)
    setUint(view, at + 24, entry.request)
    setUint(view, at + 32, entry.answered)
    view.setUint32(at + 40, entry.operation.length)
    view.setUint32(at + 44, entryKinds.indexOf(entry.kind))
    bytes.set(entry.operation, at + entry_header_bytes)
    at += entry_header_bytes + entry.operation.length
  }
}

const encodeGroup = (replicas: ReadonlyArray<string>): Uint8Array => {
  const w = new MsgpackWriter().start().array(replicas.length)
  for (const id of replicas) w.string(id)
  return w.take()
}

/** The header at `at`, or null if there is none that is as it was written. */
export const decodeBatchHeader = (bytes: Uint8Array, at: number, seed: number, crc: Crc32): BatchHeader | null => {
  if (at + batch_header_bytes > bytes.length) return null
  const header = bytes.subarray(at, at + batch_header_bytes)
  const view = viewOf(header)
  if (view.getUint32(0) !== batch_magic) return null
  const checksum = view.getUint32(4)
  if (checksum !== crc(header.subarray(8), seed)) return null
  const flags = view.getUint32(60)
  return {
    sequence: getUint(view, 8),
    checksum,
    chain: view.getUint32(24),
    body_bytes: view.getUint32(16),
    body_checksum: view.getUint32(20),
    zero_sectors: view.getUint32(28),
    first_op: getUint(view, 32),
    entries: view.getUint32(56),
    commit: getUint(view, 40),
    truncate_to: (flags & 2) === 0 ? null : getUint(view, 48),
    head: (flags & 1) !== 0,
    snapshot: (flags & 4) !== 0
  }
}

/**
 * Is the body that belongs to this header there, as it was written? If the file ends before the batch does, it has lost the size that it
 * was to grow to, and the batch was not acknowledged.
 */
export const isBodyWhole = (bytes: Uint8Array, at: number, header: BatchHeader, seed: number, crc: Crc32): boolean => {
  const start = at + batch_header_bytes
  return nextOffset(at, header) <= bytes.length && crc(bytes.subarray(start, start + header.body_bytes), seed) === header.body_checksum
}

/** Does a batch, of which not all is as it was written, look like one of which a part was never written? */
export const isCutShort = (bytes: Uint8Array, at: number, header: BatchHeader): boolean => {
  const end = nextOffset(at, header)
  return end > bytes.length || bytes[end - 1] === 0 || sectors(bytes, at, end, at, isZero) > header.zero_sectors
}

/** The body of a batch whose checksums are right; null if it is not made as this program makes them. Shares memory. */
export const decodeBody = (
  bytes: Uint8Array,
  at: number,
  header: BatchHeader
): Pick<Batch, "entries" | "head" | "snapshot"> | null => {
  const end = at + batch_header_bytes + header.body_bytes
  const view = viewOf(bytes)
  const entries: Array<Entry> = []
  let next = at + batch_header_bytes
  let head: ReplicaHead | null = null
  if (header.head) {
    if (next + head_bytes > end) return null
    const group = next + head_bytes
    next = group + view.getUint32(group - 4)
    const replicas = next > end ? null : decodeGroup(bytes.subarray(group, next))
    if (replicas === null) return null
    head = decodeHead(view, group - head_bytes, replicas)
  }
  const snapshot = header.snapshot && next + snapshot_bytes <= end ? decodeSnapshot(view, next) : null
  if (header.snapshot) next += snapshot_bytes
  for (let index = 0; index < header.entries; index++) {
    const start = next + entry_header_bytes
    if (start > end) return null
    next = start + view.getUint32(start - 8)
    const kind = entryKinds[view.getUint32(start - 4)]
    if (kind === undefined) return null
    entries.push({
      op: header.first_op + index,
      view: getUint(view, start - 48),
      time: getUint(view, start - 40),
      kind,
      session: getUint(view, start - 32),
      request: getUint(view, start - 24),
      answered: getUint(view, start - 16),
      operation: bytes.subarray(start, next)
    })
  }
  return next === end ? { head, snapshot, entries } : null
}

const decodeGroup = (bytes: Uint8Array): ReadonlyArray<string> | null => {
  const r = new MsgpackReader()
  r.open(bytes)
  const replicas: Array<string> = []
  for (let left = r.array("group", Limits.replicas_max); left > 0; left--) replicas.push(r.string("replica", bytes.length))
  return r.close() && isGroup(replicas) ? replicas : null
}

const decodeHead = (view: DataView, at: number, replicas: ReadonlyArray<string>): ReplicaHead => {
  const flags = view.getUint32(at + 24)
  return {
    epoch: getUint(view, at),
    view: getUint(view, at + 8),
    log_view: getUint(view, at + 16),
    fresh: (flags & 1) !== 0,
    whole: (flags & 2) !== 0,
    replicas,
    left: (flags & 4) !== 0
  }
}

const decodeSnapshot = (view: DataView, at: number): SavedSnapshot => ({
  op: getUint(view, at),
  bytes: getUint(view, at + 8),
  digest: view.getUint32(at + 16)
})

/**
 * How many sectors between `from` and `to` are such. `from` stands at the offset `at` of its file; the sector that it is
 * in does not count.
 */
const sectors = (
  bytes: Uint8Array,
  from: number,
  to: number,
  at: number,
  isSuch: (bytes: Uint8Array, from: number, to: number) => boolean
): number => {
  let count = 0
  for (let start = from + sector_bytes - at % sector_bytes; start < to; start += sector_bytes) {
    if (isSuch(bytes, start, Math.min(start + sector_bytes, to))) count++
  }
  return count
}

/** Nothing but zeros, except for one bit at most. */
const isAlmostZero = (bytes: Uint8Array, from: number, to: number): boolean => {
  let only = 0
  for (let index = from; index < to; index++) {
    const byte = bytes[index]!
    if (byte === 0) continue
    if (only !== 0 || (byte & (byte - 1)) !== 0) return false
    only = byte
  }
  return true
}
