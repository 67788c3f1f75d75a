/**
 * The window against a `Map`.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { Window } from "../../src/vr/Window.ts"

const action = fc.record({ kind: fc.constantFrom("set", "set", "set", "delete", "move", "clear", "copy"), by: fc.nat(1_100) })

describe("a window of numbers", () => {
  it("does what a map does, in the order of its numbers, wherever it has moved to", () => {
    fc.assert(fc.property(fc.array(action, { maxLength: 300 }), fc.constantFrom(0, 2 ** 31 - 500, 2 ** 52), (actions, first) => {
      let window = new Window<string>()
      const map = new Map<number, string>()
      let base = first
      for (const [index, { by, kind }] of actions.entries()) {
        const number = base + by
        if (kind === "set") {
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
    for (const [n] of window) window.delete(n)
    assert.strictEqual(places(), 16)
  })
})
