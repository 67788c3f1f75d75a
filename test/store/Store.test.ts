/**
 * What each operation does, told as stories. Versions are op numbers: the n-th write has version n, done or failed.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { InvariantViolation } from "../../src/base/Invariant.ts"
import { Limits } from "../../src/base/Limits.ts"
import { decodeResult, encodeOperation, encodeResult, type Result } from "../../src/store/Operation.ts"
import { makeStore } from "../../src/store/Store.ts"
import { bytes, User } from "./User.ts"

const written = (version: number): Result => ({ _tag: "Written", version })
const notFound = (path: string): Result => ({ _tag: "Error", code: "NotFound", path })

/** Runs `fail`, which must be refused as `expected` and leave everything as it was. */
const changesNothing = (user: User, expected: Result, fail: () => Result): void => {
  const before = user.dump()
  const stats = user.store.stats()
  assert.deepStrictEqual(fail(), expected)
  assert.deepStrictEqual(user.dump(), before)
  assert.deepStrictEqual(user.store.stats(), stats)
}

describe("an empty store", () => {
  it("has a root at version 0, and nothing else", () => {
    const user = new User()
    assert.deepStrictEqual(user.stat("/"), {
      _tag: "Stat",
      type: "directory",
      version: 0,
      created_version: 0,
      size: 0,
      children: 0
    })
    assert.deepStrictEqual(user.list("/"), { _tag: "Page", entries: [], next: null })
    assert.deepStrictEqual(user.store.stats(), { elements: 0, value_bytes: 0 })
    assert.deepStrictEqual(user.get("/a"), notFound("/a"))
  })
})

describe("create", () => {
  it("makes a blob that can be read back", () => {
    const user = new User()
    assert.deepStrictEqual(user.create("/a", "one"), written(1))
    assert.deepStrictEqual(user.get("/a"), { _tag: "Value", data: bytes("one"), version: 1 })
    assert.deepStrictEqual(user.stat("/a"), {
      _tag: "Stat",
      type: "blob",
      version: 1,
      created_version: 1,
      size: 3,
      children: 0
    })
    assert.deepStrictEqual(user.store.stats(), { elements: 1, value_bytes: 3 })
  })

  it("needs the parent, unless asked to make it", () => {
    const user = new User()
    const missing = (parent: string): Result => ({ _tag: "Error", code: "ParentNotFound", path: "/a/b/c", parent })
    changesNothing(user, missing("/a"), () => user.create("/a/b/c"))
    assert.deepStrictEqual(user.mkdir("/a"), written(2))
    changesNothing(user, missing("/a/b"), () => user.create("/a/b/c"))
    assert.deepStrictEqual(user.create("/a/b/c", "x", { parents: true }), written(4))
    assert.deepStrictEqual(["/", "/a", "/a/b", "/a/b/c"].map((path) => user.version(path)), [4, 4, 4, 4])
    assert.deepStrictEqual(user.store.stats(), { elements: 3, value_bytes: 1 })
  })

  it("does not replace what is there, of whatever type", () => {
    const user = new User()
    user.create("/a", "one")
    user.mkdir("/d")
    for (const path of ["/a", "/d", "/"]) {
      const exists: Result = { _tag: "Error", code: "AlreadyExists", path }
      changesNothing(user, exists, () => user.create(path, "two"))
      changesNothing(user, exists, () => user.mkdir(path, { parents: true }))
    }
  })

  it("makes nothing below a blob: the error names the blob", () => {
    const user = new User()
    user.create("/a", "one")
    const wrong: Result = { _tag: "Error", code: "WrongType", path: "/a", expected: "directory", actual: "blob" }
    changesNothing(user, wrong, () => user.create("/a/b"))
    changesNothing(user, wrong, () => user.create("/a/b/c", "", { parents: true }))
  })

  it("goes as deep as a path may", () => {
    const user = new User()
    const deepest = "/d".repeat(Limits.path_depth_max)
    assert.deepStrictEqual(user.create(deepest, "x", { parents: true }), written(1))
    assert.strictEqual(user.value(deepest), "x")
    assert.strictEqual(user.store.stats().elements, Limits.path_depth_max)
    const refused = user.create(`${deepest}/d`, "x")
    assert.strictEqual(refused._tag === "Error" && refused.code, "LimitExceeded")
  })
})

describe("put", () => {
  it("replaces the value, and sets the version of the blob and of the directories above it only", () => {
    const user = new User()
    user.create("/a/b/c", "one", { parents: true })
    user.create("/a/x", "", { parents: true })
    user.mkdir("/other")
    assert.deepStrictEqual(user.put("/a/b/c", "three"), written(4))
    assert.deepStrictEqual(user.get("/a/b/c"), { _tag: "Value", data: bytes("three"), version: 4 })
    assert.deepStrictEqual(["/", "/a", "/a/b"].map((path) => user.version(path)), [4, 4, 4])
    assert.deepStrictEqual(["/a/x", "/other"].map((path) => user.version(path)), [2, 3])
    const stat = user.stat("/a/b/c")
    assert.strictEqual(stat._tag === "Stat" && stat.created_version, 1)
    assert.strictEqual(user.store.stats().value_bytes, 5)
    user.put("/a/b/c", "")
    assert.strictEqual(user.store.stats().value_bytes, 0)
  })

  it("makes nothing, and turns nothing into a blob", () => {
    const user = new User()
    user.mkdir("/d")
    user.create("/a")
    changesNothing(user, notFound("/b"), () => user.put("/b", "x"))
    changesNothing(user, notFound("/a/b"), () => user.put("/a/b", "x"))
    changesNothing(user, notFound("/a/b/c"), () => user.put("/a/b/c", "x"))
    for (const path of ["/d", "/"]) {
      const wrong: Result = { _tag: "Error", code: "WrongType", path, expected: "blob", actual: "directory" }
      changesNothing(user, wrong, () => user.put(path, "x"))
      changesNothing(user, wrong, () => user.put(path, "x", 99))
    }
  })

  it("of two writers who saw the same version, lets one through and tells the other", () => {
    const user = new User()
    user.create("/a", "zero")
    assert.deepStrictEqual(user.put("/a", "one", 1), written(2))
    const late: Result = { _tag: "Error", code: "CasFailed", path: "/a", expected: 1, actual: 2 }
    changesNothing(user, late, () => user.put("/a", "other", 1))
    assert.strictEqual(user.value("/a"), "one")
  })
})

describe("delete", () => {
  it("removes a blob, and tells the directories above", () => {
    const user = new User()
    user.create("/d/a", "one", { parents: true })
    user.create("/d/b", "two")
    assert.deepStrictEqual(user.delete("/d/a"), written(3))
    assert.deepStrictEqual(user.get("/d/a"), notFound("/d/a"))
    assert.deepStrictEqual([user.version("/"), user.version("/d"), user.version("/d/b")], [3, 3, 2])
    assert.deepStrictEqual(user.store.stats(), { elements: 2, value_bytes: 3 })
    changesNothing(user, notFound("/d/a"), () => user.delete("/d/a"))
    changesNothing(user, notFound("/d/b/c"), () => user.delete("/d/b/c"))
  })

  it("removes an empty directory, but a full one only if asked", () => {
    const user = new User()
    user.create("/d/a/x", "one", { parents: true })
    user.create("/d/b", "two")
    changesNothing(user, { _tag: "Error", code: "NotEmpty", path: "/d", children: 2 }, () => user.delete("/d"))
    assert.deepStrictEqual(user.delete("/d/a", { recursive: true }), written(4))
    assert.deepStrictEqual(user.store.stats(), { elements: 2, value_bytes: 3 })
    user.delete("/d/b")
    assert.deepStrictEqual(user.delete("/d"), written(6))
    assert.deepStrictEqual(user.store.stats(), { elements: 0, value_bytes: 0 })
    assert.strictEqual(user.version("/"), 6)
  })

  it("never removes the root, and says so before the log sees it", () => {
    const user = new User()
    user.create("/a")
    const refused: Result = { _tag: "Error", code: "Invalid", path: "/", reason: "the root cannot be deleted" }
    changesNothing(user, refused, () => user.delete("/", { recursive: true }))
    const encoded = encodeOperation({ _tag: "Delete", path: "/", version: null, recursive: true })
    assert.deepStrictEqual(user.store.refuseWrite(encoded), encodeResult(refused))
  })

  it("spares a directory in which somebody has written meanwhile: its version guards all below", () => {
    const user = new User()
    user.create("/d/deep/a", "one", { parents: true })
    const seen = user.version("/d")
    user.put("/d/deep/a", "two")
    const late: Result = { _tag: "Error", code: "CasFailed", path: "/d", expected: 1, actual: 2 }
    changesNothing(user, late, () => user.delete("/d", { version: seen, recursive: true }))
    // CasFailed is reported before NotEmpty: with the right version the next thing in the way is told.
    changesNothing(user, late, () => user.delete("/d", { version: seen }))
    changesNothing(user, { _tag: "Error", code: "NotEmpty", path: "/d", children: 1 }, () => user.delete("/d", { version: 2 }))
    assert.deepStrictEqual(user.delete("/d", { version: 2, recursive: true }), written(6))
  })

  it("and create again does not bring an old version back", () => {
    const user = new User()
    user.create("/a", "one")
    user.delete("/a")
    user.create("/a", "one")
    changesNothing(user, { _tag: "Error", code: "CasFailed", path: "/a", expected: 1, actual: 3 }, () => user.put("/a", "two", 1))
  })
})

describe("get, stat, list", () => {
  it("find nothing on a way through a blob", () => {
    const user = new User()
    user.create("/a")
    for (const read of [user.get("/a/b"), user.stat("/a/b"), user.list("/a/b"), user.list("/a/b/c")]) {
      assert.strictEqual(read._tag === "Error" && read.code, "NotFound")
    }
  })

  it("want the right type", () => {
    const user = new User()
    user.create("/a")
    assert.deepStrictEqual(user.get("/"), { _tag: "Error", code: "WrongType", path: "/", expected: "blob", actual: "directory" })
    assert.deepStrictEqual(user.list("/a"), {
      _tag: "Error",
      code: "WrongType",
      path: "/a",
      expected: "directory",
      actual: "blob"
    })
  })

  it("list one level, sorted, with what stat would tell", () => {
    const user = new User()
    user.create("/d/b", "two", { parents: true })
    user.create("/d/a/deep/er", "", { parents: true })
    user.create("/d/a/wide", "")
    user.create("/elsewhere")
    assert.deepStrictEqual(user.list("/d"), {
      _tag: "Page",
      entries: [
        { name: "a", type: "directory", version: 3, size: 0, children: 2 },
        { name: "b", type: "blob", version: 1, size: 3, children: 0 }
      ],
      next: null
    })
    assert.deepStrictEqual(user.names("/"), ["d", "elsewhere"])
  })
})

describe("paging", () => {
  const full = (count: number): User => {
    const user = new User()
    user.mkdir("/d")
    for (let i = 0; i < count; i++) user.create(`/d/${String(i).padStart(5, "0")}`)
    return user
  }

  it("gives everything once, and a token only while there is more", () => {
    const user = full(2_500)
    const pages = user.pages("/d", 1_000)
    assert.deepStrictEqual(pages.map((page) => page.length), [1_000, 1_000, 500])
    assert.deepStrictEqual(pages.flat().map((entry) => entry.name), Array.from({ length: 2_500 }, (_, i) => String(i).padStart(5, "0")))
    const exact = user.pages("/d", 500)
    assert.deepStrictEqual(exact.map((page) => page.length), [500, 500, 500, 500, 500], "no empty page at the end")
  })

  it("goes on behind a name that was deleted meanwhile, and sees what came meanwhile", () => {
    const user = full(10)
    const first = user.list("/d", 3)
    assert.strictEqual(first._tag === "Page" && first.next, "00002")
    user.delete("/d/00002")
    user.delete("/d/00003")
    user.create("/d/000021")
    user.create("/d/00001x")
    assert.deepStrictEqual(user.names("/d", 3, "00002"), ["000021", "00004", "00005"])
    assert.deepStrictEqual(user.names("/d", 3, "zzz"), [])
    assert.deepStrictEqual(user.names("/d", 1, ""), ["00000"])
  })
})

describe("values", () => {
  it("come back byte for byte, short and long", () => {
    const user = new User()
    const all = Uint8Array.from({ length: 256 }, (_, i) => i)
    const lengths = [0, 1, 255, 256, 511, 512, 513, 4_096, 65_536, Limits.value_bytes_max]
    user.create("/a")
    for (const length of lengths) {
      const data = new Uint8Array(length).map((_, i) => all[(i * 7) % 256]!)
      user.execute({ _tag: "Put", path: "/a", data, version: null })
      const result = user.get("/a")
      assert(result._tag === "Value")
      // Not deepStrictEqual: it is slow on a megabyte.
      assert.strictEqual(Buffer.compare(result.data, data), 0, `${length} bytes`)
      assert.strictEqual(user.store.stats().value_bytes, length)
    }
  })

  it("are copied: the network may use its buffers again", () => {
    for (const length of [10, 100, 5_000]) {
      const store = makeStore()
      const data = new Uint8Array(length).fill(1)
      const encoded = Buffer.from(encodeOperation({ _tag: "Create", path: "/a", type: "blob", data, parents: false }))
      store.apply(encoded, { op: 1, time: 0, session: 1 })
      encoded.fill(9)
      const read = decodeResult(store.query(encodeOperation({ _tag: "Get", path: "/a" })))
      assert(read._tag === "Value")
      assert.deepStrictEqual(new Uint8Array(read.data), data)
      // Nor does the reader get at what the store keeps.
      read.data.fill(7)
      const again = decodeResult(store.query(encodeOperation({ _tag: "Get", path: "/a" })))
      assert.deepStrictEqual(again._tag === "Value" && new Uint8Array(again.data), data)
    }
  })
})

describe("the edge to the protocol", () => {
  const get = encodeOperation({ _tag: "Get", path: "/" })
  const put = encodeOperation({ _tag: "Put", path: "/a", data: bytes("x"), version: null })
  const garbage = Uint8Array.of(0xc1, 0xff)
  const invalid = (path: string, reason: string): Uint8Array => encodeResult({ _tag: "Error", code: "Invalid", path, reason })

  it("lets writes into the log, and nothing else", () => {
    const store = makeStore()
    assert.isUndefined(store.refuseWrite(put), "whether there is a blob is for later")
    assert.deepStrictEqual(store.refuseWrite(get), invalid("/", "\"get\" is not a write"))
    assert.deepStrictEqual(store.refuseWrite(garbage), invalid("", "an operation is a msgpack array"))
  })

  it("answers reads, and nothing else", () => {
    const store = makeStore()
    assert.deepStrictEqual(store.query(put), invalid("/a", "\"put\" is not a read"))
    assert.deepStrictEqual(store.query(garbage), invalid("", "an operation is a msgpack array"))
  })

  it("gives the same refusal if something else should come through the log", () => {
    const store = makeStore()
    for (const input of [get, garbage]) {
      assert.deepStrictEqual(store.apply(input, { op: 1, time: 0, session: 1 }), store.refuseWrite(input))
    }
  })

  it("stops when op numbers do not rise: that is a bug of ours", () => {
    const user = new User()
    user.create("/a")
    user.op = 0
    assert.throws(() => user.put("/a", "x"), InvariantViolation)
    user.op = 41
    assert.deepStrictEqual(user.put("/a", "x"), written(42), "other entries of the log take numbers too")
  })
})
