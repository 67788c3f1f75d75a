/**
 * Histories written by hand: what each kind of bug looks like to clients, beside what looks like one and is none.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import type { Result } from "../../../src/store/Operation.ts"
import type { Line } from "./Histories.ts"
import {
  alreadyExists, bytes, create, get, history, list, mkdir, notFound, put, remove, stat, value, written
} from "./Histories.ts"
import { checkLinearizable } from "./Linearizability.ts"

const good = (...lines: ReadonlyArray<Line>): void => {
  const verdict = checkLinearizable(history(...lines))
  assert.strictEqual(verdict._tag, "Linearizable", "explanation" in verdict ? verdict.explanation : "")
}

/** `partition`: below which element; `words`: all in the explanation. */
const bad = (partition: string, words: ReadonlyArray<string>, ...lines: ReadonlyArray<Line>): void => {
  const verdict = checkLinearizable(history(...lines))
  if (verdict._tag !== "NotLinearizable") return assert.fail(verdict._tag)
  assert.strictEqual(verdict.partition, partition)
  for (const word of words) assert.include(verdict.explanation, word)
  assert.isNotEmpty(verdict.calls)
}

const directory = (version: number, created_version: number, children: number): Result =>
  ({ _tag: "Stat", type: "directory", version, created_version, size: 0, children })
const casFailed = (path: string, expected: number, actual: number): Result =>
  ({ _tag: "Error", code: "CasFailed", path, expected, actual })

const created: Line = [0, 1, create("/a", "x"), written(3)]
const replaced: Line = [2, 3, put("/a", "y"), written(4)]

describe("one element, all outcomes known", () => {
  it("takes reads of either state while a write runs", () => {
    good(created, [2, 9, put("/a", "y"), written(4)], [3, 4, get("/a"), value("x", 3)], [5, 6, get("/a"), value("y", 4)])
    good()
  })

  it("finds a stale read", () => {
    bad("/a", ["/a was seen at version 3, although version 4"], created, replaced, [4, 5, get("/a"), value("x", 3)])
    bad("/a", ["here it would be: \"x\" at version 3"], created, [2, 3, get("/a"), notFound("/a")])
  })

  it("takes a return before an invocation at the same position", () => {
    bad("/a", [], created, [2, 4, put("/a", "y"), written(4)], [4, 5, get("/a"), value("x", 3)])
    good(created, [2, 4, put("/a", "y"), written(4)], [3, 5, get("/a"), value("x", 3)])
    good([1, 1, create("/a"), written(3)], [1, 1, get("/a"), value("", 3)])
  })

  it("finds a write that was seen and then no more", () => {
    bad("/a", ["here it would be: \"x\" at version 3"],
      created, [2, 3, get("/a"), value("x", 3)], [4, 5, get("/a"), notFound("/a")], [6, 7, get("/a"), value("x", 3)])
    bad("/a", ["although version 4"], created, [2, 9, put("/a", "y"), written(4)],
      [3, 4, get("/a"), value("y", 4)], [5, 6, get("/a"), value("x", 3)])
  })

  it("finds a lost update", () => {
    bad("/a", ["/a was seen at version 3, although version 4"],
      created, [2, 3, put("/a", "y", 3), written(4)], [2, 3, put("/a", "z", 3), written(5)])
    good(created, [2, 3, put("/a", "y", 3), written(4)], [2, 3, put("/a", "z", 3), casFailed("/a", 3, 4)])
  })

  it("finds a write that was done twice", () => {
    // Its own first try made the element.
    bad("/a", ["create /a \"x\" [0, 1] → AlreadyExists", "here it would be: done"], [0, 1, create("/a", "x"), alreadyExists("/a")])
    // The second time undid what came between.
    bad("/a", ["which no write can have given"], created, [2, 3, put("/a", "y"), written(4)], [4, 5, put("/a", "z"), written(5)],
      [6, 7, get("/a"), value("y", 6)])
  })

  it("finds the right version with the wrong value", () => {
    bad("/a", ["does not come from the write that has its version"], created, [2, 3, get("/a"), value("z", 3)])
    bad("/a", ["does not come from"], created, [2, 3, remove("/a"), written(4)], [4, 5, get("/a"), value("x", 4)])
    bad("/a", ["does not come from"], [0, 1, mkdir("/a"), written(3)], [2, 3, get("/a"), value("", 3)])
  })

  it("compares failures with the state", () => {
    bad("/a", ["here it would be: CasFailed"], created, [2, 3, put("/a", "y", 2), notFound("/a")])
    bad("/a", ["NotEmpty: 2 children", "here it would be: NotEmpty: 1 children"], [0, 1, mkdir("/a"), written(3)],
      [2, 3, create("/a/b"), written(4)], [4, 5, remove("/a"), { _tag: "Error", code: "NotEmpty", path: "/a", children: 2 }])
  })

  it("leaves out what was refused without a look at the state", () => {
    good([0, 1, put("/a", "x"), { _tag: "Error", code: "Invalid", path: "/a", reason: "" }], [2, 3, get("/a"), notFound("/a")])
  })
})

describe("writes of unknown outcome", () => {
  const unknown: Line = [2, null, put("/a", "y")]

  it("may be done late, or never", () => {
    good(created, unknown, [4, 5, get("/a"), value("x", 3)], [60, 61, get("/a"), value("y", 9)])
    good(created, unknown, [4, 5, get("/a"), value("x", 3)], [60, 61, get("/a"), value("x", 3)])
  })

  it("are not done before they began, nor twice, nor undone", () => {
    bad("/a", ["which no write can have given"], created, [2, 3, get("/a"), value("y", 4)], [4, null, put("/a", "y")])
    bad("/a", ["none can be next", "one of 1 of unknown outcome"],
      created, unknown, [4, 5, get("/a"), value("y", 4)], [6, 7, get("/a"), value("y", 5)])
    bad("/a", ["none can be next"], created, unknown, [4, 5, get("/a"), value("y", 4)], [6, 7, get("/a"), value("x", 3)])
  })

  it("have one version, which is above all that were told before, and that of no other write", () => {
    const other: Line = [0, 1, create("/b"), written(7)]
    good(created, other, unknown, [4, 5, get("/a"), value("y", 8)])
    bad("/a", [], created, other, unknown, [4, 5, get("/a"), value("y", 6)])
    bad("/a", [], created, unknown, [2, 5, create("/b"), written(7)], [4, 5, get("/a"), value("y", 7)])
    bad("/c", [], created, unknown, [2, null, create("/c")], [4, 5, get("/a"), value("y", 7)],
      [4, 5, stat("/c"), { _tag: "Stat", type: "blob", version: 7, created_version: 7, size: 0, children: 0 }])
  })

  it("must have been done when something shows it, if only by a failure", () => {
    const end: Line = [6, 7, create("/a", "z"), alreadyExists("/a")]
    good([0, null, create("/a", "x")], end)
    bad("/a", ["create /a \"z\" [6, 7] → AlreadyExists; here it would be: done"], [0, null, put("/a", "x")], end)
    // Once that is settled it stays so.
    bad("/a", [], [0, null, create("/a", "x")], end, [8, 9, get("/a"), notFound("/a")])
    good([0, null, create("/a", "x")], [2, null, remove("/a")], end, [8, 9, get("/a"), notFound("/a")])
  })

  it("can be what a delete of unknown outcome needed", () => {
    const emptied: Line = [9, 10, remove("/a"), written(6)]
    const made: ReadonlyArray<Line> = [[0, 1, create("/a/b", "", true), written(3)]]
    bad("/a", ["NotEmpty: 1 children"], ...made, emptied)
    good(...made, [2, null, remove("/a/b")], emptied)
    // Both of one name: the first delete must come between them.
    good(...made, [2, null, remove("/a/b")], [4, 5, create("/a/b"), written(4)], [6, 7, remove("/a/b"), written(5)], emptied)
    bad("/a", [], ...made, [4, 5, create("/a/b"), written(4)], [6, null, remove("/a/b")])
  })

  it("may be alike, and both be needed", () => {
    const again: Line = [4, 5, create("/a"), written(5)]
    good(created, [2, null, remove("/a")], again, [6, null, remove("/a")], [8, 9, create("/a"), written(7)])
    bad("/a", [], created, [2, null, remove("/a")], again, [8, 9, create("/a"), written(7)])
  })

  it("may matter only to each other", () => {
    const made: ReadonlyArray<Line> = [[0, 1, mkdir("/p/d", true), written(3)], [2, 3, create("/p/d/k"), written(4)]]
    const gone: Result = { _tag: "Error", code: "ParentNotFound", path: "/p/d/x", parent: "/p/d" }
    good(...made, [4, null, remove("/p/d")], [4, null, remove("/p/d/k")], [6, 7, create("/p/d/x"), gone])
    bad("/p", [], ...made, [4, null, remove("/p/d")], [6, 7, create("/p/d/x"), gone])
  })

  it("have an order among themselves, which some call may show", () => {
    const lines: ReadonlyArray<Line> = [[0, 1, mkdir("/a"), written(3)], [2, 3, create("/a/k"), written(4)],
      [4, null, remove("/a/k")], [5, null, create("/a/y")],
      [6, 20, get("/a/k"), notFound("/a/k")], [6, 20, create("/a/y"), alreadyExists("/a/y")]]
    const children = (count: number): Line => [6, 20, remove("/a"), { _tag: "Error", code: "NotEmpty", path: "/a", children: count }]
    good(...lines, children(2))
    bad("/a", [], ...lines, children(3))
  })

  it("must come before a write that they do not matter to, when it hides them", () => {
    const lines: ReadonlyArray<Line> = [[0, 1, mkdir("/p/d", true), written(3)], [2, null, create("/p/d/x")],
      [4, 5, create("/p/d/y"), written(6)]]
    good(...lines, [6, 7, stat("/p/d"), directory(6, 3, 2)])
    const entries = [{ name: "d", type: "directory" as const, version: 6, size: 0, children: 2 }]
    good(...lines, [6, 7, list("/p"), { _tag: "Page", entries, next: null }])
    good(...lines, [6, 7, remove("/p/d", false, 6), { _tag: "Error", code: "NotEmpty", path: "/p/d", children: 2 }])
    bad("/p", [], ...lines, [6, 7, remove("/p/d", false, 6), { _tag: "Error", code: "NotEmpty", path: "/p/d", children: 3 }])
  })

  it("that an untold version hides behind: it is told to nobody", () => {
    // A create that nobody saw would have given the directory another version.
    const made: Line = [0, 1, mkdir("/a"), written(3)]
    bad("/a", [], made, [2, null, create("/a/b")], [4, 5, stat("/a"), directory(3, 3, 1)])
    good(made, [2, null, create("/a/b")], [4, 5, stat("/a"), directory(4, 3, 1)])
    // A later write below it gives it one that is told.
    good(made, [2, null, create("/a/b")], [4, 5, create("/a/c"), written(9)], [6, 7, stat("/a"), directory(9, 3, 2)])
  })

  it("may have asked for a version that nobody saw", () => {
    const lines: ReadonlyArray<Line> = [created, [2, null, put("/a", "y")], [2, null, remove("/a", false, 5)]]
    good(...lines, [6, 7, get("/a"), notFound("/a")])
    bad("/a", [], created, lines[2]!, [6, 7, get("/a"), notFound("/a")])
  })

  it("may have been needed by a write that had such a version", () => {
    good([0, 1, mkdir("/p"), written(3)], [2, null, mkdir("/p/d")], [2, null, create("/p/d/q")],
      [2, null, put("/p/d/q", "z", 5)], [4, 5, create("/p/z"), written(6)], [6, 7, get("/p/d/q"), value("z", 7)])
  })

  const many = (count: number): ReadonlyArray<Line> =>
    [[0, 1, mkdir("/a"), written(3)], ...Array.from({ length: count }, (_, i): Line => [2, null, create(`/a/${i}`)])]
  const removed = (children: number): Line => [4, 5, remove("/a"), { _tag: "Error", code: "NotEmpty", path: "/a", children }]

  it("do not multiply where they do not matter, nor by the orders in which they may come", () => {
    bad("/a", [], ...many(60), [4, 5, get("/a/z"), value("", 3)])
    bad("/a", [], ...many(60), [4, 5, create("/a/z"), written(9)], [6, 7, get("/a/z"), notFound("/a/z")])
    bad("/a", [], ...many(10), removed(11))
    good(...many(10), removed(10))
  })

  it("are tried first if they help at once", () => {
    good(...many(40), [4, 5, put("/a/39", "x"), written(9)], [6, 7, stat("/a"), directory(9, 3, 1)])
  })

  it("are not looked for without a bound", () => {
    const lines = many(12)
    const verdict = checkLinearizable(history(...lines, removed(13)), { configurations_max: 100 })
    if (verdict._tag !== "Undecided") return assert.fail(verdict._tag)
    assert.strictEqual(verdict.partition, "/a")
    assert.isBelow(verdict.configurations, 150)
  })
})

describe("several elements", () => {
  const b: Line = [2, 3, create("/b"), written(4)]

  it("finds versions that fall, or that two writes have", () => {
    good(created, b)
    bad("/b", ["although version 5 had been seen"], [0, 1, create("/a"), written(5)], b)
    bad("/b", ["two writes have one version"], [0, 9, create("/a"), written(4)], b)
    // Nothing is wrong with either of them alone.
    bad("/b", ["although version 7"], [0, 9, create("/a"), written(7)], [1, 2, get("/a"), value("", 7)], [3, 4, create("/b"), written(6)])
  })

  it("finds a version of one in the other", () => {
    bad("/a", ["does not come from"], created, b, [4, 5, get("/a"), value("x", 4)])
  })

  it("finds what only all of them together show", () => {
    // /a is created at 5, before /b at 6, whose creation the read of /a comes after.
    bad("/a", [], [0, 9, create("/a"), written(5)], [1, 2, create("/b"), written(6)], [3, 4, get("/a"), notFound("/a")])
    bad("/a", [], [0, 20, create("/a"), written(5)], [1, 2, create("/a"), alreadyExists("/a")], [3, 4, create("/b"), written(4)])
    bad("/a", [], [0, 50, remove("/a"), written(5)], [1, 2, create("/b"), written(9)], [3, null, create("/a")])
    // /a is gone at 9, which /b's 7 is before; the read of /b comes after.
    bad("/", [], [0, 1, create("/a"), written(2)], [0, 1, create("/b"), written(3)], [2, 40, remove("/a"), written(9)],
      [2, 40, put("/b", "z"), written(7)], [3, 4, get("/a"), notFound("/a")], [5, 6, get("/b"), value("", 3)])
  })

  it("takes the version of a directory from all that is below it", () => {
    const lines: ReadonlyArray<Line> = [[0, 1, mkdir("/d"), written(3)], [2, 3, create("/d/a"), written(4)],
      [4, 5, create("/d/b"), written(5)], [6, 7, put("/d/a", "x"), written(6)]]
    good(...lines, [8, 9, stat("/d"), directory(6, 3, 2)], [8, 9, stat("/"), directory(6, 0, 1)])
    bad("/d", ["although version 6"], ...lines, [8, 9, stat("/d"), directory(5, 3, 2)])
    bad("/", ["although version 6"], ...lines, [8, 9, stat("/"), directory(5, 0, 1)])
    bad("/", [], ...lines, [8, 9, stat("/"), directory(6, 0, 2)])
  })

  it("compares pages", () => {
    const lines: ReadonlyArray<Line> = [[0, 1, create("/b", "x"), written(3)], [2, 3, create("/a"), written(4)]]
    const entry = (name: string, version: number, size: number) => ({ name, type: "blob" as const, version, size, children: 0 })
    const [a, theB] = [entry("a", 4, 0), entry("b", 3, 1)]
    good(...lines, [4, 5, list("/"), { _tag: "Page", entries: [a, theB], next: null }])
    good(...lines, [4, 5, list("/", 1), { _tag: "Page", entries: [a], next: "a" }])
    good(...lines, [4, 5, list("/", 1, "a"), { _tag: "Page", entries: [theB], next: null }])
    bad("/", [], ...lines, [4, 5, list("/"), { _tag: "Page", entries: [theB, a], next: null }])
    bad("/", [], ...lines, [4, 5, list("/"), { _tag: "Page", entries: [a], next: null }])
    bad("/b", [], ...lines, [4, 5, list("/"), { _tag: "Page", entries: [a, entry("b", 3, 2)], next: null }])
    bad("/", [], ...lines, [4, 5, list("/", 1), { _tag: "Page", entries: [a], next: null }])
    good(...lines, [6, null, put("/a", "yy")], [7, 8, list("/"), { _tag: "Page", entries: [entry("a", 6, 2), theB], next: null }])
  })
})

describe("an explanation", () => {
  it("says who was told what, and what it would have been, in few lines", () => {
    const verdict = checkLinearizable(history(
      created, [2, 3, get("/a"), value("x", 3)], [4, 5, get("/a"), notFound("/a")], [6, 7, get("/b"), notFound("/b")]
    ))
    assert.deepStrictEqual(verdict._tag === "NotLinearizable" ? verdict.explanation.split("\n") : verdict, [
      "no order gives the answers below /a (3 calls, and 0 writes of unknown outcome); " +
      "after 2 of them in an order that does, none can be next:",
      "  the last of them: c2: get /a [2, 3] → \"x\" at version 3",
      "  c3: get /a [4, 5] → NotFound; here it would be: \"x\" at version 3"
    ])
    assert.deepStrictEqual(verdict._tag === "NotLinearizable" ? verdict.calls.map(({ client }) => client) : [], ["c3"])
  })

  it("names the call that a write would leave without its answer", () => {
    bad("/a", ["put /a \"y\" [2, …] → outcome unknown; then this could not be answered any more: c4: get /a"],
      created, [2, null, put("/a", "y")], [3, 4, get("/a"), value("y", 4)], [5, 6, get("/a"), value("x", 3)])
  })

  it("shows the beginning of large values only", () => {
    const large = { _tag: "Value" as const, data: bytes("0123456789".repeat(100)), version: 3 }
    bad("/a", ["\"012345678901234567890123\"… (1000 bytes)"], created, [2, 3, get("/a"), large])
  })
})
