/**
 * Parts that are none: from a damaged file, or from a peer that is not what it should be.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { concat } from "../../src/base/Bytes.ts"
import { Limits } from "../../src/base/Limits.ts"
import { makeStore } from "../../src/store/Store.ts"
import { Model } from "./Model.ts"
import { packed, type Parts, partsOf, restore } from "./Snapshots.ts"
import { step } from "./Steps.ts"
import { bytes, User } from "./User.ts"

type Damage = (parts: Parts) => Parts

const at = (parts: Parts, n: number): number => n % parts.length
const without = (parts: Parts, i: number, ...instead: Parts): Parts => [...parts.slice(0, i), ...instead, ...parts.slice(i + 1)]

const flipped = (part: Uint8Array, bits: ReadonlyArray<number>): Uint8Array => {
  const copy = Uint8Array.from(part)
  for (const bit of bits) copy[(bit >>> 3) % copy.length]! ^= 1 << (bit & 7)
  return copy
}

const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.nat().map((n): Damage => (parts) => without(parts, at(parts, n))),
  fc.nat().map((n): Damage => (parts) => without(parts, at(parts, n), parts[at(parts, n)]!, parts[at(parts, n)]!)),
  fc.tuple(fc.nat(), fc.nat()).map(([n, m]): Damage => (parts) => {
    const [i, j] = [at(parts, n), at(parts, m)]
    return without(without(parts, i, parts[j]!), j, parts[i]!)
  }),
  fc.tuple(fc.nat(), fc.nat()).map(([n, length]): Damage => (parts) => {
    const part = parts[at(parts, n)]!
    return without(parts, at(parts, n), part.subarray(0, length % part.length))
  }),
  { weight: 5, arbitrary: fc.tuple(fc.nat(), fc.array(fc.nat(), { minLength: 1, maxLength: 3 })).map(([n, bits]): Damage => (parts) =>
    without(parts, at(parts, n), flipped(parts[at(parts, n)]!, bits))) },
  fc.tuple(fc.nat(), fc.uint8Array({ maxLength: 20, size: "max" })).map(([n, other]): Damage => (parts) =>
    without(parts, at(parts, n), other))
)

describe("damaged parts", () => {
  it("are refused, or are whole: then they are what is written for the state that they make", () => {
    const outcomes = { refused: 0, whole: 0 }
    const steps = fc.array(step, { maxLength: 30, size: "max" })
    const partBytes = fc.constantFrom(1, 100, 300)
    const damages = fc.array(damage, { minLength: 1, maxLength: 2 })
    fc.assert(fc.property(steps, partBytes, damages, (before, part_bytes_max, damaging) => {
      const user = new User(makeStore(part_bytes_max))
      const model = new Model()
      for (const one of before) {
        const operation = one(model)
        user.execute(operation)
        model.execute(operation, user.op)
      }
      let parts = partsOf(user.store.pin())
      for (const one of damaging) if (parts.length > 0) parts = one(parts)
      const store = restore(parts)
      if (typeof store === "string") {
        assert.isNotEmpty(store)
        outcomes.refused += 1
      } else {
        assert.deepStrictEqual(concat(partsOf(store.pin())), concat(parts))
        outcomes.whole += 1
      }
    }), { numRuns: 2_000 })
    assert.isAtLeast(outcomes.refused, 1_000)
    assert.isAtLeast(outcomes.whole, 100)
  })
})

const root = (version: number, elements: number): ReadonlyArray<unknown> => [0, "", "directory", 0, version, elements]
const x = bytes("x")
const blob = (depth: number, name: string, created = 1, version = 1): ReadonlyArray<unknown> =>
  [depth, name, "blob", created, version, x]
const directory = (depth: number, name: string, elements: number): ReadonlyArray<unknown> => [depth, name, "directory", 1, 9, elements]
/** The first of them is at depth 1. */
const nested = (names: ReadonlyArray<string>): ReadonlyArray<unknown> =>
  names.map((name, i) => directory(i + 1, name, names.length - i - 1))
const below = (...records: ReadonlyArray<unknown>): Parts => [packed(root(9, records.length), ...records)]
const single = (...records: ReadonlyArray<unknown>): Parts => [packed(...records)]

const refusals: Readonly<Record<string, readonly [parts: Parts, reason: string]>> = {
  "nothing": [[], "it has no parts"],
  "an empty part": [[...below(), Uint8Array.of()], "a part has 0 bytes"],
  "a part that is too long for a single element": [[new Uint8Array(Limits.operation_bytes_max + 1)], "a part has 1052673 bytes"],
  "no msgpack": [[Uint8Array.of(0xc1)], "record: expected an array"],
  "another value": [single("root"), "record: expected an array"],
  "a field too few": [single([0, "", "directory", 0, 9]), "a record has 6 fields"],
  "a field too many": [single([0, "", "directory", 0, 9, 0, 0]), "record: expected at most 6 elements"],
  "a record that is cut off": [[below()[0]!.subarray(0, -1)], "the message ends before elements below"],
  "an integer in a longer form": [[Uint8Array.of(0x96, 0, 0xa0, 0xa9, ...bytes("directory"), 0, 0xcd, 0, 9, 0)], "not encoded as"],
  "a length in a longer form": [[Uint8Array.of(0x96, 0, 0xd9, 0, 0xa9, ...bytes("directory"), 0, 9, 0)], "not encoded as"],
  "no root": [single(blob(1, "a")), `"a" at depth 1: the root comes first`],
  "a root with a name": [single([0, "a", "directory", 0, 9, 0]), "the root comes first"],
  "a root without children": [single([0, "", "blob", 0, 9, x]), "the root comes first"],
  "a root that was created": [single([0, "", "directory", 1, 9, 0]), "the root comes first"],
  "a second root": [below(root(9, 0)), `"" at depth 0: its parent does not come before it`],
  "a child of a blob": [below(blob(1, "a"), blob(2, "b")), `"b" at depth 2: its parent does not come before it`],
  "a depth that was left out": [below(directory(1, "a", 1), blob(3, "b")), `"b" at depth 3: its parent does not`],
  "too deep a place": [below(...nested(Array.from({ length: 33 }, () => "a"))), "at depth 33: the depth is at most 32"],
  "too long a path": [below(...nested(["a", "b", "c", "d"].map((name) => name.repeat(256)))), "its path is too long"],
  "too long a name": [below(blob(1, "a".repeat(1_025))), "name: expected at most 1024 bytes"],
  "an empty name": [below(blob(1, "")), "it is no name"],
  "a name that means a directory": [below(blob(1, "..")), "it is no name"],
  "a name of two": [below(blob(1, "a/b")), "it is no name"],
  "a control character": [below(blob(1, "a\u0007")), "character 1 is the control character U+0007"],
  "names out of order": [below(blob(1, "b"), blob(1, "a")), `"a" at depth 1: it comes after "b"`],
  "a name twice": [below(blob(1, "a"), blob(1, "a")), `"a" at depth 1: it comes after "a"`],
  "names out of order, with something between": [below(directory(1, "b", 1), blob(2, "c"), blob(1, "a")), `it comes after "b"`],
  "an unknown type": [below([1, "a", "counter", 1, 1, x]), `"counter" is no type`],
  "a type that every object has": [below([1, "a", "constructor", 1, 1, x]), `"constructor" is no type`],
  "a version from before the first write": [below(blob(1, "a", 0)), "it is older than its parent"],
  "an element older than its directory": [below([1, "d", "directory", 3, 9, 1], blob(2, "a", 2, 4)), "it is older than its parent"],
  "a version before the creation": [below(blob(1, "a", 3, 2)), "its version cannot be 2"],
  "a version above the directory's": [below(blob(1, "a", 1, 10)), "its version cannot be 10"],
  "a version that is no integer": [below([1, "a", "blob", 1, 1.5, x]), "version: expected an integer"],
  "data instead of a count": [below([1, "d", "directory", 1, 1, x]), `"d" at depth 1: elements below: expected an integer`],
  "a count instead of data": [below([1, "a", "blob", 1, 1, 0]), `"a" at depth 1: data: expected binary data`],
  "too large a value": [below([1, "a", "blob", 1, 1, new Uint8Array(Limits.value_bytes_max + 1)]), "data: expected at most 1048576"],
  "a missing element": [single(root(9, 2), blob(1, "a")), `there are 1 elements below "", and not 2`],
  "an element too many": [single(root(9, 0), blob(1, "a")), `there are 1 elements below "", and not 0`],
  "a missing element of a directory": [below(directory(1, "d", 2), blob(2, "a"), blob(1, "e")), `there are 1 elements below "d", and not 2`]
}

describe("a builder", () => {
  it.each(Object.entries(refusals))("refuses %s", (_, [parts, reason]) => {
    const refusal = restore(parts)
    assert.isString(refusal)
    assert.include(refusal, reason)
  })

  it("takes what is at the edge of what can be", () => {
    const long = ["a".repeat(255), "b".repeat(255), "c".repeat(255), "d".repeat(255)]
    const whole = [
      below(...nested(Array.from({ length: 32 }, () => "a"))),
      below(...nested(long)),
      below([1, "a", "blob", 1, 9, new Uint8Array(Limits.value_bytes_max)]),
      [packed(root(9, 2)), packed(blob(1, "a")), packed(blob(1, "b", 9, 9))]
    ]
    for (const parts of whole) {
      const store = restore(parts)
      assert.isNotString(store)
      assert.isTrue(typeof store !== "string" && Buffer.compare(concat(partsOf(store.pin())), concat(parts)) === 0)
    }
  })

  it("that has refused a part takes no other, and is not content in the end", () => {
    const user = new User()
    user.create("/a", "one")
    const before = user.dump()
    const builder = user.store.restore()
    const [part] = below(blob(1, "b"))
    const reason = builder.add(Uint8Array.of(0xc1))
    assert.isString(reason)
    assert.strictEqual(builder.add(part!), reason)
    assert.strictEqual(builder.finish(), reason)
    assert.throws(() => builder.install())
    assert.deepStrictEqual(user.dump(), before)
  })
})
