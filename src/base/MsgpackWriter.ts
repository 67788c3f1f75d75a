/**
 * Writes msgpack by hand, for encodings whose rate is too high for building arrays and objects first: frames (a length
 * header, then one value), cut from a shared slab, so that a small one costs no allocation of its own; and values, lent as
 * views of the slab, or taken in memory of their own, for what is kept, which must not keep a slab with it.
 *
 * @module
 */
import { unfilled } from "./Bytes.ts"
import { invariant } from "./Invariant.ts"

const slab_bytes_default = 64 * 1024
const header_bytes = 4
const two32 = 0x1_0000_0000
const nothing = new Uint8Array(0)
const utf8 = new TextEncoder()

/**
 * `begin`, then exactly one msgpack value, then `end`, for a frame; `start`, the values, then `take` or `lend`, without a frame.
 * What was returned is never written to again, but by `beginAnew`. What was begun and not ended is dropped by the next one.
 */
export class MsgpackWriter {
  private readonly slab_bytes: number
  private slab = nothing
  private first = 0
  private at = 0

  /** `slab_bytes`: of a slab. What is taken and shorter costs no memory but its own. */
  constructor(slab_bytes = slab_bytes_default) {
    this.slab_bytes = slab_bytes
  }

  /** Begins a frame. */
  begin(): this {
    this.at = this.first
    this.reserve(header_bytes)
    this.at += header_bytes
    return this
  }

  /** Begins a frame in the memory of those before, which are not needed any more. */
  beginAnew(): this {
    this.first = 0
    return this.begin()
  }

  /** The whole frame, its length header filled in: a view of the slab. `more`: bytes of the frame that follow from elsewhere. */
  end(more = 0): Uint8Array {
    const { first, at } = this
    this.uint32At(first, at - first - header_bytes + more)
    this.first = at
    return this.slab.subarray(first, at)
  }

  /** Begins values without a frame. */
  start(): this {
    this.at = this.first
    return this
  }

  /** Bytes since `start`. */
  get length(): number {
    return this.at - this.first
  }

  /** Is this what was written since `start`? */
  wrote(bytes: Uint8Array): boolean {
    return Buffer.compare(this.slab.subarray(this.first, this.at), bytes) === 0
  }

  /**
   * What was written since `start`, or its first `length` bytes alone: in memory of its own that is exactly as long, or
   * in `room` if that is long enough.
   */
  take(length: number = this.length, room: Uint8Array = nothing): Uint8Array {
    let value: Uint8Array
    if (length > room.length) {
      value = this.slab.slice(this.first, this.first + length)
    } else {
      value = room.subarray(0, length)
      value.set(this.slab.subarray(this.first, this.first + length))
    }
    this.at = this.first
    // A large one leaves no large slab behind.
    if (this.slab.length > this.slab_bytes) this.drop()
    return value
  }

  /** What was written since `start`: a view of the slab, never overwritten. It keeps all of the slab, so it is not to be kept for long. */
  lend(): Uint8Array {
    const { at, first, slab } = this
    this.first = at
    if (slab.length > this.slab_bytes) this.drop()
    return slab.subarray(first, at)
  }

  /** Values that were encoded before. */
  encoded(bytes: Uint8Array): this {
    const { length } = bytes
    this.reserve(length)
    for (let i = 0; i < length; i++) this.slab[this.at + i] = bytes[i]!
    this.at += length
    return this
  }

  /** An array of `length` values follows. */
  array(length: number): this {
    this.reserve(5)
    if (length < 16) {
      this.slab[this.at++] = 0x90 | length
    } else if (length < 0x10000) {
      this.slab[this.at++] = 0xdc
      this.uint16(length)
    } else {
      this.slab[this.at++] = 0xdd
      this.uint32(length)
    }
    return this
  }

  nil(): this {
    this.reserve(1)
    this.slab[this.at++] = 0xc0
    return this
  }

  boolean(value: boolean): this {
    this.reserve(1)
    this.slab[this.at++] = value ? 0xc3 : 0xc2
    return this
  }

  /** A safe integer ≥ 0. */
  uint(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) invariant(false, "integers are whole and not negative", { value })
    this.reserve(9)
    if (value < 0x80) {
      this.slab[this.at++] = value
    } else if (value < 0x100) {
      this.slab[this.at++] = 0xcc
      this.slab[this.at++] = value
    } else if (value < 0x10000) {
      this.slab[this.at++] = 0xcd
      this.uint16(value)
    } else if (value < two32) {
      this.slab[this.at++] = 0xce
      this.uint32(value)
    } else {
      this.slab[this.at++] = 0xcf
      this.uint32(Math.floor(value / two32))
      this.uint32(value % two32)
    }
    return this
  }

  /** `more`: bytes that belong to it and follow from elsewhere. */
  bin(bytes: Uint8Array, more = 0): this {
    this.reserve(5 + bytes.length)
    const length = bytes.length + more
    if (length < 0x100) {
      this.slab[this.at++] = 0xc4
      this.slab[this.at++] = length
    } else if (length < 0x10000) {
      this.slab[this.at++] = 0xc5
      this.uint16(length)
    } else {
      this.slab[this.at++] = 0xc6
      this.uint32(length)
    }
    this.slab.set(bytes, this.at)
    this.at += bytes.length
    return this
  }

  string(value: string): this {
    this.reserve(5 + 3 * value.length)
    if (value.length <= short_length && this.shortAscii(value)) return this
    // The header's size depends on the encoded length: leave room for the likely one, and move if it was another.
    const guess = stringHeader(value.length)
    const at = this.at + guess
    const { written } = utf8.encodeInto(value, this.slab.subarray(at))
    const size = stringHeader(written)
    if (size !== guess) this.slab.copyWithin(this.at + size, at, at + written)
    if (size === 1) {
      this.slab[this.at++] = 0xa0 | written
    } else if (size === 2) {
      this.slab[this.at++] = 0xd9
      this.slab[this.at++] = written
    } else if (size === 3) {
      this.slab[this.at++] = 0xda
      this.uint16(written)
    } else {
      this.slab[this.at++] = 0xdb
      this.uint32(written)
    }
    this.at += written
    return this
  }

  /** The encoder costs more than such a loop. False, and nothing written, if it is not all ASCII. */
  private shortAscii(value: string): boolean {
    const { length } = value
    const from = this.at + (length < 32 ? 1 : 2)
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code >= 0x80) return false
      this.slab[from + i] = code
    }
    if (length < 32) {
      this.slab[this.at] = 0xa0 | length
    } else {
      this.slab[this.at] = 0xd9
      this.slab[this.at + 1] = length
    }
    this.at = from + length
    return true
  }

  private uint16(value: number): void {
    this.slab[this.at++] = value >>> 8
    this.slab[this.at++] = value
  }

  private uint32(value: number): void {
    this.uint32At(this.at, value)
    this.at += 4
  }

  private uint32At(at: number, value: number): void {
    this.slab[at] = value >>> 24
    this.slab[at + 1] = value >>> 16
    this.slab[at + 2] = value >>> 8
    this.slab[at + 3] = value
  }

  /** Makes room for `bytes` more; what is unfinished moves along to the next slab. */
  private reserve(bytes: number): void {
    if (this.at + bytes <= this.slab.length) return
    const begun = this.at - this.first
    const next = unfilled(Math.max(this.slab_bytes, 2 * begun + bytes))
    next.set(this.slab.subarray(this.first, this.at))
    this.slab = next
    this.first = 0
    this.at = begun
  }

  private drop(): void {
    this.slab = nothing
    this.first = 0
    this.at = 0
  }
}

/** Strings up to here are written in a loop: names, UUIDs, most paths. */
const short_length = 40

const stringHeader = (bytes: number): number => bytes < 32 ? 1 : bytes < 0x100 ? 2 : bytes < 0x10000 ? 3 : 5
