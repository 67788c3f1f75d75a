/**
 * The journal's model, and the version of it in memory.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Journals, type Stored } from "../../src/storage/Journal.ts"
import { afterWrite, nothingStored, replacement } from "../../src/storage/JournalModel.ts"
import { makeMemoryDisk } from "../../src/storage/MemoryDisk.ts"
import { entries, head, journalContract, tenant, write } from "../contracts/Journal.ts"

journalContract(
  "in memory",
  Effect.sync(() => {
    const disk = makeMemoryDisk()
    const key = `${tenant}::r1::dev1`
    return {
      journals: Layer.unwrap(Effect.sync(() => {
        disk.failure = null
        return Journals.layerMemory(disk)
      })),
      breakDisk: () => void (disk.failure = "no space left on device"),
      damage: () => {
        const { head } = disk.journals.get(key)!
        disk.journals.set(key, { ...nothingStored, head, doubt: "a bit has flipped" })
      }
    }
  })
)

describe("the model of a journal", () => {
  const after = (stored: Stored, change: Parameters<typeof write>[0]) => afterWrite(stored, write(change), "disk")
  const ops = (stored: Stored) => stored.entries.map((entry) => entry.op)

  it("cuts first and appends then", () => {
    const five = after(nothingStored, { head: head(1), entries: entries(1, 5) })
    assert.deepStrictEqual(ops(five), [1, 2, 3, 4, 5])
    const cut = after(five, { truncate_to: 3, entries: entries(4, 1) })
    assert.deepStrictEqual([ops(cut), cut.head], [[1, 2, 3, 4], head(1)])
    assert.deepStrictEqual(ops(after(cut, { truncate_to: 0, entries: entries(1, 1) })), [1])
    assert.deepStrictEqual(ops(five), [1, 2, 3, 4, 5])
  })

  it("dies on a gap, on an overlap, and on a cut above its end", () => {
    const two = after(nothingStored, { entries: entries(1, 2) })
    assert.throws(() => after(nothingStored, { entries: entries(2, 1) }), "entries follow the log")
    assert.throws(() => after(two, { entries: entries(4, 1) }), "entries follow the log")
    assert.throws(() => after(two, { entries: entries(2, 1) }), "entries follow the log")
    assert.throws(() => after(two, { truncate_to: 1, entries: entries(3, 1) }), "entries follow the log")
    assert.throws(() => after(two, { truncate_to: 3 }), "what is cut was there")
  })

  it("dies when a commit number falls, is cut below, or is above the log", () => {
    const two = after(nothingStored, { entries: entries(1, 2), commit: 1 })
    assert.throws(() => after(two, { commit: 0 }), "the commit number never falls")
    assert.throws(() => after(two, { commit: 3 }), "what is committed is there")
    assert.throws(() => after(two, { truncate_to: 0, commit: 1 }), "what is committed is never cut")
    assert.strictEqual(after(two, { head: head(1), commit: 2 }).commit, 2)
    assert.strictEqual(after(two, { commit: 2 }), two)
  })

  it("in doubt, takes a replacement before anything else", () => {
    const doubtful = { ...nothingStored, head: head(4, 3), doubt: "a bit has flipped" }
    assert.throws(() => after(doubtful, { head: head(5) }), "a log in doubt is replaced")
    const replaced = afterWrite(doubtful, replacement(head(4, 3)), "disk")
    assert.deepStrictEqual(replaced, { ...nothingStored, head: head(4, 3, { whole: false }) })
    const filled = after(replaced, { entries: entries(1, 2), commit: 2 })
    assert.deepStrictEqual(ops(filled), [1, 2])
    assert.deepStrictEqual(afterWrite(filled, replacement(head(4, 3)), "disk"), replaced)
    assert.isTrue(after(filled, { head: head(4), commit: 2 }).head?.whole)
  })

  it("survives a crash as the durability says", () => {
    const one = write({ head: head(1), entries: entries(1, 2) })
    assert.deepStrictEqual(ops(afterWrite(nothingStored, one, "disk")), [1, 2])
    assert.deepStrictEqual(afterWrite(nothingStored, one, "memory"), { ...nothingStored, head: head(1) })
  })
})
