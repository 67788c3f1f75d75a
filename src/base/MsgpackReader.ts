/**
 * Reads msgpack by hand from a payload of unknown origin. It never throws and never allocates more than the payload
 * holds: the first thing that is wrong is kept in `fault`, and reads after it give placeholders, so that a decoder
 * checks once, at the end. It knows no extensions: what is not in the methods cannot be sent. Strings are well-formed
 * UTF-8: a decoder that puts U+FFFD for what is malformed would make one path of two.
 *
 * @module
 */
import { invariant } from "./Invariant.ts"

const two32 = 0x1_0000_0000
const nothing = new Uint8Array(0)
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const utf8Lenient = new TextDecoder("utf-8", { ignoreBOM: true })

/** `open` a payload, read the fields in order, ask `close`. One reader serves one decoder after the other. */
export class MsgpackReader {
  /** What is wrong, in words, or null. */
  fault: string | null = null
  private bytes: Uint8Array = nothing
  private at = 0
  private malformed: Uint8Array | null = null

  open(bytes: Uint8Array): void {
    this.bytes = bytes
    this.at = 0
    this.fault = null
    this.malformed = null
  }

  /** True if all was well and nothing is left over. Lets go of the payload. */
  close(): boolean {
    const left = this.bytes.length - this.at
    if (left > 0) this.fail(`${left} bytes after the message`)
    this.bytes = nothing
    return this.fault === null
  }

  /** Nothing is left. */
  get done(): boolean {
    return this.at === this.bytes.length
  }

  fail(reason: string): void {
    this.fault ??= reason
  }

  /** The token that comes next, not consumed; 0xc1, which means nothing in msgpack, at the end. */
  peek(): number {
    return this.at < this.bytes.length ? this.bytes[this.at]! : 0xc1
  }

  /** Passes over a token that says all by itself: nil, false, true. */
  skip(): void {
    this.at += 1
  }

  /** The length of an array, at most `max`; every element takes a byte, so that the payload bounds it too. */
  array(what: string, max: number): number {
    const token = this.token(what)
    if (token >= 0x90 && token <= 0x9f) return this.length(what, token & 0x0f, 1, max)
    if (token === 0xdc || token === 0xdd) return this.length(what, this.fixed(token === 0xdc ? 2 : 4), 1, max)
    return this.mismatch(what, "an array")
  }

  /** The number of pairs in a map, bounded likewise. */
  map(what: string, max: number): number {
    const token = this.token(what)
    if (token >= 0x80 && token <= 0x8f) return this.length(what, token & 0x0f, 2, max)
    if (token === 0xde || token === 0xdf) return this.length(what, this.fixed(token === 0xde ? 2 : 4), 2, max)
    return this.mismatch(what, "a map")
  }

  /** A safe integer ≥ `min`, in any of msgpack's number formats. */
  uint(what: string, min = 0): number {
    const token = this.token(what)
    const value = token < 0x80 ? token : this.numeric(token)
    if (value >= min && Number.isSafeInteger(value)) return value
    return this.mismatch(what, `an integer from ${min} to 2^53 - 1`)
  }

  /**
   * As {@link uint}, but of the floats only a whole float64, and no -0. It is what the store takes: replicas must not
   * differ in that, so it stays as it is.
   */
  integer(what: string): number {
    const token = this.peek()
    if (token === 0xca || (token === 0xcb && this.bytes[this.at + 1]! >= 0x80)) {
      return this.mismatch(what, "an integer from 0 to 2^53 - 1")
    }
    return this.uint(what)
  }

  boolean(what: string): boolean {
    const token = this.token(what)
    if (token !== 0xc2 && token !== 0xc3) this.mismatch(what, "a boolean")
    return token === 0xc3
  }

  /** True, and past it, if nil comes next. */
  nil(): boolean {
    if (this.peek() !== 0xc0) return false
    this.at += 1
    return true
  }

  /** Any finite number; integers within ±2^53. */
  number(what: string): number {
    const token = this.token(what)
    const value = token < 0x80 ? token : this.numeric(token)
    if (token === 0xca || token === 0xcb ? Number.isFinite(value) : Number.isSafeInteger(value)) return value
    return this.mismatch(what, "a finite number, if an integer within 2^53")
  }

  /** Bytes: a view of the payload, not a copy. */
  bin(what: string, max: number): Uint8Array {
    const token = this.token(what)
    if (token >= 0xc4 && token <= 0xc6) return this.take(what, this.fixed(1 << (token - 0xc4)), max)
    this.mismatch(what, "binary data")
    return nothing
  }

  /** UTF-8 of at most `max` bytes. */
  string(what: string, max: number): string {
    const token = this.token(what)
    if (token >= 0xa0 && token <= 0xbf) return this.text(what, token & 0x1f, max)
    if (token >= 0xd9 && token <= 0xdb) return this.text(what, this.fixed(1 << (token - 0xd9)), max)
    this.mismatch(what, "a string")
    return ""
  }

  /** The one of these words, of at most 31 characters of ASCII, that comes next; or `undefined`, and nothing consumed. */
  oneOf<Word extends string>(words: ReadonlyArray<Word>): Word | undefined {
    const { at, bytes } = this
    const length = this.peek() - 0xa0
    for (const word of words) {
      if (word.length !== length || at + length >= bytes.length) continue
      let i = 0
      while (i < length && bytes[at + 1 + i] === word.charCodeAt(i)) i++
      if (i < length) continue
      this.at = at + 1 + length
      return word
    }
    return undefined
  }

  /** A string, or null for nil. */
  nullable(what: string, max: number): string | null {
    return this.nil() ? null : this.string(what, max)
  }

  /** The string that was refused as malformed, with U+FFFD in it: to show, never to use. Empty if there is none. */
  get refused(): string {
    return this.malformed === null ? "" : utf8Lenient.decode(this.malformed)
  }

  private token(what: string): number {
    if (this.at < this.bytes.length) return this.bytes[this.at++]!
    this.fail(`the message ends before ${what}`)
    return 0xc1
  }

  private length(what: string, length: number, bytesEach: number, max: number): number {
    if (length > max) return this.mismatch(what, `at most ${max} elements, got ${length}`)
    const left = this.bytes.length - this.at
    if (length >= 0 && length * bytesEach <= left) return length
    this.fail(`the message ends inside ${what}`)
    return 0
  }

  private take(what: string, length: number, max: number): Uint8Array {
    if (length > max) {
      this.mismatch(what, `at most ${max} bytes, got ${length}`)
    } else if (length < 0 || length > this.bytes.length - this.at) {
      this.fail(`the message ends inside ${what}`)
    } else {
      this.at += length
      return this.bytes.subarray(this.at - length, this.at)
    }
    return nothing
  }

  private text(what: string, length: number, max: number): string {
    if (length >= 0 && length <= short_bytes && length <= max && length <= this.bytes.length - this.at) {
      const ascii = this.shortAscii(length)
      if (ascii !== null) return ascii
    }
    const bytes = this.take(what, length, max)
    try {
      return utf8.decode(bytes)
    } catch {
      this.malformed = bytes
      this.mismatch(what, "valid UTF-8")
      return ""
    }
  }

  /** The decoder costs more than such a loop, and then one call. Null, and nothing consumed, if it is not all ASCII. */
  private shortAscii(length: number): string | null {
    const { at, bytes } = this
    const end = at + length
    let all = 0
    for (let i = at; i < end; i++) all |= bytes[i]!
    if (all >= 0x80) return null
    this.at = end
    return latin1Slice.call(bytes, at, end)
  }

  /** A big-endian unsigned number of 1, 2 or 4 bytes; -1 if the payload ends first. */
  private fixed(bytes: number): number {
    if (bytes > this.bytes.length - this.at) return -1
    let value = 0
    for (let i = 0; i < bytes; i++) value = value * 256 + this.bytes[this.at++]!
    return value
  }

  /** The numbers that a token from 0x80 announces; NaN for no number, or a truncated one. */
  private numeric(token: number): number {
    if (token >= 0xe0) return token - 0x100
    if (token < 0xca || token > 0xd3) return NaN
    const bytes = numeric_bytes[token - 0xca]!
    if (bytes > this.bytes.length - this.at) return NaN
    if (token <= 0xcb) return this.float(bytes)
    const negative = token >= 0xd0 && this.bytes[this.at]! >= 0x80
    if (bytes < 8) return negative ? this.fixed(bytes) - 2 ** (8 * bytes) : this.fixed(bytes)
    // In two halves: as a whole, small negative numbers would lose their low bits.
    const high = this.fixed(4) - (negative ? two32 : 0)
    return high * two32 + this.fixed(4)
  }

  private float(bytes: number): number {
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at, bytes)
    this.at += bytes
    return (bytes === 4 ? view.getFloat32(0) : view.getFloat64(0)) + 0 // Never -0.
  }

  private mismatch(what: string, expected: string): number {
    this.fail(`${what}: expected ${expected}`)
    return 0
  }
}

declare global {
  interface Buffer<TArrayBuffer extends ArrayBufferLike = ArrayBufferLike> {
    /** What `toString("latin1", from, to)` does, for any bytes: so no `Buffer` is made of each message. */
    readonly latin1Slice: (this: Uint8Array, from: number, to: number) => string
  }
}
const { latin1Slice } = Buffer.prototype
// Node does not document it.
invariant(typeof latin1Slice === "function", "this Node has Buffer.prototype.latin1Slice")

/** Of the formats 0xca to 0xd3: two floats, four unsigned, four signed. */
const numeric_bytes = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8]

/** Strings up to here are looked at in a loop: names, UUIDs, map keys, most paths. */
const short_bytes = 128
