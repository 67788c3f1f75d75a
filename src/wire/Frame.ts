/**
 * Frames: a 4-byte big-endian length, then that many bytes. Everything on a connection is frames.
 *
 * @module
 */
import { unfilled } from "../base/Bytes.ts"

/** Before every payload. */
export const header_bytes = 4

/** What the bytes say that no frame may say. The stream cannot be understood from here on. */
export interface FrameFault {
  readonly _tag: "FrameFault"
  /** The length in the header; `limit`: the most that was allowed. Bytes. */
  readonly length: number
  readonly limit: number
  readonly reason: string
}

/** The payload with its header before it, as one new buffer. The payload must not be empty. */
export const encodeFrame = (payload: Uint8Array): Uint8Array => {
  const frame = new Uint8Array(header_bytes + payload.length)
  frame[0] = payload.length >>> 24
  frame[1] = payload.length >>> 16
  frame[2] = payload.length >>> 8
  frame[3] = payload.length
  frame.set(payload, header_bytes)
  return frame
}

const nothing = new Uint8Array(0)
const first_body_bytes = 4 * 1024

/**
 * Cuts a stream of chunks into payloads. A frame within one chunk comes out as a view of it. A frame spread over chunks
 * is gathered in a buffer that doubles with what has arrived, never with what a header promises: n bytes cost O(n) time
 * and at most 2n memory, in however many chunks they come.
 */
export class FrameDecoder {
  /** Set by the first bad header; nothing is decoded after it. */
  fault: FrameFault | null = null
  /** What the last `push` did not look at, because it had `most` frames. To be pushed again. */
  rest: Uint8Array = nothing
  private limit: number
  private readonly header = new Uint8Array(header_bytes)
  private headerFilled = 0
  /** The frame that is being gathered: its whole length (0: none), what has arrived, how much of that is filled. */
  private length = 0
  private body: Uint8Array = nothing
  private filled = 0

  /** `limit`: the longest payload that is accepted, in bytes. */
  constructor(limit: number) {
    this.limit = limit
  }

  /** A new limit, for the frames whose header has not been read yet: after the hello, it rises. */
  setLimit(limit: number): void {
    this.limit = limit
  }

  /** The payloads that `chunk` completes, at most `most`. Those before a fault are still given. */
  push(chunk: Uint8Array, most: number = Number.MAX_SAFE_INTEGER): ReadonlyArray<Uint8Array> {
    const payloads: Array<Uint8Array> = []
    let at = 0
    while (at < chunk.length && this.fault === null && payloads.length < most) {
      if (this.length === 0) {
        at = this.readHeader(chunk, at)
      } else {
        at = this.readBody(chunk, at, payloads)
      }
    }
    this.rest = this.fault === null && at < chunk.length ? chunk.subarray(at) : nothing
    return payloads
  }

  private readHeader(chunk: Uint8Array, at: number): number {
    if (this.headerFilled === 0 && chunk.length - at >= header_bytes) {
      this.begin(uint32(chunk, at))
      return at + header_bytes
    }
    this.header[this.headerFilled++] = chunk[at]!
    if (this.headerFilled === header_bytes) {
      this.headerFilled = 0
      this.begin(uint32(this.header, 0))
    }
    return at + 1
  }

  private begin(length: number): void {
    const limit = this.limit
    if (length === 0) {
      this.fault = { _tag: "FrameFault", length, limit, reason: "a frame of length 0" }
    } else if (length > limit) {
      const reason = `a frame of ${length} bytes; at most ${limit} are allowed`
      this.fault = { _tag: "FrameFault", length, limit, reason }
    } else {
      this.length = length
    }
  }

  private readBody(chunk: Uint8Array, at: number, payloads: Array<Uint8Array>): number {
    const missing = this.length - this.filled
    const taken = Math.min(missing, chunk.length - at)
    if (this.filled === 0 && taken === missing) {
      payloads.push(chunk.subarray(at, at + taken))
      this.length = 0
      return at + taken
    }
    this.gather(chunk.subarray(at, at + taken))
    if (this.filled === this.length) {
      payloads.push(this.body)
      this.body = nothing
      this.filled = 0
      this.length = 0
    }
    return at + taken
  }

  private gather(part: Uint8Array): void {
    const needed = this.filled + part.length
    if (needed > this.body.length) {
      const grown = unfilled(Math.min(this.length, Math.max(first_body_bytes, 2 * needed)))
      grown.set(this.body.subarray(0, this.filled))
      this.body = grown
    }
    this.body.set(part, this.filled)
    this.filled = needed
  }
}

const uint32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
