/**
 * Reads msgpack by hand from a payload of unknown origin, for protocols whose message rate is too high for a general
 * decoder. It never throws and never allocates more than the payload holds: the first thing that is wrong is kept in
 * `fault`, and reads after it give placeholders, so that a decoder checks once, at the end.
 *
 * @module
 */

const two32 = 0x1_0000_0000
const nothing = new Uint8Array(0)
const text = new TextDecoder("utf-8", { fatal: true })

/** `open` a payload, read the fields in order, ask `close`. One reader serves one decoder after the other. */
export class MsgpackReader {
  /** What is wrong, in words, or null. */
  fault: string | null = null
  private bytes: Uint8Array = nothing
  private at = 0

  open(bytes: Uint8Array): void {
    this.bytes = bytes
    this.at = 0
    this.fault = null
  }

  /** True if all was well and nothing is left over. Lets go of the payload. */
  close(): boolean {
    const left = this.bytes.length - this.at
    if (left > 0) this.fail(`${left} bytes after the message`)
    this.bytes = nothing
    return this.fault === null
  }

  fail(reason: string): void {
    this.fault ??= reason
  }

  /** The length of an array, at most `max`; every element takes a byte, so that the payload bounds it too. */
  array(what: string, max: number): number {
    const token = this.token(what)
    const length = token >= 0x90 && token <= 0x9f ? token & 0x0f
      : token === 0xdc ? this.fixed(2)
      : token === 0xdd ? this.fixed(4)
      : -1
    if (length < 0) return this.mismatch(what, "an array")
    const most = Math.min(max, this.bytes.length - this.at)
    if (length > most) return this.mismatch(what, `at most ${most} elements, got ${length}`)
    return length
  }

  /** A safe integer ≥ `min`, in any of msgpack's number formats. */
  uint(what: string, min = 0): number {
    const token = this.token(what)
    const value = token < 0x80 ? token : this.number(token)
    if (value >= min && Number.isSafeInteger(value)) return value
    return this.mismatch(what, `an integer from ${min} to 2^53 - 1`)
  }

  /** Bytes: a view of the payload, not a copy. */
  bin(what: string, max: number): Uint8Array {
    const token = this.token(what)
    const length = token >= 0xc4 && token <= 0xc6 ? this.fixed(1 << (token - 0xc4)) : -1
    if (length < 0) {
      this.mismatch(what, "binary data")
      return nothing
    }
    return this.take(what, length, max)
  }

  /** UTF-8 of at most `max` bytes. */
  string(what: string, max: number): string {
    const token = this.token(what)
    const length = token >= 0xa0 && token <= 0xbf ? token & 0x1f
      : token >= 0xd9 && token <= 0xdb ? this.fixed(1 << (token - 0xd9))
      : -1
    if (length < 0) {
      this.mismatch(what, "a string")
      return ""
    }
    const bytes = this.take(what, length, max)
    try {
      return text.decode(bytes)
    } catch {
      this.mismatch(what, "valid UTF-8")
      return ""
    }
  }

  /** A string, or null for nil. */
  nullable(what: string, max: number): string | null {
    if (this.bytes[this.at] !== 0xc0) return this.string(what, max)
    this.at += 1
    return null
  }

  private take(what: string, length: number, max: number): Uint8Array {
    if (length > max) {
      this.mismatch(what, `at most ${max} bytes, got ${length}`)
      return nothing
    }
    if (length > this.bytes.length - this.at) {
      this.fail(`the message ends inside ${what}`)
      return nothing
    }
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  private token(what: string): number {
    if (this.at < this.bytes.length) return this.bytes[this.at++]!
    this.fail(`the message ends before ${what}`)
    return 0xc1
  }

  /** A big-endian unsigned number of 1, 2 or 4 bytes; -1 if the payload ends first. */
  private fixed(bytes: number): number {
    if (bytes > this.bytes.length - this.at) return -1
    let value = 0
    for (let i = 0; i < bytes; i++) value = value * 256 + this.bytes[this.at++]!
    return value
  }

  /** The numbers that do not fit their token; -1 for a negative one, a truncated one, or no number. */
  private number(token: number): number {
    switch (token) {
      case 0xcc: return this.fixed(1)
      case 0xcd: return this.fixed(2)
      case 0xce: return this.fixed(4)
      case 0xcf: return this.uint64()
      case 0xcb: return this.double()
      case 0xd0: case 0xd1: case 0xd2: case 0xd3: // Signed: a negative one has its top bit set.
        return (this.bytes[this.at] ?? 0xff) < 0x80 ? this.number(token - 4) : -1
      default: return -1
    }
  }

  private uint64(): number {
    if (this.bytes.length - this.at < 8) return -1
    return this.fixed(4) * two32 + this.fixed(4)
  }

  private double(): number {
    if (this.bytes.length - this.at < 8) return -1
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at, 8)
    this.at += 8
    return view.getFloat64(0) + 0 // Never -0.
  }

  private mismatch(what: string, expected: string): number {
    this.fail(`${what}: expected ${expected}`)
    return 0
  }
}
