/**
 * What every version of `Journals` must do with snapshots, durability `disk`: those that are installed, those that are
 * damaged, and callers that break a promise. Each test gets an empty disk.
 *
 * @module
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type Journal, Journals, type JournalWrite } from "../../src/storage/Journal.ts"
import { lastOp, nothingStored, replacement } from "../../src/storage/JournalModel.ts"
import { entries, type Harness, head, type JournalsHarness, lives, own, why, write, writing } from "./Journal.ts"
import { filled, ops, partsOf, range, restored, snapshotOf } from "./Snapshots.ts"

export const installs = (makeHarness: Harness): void => {
  const life = lives("disk")
  const found = (harness: JournalsHarness) => life(harness, (_, found) => Effect.succeed(found))
  const parts = (harness: JournalsHarness) => life(harness, restored)

  it.effect("replaces log and snapshots by one that is installed, and goes on behind it", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      yield* life(harness, (journal) =>
        Effect.gen(function*() {
          yield* filled(journal, 1, 9)
          yield* journal.save(snapshotOf(3))
          yield* journal.save(snapshotOf(6))
          yield* journal.write(write({ head: head(2), snapshot: snapshotOf(40), entries: entries(41, 3), commit: 41 }))
          assert.deepStrictEqual(yield* restored(journal), partsOf(40))
        }))
      const stored = { ...nothingStored, head: head(2), base: 40, snapshot: 40, entries: entries(41, 3), commit: 41 }
      assert.deepStrictEqual(yield* found(harness), stored)
      assert.deepStrictEqual(yield* parts(harness), partsOf(40))
      yield* life(harness, writing({ truncate_to: 42, entries: entries(43, 2), commit: 42 }))
      assert.deepStrictEqual(yield* found(harness), { ...stored, entries: entries(41, 4), commit: 42 })
      yield* life(harness, (journal) => journal.save(snapshotOf(42)))
      assert.deepStrictEqual(yield* parts(harness), partsOf(42))
      yield* life(harness, writing({ snapshot: snapshotOf(50), commit: 50 }))
      assert.deepStrictEqual(yield* found(harness), { ...stored, base: 50, snapshot: 50, entries: [], commit: 50 })
      assert.deepStrictEqual(yield* parts(harness), partsOf(50))
    }))

  it.effect("gives up what was not committed above it", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      yield* life(harness, writing({ entries: entries(1, 9), commit: 5 }, { snapshot: snapshotOf(5), entries: entries(6, 1), commit: 5 }))
      const stored = yield* found(harness)
      assert.deepStrictEqual([stored.base, stored.snapshot, ops(stored), stored.commit], [5, 5, [6], 5])
    }))

  it.effect("begins an empty log", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      yield* life(harness, writing({ head: head(0), snapshot: snapshotOf(7), commit: 7 }))
      assert.deepStrictEqual(yield* found(harness), { ...nothingStored, head: head(0), base: 7, snapshot: 7, commit: 7 })
      assert.deepStrictEqual(yield* parts(harness), partsOf(7))
    }))

  it.effect("goes into a log that was replaced, and into one that was replaced after that", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      yield* life(harness, (journal) => Effect.andThen(filled(journal, 1, 9), journal.save(snapshotOf(8))))
      for (const op of [8, 30]) {
        yield* life(harness, (journal) => journal.write(replacement(head(1))))
        const empty = { ...nothingStored, head: head(1, 1, { whole: false }) }
        assert.deepStrictEqual(yield* found(harness), empty)
        yield* life(harness, writing({ snapshot: snapshotOf(op), entries: entries(op + 1, 2), commit: op }))
        const stored = { ...empty, base: op, snapshot: op, entries: entries(op + 1, 2), commit: op }
        assert.deepStrictEqual(yield* found(harness), stored)
      }
    }))
}

export const bearsDamage = (makeHarness: Harness): void => {
  const life = lives("disk")
  const found = (harness: JournalsHarness) => life(harness, (_, found) => Effect.succeed(found))

  it.effect("of the only snapshot: the log has all", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      yield* life(harness, (journal) => Effect.andThen(filled(journal, 1, 9), journal.save(snapshotOf(5))))
      harness.damageSnapshot(5)
      const { base, damage, doubt, snapshot, ...rest } = yield* found(harness)
      assert.deepStrictEqual([base, doubt, snapshot, rest.entries], [0, null, null, entries(1, 9)])
      assert.match(damage.join(), /snapshot.* is damaged|damaged: /)
      yield* life(harness, (journal) => journal.save(snapshotOf(7)))
      assert.deepStrictEqual(yield* life(harness, restored), partsOf(7))
    }))

  const twice = Effect.gen(function*() {
    const harness = yield* makeHarness
    yield* life(harness, (journal) =>
      Effect.gen(function*() {
        for (const op of range(1, 8)) {
          // Long enough for several files.
          const entry = { ...entries(op, 1)[0]!, operation: new Uint8Array(5000) }
          yield* journal.write(write({ entries: [entry], commit: op - 1 }))
          if (op % 4 === 0) yield* journal.save(snapshotOf(op))
        }
      }))
    return harness
  })

  it.effect("of the newer one: the older one serves, and the log has what follows", () =>
    Effect.gen(function*() {
      const harness = yield* twice
      assert.strictEqual((yield* found(harness)).snapshot, 8)
      harness.damageSnapshot(8)
      const stored = yield* found(harness)
      assert.deepStrictEqual([stored.doubt, stored.snapshot, lastOp(stored)], [null, 4, 8])
      assert.isTrue(stored.base <= 4 && stored.commit >= 7)
      assert.lengthOf(stored.damage, 1)
      assert.deepStrictEqual(yield* life(harness, restored), partsOf(4))
      yield* life(harness, (journal) => journal.save(snapshotOf(8)))
      assert.deepStrictEqual(yield* life(harness, restored), partsOf(8))
    }))

  it.effect("of both, when the log has not all: it is in doubt, and is replaced", () =>
    Effect.gen(function*() {
      const harness = yield* twice
      yield* life(harness, (journal) => Effect.andThen(filled(journal, 9, 3), journal.save(snapshotOf(10))))
      assert.isAbove((yield* found(harness)).base, 0)
      harness.damageSnapshot(8)
      harness.damageSnapshot(10)
      for (let time = 0; time < 2; time++) {
        const { doubt, ...rest } = yield* found(harness)
        assert.isString(doubt)
        assert.deepStrictEqual({ ...rest, doubt: null }, nothingStored)
      }
      yield* life(harness, (journal) => journal.write(replacement(head(3))))
      assert.deepStrictEqual(yield* found(harness), { ...nothingStored, head: head(3, 3, { whole: false }) })
      yield* life(harness, writing({ snapshot: snapshotOf(30), commit: 30 }))
      assert.deepStrictEqual(yield* life(harness, restored), partsOf(30))
    }))
}

export const demands = (makeHarness: Harness): void => {
  const life = lives("disk")
  const two: Partial<JournalWrite> = { entries: entries(1, 2), commit: 2 }

  it.effect.each<[string, (journal: Journal) => Effect.Effect<unknown, unknown>]>([
    ["what is committed is never cut", writing(two, { snapshot: snapshotOf(1), commit: 2 })],
    ["what a snapshot has is committed", writing(two, { snapshot: snapshotOf(9), entries: entries(10, 1), commit: 8 })],
    ["what is committed is there", writing(two, { snapshot: snapshotOf(9), commit: 10 })],
    ["entries follow the log", writing(two, { snapshot: snapshotOf(9), entries: entries(11, 1), commit: 9 })],
    ["nothing is cut of a log that a snapshot replaces", writing(two, { snapshot: snapshotOf(9), truncate_to: 2, commit: 9 })],
    ["a snapshot is saved of what is written", (journal) => Effect.andThen(writing(two)(journal), journal.save(snapshotOf(3)))],
    ["a snapshot is saved of what is written", (journal) => Effect.andThen(writing(two)(journal), journal.save(snapshotOf(0)))],
    [
      "the commit number never falls",
      (journal) =>
        Effect.gen(function*() {
          yield* journal.write(write({ entries: entries(1, 3) }))
          yield* journal.save(snapshotOf(2))
          yield* journal.write(write({ entries: entries(4, 1), commit: 1 }))
        })
    ],
    ["there is a snapshot to restore", (journal) => Effect.andThen(writing(two)(journal), restored(journal))]
  ])("dies when the caller breaks a promise: %s", ([fact, body]) =>
    Effect.gen(function*() {
      assert.include(why(yield* Effect.exit(life(yield* makeHarness, body))), fact)
    }))

  it.effect("dies when it saves before it is opened, and while its log is in doubt", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      const unopened = Effect.flatMap(Journals, (all) => all.journal(...own, "disk"))
      const exit = yield* Effect.exit(Effect.provide(Effect.flatMap(unopened, restored), harness.journals))
      assert.isTrue(Exit.isFailure(exit))
      yield* life(harness, writing({ head: head(1), entries: entries(1, 2) }, { entries: entries(3, 1), commit: 2 }))
      harness.damage()
      assert.include(why(yield* Effect.exit(life(harness, (journal) => journal.save(snapshotOf(1))))), "a log in doubt")
      const install = writing({ snapshot: snapshotOf(9), commit: 9 })
      assert.include(why(yield* Effect.exit(life(harness, install))), "a log in doubt is replaced")
    }))
}
