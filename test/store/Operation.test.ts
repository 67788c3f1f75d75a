/**
 * Operations on the wire: a round trip, what is refused and with which words, and that garbage does no harm.
 *
 * @module
 */
import * as fc from "fast-check"
import { Packr } from "msgpackr/pack"
import { assert, describe, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { decodeOperation, encodeOperation, type Operation, type Refusal, refuseOperation } from "../../src/store/Operation.ts"
import { bytes } from "./User.ts"

const packr = new Packr({ useRecords: false })
const packed = (value: unknown): Uint8Array => new Uint8Array(packr.pack(value))
/** With the extensions that msgpackr has for JavaScript's own types. */
const exotic = new Packr({ useRecords: false, moreTypes: true })

const path = fc.array(fc.stringMatching(/^[a-zé😀 ]{1,8}$/u), { maxLength: 5 }).map((names) => `/${names.join("/")}`)
const data = fc.uint8Array({ maxLength: 600, size: "max" })
const version = fc.option(fc.maxSafeNat())

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ _tag: fc.constant("Create" as const), path, type: fc.constant("blob" as const), data, parents: fc.boolean() }),
  path.map((path): Operation => ({ _tag: "Create", path, type: "directory", data: new Uint8Array(0), parents: false })),
  fc.record({ _tag: fc.constant("Put" as const), path, data, version }),
  fc.record({
    _tag: fc.constant("Delete" as const),
    path: path.filter((one) => one !== "/"),
    version,
    recursive: fc.boolean()
  }),
  path.map((path): Operation => ({ _tag: "Get", path })),
  path.map((path): Operation => ({ _tag: "Stat", path })),
  fc.record({
    _tag: fc.constant("List" as const),
    path,
    limit: fc.integer({ min: 1, max: Limits.list_page_max }),
    after: fc.option(fc.string({ maxLength: 20, size: "max", unit: "grapheme" }))
  })
)

/** Views of the input compared by content. */
const plain = (value: Operation | Refusal): Operation | Refusal =>
  "data" in value ? { ...value, data: new Uint8Array(value.data) } : value

const reason = (encoded: Uint8Array): string => {
  const refusal = decodeOperation(encoded)
  return refusal._tag === "Error" && refusal.code === "Invalid" ? `${refusal.path}: ${refusal.reason}`
    : assert.fail(JSON.stringify(refusal))
}

describe("operations", () => {
  it("come back as they were encoded", () => {
    fc.assert(fc.property(operation, (one) => {
      assert.deepStrictEqual(plain(decodeOperation(encodeOperation(one))), one)
    }), { numRuns: 1_000 })
  })

  it("have the documented encoding: any msgpack library can make them", () => {
    const cases: ReadonlyArray<readonly [ReadonlyArray<unknown>, Operation]> = [
      [["create", "/a", "blob", bytes("x"), true], { _tag: "Create", path: "/a", type: "blob", data: bytes("x"), parents: true }],
      [["create", "/d", "directory", bytes(""), false],
        { _tag: "Create", path: "/d", type: "directory", data: bytes(""), parents: false }],
      [["put", "/a", bytes("y"), null], { _tag: "Put", path: "/a", data: bytes("y"), version: null }],
      [["put", "/a", bytes("y"), 2 ** 40], { _tag: "Put", path: "/a", data: bytes("y"), version: 2 ** 40 }],
      [["delete", "/a", 7, true], { _tag: "Delete", path: "/a", version: 7, recursive: true }],
      [["get", "/a"], { _tag: "Get", path: "/a" }],
      [["stat", "/"], { _tag: "Stat", path: "/" }],
      [["list", "/", 10, null], { _tag: "List", path: "/", limit: 10, after: null }],
      [["list", "/", 1000, "b"], { _tag: "List", path: "/", limit: 1000, after: "b" }]
    ]
    for (const [fields, expected] of cases) {
      assert.deepStrictEqual(plain(decodeOperation(packed(fields))), expected)
      const ours = packr.unpack(encodeOperation(expected)) as ReadonlyArray<unknown>
      const comparable = (field: unknown) => field instanceof Uint8Array ? new Uint8Array(field)
        : typeof field === "bigint" ? Number(field) : field
      assert.deepStrictEqual(ours.map(comparable), fields)
    }
  })

  // Titles are numbers: not all of these values can be printed.
  it.each<readonly [unknown, string]>([
    [{ op: "get" }, ": an operation is a msgpack array"],
    ["get", ": an operation is a msgpack array"],
    [[], ": an operation begins with its name, a string"],
    [[1, "/a"], ": an operation begins with its name, a string"],
    [["GET", "/a"], ": unknown operation \"GET\""],
    [["x".repeat(5_000)], `: unknown operation "${"x".repeat(64)}…"`],
    [["constructor", "/a"], ": unknown operation \"constructor\""],
    [["get"], ": \"get\" has 2 fields, not 1"],
    [["get", "/a", 1], ": \"get\" has 2 fields, not 3"],
    [["get", bytes("/a")], ": the path is not a string of well-formed UTF-8"],
    [["get", null], ": the path is not a string of well-formed UTF-8"],
    [["get", "a"], "a: a path starts with \"/\""],
    [["create", "/a", 1, bytes(""), true], "/a: the element type is not a string"],
    [["create", "/a", "queue", bytes(""), true], "/a: unknown element type \"queue\": \"directory\" or \"blob\""],
    [["create", "/a", "toString", bytes(""), true], "/a: unknown element type \"toString\": \"directory\" or \"blob\""],
    [["create", "/a", "blob", "text", true], "/a: the data is not a bin"],
    [["create", "/a", "blob", null, true], "/a: the data is not a bin"],
    [["create", "/a", "blob", bytes(""), 1], "/a: \"parents\" is not a boolean"],
    [["create", "/a", "directory", bytes("x"), true], "/a: a directory has no data"],
    [["put", "/a", [], null], "/a: the data is not a bin"],
    [["put", "/a", bytes(""), "1"], "/a: the version is neither nil nor a whole number from 0 to 2^53 - 1"],
    [["put", "/a", bytes(""), -1], "/a: the version is neither nil nor a whole number from 0 to 2^53 - 1"],
    [["put", "/a", bytes(""), 2n ** 53n], "/a: the version is neither nil nor a whole number from 0 to 2^53 - 1"],
    [["delete", "/a", 0.5, true], "/a: the version is neither nil nor a whole number from 0 to 2^53 - 1"],
    [["delete", "/a", null, null], "/a: \"recursive\" is not a boolean"],
    [["delete", "/", null, true], "/: the root cannot be deleted"],
    [["list", "/", null, null], "/: the limit of a page is not a whole number from 1 up"],
    [["list", "/", 0, null], "/: the limit of a page is not a whole number from 1 up"],
    [["list", "/", 1, 1], "/: the resume token is neither nil nor a string of well-formed UTF-8"],
    [["get", new Map([["a", 1]])], ": the path is not a string of well-formed UTF-8"],
    [["put", "/a", new Date(0), null], "/a: the data is not a bin"]
  ])("refuses what it should, case %#", (fields, expected) => {
    assert.strictEqual(reason(packed(fields)), expected)
  })

  it("takes no typed array for bytes", () => {
    const encoded = new Uint8Array(exotic.pack(["put", "/a", new Float64Array(2), null]))
    assert.strictEqual(reason(encoded), "/a: the data is not a bin")
  })

  it("refuses what follows an operation", () => {
    const encoded = encodeOperation({ _tag: "Get", path: "/a" })
    assert.strictEqual(reason(Uint8Array.of(...encoded, 0xc0)), "/a: bytes follow the \"get\" operation")
  })

  it("refuses a path that is not UTF-8, and shows what can be shown of it", () => {
    // Half of a surrogate pair, as a careless encoder writes it.
    assert.strictEqual(reason(encodeRaw("get", [0x2f, 0xed, 0xa0, 0x80])),
      "/\ufffd\ufffd\ufffd: the path is not a string of well-formed UTF-8")
    assert.strictEqual(reason(encodeRaw("stat", [0x2f, 0x61, 0xff])),
      "/a\ufffd: the path is not a string of well-formed UTF-8")
  })

  it("names the limit, and the actual size", () => {
    const big = new Uint8Array(Limits.value_bytes_max + 1)
    const long = `/${"x".repeat(Limits.path_bytes_max)}`
    const cases: ReadonlyArray<readonly [Operation, object]> = [
      [{ _tag: "Put", path: "/a", data: big, version: null },
        { path: "/a", what: "value_bytes_max", limit: 1_048_576, actual: 1_048_577 }],
      [{ _tag: "Create", path: "/a", type: "blob", data: big, parents: false },
        { path: "/a", what: "value_bytes_max", limit: 1_048_576, actual: 1_048_577 }],
      [{ _tag: "List", path: "/a", limit: 1_001, after: null }, { path: "/a", what: "list_page_max", limit: 1_000, actual: 1_001 }],
      [{ _tag: "List", path: "/a", limit: 1, after: long }, { path: "/a", what: "path_bytes_max", limit: 1_024, actual: 1_025 }],
      [{ _tag: "Get", path: long }, { path: `${long.slice(0, 64)}…`, what: "path_bytes_max", limit: 1_024, actual: 1_025 }],
      [{ _tag: "Get", path: "/d".repeat(33) }, { path: "/d".repeat(33), what: "path_depth_max", limit: 32, actual: 33 }]
    ]
    for (const [one, expected] of cases) {
      assert.deepStrictEqual<object>(decodeOperation(encodeOperation(one)), { _tag: "Error", code: "LimitExceeded", ...expected })
    }
  })

  it("fit the largest operation when they are as large as they may be", () => {
    const largest: Operation = {
      _tag: "Create",
      path: `/${"x".repeat(Limits.path_bytes_max - 1)}`,
      type: "blob",
      data: new Uint8Array(Limits.value_bytes_max),
      parents: true
    }
    const encoded = encodeOperation(largest)
    assert.isAtMost(encoded.length, Limits.operation_bytes_max)
    assert.strictEqual(decodeOperation(encoded)._tag, "Create")
  })

  it("can be checked before they are sent, with the same words", () => {
    const wrong: ReadonlyArray<Operation> = [
      { _tag: "Get", path: "/\ud800" },
      { _tag: "Put", path: "/a", data: bytes(""), version: -1 },
      { _tag: "Delete", path: "/a", version: 2 ** 53, recursive: true },
      { _tag: "List", path: "/", limit: 0.5, after: null },
      { _tag: "List", path: "/", limit: Infinity, after: null },
      { _tag: "List", path: "/", limit: 1, after: "\udc00" }
    ]
    for (const one of wrong) assert.strictEqual(refuseOperation(one)?.code, "Invalid", JSON.stringify(one))
    fc.assert(fc.property(operation, (one) => assert.isUndefined(refuseOperation(one))))
  })
})

describe("garbage", () => {
  /** Either a refusal, or an operation that is as good as one that was encoded here. */
  const harmless = (input: Uint8Array): void => {
    const before = input.slice()
    const decoded = decodeOperation(input)
    assert.deepStrictEqual(input, before)
    if (decoded._tag === "Error") {
      assert.include(["Invalid", "LimitExceeded"], decoded.code)
      assert.isAtMost(decoded.path.length, Limits.path_bytes_max)
    } else {
      assert.isUndefined(refuseOperation(decoded))
      assert.deepStrictEqual(plain(decodeOperation(encodeOperation(decoded))), plain(decoded))
    }
  }

  it("at random", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64, size: "max" }), harmless), { numRuns: 5_000 })
  })

  it("that begins well", () => {
    const head = fc.constantFrom(["create", 5], ["put", 4], ["delete", 4], ["get", 2], ["stat", 2], ["list", 4])
    fc.assert(fc.property(head, fc.uint8Array({ maxLength: 64, size: "max" }), ([name, fields], rest) => {
      harmless(Uint8Array.of(0x90 | Number(fields), 0xa0 | String(name).length, ...bytes(String(name)), ...rest))
      harmless(Uint8Array.of(0x90 | Number(fields), 0xa0 | String(name).length, ...bytes(String(name)), 0xa2, 0x2f, 0x61, ...rest))
    }), { numRuns: 5_000 })
  })

  it("made of a good operation: bytes changed, cut off, added", () => {
    const change = fc.record({ at: fc.nat(), to: fc.nat(255) })
    fc.assert(fc.property(operation, fc.array(change, { maxLength: 3 }), fc.nat(), (one, changes, cut) => {
      const encoded = encodeOperation(one)
      const changed = encoded.slice()
      for (const { at, to } of changes) changed[at % changed.length] = to
      harmless(changed)
      const short = decodeOperation(encoded.subarray(0, cut % encoded.length))
      assert.strictEqual(short._tag, "Error")
    }), { numRuns: 5_000 })
  })

  it("of any type that msgpack knows", () => {
    const anything = fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true })
    const name = fc.constantFrom<unknown>("create", "put", "delete", "get", "stat", "list")
    fc.assert(fc.property(fc.tuple(name, fc.constantFrom<unknown>("/a", "/"), anything, anything, anything), fc.nat(5), (fields, count) => {
      let encoded: Uint8Array
      try {
        encoded = new Uint8Array(exotic.pack(fields.slice(0, count)))
      } catch {
        return // Not everything has an encoding.
      }
      harmless(encoded)
    }), { numRuns: 2_000 })
  })

  it("that claims to be long", () => {
    const endless = [255, 255, 255, 255]
    const claims = [
      Uint8Array.of(0xdd, ...endless),
      Uint8Array.of(0x92, 0xdb, ...endless),
      Uint8Array.of(0x94, 0xa3, ...bytes("put"), 0xdb, ...endless),
      Uint8Array.of(0x94, 0xa3, ...bytes("put"), 0xa2, ...bytes("/a"), 0xc6, ...endless),
      // Nested without end.
      new Uint8Array(100_000).fill(0x91),
      new Uint8Array(100_000).fill(0xdd)
    ]
    for (const claim of claims) assert.strictEqual(decodeOperation(claim)._tag, "Error")
  })
})

/** An operation on a path of these bytes, whatever they are. */
const encodeRaw = (name: string, path: ReadonlyArray<number>): Uint8Array =>
  Uint8Array.of(0x92, 0xa0 | name.length, ...bytes(name), 0xa0 | path.length, ...path)
