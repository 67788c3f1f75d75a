/**
 * The hand-written msgpack against msgpackr: they understand each other, and ours takes nothing but what it is asked for.
 *
 * @module
 */
import * as fc from "fast-check"
import { Packr } from "msgpackr/pack"
import { assert, describe, it } from "vitest"
import { MsgpackReader } from "../../src/base/MsgpackReader.ts"
import { MsgpackWriter } from "../../src/base/MsgpackWriter.ts"
import { poisonUnfilled } from "./Poison.ts"

poisonUnfilled()

const packr = new Packr({ useRecords: false, int64AsType: "number" })
const packed = (value: unknown): Uint8Array => new Uint8Array(packr.pack(value))
const opened = (bytes: Uint8Array): MsgpackReader => {
  const reader = new MsgpackReader()
  reader.open(bytes)
  return reader
}
const raw = (...bytes: ReadonlyArray<number>): MsgpackReader => opened(Uint8Array.from(bytes))
const max = Number.MAX_SAFE_INTEGER

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

const write = (to: MsgpackWriter, value: Scalar): MsgpackWriter =>
  value === null ? to.nil()
    : typeof value === "string" ? to.string(value)
    : typeof value === "number" ? to.uint(value)
    : typeof value === "boolean" ? to.boolean(value)
    : to.bin(value)

const read = (from: MsgpackReader, like: Scalar): Scalar | undefined =>
  like === null ? (from.nil() ? null : undefined)
    : typeof like === "string" ? from.string("string", max)
    : typeof like === "number" ? from.integer("integer")
    : typeof like === "boolean" ? from.boolean("boolean")
    : from.bin("bin", max)

const faultOf = (reader: MsgpackReader, ask: (reader: MsgpackReader) => unknown): string | null => {
  ask(reader)
  return reader.fault
}

const plain = (value: Scalar | undefined): Scalar | undefined => value instanceof Uint8Array ? new Uint8Array(value) : value

describe("msgpack", () => {
  it("takes one of several words, or nothing", () => {
    const words = ["put", "pull", "p"]
    fc.assert(fc.property(fc.oneof(fc.constantFrom(...words, "pu", "putt", "puu"), fc.string()), fc.boolean(), (text, cut) => {
      const bytes = packed(text)
      const reader = opened(cut ? bytes.subarray(0, bytes.length - 1) : bytes)
      const isWord = !cut && words.includes(text)
      assert.strictEqual(reader.oneOf(words), isWord ? text : undefined)
      if (cut) return
      if (!isWord) assert.strictEqual(reader.string("text", max), text.toWellFormed())
      assert.isTrue(reader.close())
    }))
    assert.isUndefined(raw(0xd9, 1, 0x70).oneOf(words), "not in its shortest form: that is for `string`")
  })

  it("writes what was encoded before, across slabs", () => {
    const writer = new MsgpackWriter(16)
    const array = writer.start().array(2).string("a word of some length").take()
    assert.deepStrictEqual(writer.start().encoded(array).uint(7).take(), packed(["a word of some length", 7]))
  })

  it("reads what it wrote, and what msgpackr writes; and msgpackr reads it", () => {
    const writer = new MsgpackWriter()
    fc.assert(fc.property(fc.array(scalar, { maxLength: 20, size: "max" }), (values) => {
      writer.start().array(values.length)
      for (const value of values) write(writer, value)
      const ours = writer.take()
      const theirs: ReadonlyArray<Scalar> = packr.unpack(ours)
      assert.deepStrictEqual(theirs.map(plain), values)
      for (const encoded of [ours, packed(values)]) {
        const reader = opened(encoded)
        assert.strictEqual(reader.array("array", max), values.length)
        for (const value of values) assert.deepStrictEqual(plain(read(reader, value)), value)
        assert.isTrue(reader.close())
      }
    }), { numRuns: 500 })
  })

  it("writes the shortest form", () => {
    fc.assert(fc.property(fc.oneof(fc.nat(), string, bin, fc.boolean(), fc.constant(null)), (value) => {
      assert.deepStrictEqual(write(new MsgpackWriter().start(), value).take(), packed(value))
    }))
    assert.deepStrictEqual(new MsgpackWriter().start().uint(2 ** 32).take(), Uint8Array.of(0xcf, 0, 0, 0, 1, 0, 0, 0, 0))
  })

  it("takes integers in every form, from 0 to 2^53 - 1", () => {
    const integerOf = (reader: MsgpackReader) => reader.integer("integer")
    assert.strictEqual(integerOf(raw(0xd3, 0, 0, 0, 0, 0, 0, 0, 5)), 5)
    assert.strictEqual(integerOf(raw(0xd0, 0x7f)), 127)
    assert.strictEqual(integerOf(raw(0xcf, 0, 0x1f, 255, 255, 255, 255, 255, 255)), Number.MAX_SAFE_INTEGER)
    assert.strictEqual(integerOf(raw(0xcb, 0x41, 0xf0, 0, 0, 0, 0, 0, 0)), 2 ** 32)
    for (
      const [what, reader] of [
        ["2^53", raw(0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0)],
        ["2^64 - 1", raw(0xcf, 255, 255, 255, 255, 255, 255, 255, 255)],
        ["-1", raw(0xff)],
        ["-1 as int8", raw(0xd0, 0xff)],
        ["-1 as int64", raw(0xd3, 255, 255, 255, 255, 255, 255, 255, 255)],
        ["1.5", opened(packed(1.5))],
        ["NaN", opened(packed(NaN))],
        ["-0", raw(0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0)],
        ["float32", raw(0xca, 0x3f, 0x80, 0, 0)],
        ["a big integer", opened(packed(2n ** 53n))],
        ["a cut-off uint32", raw(0xce, 0, 0, 1)],
        ["a cut-off int16", raw(0xd1)],
        ["a cut-off float64", raw(0xcb, 0x41, 0xf0)]
      ] as const
    ) assert.include(faultOf(reader, integerOf), "integer: expected an integer from 0 to 2^53 - 1", what)
    assert.strictEqual(raw(0xca, 0x3f, 0x80, 0, 0).uint("uint"), 1, "which takes every form")
  })
})

describe("the reader", () => {
  it("keeps the first fault", () => {
    fc.assert(fc.property(scalar, scalar, (value, like) => {
      const reader = opened(packed(value))
      const got = read(reader, like)
      const fits = value === null || like === null ? value === like
        : typeof value === typeof like
      if (fits) return assert.deepStrictEqual(plain(got), value)
      if (like === null) return assert.isUndefined(got)
      const fault = reader.fault
      assert.include(fault, "expected")
      for (const other of ["", 0, true, null, new Uint8Array(0)]) read(reader, other)
      assert.isFalse(reader.close())
      assert.strictEqual(reader.fault, fault)
    }))
  })

  it("tells when nothing is left", () => {
    const reader = raw(1, 0xa1, 0x61)
    assert.isFalse(reader.done)
    reader.uint("first")
    assert.isFalse(reader.done)
    reader.string("second", 1)
    assert.isTrue(reader.done)
    assert.isTrue(raw().done)
  })

  it("forgets the fault with the next payload", () => {
    const reader = raw(0xa1, 0x80)
    reader.string("string", max)
    assert.isFalse(reader.close())
    reader.open(Uint8Array.of(0xa1, 0x61))
    assert.strictEqual(reader.refused, "")
    assert.strictEqual(reader.string("string", max), "a")
    assert.isTrue(reader.close())
  })

  it.each([
    ["a stray continuation", [0xa1, 0x80]],
    ["a cut-off pair", [0xa1, 0xc3]],
    ["an overlong slash", [0xa2, 0xc0, 0xaf]],
    ["half of a surrogate pair", [0xa3, 0xed, 0xa0, 0x80]],
    ["a code point above U+10FFFF", [0xa4, 0xf4, 0x90, 0x80, 0x80]],
    ["latin-1", [0xa2, 0x61, 0xe9]],
    ["latin-1 among many", [0xa9, 0x61, 0x61, 0x61, 0x61, 0x61, 0x61, 0x61, 0xe9, 0x61]]
  ])("refuses malformed UTF-8, and shows what can be shown: %s", (_what, bytes) => {
    const reader = raw(...bytes)
    assert.strictEqual(reader.string("name", max), "")
    assert.strictEqual(reader.fault, "name: expected valid UTF-8")
    assert.include(reader.refused, "\ufffd")
  })

  it("has nothing to show of what is no string, or cut off", () => {
    for (const reader of [raw(0xc4, 1, 0x61), raw(0xa2, 0x61), raw()]) {
      assert.isNotNull(faultOf(reader, (r) => r.string("string", max)))
      assert.strictEqual(reader.refused, "")
    }
  })

  it("keeps a byte order mark: it is part of the name", () => {
    assert.strictEqual(raw(0xa3, 0xef, 0xbb, 0xbf).string("name", max), "\ufeff")
  })

  it("reads ASCII of any length, and one other character anywhere in it", () => {
    for (const length of [...Array.from({ length: 51 }, (_, i) => i), ...Array.from({ length: 16 }, (_, i) => 120 + i)]) {
      const ascii = "abcdefghijklmnopqrstuvwxyz".repeat(6).slice(0, length)
      assert.strictEqual(opened(packed(ascii)).string("string", max), ascii)
      for (let at = 0; at < length; at++) {
        const other = `${ascii.slice(0, at)}é${ascii.slice(at + 1)}`
        assert.strictEqual(opened(packed(other)).string("string", max), other)
      }
    }
  })

  it("refuses lengths that the input does not have, or that are too long", () => {
    const string = (r: MsgpackReader) => r.string("it", 100)
    const bin = (r: MsgpackReader) => r.bin("it", 100)
    const array = (r: MsgpackReader) => r.array("it", 100)
    assert.include(faultOf(raw(0xdb, 255, 255, 255, 255, 0x61), string), "at most 100 bytes, got 4294967295")
    assert.include(faultOf(raw(0xc6, 255, 255, 255, 255, 0x61), bin), "at most 100 bytes, got 4294967295")
    assert.include(faultOf(raw(0xdd, 255, 255, 255, 255), array), "at most 100 elements, got 4294967295")
    for (const [reader, ask] of [[raw(0xa2, 0x61), string], [raw(0xc4), bin], [raw(0xda, 0), string], [raw(0x92, 0), array]] as const) {
      assert.strictEqual(faultOf(reader, ask), "the message ends inside it")
    }
    assert.strictEqual(faultOf(raw(), array), "the message ends before it")
  })

  it("reads a view of a larger buffer within its bounds", () => {
    const around = Uint8Array.of(1, 0xa2, 0x61, 0x62, 0xcb, 0x41, 0xf0, 0, 0, 0, 0, 0, 0, 9)
    assert.isNotNull(faultOf(opened(around.subarray(1, 3)), (r) => r.string("string", max)))
    const reader = opened(around.subarray(1, 13))
    assert.strictEqual(reader.string("string", max), "ab")
    assert.strictEqual(reader.integer("integer"), 2 ** 32)
    assert.isTrue(reader.close())
  })
})

describe("the writer", () => {
  it("gives away memory that is exactly as long as what was written", () => {
    const writer = new MsgpackWriter()
    writer.start().bin(new Uint8Array(1_000_000)).take()
    const small = writer.start().array(1).string("ok").take()
    assert.strictEqual(small.buffer.byteLength, 4)
    const again = writer.start().string("other").take()
    assert.deepStrictEqual(small, Uint8Array.of(0x91, 0xa2, 0x6f, 0x6b))
    assert.strictEqual(again.length, 6)
  })

  it("gives away the first bytes alone, and in the room that it is given if they fit", () => {
    const writer = new MsgpackWriter(8)
    const written = Uint8Array.of(1, 2, 0xa3, 0x61, 0x62, 0x63)
    const begun = (): MsgpackWriter => writer.start().uint(1).uint(2).string("abc")
    assert.strictEqual(begun().length, 6)
    for (const length of [0, 1, 6]) {
      for (const size of [0, 1, 5, 6, 20]) {
        const room = new Uint8Array(size)
        const taken = begun().take(length, room)
        assert.deepStrictEqual(taken, written.subarray(0, length))
        assert.strictEqual(taken.buffer === room.buffer, length <= size)
        assert.strictEqual(writer.length, 0)
      }
    }
    assert.deepStrictEqual(begun().take(), written)
  })

  it("lends what it wrote, and never writes there again, in however small slabs", () => {
    for (const slab_bytes of [1, 40, 1_000]) {
      const writer = new MsgpackWriter(slab_bytes)
      const texts = Array.from({ length: 50 }, (_, i) => String.fromCharCode(65 + i % 26).repeat(1 + i * 7 % 60))
      const lent = texts.map((text, i) => {
        if (i % 5 === 0) writer.start().string("dropped")
        if (i % 7 === 0) writer.begin().string("a frame").end()
        return writer.start().string(text).lend()
      })
      assert.deepStrictEqual(lent.map((bytes) => new Uint8Array(bytes)), texts.map((text) => packed(text)))
    }
  })

  it("lends large ones without keeping as much for itself", () => {
    const writer = new MsgpackWriter()
    writer.start().bin(new Uint8Array(100_000)).bin(new Uint8Array(300_000)).lend()
    assert.isAtMost(writer.start().string("small").lend().buffer.byteLength, 64 * 1024)
  })

  it("knows what it wrote", () => {
    const writer = new MsgpackWriter()
    writer.begin().string("a frame").end()
    writer.start().uint(1).uint(2)
    assert.isTrue(writer.wrote(Uint8Array.of(1, 2)))
    for (const other of [[], [1], [1, 3], [1, 2, 3], [2, 2]]) assert.isFalse(writer.wrote(Uint8Array.from(other)))
  })

  it("begins afresh after a value that could not be written", () => {
    const writer = new MsgpackWriter()
    for (const wrong of [-1, 1.5, NaN, 2 ** 53]) assert.throws(() => writer.start().string("half").uint(wrong))
    assert.deepStrictEqual(writer.start().nil().take(), Uint8Array.of(0xc0))
    assert.throws(() => writer.begin().string("half").uint(-1))
    assert.deepStrictEqual(writer.begin().nil().end(), Uint8Array.of(0, 0, 0, 1, 0xc0))
  })

  it("writes frames with their length, and never again to what it gave away", () => {
    const writer = new MsgpackWriter()
    const one = fc.record({ value: scalar, framed: fc.boolean() })
    fc.assert(fc.property(fc.array(one, { minLength: 1, maxLength: 20, size: "max" }), (ones) => {
      const written = ones.map(({ value, framed }) =>
        framed ? write(writer.begin(), value).end() : write(writer.start(), value).take())
      ones.forEach(({ value, framed }, i) => {
        const bytes = written[i]!
        const payload = framed ? bytes.subarray(4) : bytes
        if (framed) assert.strictEqual(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0), payload.length)
        const reader = opened(payload)
        assert.deepStrictEqual(plain(read(reader, value)), value)
        assert.isTrue(reader.close())
      })
    }), { numRuns: 300 })
  })
})
