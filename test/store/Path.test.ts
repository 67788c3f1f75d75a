/**
 * Paths: what is one, and that a refusal says in words why not.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { flat, namesOf, pathOf, refuseName, refuseOddPath, refusePath, refuseResumeToken, shownPath } from "../../src/store/Path.ts"

const reason = (path: string): string => {
  const refusal = refusePath(path)
  assert(refusal?.code === "Invalid", `"${path}" is refused`)
  return refusal.reason
}

describe("paths", () => {
  it.each(["/", "/a", "/a/b", "/.hidden", "/...", "/a b", "/ü/😀", "/-", "/%2F", "/\u2028"])("takes %j", (path) => {
    assert.isUndefined(refusePath(path))
  })

  it.each([
    ["", "a path is not empty: the root is \"/\""],
    ["a", "a path starts with \"/\""],
    ["a/b", "a path starts with \"/\""],
    [" /a", "a path starts with \"/\""],
    ["//", "only the root ends with \"/\""],
    ["/a/", "only the root ends with \"/\""],
    ["//a", "a name is empty: \"//\" at character 0"],
    ["/a//b", "a name is empty: \"//\" at character 2"],
    ["/.", "\".\" is not a name: paths are absolute"],
    ["/a/../b", "\"..\" is not a name: paths are absolute"],
    ["/a\0b", "character 2 is the control character U+0000"],
    ["/a/\n", "character 3 is the control character U+000A"],
    ["/\x7f", "character 1 is the control character U+007F"],
    ["/\x85", "character 1 is the control character U+0085"],
    ["/\ud800", "it has half of a surrogate pair"],
    ["/a\udc00b", "it has half of a surrogate pair"]
  ])("refuses %j", (path, expected) => {
    assert.strictEqual(reason(path), expected)
  })

  it("counts the bytes of UTF-8, not the characters", () => {
    const names = (name: string, count: number) => `/${name.repeat(count)}`
    assert.isUndefined(refusePath(names("a", 1023)))
    assert.isUndefined(refusePath(names("é", 511)), "1 + 2 · 511")
    assert.isUndefined(refusePath(`${names("€", 341)}`), "1 + 3 · 341")
    assert.isUndefined(refusePath(names("😀", 255)), "1 + 4 · 255")
    const cases = [["a", 1024, 1025], ["é", 512, 1025], ["€", 342, 1027], ["😀", 256, 1025], ["é", 5000, 10001]] as const
    for (const [name, count, actual] of cases) {
      const path = names(name, count)
      assert.deepStrictEqual(refusePath(path), {
        _tag: "Error",
        code: "LimitExceeded",
        path: shownPath(path),
        what: "path_bytes_max",
        limit: 1024,
        actual
      })
    }
  })

  it("takes 32 names, not 33", () => {
    assert.isUndefined(refusePath("/a".repeat(32)))
    const path = "/a".repeat(33)
    assert.deepStrictEqual(refusePath(path), {
      _tag: "Error",
      code: "LimitExceeded",
      path,
      what: "path_depth_max",
      limit: 32,
      actual: 33
    })
  })

  it("shows only the beginning of a text that is far too long to be a path", () => {
    assert.strictEqual(shownPath("/a"), "/a")
    assert.strictEqual(shownPath("x".repeat(1025)), `${"x".repeat(64)}…`)
  })

  it("splits into names, and back", () => {
    assert.deepStrictEqual(namesOf("/"), [])
    assert.deepStrictEqual(namesOf("/a/b c/ü"), ["a", "b c", "ü"])
    assert.strictEqual(pathOf(["a", "b", "c"], 2), "/a/b")
    assert.strictEqual(pathOf(["a"], 0), "/")
  })

  it("agrees with a definition by regular expression", () => {
    const part = fc.constantFrom("/", "a", ".", "..", "\0", "é", "😀", "\ud83d", "\x9f", " ", "a".repeat(300))
    const name = /^(?!\.{1,2}$)[^/\p{Cc}\p{Cs}]+$/u
    fc.assert(fc.property(fc.array(part, { maxLength: 8 }).map((parts) => `/${parts.join("")}`), (path) => {
      const names = path.split("/").slice(1)
      const expected = Buffer.byteLength(path) <= Limits.path_bytes_max
        && (path === "/" || (names.length <= 32 && names.every((one) => name.test(one))))
      assert.strictEqual(refusePath(path) === undefined, expected)
      const first = names[0]!
      assert.strictEqual(refuseName(first) === undefined, name.test(first))
    }), { numRuns: 2_000 })
    for (const one of ["a/b", "/", "a/"]) assert.isDefined(refuseName(one))
  })

  it("are refused in the same words, however plain they look", () => {
    const part = fc.oneof(
      fc.constantFrom("/", "/", "/a", "a", ".", "..", "/b".repeat(15), "a".repeat(300), "\x1f", " ", "~", "\x7f", "\x80"),
      fc.string({ unit: "binary", maxLength: 2 })
    )
    const path = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(""))
    fc.assert(fc.property(fc.oneof(path, path.map((rest) => `/${rest}`)), (one) => {
      assert.deepStrictEqual(refusePath(one), refuseOddPath(one))
    }), { numRuns: 5_000 })
    for (const one of [`/${"a".repeat(1023)}`, `/${"a".repeat(1024)}`, "/a".repeat(32), "/a".repeat(33)]) {
      assert.deepStrictEqual(refusePath(one), refuseOddPath(one))
    }
  })

  it("have names that can be kept without the rest, and stay the same", () => {
    for (const name of ["a", "a".repeat(12), "a".repeat(13), "\ufeffwith a byte order mark", "😀".repeat(20)]) {
      assert.strictEqual(flat(`/${name}`.slice(1)), name)
    }
  })
})

describe("resume tokens", () => {
  it("need not be names", () => {
    for (const token of ["", "a", "/", "..", "\0", "\uffff", "x".repeat(1024)]) {
      assert.isUndefined(refuseResumeToken("/", token), JSON.stringify(token))
    }
  })

  it("are well-formed and as short as a path", () => {
    assert.strictEqual(refuseResumeToken("/d", "\udfff")?.code, "Invalid")
    assert.strictEqual(refuseResumeToken("/d", "x".repeat(1025))?.code, "LimitExceeded")
  })
})
