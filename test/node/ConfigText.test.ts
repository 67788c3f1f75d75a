/**
 * JSON written by hand: what is right is read, and what is wrong is found.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { parseJson } from "../../src/node/ConfigText.ts"

describe("JSON", () => {
  it("is read as the platform reads it", () => {
    fc.assert(fc.property(fc.json({ stringUnit: "binary" }), fc.constantFrom(undefined, 2, "\t"), (text, indent) => {
      const value: unknown = JSON.parse(text)
      assert.deepStrictEqual(parseJson(JSON.stringify(value, null, indent)), { ok: true, value })
    }))
    const value = [1_500, -0.1, true, null]
    assert.deepStrictEqual(parseJson("\uFEFF [1.5e3, -0.1, true, null] "), { ok: true, value })
  })

  it("is refused when the platform refuses it", () => {
    const marks = ["{", "}", "[", "]", ",", ":", `"`, " ", "\\", "\n", "-"]
    const piece = fc.constantFrom(...marks, `"a"`, "1", "01", "tru", "true")
    fc.assert(fc.property(fc.array(piece, { maxLength: 12, size: "max" }).map((pieces) => pieces.join("")), (text) => {
      let valid = true
      try {
        JSON.parse(text)
      } catch {
        valid = false
      }
      const parsed = parseJson(text)
      if (!parsed.ok && parsed.reason.includes("each key once")) return
      assert.strictEqual(parsed.ok, valid, text)
    }), { numRuns: 5_000 })
  })

  it.each([
    ["", "line 1, column 1: expected a value, got the end of the file"],
    ["{", "line 1, column 2: expected a key in double quotes, got the end of the file"],
    [`{\n  "a": 1\n  "b": 2\n}`, `line 3, column 3: expected "," or "}", got "\\"b\\":"`],
    [`{ "a": 1, }`, `line 1, column 11: expected a key in double quotes, got "}"`],
    [`{ a: 1 }`, `line 1, column 3: expected a key in double quotes, got "a:"`],
    [`{ 'a': 1 }`, `line 1, column 3: expected a key in double quotes, got "'a':"`],
    [`{ "a" 1 }`, `line 1, column 7: expected ":" after the key, got "1"`],
    [`{ "a": 007 }`, `line 1, column 8: expected a value, got "007"`],
    [`{ "a": "x`, `line 1, column 8: expected a value, got "\\"x"`],
    [`{ "a": 1 // one\n}`, `line 1, column 10: expected "," or "}", got "//"`],
    [`{ "a": 1 } }`, `line 1, column 12: expected nothing after the configuration, got "}"`],
    [`{ "a": 1,\n "b": 2,\n "\\u0061": 3 }`, `line 3, column 2: expected each key once, got "\\"\\\\u0061\\":"`],
    ["[".repeat(100_000), "line 1, column 66: expected at most 64 levels, got"]
  ])("%j is refused with its place", (text, reason) => {
    const parsed = parseJson(text)
    assert.include(parsed.ok ? "" : parsed.reason, reason)
  })
})
