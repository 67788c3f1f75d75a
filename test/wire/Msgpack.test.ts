/**
 * msgpack from strangers: data comes through, everything else is refused in words, and nothing throws.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { pack, unpack } from "../../src/wire/Msgpack.ts"

const bytes = (hex: string): Uint8Array => Uint8Array.from(hex.split(" ").map((byte) => Number.parseInt(byte, 16)))

const reasonOf = (payload: Uint8Array): string => {
  const unpacked = unpack(payload)
  return unpacked.ok ? `no refusal, but ${JSON.stringify(unpacked.value)}` : unpacked.reason
}

const { value: anyValue } = fc.letrec((again) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    fc.string({ unit: "grapheme", maxLength: 300, size: "max" }),
    fc.uint8Array({ maxLength: 300, size: "max" }),
    fc.array(again("value"), { maxLength: 20, size: "max" }),
    fc.dictionary(fc.string().filter((key) => key !== "__proto__"), again("value"), { noNullPrototype: true })
  )
}))

describe("msgpack", () => {
  it("gives back what was packed", () => {
    fc.assert(fc.property(anyValue, (value) => {
      // Bytes are compared as bytes: node's Buffer is one kind of Uint8Array.
      assert.deepEqual(unpack(Uint8Array.from(pack(value))), { ok: true, value })
    }))
  })

  it.each([
    ["cc ff", 255],
    ["cd 01 00", 256],
    ["ce ff ff ff ff", 4294967295],
    ["cf 00 1f ff ff ff ff ff ff", Number.MAX_SAFE_INTEGER],
    ["d0 80", -128],
    ["d1 ff fe", -2],
    ["d2 80 00 00 00", -2147483648],
    ["d3 ff ff ff ff ff ff ff ff", -1],
    ["d3 ff e0 00 00 00 00 00 01", Number.MIN_SAFE_INTEGER],
    ["e0", -32],
    ["ca 3f c0 00 00", 1.5],
    ["cb 3f f8 00 00 00 00 00 00", 1.5],
    ["d9 03 e2 82 ac", "€"],
    ["da 00 01 61", "a"],
    ["db 00 00 00 01 61", "a"],
    ["dc 00 01 c3", [true]],
    ["dd 00 00 00 01 c2", [false]],
    ["de 00 01 a1 61 01", { a: 1 }],
    ["df 00 00 00 01 a1 61 01", { a: 1 }],
    ["c4 01 07", Uint8Array.of(7)],
    ["c5 00 01 07", Uint8Array.of(7)],
    ["c6 00 00 00 01 07", Uint8Array.of(7)]
  ])("reads %s", (hex, value) => {
    assert.deepStrictEqual(unpack(bytes(hex)), { ok: true, value })
  })

  it.each([
    ["a record, from which msgpackr compiles code", "d4 72 40 91 a1 61 01", "format 0xd4 is not allowed here"],
    ["the same in two bytes", "d5 72 40 00 91 a1 61 01", "format 0xd5 is not allowed here"],
    ["a date", "d6 ff 00 00 00 01", "format 0xd6 is not allowed here"],
    ["a regular expression", "c7 02 78 92 a1 61 a0", "format 0xc7 is not allowed here"],
    ["the token that means nothing", "c1", "format 0xc1 is not allowed here"],
    ["an integer beyond 2^53", "cf 00 20 00 00 00 00 00 00", "number: expected a finite number"],
    ["not a number", "cb 7f f8 00 00 00 00 00 00", "number: expected a finite number"],
    ["infinity", "ca 7f 80 00 00", "number: expected a finite number"],
    ["a map key that is no string", "81 01 01", "map key: expected a string"],
    ["the prototype as a key", "81 a9 5f 5f 70 72 6f 74 6f 5f 5f 80", "a map key must not be __proto__"],
    ["malformed UTF-8", "a2 c3 28", "string: expected valid UTF-8"],
    ["UTF-8 that runs on into the next value", "92 a1 e2 82 ac", "string: expected valid UTF-8"],
    ["4 Gi elements", "dd ff ff ff ff", "array: expected at most 262144 elements, got 4294967295"],
    ["more elements than bytes", "dd 00 00 ff ff 01 02", "the message ends inside array"],
    ["more pairs than bytes", "8f a1 61 01", "the message ends inside map"],
    ["4 GiB of a string", "db ff ff ff ff 61", "the message ends inside string"],
    ["4 GiB of bytes", "c6 ff ff ff ff 61", "the message ends inside binary data"],
    ["two values", "01 01", "1 bytes after the message"]
  ])("refuses %s", (_, hex, reason) => {
    assert.include(reasonOf(bytes(hex)), reason)
  })

  it("refuses nothing at all", () => {
    assert.strictEqual(reasonOf(new Uint8Array(0)), "format 0xc1 is not allowed here")
  })

  it("refuses to nest for ever", () => {
    assert.strictEqual(reasonOf(new Uint8Array(1_000_000).fill(0x91)), "nested deeper than 32")
    assert.strictEqual(reasonOf(new Uint8Array(1_000_000).fill(0x81)), "map key: expected a string")
  })

  it("refuses a flood of tiny objects", () => {
    const thousand = Array.from({ length: 1_000 }, () => [])
    const flood = Array.from({ length: 300 }, () => thousand)
    assert.strictEqual(reasonOf(pack(flood)), `more than ${Limits.msgpack_values_max} values`)
  })

  it("refuses every truncation of a value, and survives every damage to it", () => {
    fc.assert(fc.property(anyValue, fc.nat(), fc.nat({ max: 255 }), (value, at, byte) => {
      const packed = Uint8Array.from(pack(value))
      assert.isFalse(unpack(packed.subarray(0, at % packed.length)).ok)
      packed[at % packed.length] = byte
      unpack(packed)
    }))
  })

  it("survives any bytes, and what it accepts can be packed again", () => {
    const token = fc.constantFrom(0, 1, 0x81, 0x92, 0xa1, 0xc4, 0xc7, 0xca, 0xcf, 0xd3, 0xd4, 0xd9, 0xdc, 0xdd, 0xde)
    const noise = fc.array(fc.oneof(token, fc.nat({ max: 255 })), { maxLength: 60, size: "max" })
      .map((list) => Uint8Array.from(list))
    fc.assert(fc.property(noise, (payload) => {
      const unpacked = unpack(payload)
      if (unpacked.ok) assert.deepEqual(unpack(Uint8Array.from(pack(unpacked.value))), unpacked)
      else assert.isNotEmpty(unpacked.reason)
    }), { numRuns: 20_000 })
  })
})
