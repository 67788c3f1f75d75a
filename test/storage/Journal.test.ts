/**
 * The journal's model, and the version of it in memory.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { afterCrash, afterWrite, Journals, nothingStored } from "../../src/storage/Journal.ts"
import { makeMemoryDisk } from "../../src/storage/MemoryDisk.ts"
import { entries, head, journalContract, tenant, write } from "../contracts/Journal.ts"

journalContract(
  "in memory",
  Effect.sync(() => {
    const disk = makeMemoryDisk()
    return { journals: Journals.layerMemory(disk), breakDisk: () => void (disk.failure = "no space left on device") }
  })
)

describe("the model of a journal", () => {
  const ops = (stored: typeof nothingStored) => stored.entries.map((entry) => entry.op)

  it("cuts first and appends then", () => {
    const five = afterWrite(nothingStored, write({ head: head(1), entries: entries(1, 5) }))
    assert.deepStrictEqual(ops(five), [1, 2, 3, 4, 5])
    const cut = afterWrite(five, write({ truncate_to: 3, entries: entries(4, 1) }))
    assert.deepStrictEqual([ops(cut), cut.head], [[1, 2, 3, 4], head(1)])
    assert.deepStrictEqual(ops(afterWrite(cut, write({ truncate_to: 0, entries: entries(1, 1) }))), [1])
    assert.deepStrictEqual(ops(five), [1, 2, 3, 4, 5])
  })

  it("dies on a gap and on an overlap", () => {
    const two = afterWrite(nothingStored, write({ entries: entries(1, 2) }))
    assert.throws(() => afterWrite(two, write({ entries: entries(4, 1) })), "entries follow the log")
    assert.throws(() => afterWrite(two, write({ entries: entries(2, 1) })), "entries follow the log")
    assert.throws(() => afterWrite(two, write({ truncate_to: 1, entries: entries(3, 1) })), "entries follow the log")
  })

  it("survives a crash as the mode says", () => {
    const stored = afterWrite(nothingStored, write({ head: head(1), entries: entries(1, 2) }))
    assert.deepStrictEqual(afterCrash(stored, "disk"), stored)
    assert.deepStrictEqual(afterCrash(stored, "memory"), { head: head(1), entries: [] })
  })
})

it.effect("in memory, a journal of durability disk has its entries after a crash", () =>
  Effect.gen(function*() {
    const disk = makeMemoryDisk()
    const opened = Effect.gen(function*() {
      const journal = yield* (yield* Journals).journal(tenant, "r1::dev1")
      const found = yield* journal.open
      if (found.head === null) yield* journal.write(write({ head: head(1), entries: entries(1, 2) }))
      return found
    })
    yield* Effect.provide(opened, Journals.layerMemory(disk, "disk"), { local: true })
    const found = yield* Effect.provide(opened, Journals.layerMemory(disk, "disk"), { local: true })
    assert.deepStrictEqual(found, { head: head(1), entries: entries(1, 2) })
  }))
