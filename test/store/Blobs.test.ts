/**
 * Blobs by their numbers: each keeps its name, its value and its versions, whatever comes and goes beside it.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { InvariantViolation } from "../../src/base/Invariant.ts"
import { Limits } from "../../src/base/Limits.ts"
import { Blobs } from "../../src/store/Blobs.ts"
import { Values } from "../../src/store/Values.ts"

interface Known {
  readonly name: string
  readonly created: number
  version: number
  data: Uint8Array
}

const filled = (length: number, mark: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i + mark)

const check = (blobs: Blobs, blob: number, { created, data, name, version }: Known): void => {
  const found = [blobs.versionOf(blob), blobs.createdVersionOf(blob), blobs.sizeOf(blob), blobs.numberOf(blob)]
  const isKept = name.length > 0 && /^[\0-\xff]*$/.test(name)
  assert.deepStrictEqual(found, [version, created, data.length, isKept ? blob : -1])
  assert.deepStrictEqual(blobs.dataOf(blob), data)
  // Nobody asks for no name.
  if (name !== "") assert.strictEqual(blobs.isNamed(blob, name), isKept)
  for (const other of [`${name}x`, name.slice(1), `x${name.slice(1)}`, `\u0100${name.slice(1)}`]) {
    if (other !== name && other !== "") assert.isFalse(blobs.isNamed(blob, other), `${other} for ${name}`)
  }
}

describe("blobs", () => {
  it("are what was made of them last, wherever that has to lie", () => {
    const name = fc.oneof(
      fc.constantFrom("", "a", "ab", "b", "é", "\xff", "\u0100", "\uffff", "😀"),
      fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 300, size: "max" })
    )
    const length = fc.oneof(fc.nat(Limits.value_slot_bytes_max + 40), fc.constantFrom(0, 1, 256, 257, 1_023, 1_024, 5_000))
    const act = fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("create"), name, length, at: fc.nat() }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("replace"), name: fc.constant(""), length, at: fc.nat() }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("free"), name: fc.constant(""), length: fc.constant(0), at: fc.nat() }) }
    )
    fc.assert(fc.property(fc.array(act, { size: "max", maxLength: 150 }), (acts) => {
      const values = new Values()
      const blobs = new Blobs(values)
      const all = new Map<number, Known>()
      for (const [version, { at, kind, length, name }] of acts.entries()) {
        const data = filled(length, version)
        const [blob, known] = [...all][at % Math.max(all.size, 1)] ?? [undefined, undefined]
        if (kind === "create") {
          const number = blobs.create(name, data, version, version)
          assert.isFalse(all.has(number))
          all.set(number, { name, created: version, version, data })
        } else if (blob === undefined) continue
        else if (kind === "free") {
          blobs.free(blob)
          all.delete(blob)
          // Who still has the number sees no older version.
          assert.strictEqual(blobs.versionOf(blob), known.version)
          assert.strictEqual(blobs.numberOf(blob), -1)
        } else {
          blobs.replace(blob, data)
          blobs.setVersion(blob, version)
          Object.assign(known, { data, version })
        }
      }
      for (const [blob, known] of all) check(blobs, blob, known)
      // Of all that were ever there: what is beyond them would not be a number.
      assert.isTrue(Number.isFinite(blobs.glimpse(Array.from({ length: blobs.numbers }, (_, blob) => blob))))
      assert.isAtMost(blobs.numbers, acts.length)
      for (const blob of all.keys()) blobs.free(blob)
      assert.isAtMost(values.bytes, 32 * Limits.value_page_bytes_usual)
    }), { numRuns: 200 })
  })

  it("are as many as there are, and their numbers are used again", () => {
    const blobs = new Blobs()
    const count = 300_000
    const known = (n: number): Known => ({ name: `n${n}`, created: n, version: n + 1, data: filled(n % 7, n) })
    const create = (n: number): number => {
      const { created, data, name, version } = known(n)
      return blobs.create(name, data, created, version)
    }
    for (let n = 0; n < count; n++) assert.strictEqual(create(n), n)
    for (let n = 0; n < count; n += 1_000) check(blobs, n, known(n))
    for (const n of [131_071, 131_072, 262_143, 262_144, count - 1]) check(blobs, n, known(n))
    for (const n of [5, 131_072, 299_999]) blobs.free(n)
    assert.deepStrictEqual([299_999, 131_072, 5].map(create), [299_999, 131_072, 5])
    assert.strictEqual(create(count), count)
    assert.strictEqual(blobs.numbers, count + 1)
  })

  it("are freed once", () => {
    const blobs = new Blobs()
    const blob = blobs.create("a", new Uint8Array(5), 1, 1)
    blobs.free(blob)
    assert.throws(() => blobs.free(blob), InvariantViolation)
  })
})
