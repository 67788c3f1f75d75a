/**
 * Writes one frame (length header, then msgpack) by hand, for protocols whose rate of messages is too high for
 * building arrays and objects first. Frames are cut from a shared slab: a small one costs no allocation of its own.
 *
 * @module
 */

const slab_bytes = 64 * 1024
const header_bytes = 4
const two32 = 0x1_0000_0000
const text = new TextEncoder()

/** `begin`, then exactly one msgpack value, then `end`. A frame once returned is never written to again. */
export class MsgpackWriter {
  private slab = new Uint8Array(slab_bytes)
  private start = 0
  private at = 0

  begin(): void {
    this.start = this.at
    this.reserve(header_bytes)
    this.at += header_bytes
  }

  /** The whole frame, its length header filled in. */
  end(): Uint8Array {
    const length = this.at - this.start - header_bytes
    this.uint32At(this.start, length)
    return this.slab.subarray(this.start, this.at)
  }

  /** An array of `length` values follows. */
  array(length: number): void {
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
  }

  nil(): void {
    this.reserve(1)
    this.slab[this.at++] = 0xc0
  }

  /** A safe integer ≥ 0. */
  uint(value: number): void {
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
  }

  bin(bytes: Uint8Array): void {
    const length = bytes.length
    this.reserve(5 + length)
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
    this.raw(bytes)
  }

  string(value: string): void {
    const bytes = text.encode(value)
    const length = bytes.length
    this.reserve(5 + length)
    if (length < 32) {
      this.slab[this.at++] = 0xa0 | length
    } else if (length < 0x100) {
      this.slab[this.at++] = 0xd9
      this.slab[this.at++] = length
    } else if (length < 0x10000) {
      this.slab[this.at++] = 0xda
      this.uint16(length)
    } else {
      this.slab[this.at++] = 0xdb
      this.uint32(length)
    }
    this.raw(bytes)
  }

  private raw(bytes: Uint8Array): void {
    this.slab.set(bytes, this.at)
    this.at += bytes.length
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

  /** Makes room for `bytes` more; an unfinished frame moves along to the next slab. */
  private reserve(bytes: number): void {
    if (this.at + bytes <= this.slab.length) return
    const begun = this.at - this.start
    const next = new Uint8Array(Math.max(slab_bytes, 2 * begun + bytes))
    next.set(this.slab.subarray(this.start, this.at))
    this.slab = next
    this.start = 0
    this.at = begun
  }
}
