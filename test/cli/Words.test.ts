/**
 * Quoting: what the shell, `-e` and scripts make of a line.
 *
 * @module
 */
import * as FastCheck from "fast-check"
import { assert, describe, it } from "vitest"
import { quote, quoteWithin, scan, split } from "../../src/cli/Words.ts"

const anyText = FastCheck.oneof(
  FastCheck.string(),
  FastCheck.array(FastCheck.constantFrom(" ", "'", "\"", "\\", "#", "a", "\n", "ü"), { maxLength: 8 })
    .map((characters) => characters.join(""))
)

const words = (line: string) => {
  const result = split(line)
  return result.ok ? result.words : result.reason
}

describe("the words of a line", () => {
  it("separates at blanks, however many", () => {
    assert.deepStrictEqual(words("  put  /a\tb "), ["put", "/a", "b"])
    assert.deepStrictEqual(words(""), [])
  })

  it("takes everything between single quotes as it is", () => {
    assert.deepStrictEqual(words(String.raw`put /a 'x "y" \ z'`), ["put", "/a", String.raw`x "y" \ z`])
  })

  it("lets a backslash protect quotes and backslashes, and nothing else, between double quotes", () => {
    assert.deepStrictEqual(words(String.raw`"a \" b \\ c \n d"`), [String.raw`a " b \ c \n d`])
  })

  it("lets a backslash protect anything outside quotes", () => {
    assert.deepStrictEqual(words(String.raw`a\ b \' \\ \@x`), ["a b", "'", "\\", "@x"])
  })

  it("joins what touches, and keeps what is empty", () => {
    assert.deepStrictEqual(words(`/a'b c'"d" '' ""`), ["/ab cd", "", ""])
  })

  it("takes a line that begins with # as a comment, and # elsewhere as itself", () => {
    assert.deepStrictEqual(words("  # put /a b"), [])
    assert.deepStrictEqual(words("put /a #1"), ["put", "/a", "#1"])
  })

  it("says what is not finished", () => {
    assert.strictEqual(words("put 'a b"), "the quote ' is not closed")
    assert.strictEqual(words(`put "a \\"`), `the quote " is not closed`)
    assert.strictEqual(words("put a\\"), "nothing follows the backslash at the end")
  })

  it("gives back what was quoted", () => {
    FastCheck.assert(FastCheck.property(FastCheck.array(anyText, { minLength: 1 }), (texts) => {
      // A first word that begins with # would be a comment unquoted: quote() takes care of it.
      assert.deepStrictEqual(words(texts.map(quote).join(" ")), texts)
    }))
  })

  it("gives back what was quoted within a quote that is open", () => {
    FastCheck.assert(FastCheck.property(FastCheck.string(), FastCheck.constantFrom("'", "\"", "word"), (text, open) => {
      const mark = open === "word" ? "x" : open
      const line = `get ${mark}${quoteWithin(text, open as "'" | "\"" | "word")}${open === "word" ? "" : mark}`
      assert.deepStrictEqual(words(line), ["get", open === "word" ? `x${text}` : text])
    }))
  })

  it("knows where the last word begins and whether it may go on", () => {
    assert.deepStrictEqual(scan("get /a").words.at(-1), { text: "/a", start: 4 })
    assert.strictEqual(scan("get /a").open, "word")
    assert.strictEqual(scan("get /a ").open, "none")
    assert.strictEqual(scan("get '/a b").open, "'")
  })
})
