/**
 * What every version of `Journals` must do with snapshots. Each test gets an empty disk.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { type Durability, Journals } from "../../src/storage/Journal.ts"
import { nothingStored, replacement } from "../../src/storage/JournalModel.ts"
import { entries, type Harness, head, type JournalsHarness, lives, own, why, write, writing } from "./Journal.ts"
import { bearsDamage, demands, installs } from "./JournalInstalls.ts"
import { endless, filled, ops, partsOf, range, restored, savedOf, snapshotOf } from "./Snapshots.ts"

export const snapshotContract = (version: string, makeHarness: Harness): void => {
  describe(`Journals, ${version}, durability memory`, () => storesNothing(makeHarness))
  describe(`Journals, ${version}, durability disk`, () => {
    saves(makeHarness)
    savesBeside(makeHarness)
    installs(makeHarness)
    bearsDamage(makeHarness)
    demands(makeHarness)
  })
}

const storesNothing = (makeHarness: Harness): void => {
  const life = lives("memory")

  it.effect("goes through a snapshot that is saved, stores nothing of it, nor of one that is installed", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      const saved = yield* life(harness, (journal) =>
        Effect.gen(function*() {
          yield* journal.write(write({ head: head(1), entries: entries(1, 9) }))
          yield* journal.write(write({ head: head(2), snapshot: snapshotOf(20), entries: entries(21, 2), commit: 20 }))
          return yield* journal.save(snapshotOf(21))
        }))
      assert.deepStrictEqual(saved, savedOf(21))
      const found = yield* life(harness, (_, found) => Effect.succeed(found))
      assert.deepStrictEqual(found, { ...nothingStored, head: head(2) })
    }))

  savesBesideWrites("memory", makeHarness)
}

const savesBesideWrites = (durability: Durability, makeHarness: Harness): void => {
  it.effect("writes while it saves", () =>
    Effect.gen(function*() {
      const { begun, end, snapshot } = yield* endless(3)
      yield* lives(durability)(yield* makeHarness, (journal) =>
        Effect.gen(function*() {
          yield* filled(journal, 1, 3)
          const saving = yield* Effect.forkChild(journal.save(snapshot))
          yield* begun
          yield* filled(journal, 4, 3)
          end()
          assert.strictEqual((yield* Fiber.join(saving)).op, 3)
        }))
    }))
}

const saves = (makeHarness: Harness): void => {
  const life = lives("disk")
  const found = (harness: JournalsHarness) => life(harness, (_, found) => Effect.succeed(found))
  const parts = (harness: JournalsHarness) => life(harness, restored)

  it.effect("gives a snapshot again after a crash, and counts what it has as committed", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      const saved = yield* life(harness, (journal) =>
        Effect.andThen(writing({ head: head(1), entries: entries(1, 5), commit: 2 })(journal), journal.save(snapshotOf(4))))
      assert.deepStrictEqual(saved, savedOf(4))
      const stored = { ...nothingStored, head: head(1), snapshot: 4, entries: entries(1, 5), commit: 4 }
      assert.deepStrictEqual(yield* found(harness), stored)
      assert.deepStrictEqual(yield* parts(harness), partsOf(4))
      yield* life(harness, writing({ entries: entries(6, 1), commit: 5 }))
      assert.deepStrictEqual(yield* found(harness), { ...stored, entries: entries(1, 6), commit: 5 })
    }))

  it.effect("takes a state without parts", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      const saved = yield* life(harness, (journal) => Effect.andThen(filled(journal, 1, 2), journal.save(snapshotOf(1, []))))
      assert.deepStrictEqual(saved, { op: 1, digest: 0, bytes: 0 })
      assert.deepStrictEqual(yield* parts(harness), [])
    }))

  it.effect("keeps two, and what follows the older one", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      let last = 0
      for (const op of [3, 8, 9, 20]) {
        yield* life(harness, (journal) =>
          Effect.gen(function*() {
            // Long enough for several files.
            for (; last < op + 1; last++) {
              const entry = { ...entries(last + 1, 1)[0]!, operation: new Uint8Array(3000).fill(last) }
              yield* journal.write(write({ entries: [entry], commit: last }))
            }
            yield* journal.save(snapshotOf(op))
            assert.deepStrictEqual(yield* restored(journal), partsOf(op))
          }))
        const stored = yield* found(harness)
        assert.strictEqual(stored.snapshot, op)
        assert.deepStrictEqual(ops(stored), range(stored.base + 1, op + 1))
      }
      const { base } = yield* found(harness)
      assert.isTrue(base > 3 && base <= 9, `${base}`)
      assert.deepStrictEqual(yield* parts(harness), partsOf(20))
    }))

  it.effect("keeps nothing of one that is not newer than what is there", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      yield* life(harness, (journal) =>
        Effect.gen(function*() {
          yield* filled(journal, 1, 9)
          const kept: Array<unknown> = []
          yield* journal.save(snapshotOf(7), (saved) => kept.push(saved))
          assert.deepStrictEqual(yield* journal.save(snapshotOf(6), (saved) => kept.push(saved)), savedOf(6))
          assert.deepStrictEqual(yield* restored(journal), partsOf(7))
          assert.deepStrictEqual(yield* journal.save(snapshotOf(7)), savedOf(7))
          assert.deepStrictEqual(kept, [savedOf(7), savedOf(6)], "nothing needs the second one, either")
        }))
      assert.strictEqual((yield* found(harness)).snapshot, 7)
      assert.deepStrictEqual(yield* parts(harness), partsOf(7))
    }))

  it.effect("says when it cannot save, keeps what was durable, and takes nothing more", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      const errors = yield* life(harness, (journal) =>
        Effect.gen(function*() {
          yield* filled(journal, 1, 5)
          yield* journal.save(snapshotOf(2))
          harness.breakDisk()
          const save = Effect.flip(journal.save(snapshotOf(4), () => assert.fail("it is not kept")))
          return [yield* save, yield* Effect.flip(journal.write(write({ entries: entries(6, 1), commit: 4 }))), yield* save]
        }))
      assert.deepStrictEqual(errors.map(({ during }) => during), ["save", "save", "save"])
      assert.include(errors[0]!.message, "no space left on device")
      const stored = yield* found(harness)
      assert.deepStrictEqual([stored.snapshot, ops(stored), stored.commit], [2, range(1, 5), 4])
    }))

  it.effect("fails to save after a write that failed", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      const error = yield* life(harness, (journal) =>
        Effect.gen(function*() {
          yield* filled(journal, 1, 5)
          harness.breakDisk()
          yield* Effect.flip(filled(journal, 6, 1))
          return yield* Effect.flip(journal.save(snapshotOf(3)))
        }))
      assert.strictEqual(error.during, "write")
    }))
}

const savesBeside = (makeHarness: Harness): void => {
  const life = lives("disk")
  const found = (harness: JournalsHarness) => life(harness, (_, found) => Effect.succeed(found))

  savesBesideWrites("disk", makeHarness)

  it.effect("saves one after the other", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      const first = yield* endless(3)
      yield* life(harness, (journal) =>
        Effect.gen(function*() {
          yield* filled(journal, 1, 6)
          const saving = yield* Effect.forkChild(journal.save(first.snapshot))
          yield* first.begun
          const next = yield* Effect.forkChild(journal.save(snapshotOf(5)))
          yield* filled(journal, 7, 1)
          first.end()
          yield* Fiber.join(saving)
          yield* Fiber.join(next)
          assert.deepStrictEqual(yield* restored(journal), partsOf(5))
        }))
      assert.strictEqual((yield* found(harness)).snapshot, 5)
    }))

  it.effect("keeps nothing of one that is older than what was installed meanwhile", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      const { begun, end, snapshot } = yield* endless(3)
      yield* life(harness, (journal) =>
        Effect.gen(function*() {
          yield* filled(journal, 1, 4)
          const saving = yield* Effect.forkChild(journal.save(snapshot))
          yield* begun
          yield* journal.write(write({ snapshot: snapshotOf(9), entries: entries(10, 1), commit: 9 }))
          end()
          assert.strictEqual((yield* Fiber.join(saving)).op, 3)
          assert.deepStrictEqual(yield* restored(journal), partsOf(9))
          yield* filled(journal, 11, 1)
        }))
      const stored = yield* found(harness)
      assert.deepStrictEqual([stored.base, stored.snapshot, ops(stored)], [9, 9, [10, 11]])
      assert.deepStrictEqual(yield* life(harness, restored), partsOf(9))
    }))

  it.effect("dies when the log that it saves is replaced meanwhile", () =>
    Effect.gen(function*() {
      const { begun, end, snapshot } = yield* endless(3)
      const exit = yield* life(yield* makeHarness, (journal) =>
        Effect.gen(function*() {
          yield* filled(journal, 1, 4)
          const saving = yield* Effect.forkChild(Effect.exit(journal.save(snapshot)))
          yield* begun
          yield* journal.write(replacement(head(1)))
          end()
          return yield* Fiber.join(saving)
        }))
      assert.include(why(exit), "a snapshot is saved of what is written")
    }))

  it.effect("keeps nothing of one that is interrupted, and saves the next one", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      const { begun, snapshot } = yield* endless(3)
      yield* life(harness, (journal) =>
        Effect.gen(function*() {
          yield* filled(journal, 1, 4)
          const saving = yield* Effect.forkChild(journal.save(snapshot))
          yield* begun
          yield* Fiber.interrupt(saving)
          yield* filled(journal, 5, 1)
        }))
      assert.isNull((yield* found(harness)).snapshot)
      yield* life(harness, (journal) => journal.save(snapshotOf(4)))
      assert.strictEqual((yield* found(harness)).snapshot, 4)
    }))

  it.effect("keeps nothing of one whose journal has another owner", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      const { begun, end, snapshot } = yield* endless(3)
      const both = Effect.gen(function*() {
        const all = yield* Journals
        const first = yield* all.journal(...own, "disk")
        yield* first.open
        yield* filled(first, 1, 4)
        const saving = yield* Effect.forkChild(Effect.exit(first.save(snapshot)))
        yield* begun
        const second = yield* all.journal(...own, "disk")
        yield* second.open
        end()
        assert.include(why(yield* Fiber.join(saving)), "opened before it is written")
        yield* second.save(snapshotOf(2))
        return yield* second.open
      })
      assert.strictEqual((yield* Effect.provide(both, harness.journals)).snapshot, 2)
    }))
}
