/**
 * The journal's model, and the version of it in memory.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Journals, type Stored } from "../../src/storage/Journal.ts"
import { afterSave, afterWrite, foundIn, type Held, nothingHeld, replacement, shortened } from "../../src/storage/JournalModel.ts"
import { makeMemoryDisk } from "../../src/storage/MemoryDisk.ts"
import { entries, head, journalContract, type JournalsHarness, tenant, write } from "../contracts/Journal.ts"
import { discardContract } from "../contracts/JournalDiscards.ts"
import { snapshotContract } from "../contracts/JournalSnapshots.ts"
import { partsOf, snapshotOf } from "../contracts/Snapshots.ts"

const makeHarness: Effect.Effect<JournalsHarness> = Effect.sync(() => {
  const disk = makeMemoryDisk()
  const key = `${tenant}::r1::dev1`
  return {
    journals: Layer.unwrap(Effect.sync(() => {
      disk.failure = null
      return Journals.layerMemory(disk)
    })),
    breakDisk: () => void (disk.failure = "no space left on device"),
    damage: () => {
      disk.journals.set(key, { ...disk.journals.get(key)!, doubt: "a bit has flipped" })
    },
    damageSnapshot: (op) => {
      const held = disk.journals.get(key)!
      const kept = held.kept.filter((one) => one.op !== op)
      const snapshot = kept.at(-1)?.op ?? null
      const doubt = snapshot === null && held.base > 0 ? "a bit has flipped" : null
      disk.journals.set(key, { ...held, kept, snapshot, doubt, damage: [`the snapshot of op ${op} is damaged`] })
    }
  }
})

journalContract("in memory", makeHarness)
snapshotContract("in memory", makeHarness)
discardContract("in memory", makeHarness)

describe("the model of a journal", () => {
  const after = (stored: Held, change: Parameters<typeof write>[0]) => afterWrite(stored, write(change), "disk")
  const ops = (stored: Stored) => stored.entries.map((entry) => entry.op)

  it("cuts first and appends then", () => {
    const five = after(nothingHeld, { head: head(1), entries: entries(1, 5) })
    assert.deepStrictEqual(ops(five), [1, 2, 3, 4, 5])
    const cut = after(five, { truncate_to: 3, entries: entries(4, 1) })
    assert.deepStrictEqual([ops(cut), cut.head], [[1, 2, 3, 4], head(1)])
    assert.deepStrictEqual(ops(after(cut, { truncate_to: 0, entries: entries(1, 1) })), [1])
    assert.deepStrictEqual(ops(five), [1, 2, 3, 4, 5])
  })

  it("dies on a gap, on an overlap, and on a cut above its end", () => {
    const two = after(nothingHeld, { entries: entries(1, 2) })
    assert.throws(() => after(nothingHeld, { entries: entries(2, 1) }), "entries follow the log")
    assert.throws(() => after(two, { entries: entries(4, 1) }), "entries follow the log")
    assert.throws(() => after(two, { entries: entries(2, 1) }), "entries follow the log")
    assert.throws(() => after(two, { truncate_to: 1, entries: entries(3, 1) }), "entries follow the log")
    assert.throws(() => after(two, { truncate_to: 3 }), "what is cut was there")
  })

  it("dies when a commit number falls, is cut below, or is above the log", () => {
    const two = after(nothingHeld, { entries: entries(1, 2), commit: 1 })
    assert.throws(() => after(two, { commit: 0 }), "the commit number never falls")
    assert.throws(() => after(two, { commit: 3 }), "what is committed is there")
    assert.throws(() => after(two, { truncate_to: 0, commit: 1 }), "what is committed is never cut")
    assert.strictEqual(after(two, { head: head(1), commit: 2 }).commit, 2)
    assert.strictEqual(after(two, { commit: 2 }), two)
  })

  it("in doubt, takes a replacement before anything else", () => {
    const doubtful = { ...nothingHeld, head: head(4, 3), doubt: "a bit has flipped" }
    assert.throws(() => after(doubtful, { head: head(5) }), "a log in doubt is replaced")
    const replaced = afterWrite(doubtful, replacement(head(4, 3)), "disk")
    assert.deepStrictEqual(replaced, { ...nothingHeld, head: head(4, 3, { whole: false }) })
    const filled = after(replaced, { entries: entries(1, 2), commit: 2 })
    assert.deepStrictEqual(ops(filled), [1, 2])
    assert.deepStrictEqual(afterWrite(filled, replacement(head(4, 3)), "disk"), replaced)
    assert.isTrue(after(filled, { head: head(4), commit: 2 }).head?.whole)
  })

  const kept = (op: number) => ({ op, parts: partsOf(op) })

  it("keeps two snapshots, and can do without what the older one has", () => {
    const nine = after(nothingHeld, { head: head(1), entries: entries(1, 9), commit: 3 })
    const once = afterSave(nine, kept(4))
    assert.deepStrictEqual([once.snapshot, once.commit, once.kept], [4, 4, [kept(4)]])
    assert.deepStrictEqual(shortened(once), once)
    const twice = afterSave(once, kept(6))
    assert.deepStrictEqual([twice.base, twice.snapshot, twice.kept], [0, 6, [kept(4), kept(6)]])
    assert.deepStrictEqual([shortened(twice).base, ops(shortened(twice))], [4, [5, 6, 7, 8, 9]])
    const thrice = shortened(afterSave(shortened(twice), kept(9)))
    assert.deepStrictEqual([thrice.base, ops(thrice), thrice.kept], [6, [7, 8, 9], [kept(6), kept(9)]])
    assert.strictEqual(afterSave(thrice, kept(9)), thrice)
    assert.strictEqual(afterSave(thrice, kept(7)), thrice)
    assert.deepStrictEqual(ops(after(thrice, { truncate_to: 9, entries: entries(10, 1), commit: 9 })), [7, 8, 9, 10])
    assert.throws(() => after(thrice, { truncate_to: 8, commit: 9 }), "what is committed is never cut")
    assert.throws(() => afterSave(thrice, kept(10)), "a snapshot is saved of what is written")
  })

  it("begins behind a snapshot that is installed", () => {
    const nine = shortened(afterSave(after(nothingHeld, { head: head(1), entries: entries(1, 9), commit: 3 }), kept(3)))
    const installed = after(nine, { snapshot: snapshotOf(20), entries: entries(21, 2), commit: 21 })
    const stored = { head: head(1), base: 20, snapshot: 20, entries: entries(21, 2), commit: 21, doubt: null, notes: [], damage: [] }
    assert.deepStrictEqual(foundIn(installed), stored)
    assert.deepStrictEqual(installed.kept, [kept(20)])
    const replaced = afterWrite(installed, replacement(head(1)), "disk")
    assert.deepStrictEqual(replaced, { ...nothingHeld, head: head(1, 1, { whole: false }) })
  })

  it("survives a crash as the durability says", () => {
    const one = write({ head: head(1), entries: entries(1, 2) })
    assert.deepStrictEqual(ops(afterWrite(nothingHeld, one, "disk")), [1, 2])
    assert.deepStrictEqual(afterWrite(nothingHeld, one, "memory"), { ...nothingHeld, head: head(1) })
  })
})
