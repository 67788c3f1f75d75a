/**
 * The part of msgpack that operations and results use: nil, booleans, non-negative integers, UTF-8 strings, bins and
 * arrays.
 *
 * Reading is by hand because the bytes come from strangers. A general decoder accepts too much for that: msgpackr
 * replaces malformed UTF-8 by U+FFFD (two different paths would become one), allocates whatever length an array header
 * claims, and knows extension types that build maps, records and big integers. Here a read never throws, never
 * allocates more than the input holds, and takes nothing but the type that was asked for.
 * Writing is by hand because results are kept (until the client acknowledges them), and msgpackr returns views into
 * large shared buffers (4 MiB once it packed 1 MiB), which a kept result would keep as a whole.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"

const utf8Strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const utf8Lenient = new TextDecoder("utf-8", { ignoreBOM: true })
const utf8 = new TextEncoder()

/** So far a loop over ASCII beats the platform's decoder; further, V8 builds ropes that it has to flatten later. */
const ascii_loop_bytes_max = 12

/** A larger buffer than this goes once it was used. */
const writer_bytes_kept = 16 * 1024

/** Reads one value after another. Each method gives `undefined`, and stays where it was, when something else comes. */
export class Reader {
  readonly #bytes: Uint8Array
  #position = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Has everything been read? */
  get atEnd(): boolean {
    return this.#position === this.#bytes.length
  }

  /** An array header: the number of elements claimed, which may be more than there are. */
  array(): number | undefined {
    const token = this.#bytes[this.#position]
    if (token === undefined) return undefined
    if (token >= 0x90 && token <= 0x9f) {
      this.#position += 1
      return token - 0x90
    }
    if (token === 0xdc) return this.#header(2)
    if (token === 0xdd) return this.#header(4)
    return undefined
  }

  /** Well-formed UTF-8 only. */
  text(): string | undefined {
    const start = this.#position
    const length = this.#textLength()
    const bytes = length === undefined ? undefined : this.#take(length)
    const text = bytes === undefined ? undefined : decodeText(bytes)
    if (text === undefined) this.#position = start
    return text
  }

  /** As {@link text}, but with U+FFFD in place of what is malformed: to show a refused string, never to use it. */
  textForDisplay(): string | undefined {
    const start = this.#position
    const length = this.#textLength()
    const bytes = length === undefined ? undefined : this.#take(length)
    if (bytes === undefined) this.#position = start
    return bytes === undefined ? undefined : utf8Lenient.decode(bytes)
  }

  /** A bin, as a view of the input. */
  bytes(): Uint8Array | undefined {
    const start = this.#position
    const token = this.#bytes[start]
    const length = token === 0xc4 ? this.#header(1)
      : token === 0xc5 ? this.#header(2)
      : token === 0xc6 ? this.#header(4)
      : undefined
    const bytes = length === undefined ? undefined : this.#take(length)
    if (bytes === undefined) this.#position = start
    return bytes
  }

  /** 0 to 2^53 - 1, in any of msgpack's integer forms or as a whole float64 (some encoders send large ones so). */
  integer(): number | undefined {
    const start = this.#position
    const value = this.#number()
    if (value !== undefined && Number.isSafeInteger(value) && value >= 0) return value
    this.#position = start
    return undefined
  }

  boolean(): boolean | undefined {
    const token = this.#bytes[this.#position]
    if (token !== 0xc2 && token !== 0xc3) return undefined
    this.#position += 1
    return token === 0xc3
  }

  /** `true` and past it if nil comes next. */
  nil(): boolean {
    if (this.#bytes[this.#position] !== 0xc0) return false
    this.#position += 1
    return true
  }

  #textLength(): number | undefined {
    const token = this.#bytes[this.#position]
    if (token === undefined) return undefined
    if (token >= 0xa0 && token <= 0xbf) {
      this.#position += 1
      return token - 0xa0
    }
    return token === 0xd9 ? this.#header(1)
      : token === 0xda ? this.#header(2)
      : token === 0xdb ? this.#header(4)
      : undefined
  }

  #number(): number | undefined {
    const token = this.#bytes[this.#position]
    if (token === undefined) return undefined
    if (token <= 0x7f) {
      this.#position += 1
      return token
    }
    if (token >= 0xcc && token <= 0xcf) return this.#header(1 << (token - 0xcc))
    if (token >= 0xd0 && token <= 0xd3) {
      // Signed forms: fine while the sign bit is clear.
      const first = this.#bytes[this.#position + 1]
      return first === undefined || first >= 0x80 ? undefined : this.#header(1 << (token - 0xd0))
    }
    if (token !== 0xcb || this.#bytes.length - this.#position < 9) return undefined
    const value = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + this.#position + 1, 8).getFloat64(0)
    this.#position += 9
    return Object.is(value, -0) ? undefined : value
  }

  /** Skips the token and reads the big-endian unsigned number behind it. */
  #header(size: number): number | undefined {
    const from = this.#position + 1
    if (from + size > this.#bytes.length) return undefined
    let value = 0
    for (let i = from; i < from + size; i++) value = value * 256 + this.#bytes[i]!
    this.#position = from + size
    return value
  }

  #take(length: number): Uint8Array | undefined {
    const from = this.#position
    if (length > this.#bytes.length - from) return undefined
    this.#position = from + length
    return this.#bytes.subarray(from, from + length)
  }
}

const decodeText = (bytes: Uint8Array): string | undefined => {
  if (bytes.length <= ascii_loop_bytes_max) {
    let text = ""
    let i = 0
    for (; i < bytes.length && bytes[i]! < 0x80; i++) text += String.fromCharCode(bytes[i]!)
    if (i === bytes.length) return text
  }
  try {
    return utf8Strict.decode(bytes)
  } catch {
    return undefined
  }
}

/** Writes into a growing buffer of its own: `start` begins afresh, `take` copies out exactly what was written. */
export class Writer {
  #buffer = new Uint8Array(writer_bytes_kept)
  #length = 0

  start(): this {
    this.#length = 0
    return this
  }

  array(length: number): this {
    invariant(length <= 0xffff, "arrays are short", { length })
    this.#reserve(3)
    if (length < 16) this.#buffer[this.#length++] = 0x90 | length
    else this.#header(0xdc, length, 2)
    return this
  }

  text(text: string): this {
    this.#reserve(5 + text.length * 3)
    // The header's size depends on the encoded length: leave room for the likely one, and move if it was another.
    const guess = headerSize(text.length)
    const at = this.#length + guess
    const { written } = utf8.encodeInto(text, this.#buffer.subarray(at))
    const size = headerSize(written)
    if (size !== guess) this.#buffer.copyWithin(this.#length + size, at, at + written)
    if (size === 1) this.#buffer[this.#length++] = 0xa0 | written
    else this.#header(size === 2 ? 0xd9 : size === 3 ? 0xda : 0xdb, written, size - 1)
    this.#length += written
    return this
  }

  bytes(bytes: Uint8Array): this {
    const length = bytes.length
    this.#reserve(5 + length)
    if (length <= 0xff) this.#header(0xc4, length, 1)
    else if (length <= 0xffff) this.#header(0xc5, length, 2)
    else this.#header(0xc6, length, 4)
    this.#buffer.set(bytes, this.#length)
    this.#length += length
    return this
  }

  integer(value: number): this {
    invariant(Number.isSafeInteger(value) && value >= 0, "integers are whole and not negative", { value })
    this.#reserve(9)
    if (value <= 0x7f) this.#buffer[this.#length++] = value
    else if (value <= 0xff) this.#header(0xcc, value, 1)
    else if (value <= 0xffff) this.#header(0xcd, value, 2)
    else if (value <= 0xffffffff) this.#header(0xce, value, 4)
    else this.#header(0xcf, value, 8)
    return this
  }

  boolean(value: boolean): this {
    this.#reserve(1)
    this.#buffer[this.#length++] = value ? 0xc3 : 0xc2
    return this
  }

  nil(): this {
    this.#reserve(1)
    this.#buffer[this.#length++] = 0xc0
    return this
  }

  take(): Uint8Array {
    const written = this.#buffer.slice(0, this.#length)
    if (this.#buffer.length > writer_bytes_kept) this.#buffer = new Uint8Array(writer_bytes_kept)
    return written
  }

  #header(token: number, value: number, size: number): void {
    this.#buffer[this.#length] = token
    let rest = value
    for (let i = this.#length + size; i > this.#length; i--) {
      this.#buffer[i] = rest % 256
      rest = Math.floor(rest / 256)
    }
    this.#length += size + 1
  }

  #reserve(size: number): void {
    const needed = this.#length + size
    if (needed <= this.#buffer.length) return
    const grown = new Uint8Array(Math.max(needed, 2 * this.#buffer.length))
    grown.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = grown
  }
}

const headerSize = (length: number): number => length < 32 ? 1 : length <= 0xff ? 2 : length <= 0xffff ? 3 : 5
