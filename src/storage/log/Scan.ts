/**
 * Reads the batches of one segment, one after the other, and tells a write that a crash cut short from damage.
 *
 * A batch that is on the disk in part was never acknowledged. Its space was filled with zeros before, and a disk writes
 * whole sectors, so what is missing of it is zeros: its end, or more sectors in it than it was written with, or its
 * header, or all behind a part of its header. Or the file ends before it does, as it was to grow. Anything else that is
 * not as it was written is damage; what a damaged batch said may have been acknowledged.
 *
 * @module
 */
import type { Crc32 } from "../../base/Bytes.ts"
import { isZero } from "../../base/Numbers.ts"
import { alignment_bytes, type BatchHeader, decodeBatchHeader, isBodyWhole, isCutShort } from "./Batch.ts"

export interface SegmentBytes {
  readonly bytes: Uint8Array
  readonly seed: number
  /** Only the last segment may end in the middle of a write. */
  readonly last: boolean
}

/** What the next batch has to be. */
export interface Expected {
  readonly sequence: number
  readonly chain: number
}

export type Found =
  | { readonly _tag: "Batch"; readonly header: BatchHeader }
  /** There is nothing more. */
  | { readonly _tag: "End" }
  /** A write that was never acknowledged; what there is of it ends before `to`. */
  | { readonly _tag: "Torn"; readonly to: number }
  | { readonly _tag: "Damaged"; readonly reason: string }

/** What there is at `at`: where the segment's first batch begins, or the last one ended. */
export const scan = (segment: SegmentBytes, at: number, expected: Expected, crc: Crc32): Found => {
  const { bytes, seed } = segment
  const header = decodeBatchHeader(bytes, at, seed, crc)
  if (header === null) return withoutHeader(segment, at, crc)
  if (header.sequence !== expected.sequence) {
    return damaged(`write ${header.sequence} is there, where write ${expected.sequence} has to be`)
  }
  if (header.chain !== expected.chain) return damaged(`write ${header.sequence} does not follow the one before it`)
  if (isBodyWhole(bytes, at, header, seed, crc)) return { _tag: "Batch", header }
  return withoutBody(segment, at, header, crc)
}

const damaged = (reason: string): Found => ({ _tag: "Damaged", reason })

const withoutHeader = (segment: SegmentBytes, at: number, crc: Crc32): Found => {
  const to = endOfContent(segment.bytes, at)
  if (to === at) return { _tag: "End" }
  const problem = whatFollows(segment, at, crc)
  if (problem !== null) return damaged(problem)
  const header_end = at + alignment_bytes
  return to <= header_end || isZero(segment.bytes, at, header_end)
    ? { _tag: "Torn", to }
    : damaged("the header of the last write is not as it was written")
}

const withoutBody = (segment: SegmentBytes, at: number, header: BatchHeader, crc: Crc32): Found => {
  const { bytes } = segment
  const problem = whatFollows(segment, at, crc)
  if (problem !== null) return damaged(problem)
  return isCutShort(bytes, at, header)
    ? { _tag: "Torn", to: endOfContent(bytes, at) }
    : damaged("the last write is not as it was written; it may have been acknowledged")
}

/** Why the batch at `at` cannot be one that was cut short. */
const whatFollows = ({ bytes, last, seed }: SegmentBytes, at: number, crc: Crc32): string | null => {
  for (let next = at + alignment_bytes; next < bytes.length; next += alignment_bytes) {
    const behind = decodeBatchHeader(bytes, next, seed, crc)
    if (behind !== null) return `a write is not as it was written, and write ${behind.sequence} follows at byte ${next}`
  }
  return last ? null : "a write is not as it was written, and another file follows"
}

/** Where the zeros begin that reach to the end; `at` if there is nothing else. */
const endOfContent = (bytes: Uint8Array, at: number): number => {
  let end = bytes.length
  while (end > at && bytes[end - 1] === 0) end--
  return Math.max(end, at)
}
