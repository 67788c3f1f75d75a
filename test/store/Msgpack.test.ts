/**
 * The hand-written msgpack against msgpackr: they understand each other, and ours takes nothing but what it is asked for.
 *
 * @module
 */
import * as fc from "fast-check"
import { Packr } from "msgpackr/pack"
import { assert, describe, it } from "vitest"
import { Reader, Writer } from "../../src/store/Msgpack.ts"

const packr = new Packr({ useRecords: false, int64AsType: "number" })
const packed = (value: unknown): Uint8Array => new Uint8Array(packr.pack(value))
const raw = (...bytes: ReadonlyArray<number>): Reader => new Reader(Uint8Array.from(bytes))

type Scalar = string | number | boolean | null | Uint8Array

const integer = fc.oneof(fc.maxSafeNat(), fc.nat(), fc.nat(300), fc.constantFrom(0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000,
  0xffffffff, 0x100000000, Number.MAX_SAFE_INTEGER))
/** Lengths on both sides of every change of the header. */
const length = fc.oneof(fc.nat(40), fc.constantFrom(31, 32, 48, 49, 254, 255, 256, 257, 65_535, 65_536))
const string = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.tuple(fc.constantFrom("a", "é", "€", "😀"), length).map(([character, count]) => character.repeat(count))
)
const bin = fc.oneof(fc.uint8Array(), length.map((count) => new Uint8Array(count).fill(count)))
const scalar: fc.Arbitrary<Scalar> = fc.oneof(integer, string, bin, fc.boolean(), fc.constant(null))

const write = (to: Writer, value: Scalar): Writer =>
  value === null ? to.nil()
    : typeof value === "string" ? to.text(value)
    : typeof value === "number" ? to.integer(value)
    : typeof value === "boolean" ? to.boolean(value)
    : to.bytes(value)

const read = (from: Reader, like: Scalar): Scalar | undefined =>
  like === null ? (from.nil() ? null : undefined)
    : typeof like === "string" ? from.text()
    : typeof like === "number" ? from.integer()
    : typeof like === "boolean" ? from.boolean()
    : from.bytes()

const plain = (value: Scalar | undefined): Scalar | undefined => value instanceof Uint8Array ? new Uint8Array(value) : value

describe("msgpack", () => {
  it("reads what it wrote, and what msgpackr writes; and msgpackr reads it", () => {
    const writer = new Writer()
    fc.assert(fc.property(fc.array(scalar, { maxLength: 20 }), (values) => {
      writer.start().array(values.length)
      for (const value of values) write(writer, value)
      const ours = writer.take()
      const theirs: ReadonlyArray<Scalar> = packr.unpack(ours)
      assert.deepStrictEqual(theirs.map(plain), values)
      for (const encoded of [ours, packed(values)]) {
        const reader = new Reader(encoded)
        assert.strictEqual(reader.array(), values.length)
        for (const value of values) assert.deepStrictEqual(plain(read(reader, value)), value)
        assert.isTrue(reader.atEnd)
      }
    }), { numRuns: 500 })
  })

  it("writes the shortest form", () => {
    fc.assert(fc.property(fc.oneof(fc.nat(), string, bin, fc.boolean(), fc.constant(null)), (value) => {
      assert.deepStrictEqual(write(new Writer().start(), value).take(), packed(value))
    }))
    assert.deepStrictEqual(new Writer().start().integer(2 ** 32).take(), Uint8Array.of(0xcf, 0, 0, 0, 1, 0, 0, 0, 0))
  })

  it("gives away memory that is exactly as long as what was written", () => {
    const writer = new Writer()
    writer.start().bytes(new Uint8Array(1_000_000)).take()
    const small = writer.start().array(1).text("ok").take()
    assert.strictEqual(small.buffer.byteLength, 4)
    const again = writer.start().text("other").take()
    assert.deepStrictEqual(small, Uint8Array.of(0x91, 0xa2, 0x6f, 0x6b))
    assert.strictEqual(again.length, 6)
  })

  it("begins afresh after a value that could not be written", () => {
    const writer = new Writer()
    assert.throws(() => writer.start().text("half").integer(-1))
    assert.deepStrictEqual(writer.start().nil().take(), Uint8Array.of(0xc0))
  })

  it("stays where it is when something else comes", () => {
    fc.assert(fc.property(scalar, (value) => {
      const reader = new Reader(packed(value))
      if (typeof value !== "string") assert.isUndefined(reader.text())
      if (typeof value !== "number") assert.isUndefined(reader.integer())
      if (typeof value !== "boolean") assert.isUndefined(reader.boolean())
      if (!(value instanceof Uint8Array)) assert.isUndefined(reader.bytes())
      if (value !== null) assert.isFalse(reader.nil())
      assert.isUndefined(reader.array())
      assert.deepStrictEqual(plain(read(reader, value)), value)
    }))
  })

  it("takes integers in every form, from 0 to 2^53 - 1", () => {
    assert.strictEqual(raw(0xd3, 0, 0, 0, 0, 0, 0, 0, 5).integer(), 5)
    assert.strictEqual(raw(0xd0, 0x7f).integer(), 127)
    assert.strictEqual(raw(0xcf, 0, 0x1f, 255, 255, 255, 255, 255, 255).integer(), Number.MAX_SAFE_INTEGER)
    assert.strictEqual(raw(0xcb, 0x41, 0xf0, 0, 0, 0, 0, 0, 0).integer(), 2 ** 32)
    for (
      const [what, reader] of [
        ["2^53", raw(0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0)],
        ["2^64 - 1", raw(0xcf, 255, 255, 255, 255, 255, 255, 255, 255)],
        ["-1", raw(0xff)],
        ["-1 as int8", raw(0xd0, 0xff)],
        ["-1 as int64", raw(0xd3, 255, 255, 255, 255, 255, 255, 255, 255)],
        ["1.5", new Reader(packed(1.5))],
        ["NaN", new Reader(packed(NaN))],
        ["-0", raw(0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0)],
        ["float32", raw(0xca, 0x3f, 0x80, 0, 0)],
        ["a big integer", new Reader(packed(2n ** 53n))],
        ["a cut-off uint32", raw(0xce, 0, 0, 1)],
        ["a cut-off int16", raw(0xd1)],
        ["a cut-off float64", raw(0xcb, 0x41, 0xf0)]
      ] as const
    ) assert.isUndefined(reader.integer(), what)
  })

  it.each([
    ["a stray continuation", [0xa1, 0x80]],
    ["a cut-off pair", [0xa1, 0xc3]],
    ["an overlong slash", [0xa2, 0xc0, 0xaf]],
    ["half of a surrogate pair", [0xa3, 0xed, 0xa0, 0x80]],
    ["a code point above U+10FFFF", [0xa4, 0xf4, 0x90, 0x80, 0x80]],
    ["latin-1", [0xa2, 0x61, 0xe9]]
  ])("refuses malformed UTF-8: %s", (_what, bytes) => {
    assert.isUndefined(raw(...bytes).text())
    assert.include(raw(...bytes).textForDisplay(), "\ufffd")
  })

  it("keeps a byte order mark: it is part of the name", () => {
    assert.strictEqual(raw(0xa3, 0xef, 0xbb, 0xbf).text(), "\ufeff")
  })

  it("refuses lengths that the input does not have", () => {
    assert.isUndefined(raw(0xdb, 255, 255, 255, 255, 0x61).text())
    assert.isUndefined(raw(0xc6, 255, 255, 255, 255, 0x61).bytes())
    assert.isUndefined(raw(0xa2, 0x61).text())
    assert.isUndefined(raw(0xc4).bytes())
    assert.isUndefined(raw(0xda, 0).text())
    assert.isUndefined(raw().array())
    assert.strictEqual(raw(0xdd, 255, 255, 255, 255).array(), 0xffffffff, "a claim, for the caller to judge")
  })

  it("reads a view of a larger buffer within its bounds", () => {
    const around = Uint8Array.of(1, 0xa2, 0x61, 0x62, 0xcb, 0x41, 0xf0, 0, 0, 0, 0, 0, 0, 9)
    assert.isUndefined(new Reader(around.subarray(1, 3)).text())
    const reader = new Reader(around.subarray(1, 13))
    assert.strictEqual(reader.text(), "ab")
    assert.strictEqual(reader.integer(), 2 ** 32)
    assert.isTrue(reader.atEnd)
  })
})
