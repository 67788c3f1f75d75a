/**
 * Snapshots on a disk that fails and loses power at every step of a save and of an install.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { seeded } from "../../src/base/Random.ts"
import { afterSave, afterWrite, type Held, nothingHeld, replacement } from "../../src/storage/JournalModel.ts"
import { entries, head, write } from "../contracts/Journal.ts"
import { partsGiven, partsOf, range, restored, snapshotOf } from "../contracts/Snapshots.ts"
import { journalOn, place, segment, snapshotFile, spare, twoSpares } from "./Scripts.ts"
import { after, crash, drawActions, judge, perform } from "./SnapshotScripts.ts"
import { TestLogDisk } from "./TestLogDisk.ts"

const opened = (disk: TestLogDisk) => {
  const journal = journalOn(disk)
  return Effect.map(journal.open, (found) => ({ journal, found }))
}

const removals = (disk: TestLogDisk, folder: string): number =>
  disk.steps.filter((step) => step.startsWith(`remove ${folder}/`)).length

describe("a journal with snapshots", () => {
  it.effect("comes to what the model says, over many files and lives", () =>
    Effect.gen(function*() {
      const counts = { segments: 0, snapshots: 0 }
      for (let seed = 0; seed < 60; seed++) {
        const disk = new TestLogDisk(seeded(seed))
        disk.isBusy = true
        const actions = drawActions(seeded(seed), 40)
        let held: Held = nothingHeld
        for (let from = 0; from < actions.length; from += 5) {
          const { found, journal } = yield* opened(disk)
          yield* judge(journal, found, [held], `seed ${seed}, action ${from}`)
          const some = actions.slice(from, from + 5)
          const { failed } = yield* perform(journal, some)
          assert.strictEqual(failed.size, 0)
          held = some.reduce(after, held)
        }
        const { found, journal } = yield* opened(disk)
        yield* judge(journal, found, [held], `seed ${seed}, at the end`)
        counts.segments += removals(disk, place.folder)
        counts.snapshots += removals(disk, place.snapshots)
      }
      assert.isAbove(counts.segments, 100)
      assert.isAbove(counts.snapshots, 200)
    }))
})

describe("a crash at any step of a life with snapshots", () => {
  it.effect.each([["the process", false], ["the power", true]] as const)(
    "of %s leaves what was acknowledged, and of what was under way all or nothing",
    ([, power]) =>
      Effect.gen(function*() {
        let crashes = 0
        for (let seed = 0; seed < 15; seed++) {
          const actions = drawActions(seeded(seed), 12)
          for (let step = 0; (yield* crash(actions, { seed, step, power })).failed; step++) crashes++
        }
        assert.isAbove(crashes, 500)
      }),
    60_000
  )
})

/** One op in each file: entries that are too long for two. */
const longEntry = (op: number) => ({ ...entries(op, 1)[0]!, operation: new Uint8Array(4000).fill(op) })
const longWrites = (first: number, last: number) =>
  range(first, last).map((op) => write({ entries: [longEntry(op)], commit: op - 1 }))

/** Ops 1 to 6, each in a file of its own, and snapshots of 2 and 4. */
const filledDisk = Effect.gen(function*() {
  const disk = new TestLogDisk(seeded(1))
  const { journal } = yield* opened(disk)
  yield* journal.write(write({ head: head(1) }))
  for (const one of longWrites(1, 6)) yield* journal.write(one)
  for (const op of [2, 4]) yield* journal.save(snapshotOf(op))
  return { disk, journal }
})
const held: Held = [2, 4].reduce(
  (held, op) => afterSave(held, { op, parts: partsOf(op) }),
  [write({ head: head(1) }), ...longWrites(1, 6)].reduce((held, one) => afterWrite(held, one, "disk"), nothingHeld)
)
const installed = write({ head: head(2), snapshot: snapshotOf(20), entries: entries(21, 1), commit: 20 })

describe("what a save and an install do", () => {
  it.effect("a save: first the file, then its name, then nobody needs what is before the older one", () =>
    Effect.gen(function*() {
      yield* twoSpares
      const { disk, journal } = yield* filledDisk
      const log = [...[1, 2].map(spare), ...range(3, 6).map(segment)]
      assert.deepStrictEqual(disk.names, [place.headFile, ...log, ...[2, 4].map(snapshotFile)])
      disk.steps.length = 0
      yield* journal.save(snapshotOf(5))
      const tmp = `${place.snapshots}/save.tmp`
      assert.deepStrictEqual(disk.steps, [
        `create ${tmp}`,
        `write ${tmp}`,
        `sync ${tmp}`,
        `sync names ${place.snapshots}`,
        "sync names /data",
        `rename ${snapshotFile(5)}`,
        ...[3, 4].map((number) => `remove ${segment(number)}`),
        `remove ${snapshotFile(2)}`
      ])
    }).pipe(Effect.scoped))

  it.effect("an install: first the file, then the write, then its name, then nobody needs what was there", () =>
    Effect.gen(function*() {
      const { disk, journal } = yield* filledDisk
      disk.steps.length = 0
      yield* journal.write(installed)
      const tmp = `${place.snapshots}/install.tmp`
      assert.deepStrictEqual(disk.steps, [
        `create ${tmp}`,
        `write ${tmp}`,
        `sync ${tmp}`,
        `sync names ${place.snapshots}`,
        "sync names /data",
        `write ${spare(1)}`,
        `sync ${spare(1)}`,
        `rename ${segment(7)}`,
        `put ${place.headFile}`,
        `rename ${snapshotFile(20)}`,
        ...range(3, 6).map((number) => `remove ${segment(number)}`),
        ...[2, 4].map((op) => `remove ${snapshotFile(op)}`)
      ])
    }))

  it.effect("a long snapshot is written in pieces, and others have their turn after each part", () =>
    Effect.gen(function*() {
      const { disk, journal } = yield* filledDisk
      disk.steps.length = 0
      const parts = Array.from({ length: 40 }, (_, index) => new Uint8Array(256 * 1024).fill(index))
      const turnsOf = (effect: Effect.Effect<unknown, unknown>) =>
        Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
          let turns = 0
          for (; fiber.pollUnsafe() === undefined; turns++) yield* Effect.yieldNow
          return turns
        })
      assert.isAbove(yield* turnsOf(journal.save(snapshotOf(5, parts))), 30)
      assert.lengthOf(disk.steps.filter((step) => step === `write ${place.snapshots}/save.tmp`), 11)
      assert.isAbove(yield* turnsOf(journal.restore(() => {})), 30)
      assert.isAbove(yield* turnsOf(journalOn(disk).open), 30)
    }))

  it.effect("a save of what is there, nothing", () =>
    Effect.gen(function*() {
      const { disk, journal } = yield* filledDisk
      const before = disk.names
      yield* journal.save(snapshotOf(3))
      assert.deepStrictEqual(disk.names, before)
    }))

  it.effect("a replacement of a log that is not whole: no snapshot is left", () =>
    Effect.gen(function*() {
      const { disk, journal } = yield* filledDisk
      yield* journal.write(replacement(head(1)))
      assert.isFalse(disk.names.some((name) => name.startsWith(place.snapshots)))
      const empty = afterWrite(held, replacement(head(1)), "disk")
      yield* judge(journal, (yield* opened(disk)).found, [empty], "replaced")
    }))
})

describe("a disk that refuses a step", () => {
  it.effect.each([["a save", null], ["an install", installed]] as const)(
    "of %s ends the journal, and the next life finds what was there before, or what was to be",
    ([, write]) =>
      Effect.gen(function*() {
        const next = write === null ? afterSave(held, { op: 5, parts: partsOf(5) }) : afterWrite(held, write, "disk")
        let named = 0
        for (let step = 0, failed = true; failed; step++) {
          const { disk, journal } = yield* filledDisk
          disk.failAt(step)
          const exit = yield* Effect.exit(write === null ? journal.save(snapshotOf(5)) : journal.write(write))
          failed = Exit.isFailure(exit)
          disk.repair()
          if (failed) {
            const error = yield* Effect.flip(journal.save(snapshotOf(6)))
            assert.deepInclude(error, { during: write === null ? "save" : "write" })
            assert.strictEqual(error.message, `${error.file}: no space left on device`)
            assert.deepStrictEqual(yield* Effect.flip(journal.write(longWrites(7, 7)[0]!)), error)
            assert.deepStrictEqual(yield* Effect.flip(journal.open), error)
          }
          const again = yield* opened(disk)
          yield* judge(again.journal, again.found, failed ? [held, next] : [next], `step ${step}`)
          if (again.found.snapshot === next.snapshot) named++
        }
        assert.isAbove(named, 2)
      })
  )

  /** Nearly full: the head file fits just so. */
  const fill = (disk: TestLogDisk) => {
    disk.room_bytes = disk.used_bytes + disk.content(place.headFile).length
  }
  const tooLong = range(1, 20).map(() => new Uint8Array(100))

  it.effect.each([["a save", null], ["an install", write({ snapshot: snapshotOf(20, tooLong), commit: 20 })]] as const)(
    "since it is full, of %s, is no fuller than before, and has no spares: the others on it go on, and the replica can be started",
    ([, install]) =>
      Effect.gen(function*() {
        const { disk, journal } = yield* filledDisk
        const before = disk.names
        fill(disk)
        const error = yield* Effect.flip(install === null ? journal.save(snapshotOf(5, tooLong)) : journal.write(install))
        assert.match(error.message, /(save|install)\.tmp: no space left on device$/)
        assert.deepStrictEqual(disk.names, before.filter((name) => !name.endsWith(".spare")))
        const again = yield* opened(disk)
        yield* judge(again.journal, again.found, [held], "after that")
      })
  )

  it.effect("since it is full, gets room when the next life begins, before that needs any", () =>
    Effect.gen(function*() {
      yield* twoSpares
      const { disk, journal } = yield* filledDisk
      const old = disk.content(snapshotFile(2))
      yield* journal.save(snapshotOf(5))
      fill(disk)
      const files = ["save.tmp", "install.tmp"].map((name) => `${place.snapshots}/${name}`)
      for (const file of files) disk.change(file, new Uint8Array(1000))
      disk.change(snapshotFile(2), old)
      disk.steps.length = 0
      const again = yield* opened(disk)
      yield* judge(again.journal, again.found, [afterSave(held, { op: 5, parts: partsOf(5) })], "with room")
      const names = disk.steps.filter((step) => /^(put|remove|rename) /.test(step))
      assert.sameMembers(names.slice(0, 4), [...[1, 2].map(spare), ...files].map((file) => `remove ${file}`))
      assert.deepStrictEqual(names.slice(4), [`remove ${snapshotFile(2)}`, `put ${place.headFile}`])
    }).pipe(Effect.scoped))

  it.effect("of opening is an error, and what was begun is finished later", () =>
    Effect.gen(function*() {
      for (let step = 0, failed = true; failed; step++) {
        const { disk, journal } = yield* filledDisk
        // Everything is durable, and nothing has its name.
        disk.failAt(9)
        yield* Effect.exit(journal.write(installed))
        disk.repair()
        disk.failAt(step)
        const exit = yield* Effect.exit(opened(disk))
        failed = Exit.isFailure(exit)
        disk.repair()
        const again = yield* opened(disk)
        yield* judge(again.journal, again.found, [afterWrite(held, installed, "disk")], `step ${step}`)
        assert.deepStrictEqual(disk.names, [place.headFile, segment(7), snapshotFile(20)])
      }
    }))
})

it.effect("a snapshot that someone removed while it was written is not taken for one that was saved", () =>
  Effect.gen(function*() {
    const { disk, journal } = yield* filledDisk
    const tmp = `${place.snapshots}/save.tmp`
    const error = yield* Effect.flip(journal.save({ ...snapshotOf(5), read: () => partsGiven(() => (disk.change(tmp, null), null)) }))
    assert.deepInclude(error, { during: "save", message: `${tmp}: no such file or directory` })
    const again = yield* opened(disk)
    yield* judge(again.journal, again.found, [held], "after that")
  }))

it.effect("a journal that is opened again, and is in doubt now, has no snapshot", () =>
  Effect.gen(function*() {
    const { disk, journal } = yield* filledDisk
    for (const op of [2, 4]) disk.change(snapshotFile(op), null)
    const { doubt } = yield* journal.open
    assert.strictEqual(doubt, `the log in ${place.folder} begins behind op 2, and no snapshot has what came before`)
    assert.include(String(yield* Effect.exit(journal.restore(() => {}))), "there is a snapshot to restore")
  }))

describe("a log that was shortened", () => {
  it.effect("has the promise, should the head file be damaged", () =>
    Effect.gen(function*() {
      const { disk } = yield* filledDisk
      const bytes = disk.content(place.headFile).slice()
      bytes[300]! ^= 1
      disk.change(place.headFile, bytes)
      const { found } = yield* opened(disk)
      assert.isString(found.doubt)
      assert.deepStrictEqual(found.head, head(1))
    }))

  it.effect("takes a cut, in a later file, of what was in files that are gone", () =>
    Effect.gen(function*() {
      yield* twoSpares
      const disk = new TestLogDisk(seeded(1))
      const { journal } = yield* opened(disk)
      const other = (op: number) => ({ ...longEntry(op), view: 1 })
      for (const one of longWrites(1, 6).map((one) => ({ ...one, commit: 0 }))) yield* journal.write(one)
      yield* journal.write(write({ truncate_to: 1, entries: range(2, 9).map(other), commit: 8 }))
      for (const op of [6, 8]) yield* journal.save(snapshotOf(op))
      // That file says that op 6 came before it.
      const log = [...[1, 2].map(spare), segment(7)]
      assert.deepStrictEqual(disk.names, [place.headFile, ...log, snapshotFile(6), snapshotFile(8)])
      const { found } = yield* opened(disk)
      assert.deepStrictEqual([found.base, found.snapshot, found.entries], [1, 8, range(2, 9).map(other)])
    }).pipe(Effect.scoped))

  it.effect("stays as short as its snapshots let it", () =>
    Effect.gen(function*() {
      const disk = new TestLogDisk(seeded(1))
      const { journal } = yield* opened(disk)
      for (const op of range(1, 40)) {
        for (const one of longWrites(op, op)) yield* journal.write(one)
        if (op % 4 === 0) yield* journal.save(snapshotOf(op))
        assert.isAtMost(disk.names.length, 1 + 2 + 8)
      }
      assert.deepStrictEqual(yield* restored(journal), partsOf(40))
    }))
})
