/**
 * The window against a `Map`.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { Window } from "../../src/base/Window.ts"

const action = fc.record({ kind: fc.constantFrom("set", "set", "set", "far", "delete", "clear", "copy"), by: fc.nat(1_100) })

describe("a window of numbers", () => {
  it("does what a map does, in the order of its numbers, wherever it has moved to", () => {
    const actions = fc.array(action, { maxLength: 300, size: "max" })
    fc.assert(fc.property(actions, fc.constantFrom(0, 2 ** 31 - 500, 2 ** 51), (actions, first) => {
      let window = new Window<string>()
      const map = new Map<number, string>()
      let base = first
      for (const [index, { by, kind }] of actions.entries()) {
        const number = kind === "far" ? base + by * 2 ** 20 : base + by
        if (kind === "set" || kind === "far") {
          window.set(number, `${index}`)
          map.set(number, `${index}`)
        } else if (kind === "delete") {
          for (const n of [...map.keys()].filter((n) => n <= number)) {
            window.delete(n)
            map.delete(n)
          }
          window.delete(number)
          base = number
        } else if (kind === "clear" && by < 50) {
          window.clear()
          map.clear()
        } else if (kind === "copy") {
          const before = window
          window = window.copy()
          before.set(base, "elsewhere")
          before.delete(number)
        }
        assert.strictEqual(window.size, map.size)
        assert.strictEqual(window.get(number), map.get(number))
        assert.strictEqual(window.get(number + 1), map.get(number + 1))
      }
      assert.deepStrictEqual([...window], [...map].sort(([a], [b]) => a - b))
    }))
  })

  it("takes no more places than its numbers lie apart, and lets go of them", () => {
    const window = new Window<number>()
    const places = () => window["numbers"].length
    for (let n = 0; n < 100_000; n++) {
      window.set(n, n)
      if (n >= 1_000) window.delete(n - 1_000)
    }
    assert.strictEqual(places(), 1_024)
    for (const [n] of [...window].slice(3)) window.delete(n)
    assert.strictEqual(places(), 64)
    assert.deepStrictEqual([...window].map(([n]) => n), [99_000, 99_001, 99_002])
  })

  it("takes no memory for what lies between numbers that a client has chosen far apart", () => {
    const window = new Window<number>()
    for (let k = 0; k < 50; k++) window.set(1 + 2 ** k, k)
    assert.isAtMost(window["numbers"].length, 256)
    assert.deepStrictEqual([...window].map(([, k]) => k), Array.from({ length: 50 }, (_, k) => k))
    for (let k = 0; k < 50; k++) assert.strictEqual(window.get(1 + 2 ** k), k)
  })
})
