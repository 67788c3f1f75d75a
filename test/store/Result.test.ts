/**
 * Results on the wire: a round trip, the documented form, and that a client survives a server that sends garbage.
 *
 * @module
 */
import * as fc from "fast-check"
import { Packr } from "msgpackr/pack"
import { assert, describe, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { decodeResult, encodeResult, type Malformed, type Result } from "../../src/store/Operation.ts"
import { bytes } from "./User.ts"

const packr = new Packr({ useRecords: false })
const packed = (value: unknown): Uint8Array => new Uint8Array(packr.pack(value))

const path = fc.string({ unit: "grapheme" })
const number = fc.maxSafeNat()
const type = fc.constantFrom("directory" as const, "blob" as const)
const what = fc.constantFrom("path_bytes_max" as const, "path_depth_max" as const, "value_bytes_max" as const, "list_page_max" as const)
const entry = fc.record({ name: path, type, version: number, size: number, children: number })
const error = { _tag: fc.constant("Error" as const), path }

const result: fc.Arbitrary<Result> = fc.oneof(
  fc.record({ _tag: fc.constant("Written" as const), version: number }),
  fc.record({ _tag: fc.constant("Value" as const), data: fc.uint8Array(), version: number }),
  fc.record({ _tag: fc.constant("Stat" as const), type, version: number, created_version: number, size: number, children: number }),
  fc.record({ _tag: fc.constant("Page" as const), entries: fc.array(entry, { maxLength: 20, size: "max" }), next: fc.option(path) }),
  fc.record({ ...error, code: fc.constant("NotFound" as const) }),
  fc.record({ ...error, code: fc.constant("AlreadyExists" as const) }),
  fc.record({ ...error, code: fc.constant("ParentNotFound" as const), parent: path }),
  fc.record({ ...error, code: fc.constant("CasFailed" as const), expected: number, actual: number }),
  fc.record({ ...error, code: fc.constant("WrongType" as const), expected: type, actual: type }),
  fc.record({ ...error, code: fc.constant("NotEmpty" as const), children: number }),
  fc.record({ ...error, code: fc.constant("Invalid" as const), reason: path }),
  fc.record({ ...error, code: fc.constant("LimitExceeded" as const), what, limit: number, actual: number })
)

const plain = (value: Result | Malformed): Result | Malformed =>
  value._tag === "Value" ? { ...value, data: new Uint8Array(value.data) } : value

describe("results", () => {
  it("come back as they were encoded", () => {
    fc.assert(fc.property(result, (one) => {
      assert.deepStrictEqual(plain(decodeResult(encodeResult(one))), one)
    }), { numRuns: 2_000 })
  })

  it.each<readonly [ReadonlyArray<unknown>, Result]>([
    [["ok", "written", 3], { _tag: "Written", version: 3 }],
    [["ok", "value", bytes("x"), 3], { _tag: "Value", data: bytes("x"), version: 3 }],
    [["ok", "stat", "blob", 3, 1, 5, 0], { _tag: "Stat", type: "blob", version: 3, created_version: 1, size: 5, children: 0 }],
    [["ok", "page", [["a", "directory", 3, 0, 2]], "a"],
      { _tag: "Page", entries: [{ name: "a", type: "directory", version: 3, size: 0, children: 2 }], next: "a" }],
    [["ok", "page", [], null], { _tag: "Page", entries: [], next: null }],
    [["error", "NotFound", "/a"], { _tag: "Error", code: "NotFound", path: "/a" }],
    [["error", "ParentNotFound", "/a/b", "/a"], { _tag: "Error", code: "ParentNotFound", path: "/a/b", parent: "/a" }],
    [["error", "AlreadyExists", "/a"], { _tag: "Error", code: "AlreadyExists", path: "/a" }],
    [["error", "CasFailed", "/a", 1, 2], { _tag: "Error", code: "CasFailed", path: "/a", expected: 1, actual: 2 }],
    [["error", "WrongType", "/a", "blob", "directory"],
      { _tag: "Error", code: "WrongType", path: "/a", expected: "blob", actual: "directory" }],
    [["error", "NotEmpty", "/a", 4], { _tag: "Error", code: "NotEmpty", path: "/a", children: 4 }],
    [["error", "Invalid", "a", "why"], { _tag: "Error", code: "Invalid", path: "a", reason: "why" }],
    [["error", "LimitExceeded", "/a", "value_bytes_max", 1, 2],
      { _tag: "Error", code: "LimitExceeded", path: "/a", what: "value_bytes_max", limit: 1, actual: 2 }]
  ])("has the documented form %j", (fields, expected) => {
    assert.deepStrictEqual(encodeResult(expected), packed(fields))
    assert.deepStrictEqual(plain(decodeResult(packed(fields))), expected)
    // One field fewer, one more, and a field of another type are all something else.
    for (const other of [fields.slice(0, -1), [...fields, 1], [...fields.slice(0, -1), { a: 1 }]]) {
      assert.strictEqual(decodeResult(packed(other))._tag, "Malformed", JSON.stringify(other))
    }
  })

  it.each<readonly [unknown, string]>([
    [null, "not a result: it is not an array that begins with two strings"],
    [["ok", 1], "not a result: it is not an array that begins with two strings"],
    [["maybe", "written", 1], "not a result: it begins with neither \"ok\" nor \"error\""],
    [["ok", "counted", 1], "not a result: unknown or ill-formed ok result \"counted\""],
    [["error", "Tired", "/a"], "not a result: unknown or ill-formed error result \"Tired\""],
    [["ok", "page", [["a", "queue", 1, 1, 1]], null], "not a result: unknown or ill-formed ok result \"page\""],
    [["error", "LimitExceeded", "/a", "toString", 1, 2], "not a result: unknown or ill-formed error result \"LimitExceeded\""]
  ])("says why %j is none", (value, reason) => {
    assert.deepStrictEqual(decodeResult(packed(value)), { _tag: "Malformed", reason })
  })

  it("does not take a result with something behind it", () => {
    assert.strictEqual(decodeResult(Uint8Array.of(...encodeResult({ _tag: "Written", version: 1 }), 0))._tag, "Malformed")
  })

  it("does not believe a page that claims to be endless", () => {
    const head = [0x94, 0xa2, ...bytes("ok"), 0xa4, ...bytes("page")]
    assert.strictEqual(decodeResult(Uint8Array.of(...head, 0xdd, 255, 255, 255, 255))._tag, "Malformed")
    const entries = Array.from({ length: Limits.list_page_max + 1 }, () => ["a", "blob", 1, 1, 0])
    assert.strictEqual(decodeResult(packed(["ok", "page", entries, null]))._tag, "Malformed")
    assert.strictEqual(decodeResult(packed(["ok", "page", entries.slice(1), null]))._tag, "Page")
  })

  it("fits the largest page into a client frame", () => {
    const name = "x".repeat(Limits.path_bytes_max - 1)
    const max = Number.MAX_SAFE_INTEGER
    const entries = Array.from({ length: Limits.list_page_max }, () =>
      ({ name, type: "directory" as const, version: max, size: max, children: max }))
    assert.isBelow(encodeResult({ _tag: "Page", entries, next: name }).length, Limits.client_frame_bytes_max - 1_024)
  })

  it("survives garbage: at random, and made of a good result", () => {
    const harmless = (input: Uint8Array): void => {
      const decoded = decodeResult(input)
      if (decoded._tag !== "Malformed") assert.deepStrictEqual(plain(decodeResult(encodeResult(decoded))), plain(decoded))
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64, size: "max" }), harmless), { numRuns: 2_000 })
    const change = fc.record({ at: fc.nat(), to: fc.nat(255) })
    fc.assert(fc.property(result, fc.array(change, { maxLength: 3 }), fc.nat(), (one, changes, cut) => {
      const encoded = encodeResult(one)
      assert.strictEqual(decodeResult(encoded.subarray(0, cut % encoded.length))._tag, "Malformed")
      for (const { at, to } of changes) encoded[at % encoded.length] = to
      harmless(encoded)
    }), { numRuns: 2_000 })
  })
})
