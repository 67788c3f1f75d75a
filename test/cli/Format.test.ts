/**
 * Values as text.
 *
 * @module
 */
import * as FastCheck from "fast-check"
import { assert, describe, it } from "vitest"
import { aligned, closest, columnWidths, hexdump, jsonBytes, printable, readable, since, tabbed, utf8 } from "../../src/cli/Format.ts"
import { parseDuration } from "../../src/cli/Options.ts"

/** Of all code units, controls and halves of surrogate pairs included. */
const anyText = FastCheck.array(FastCheck.integer({ min: 0, max: 0xffff }), { maxLength: 20, size: "max" })
  .map((units) => String.fromCharCode(...units))

describe("text for terminals and pipes", () => {
  it("has no control characters left, nor characters that hide or turn text round", () => {
    assert.strictEqual(printable("a\x1b[31mb\n\t\u202ec\u200b"), "a\\u001b[31mb\\n\\t\\u202ec\\u200b")
    FastCheck.assert(FastCheck.property(anyText, (text) => !/\p{Cc}/u.test(printable(text))))
  })

  it("keeps rows and cells apart in a pipe", () => {
    assert.strictEqual(tabbed(["a\tb", "c\nd"]), "a\\tb\tc\\nd")
  })

  it("aligns columns by what is seen, not by code units", () => {
    const rows = [["日本", "x"], ["a", "y"]]
    assert.deepStrictEqual(rows.map((row) => aligned(row, columnWidths(rows))), ["日本  x", "a     y"])
  })
})

describe("bytes", () => {
  it("are text only if they are the same text again", () => {
    FastCheck.assert(FastCheck.property(FastCheck.uint8Array(), (bytes) => {
      const text = utf8(bytes)
      if (text !== undefined) assert.deepStrictEqual(new TextEncoder().encode(text), bytes)
      const json = jsonBytes(bytes)
      const back = "utf8" in json ? new TextEncoder().encode(json.utf8) : new Uint8Array(Buffer.from(json.base64, "base64"))
      assert.deepStrictEqual(back, bytes)
    }))
  })

  it("are readable only without control characters", () => {
    const encode = (text: string) => new TextEncoder().encode(text)
    assert.strictEqual(readable(encode("a\tb\r\nc\n")), "a\tb\r\nc\n")
    assert.isUndefined(readable(encode("a\rb")))
    assert.isUndefined(readable(encode("\x1b[2J")))
    assert.isUndefined(readable(Uint8Array.of(0xc3)))
  })

  it("in hexadecimal, sixteen a line", () => {
    const lines = hexdump(Uint8Array.from({ length: 17 }, (_, i) => 0x5a + i)).split("\n")
    assert.deepStrictEqual(lines, [
      "00000000  5a 5b 5c 5d 5e 5f 60 61 62 63 64 65 66 67 68 69  |Z[\\]^_`abcdefghi|",
      `00000010  6a${" ".repeat(46)} |j|`
    ])
  })
})

describe("time", () => {
  it.each([
    [0, "0s"], [999, "0s"], [59_000, "59s"], [252_000, "4m12s"], [3_600_000, "1h"], [266_400_000, "3d2h"]
  ])("%i ms is %s", (ms, text) => {
    assert.strictEqual(since(ms), text)
  })

  it.each([["500ms", 500], ["2s", 2_000], ["2", 2_000], ["1.5m", 90_000], ["1h", 3_600_000]])("%s is %i ms", (text, ms) => {
    assert.strictEqual(parseDuration(text), ms)
  })

  it.each(["", "0", "-1s", "1d", "s", "1 s", "1e3s", "99999999999999999h"])("%j is no duration", (text) => {
    assert.isUndefined(parseDuration(text))
  })
})

it("what was meant is at most two edits away, and the closest", () => {
  assert.deepStrictEqual(closest("gte", ["get", "set", "put"]), ["get"])
  assert.deepStrictEqual(closest("statu", ["status", "stat"]), ["status", "stat"])
  assert.deepStrictEqual(closest("xyz", ["get"]), [])
  assert.deepStrictEqual(closest("a", ["b"]), [])
})
