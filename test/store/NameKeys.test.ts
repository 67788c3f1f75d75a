/**
 * Names in short: numbers that never say more than the names do.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { commonLength, keyOf } from "../../src/store/NameKeys.ts"

describe("keys of names", () => {
  const character = fc.constantFrom("\0", " ", "a", "b", "~", "\x7e", "\x7f", "\x80", "é", "\ud83d", "\uffff")
  const rest = fc.array(character, { maxLength: 6 }).map((characters) => characters.join(""))

  it("are in the order of the names, or equal", () => {
    fc.assert(fc.property(rest, rest, rest, (same, a, b) => {
      const [one, other] = [same + a, same + b]
      const [key, otherKey] = [keyOf(one, same.length), keyOf(other, same.length)]
      if (key !== otherKey) assert.strictEqual(key < otherKey, one < other)
      assert.isTrue(key >= 0 && key < 2 ** 28)
    }), { numRuns: 5_000 })
  })

  it("tell names of ASCII apart by any of four characters", () => {
    const names = ["n0", "n00", "n0000", "n0001", "n0010", "n0100", "n1000", "n~~~~"]
    assert.strictEqual(new Set(names.map((name) => keyOf(name, 1))).size, names.length)
    assert.strictEqual(keyOf("n00000", 1), keyOf("n00001", 1))
  })

  it("begin behind what is common", () => {
    assert.deepStrictEqual([commonLength("abc", "abd", 9), commonLength("abc", "abd", 1), commonLength("", "a", 9)], [2, 1, 0])
    assert.strictEqual(commonLength("ab", "ab", Infinity), 2)
  })
})
