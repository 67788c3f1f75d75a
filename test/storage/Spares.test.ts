/**
 * Segments that are used again, on a disk that fails and loses power at every step: what was in such a file before never
 * comes back, and what is in it now is there whole or not at all.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Limits } from "../../src/base/Limits.ts"
import { type Random, seeded } from "../../src/base/Random.ts"
import { foundIn, type Held, lastOp, nothingHeld, replacement } from "../../src/storage/JournalModel.ts"
import { logFiles } from "../../src/storage/LogInspectionLive.ts"
import { DiskError } from "../../src/storage/log/LogDisk.ts"
import { head, write } from "../contracts/Journal.ts"
import { range, snapshotOf } from "../contracts/Snapshots.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { below, drawWrite, entryOf, journalOn, longWrite, place, segment, small, spare, twoSpares } from "./Scripts.ts"
import { type Action, after, crash, judge, perform } from "./SnapshotScripts.ts"
import { TestLogDisk } from "./TestLogDisk.ts"

const opened = (disk: TestLogDisk) => {
  const journal = journalOn(disk)
  return Effect.map(journal.open, (found) => ({ journal, found }))
}

const sparesOf = (disk: TestLogDisk) => disk.names.filter((name) => name.endsWith(".spare"))

/** Ops 1 to 6, each in a file of its own, and snapshots of 2 and 4: files 1 and 2 are spares. */
const filledDisk = Effect.gen(function*() {
  const disk = new TestLogDisk(seeded(1))
  const { journal } = yield* opened(disk)
  yield* journal.write(write({ head: head(1) }))
  for (const op of range(1, 6)) yield* journal.write(longWrite(op))
  for (const op of [2, 4]) yield* journal.save(snapshotOf(op))
  disk.steps.length = 0
  return { disk, journal }
})

describe("a segment that a snapshot replaced", () => {
  it.effect("gets another name first, then it is made zeros, then it is the next segment, without anything else", () =>
    Effect.gen(function*() {
      const disk = new TestLogDisk(seeded(1))
      const { journal } = yield* opened(disk)
      for (const op of range(1, 6)) yield* journal.write(longWrite(op))
      yield* journal.save(snapshotOf(2))
      disk.steps.length = 0
      yield* journal.save(snapshotOf(4))
      const one = (file: string) => [`write ${file}`, `sync ${file}`]
      const steps = disk.steps.slice(disk.steps.findIndex((step) => step.includes(".spare")))
      const both = [spare(1), spare(2)]
      assert.deepStrictEqual(steps, [...both.map((file) => `rename ${file}`), ...both.flatMap(one)])
      for (const number of [1, 2]) assert.isTrue(disk.content(spare(number)).every((byte) => byte === 0))
      disk.steps.length = 0
      yield* journal.write(longWrite(7))
      assert.deepStrictEqual(disk.steps, [...one(spare(1)), `rename ${segment(7)}`, `put ${place.headFile}`])
      assert.lengthOf(disk.content(segment(7)), small.segment_bytes_max)
      yield* journal.write(longWrite(8))
      disk.steps.length = 0
      // There is no other one, so all is as it was without.
      yield* journal.write(longWrite(9))
      assert.deepStrictEqual(disk.steps, [`put ${segment(9)}`, `put ${place.headFile}`])
    }))

  it.effect("is used again as a whole, so that a cut shows", () =>
    Effect.gen(function*() {
      const { disk, journal } = yield* filledDisk
      yield* journal.write(longWrite(7, 900))
      const first = disk.content(segment(7)).slice()
      disk.change(segment(7), first.slice(0, 4096))
      assert.include((yield* opened(disk)).found.doubt, "was durable")
    }))

  it.effect("does not grow when it is used again, and knows as much of what is durable as one that grew", () =>
    Effect.gen(function*() {
      const { disk, journal } = yield* filledDisk
      yield* journal.write(longWrite(7, 900))
      for (const op of range(8, 11)) yield* journal.write(longWrite(op, 800))
      assert.isFalse(disk.steps.some((step) => step.startsWith("grow") || step.startsWith("remove")))
      assert.lengthOf(disk.steps.filter((step) => step === `write ${segment(7)}`), 4 + 1)
      const whole = disk.content(segment(7)).slice()
      for (const size of [2048, 4096]) {
        disk.change(segment(7), whole.slice(0, size))
        assert.include((yield* opened(disk)).found.doubt, "was durable")
        disk.change(segment(7), whole.slice().fill(0, size))
        assert.include((yield* opened(disk)).found.doubt, "was durable")
      }
    }))

  it.effect("is removed if it is smaller or larger than usual, or if there are enough", () =>
    Effect.gen(function*() {
      yield* twoSpares
      const disk = new TestLogDisk(seeded(1))
      const { journal } = yield* opened(disk)
      const sizes = [4000, 2500, 9000, 4000, 4000, 4000, 4000]
      yield* journal.write(write({ head: head(1), entries: [entryOf(1, 1500)] }))
      for (const [index, size] of sizes.entries()) yield* journal.write(longWrite(index + 2, size))
      assert.deepStrictEqual([1, 2, 3, 4].map((number) => disk.content(segment(number)).length), [4096, 6144, 4096, 10_240])
      disk.steps.length = 0
      for (const op of [7, 8]) yield* journal.save(snapshotOf(op))
      const removed = disk.steps.filter((step) => step.startsWith("remove") && step.endsWith(".log"))
      assert.deepStrictEqual(removed, [1, 3, 4, 6, 7].map((number) => `remove ${segment(number)}`))
      assert.deepStrictEqual(sparesOf(disk), [2, 5].map(spare))
      assert.lengthOf(sparesOf(disk), Limits.journal_spares_max)
    }).pipe(Effect.scoped))

  it.effect("is kept however many one replaces, so that a log that goes on as it did makes no file and removes none", () =>
    Effect.gen(function*() {
      const disk = new TestLogDisk(seeded(1))
      const { journal } = yield* opened(disk)
      let op = 0
      const interval = (writes: number) =>
        Effect.gen(function*() {
          disk.steps.length = 0
          for (let i = 0; i < writes; i++) yield* journal.write(longWrite(++op))
          yield* journal.save(snapshotOf(op))
          return disk.steps.filter((step) => /^(remove|put) .*[.](log|spare)$/.test(step)).length
        })
      for (let i = 0; i < 3; i++) yield* interval(12)
      const most = disk.names.length
      for (let i = 0; i < 3; i++) {
        assert.deepStrictEqual([yield* interval(12), disk.names.length, sparesOf(disk).length], [0, most, 12])
      }
      // It becomes a slow one.
      yield* interval(2)
      assert.lengthOf(sparesOf(disk), 13)
      yield* interval(2)
      assert.lengthOf(sparesOf(disk), 3)
      assert.strictEqual(yield* interval(2), 0)
    }))

  it.effect("is not for a write that is longer than it", () =>
    Effect.gen(function*() {
      const { disk, journal } = yield* filledDisk
      yield* journal.write(longWrite(7, 9000))
      assert.deepStrictEqual(sparesOf(disk), [1, 2].map(spare))
      yield* journal.write(longWrite(8))
      assert.deepStrictEqual(sparesOf(disk), [spare(2)])
    }))

  it.effect("is removed when the log is opened, whatever is in it, and is nobody's when it is looked at", () =>
    Effect.gen(function*() {
      const { disk } = yield* filledDisk
      // As a crash left it that came before its first write had been acknowledged, or before it was made zeros.
      disk.change(spare(1), disk.content(segment(6)))
      disk.change(spare(2), disk.content(segment(3)))
      const log = range(3, 6).map((number) => `0000000${number}.log`)
      assert.deepStrictEqual((yield* logFiles(disk, place.folder, true))?.names, log)
      const { found } = yield* opened(disk)
      assert.deepStrictEqual([found.doubt, lastOp(found)], [null, 6])
      assert.deepStrictEqual(sparesOf(disk), [])
    }))

  it.effect("is none any more when the journal is opened again", () =>
    Effect.gen(function*() {
      const { disk, journal } = yield* filledDisk
      yield* journal.open
      assert.deepStrictEqual(sparesOf(disk), [])
      yield* journal.write(longWrite(7))
      assert.include(disk.steps, `put ${segment(7)}`)
    }))

  it.effect("goes aside with a log that is in doubt, untouched, and the new log begins without", () =>
    Effect.gen(function*() {
      const { disk } = yield* filledDisk
      const bytes = disk.content(segment(4)).slice()
      bytes[1100]! ^= 1
      disk.change(segment(4), bytes)
      const { found, journal } = yield* opened(disk)
      assert.isString(found.doubt)
      assert.deepStrictEqual(sparesOf(disk), [1, 2].map(spare))
      yield* journal.write(replacement(head(1)))
      assert.deepStrictEqual(sparesOf(disk), [1, 2].map((number) => spare(number).replace(".log/", ".log.1.damaged/")))
      yield* journal.write(write({ truncate_to: 0, head: head(2) }))
      for (const op of range(1, 3)) yield* journal.write(longWrite(op))
      assert.deepInclude((yield* opened(disk)).found, { doubt: null, head: head(2) })
    }))
})

describe("a spare that is being made zeros", () => {
  /** What is to be made zeros takes many turns. */
  const many = { segment_bytes_max: 40 * Limits.journal_zeros_bytes, step_bytes: 40 * Limits.journal_zeros_bytes }
  const filled = Effect.gen(function*() {
    const disk = new TestLogDisk(seeded(1))
    const journal = journalOn(disk, many)
    yield* journal.open
    yield* journal.write(write({ head: head(1) }))
    const long = new Uint8Array(24 * Limits.journal_zeros_bytes)
    const one = (op: number) => write({ entries: [{ ...entryOf(op, 0), operation: long }], commit: op - 1 })
    for (const op of range(1, 4)) yield* journal.write(one(op))
    yield* journal.save(snapshotOf(1))
    disk.isBusy = true
    disk.steps.length = 0
    const kept: Array<number> = []
    const saving = yield* Effect.forkChild(journal.save(snapshotOf(3), ({ op }) => kept.push(op)))
    while (disk.steps.filter((step) => step === `sync ${spare(1)}`).length < 5) yield* Effect.yieldNow
    return { disk, journal, kept, one, saving }
  })
  const zeroed = (disk: TestLogDisk, number: number) =>
    disk.steps.filter((step) => step === `sync ${spare(number)}`).length

  it.effect("holds up no write, and is not used by one", () =>
    Effect.gen(function*() {
      const { disk, journal, kept, one, saving } = yield* filled
      yield* journal.write(one(5))
      assert.isUndefined(saving.pollUnsafe())
      assert.deepStrictEqual(kept, [3], "nothing needs the snapshot any more")
      assert.include(disk.steps, `put ${segment(5)}`)
      yield* Fiber.join(saving)
      assert.strictEqual(zeroed(disk, 1), 40)
      yield* journal.write(one(6))
      assert.include(disk.steps, `rename ${segment(6)}`)
    }))

  it.effect("is left as it is when the journal is closed, and removed when it is opened", () =>
    Effect.gen(function*() {
      const { disk, journal } = yield* filled
      yield* journal.close
      assert.isBelow(zeroed(disk, 1), 20)
      assert.isFalse(disk.content(spare(1)).every((byte) => byte === 0))
      yield* journal.open
      assert.deepStrictEqual(sparesOf(disk), [])
    }))

  it.effect("is made zeros when the next segment begins if the save is interrupted, and not used before", () =>
    Effect.gen(function*() {
      const { disk, journal, one, saving } = yield* filled
      yield* Fiber.interrupt(saving)
      disk.steps.length = 0
      yield* journal.write(one(5))
      assert.include(disk.steps, `put ${segment(5)}`)
      while (zeroed(disk, 1) < 40) yield* Effect.yieldNow
      yield* journal.write(one(6))
      assert.include(disk.steps, `rename ${segment(6)}`)
    }))

  it.effect("is one of a few that are ready: others follow as segments begin, and none of that holds up a save", () =>
    Effect.gen(function*() {
      const disk = new TestLogDisk(seeded(1))
      const { journal } = yield* opened(disk)
      for (const op of range(1, 24)) yield* journal.write(longWrite(op))
      yield* journal.save(snapshotOf(12))
      disk.steps.length = 0
      yield* journal.save(snapshotOf(20))
      const erased = () => new Set(disk.steps.filter((step) => /^sync .*spare$/.test(step))).size
      assert.deepStrictEqual([sparesOf(disk).length, erased()], [12, Limits.journal_spares_ready])
      for (const op of range(25, 34)) yield* journal.write(longWrite(op))
      assert.deepStrictEqual([sparesOf(disk).length, erased()], [2, 12])
    }))

  it.effect("may be given up meanwhile, and others may come: all that are there are known, and the log goes on", () =>
    Effect.gen(function*() {
      yield* Effect.acquireRelease(Effect.sync(() => squeeze({ journal_zeros_bytes: 256 })), (release) => Effect.sync(release))
      const disk = new TestLogDisk(seeded(1))
      const { journal } = yield* opened(disk)
      let op = 0
      for (const writes of [9, 9, 9, 1, 1, 7, 1, 1, 1, 6, 6, 1, 9, 2, 2, 9, 9, 1, 1, 9]) {
        disk.isBusy = true
        for (let i = 0; i < writes; i++) yield* journal.write(longWrite(++op))
        yield* journal.save(snapshotOf(op))
      }
      disk.isBusy = false
      for (let i = 0; i < 1_000; i++) yield* Effect.yieldNow
      const spares = journal["segments"]["spares"]
      assert.sameMembers(sparesOf(disk), [...spares["ready"], ...spares["used"], ...spares["useless"]].map(spare))
      for (const number of spares["ready"]) assert.isTrue(disk.content(spare(number)).every((byte) => byte === 0))
      for (let i = 0; i < 12; i++) yield* journal.write(longWrite(++op))
      assert.isNull(journal.failed)
    }).pipe(Effect.scoped))

  it.effect("stops at once when the log has failed", () =>
    Effect.gen(function*() {
      const { disk, journal, one, saving } = yield* filled
      disk.failAt(0, "input/output error")
      const error = yield* Effect.flip(journal.write(one(5)))
      assert.include(error.message, "input/output error")
      yield* Fiber.await(saving)
      assert.isBelow(zeroed(disk, 1), 20)
    }))

  it.effect("is removed if it cannot be overwritten, and the replica goes on: a full disk that copies what is changed", () =>
    Effect.gen(function*() {
      const disk = new TestLogDisk(seeded(1))
      const open = disk.open.bind(disk)
      const full = (path: string) => Effect.fail(new DiskError({ file: path, reason: "no space left on device" }))
      disk.open = (path) => Effect.map(open(path), (file) =>
        path.endsWith(".spare") ? { ...file, read: file.read, close: file.close, writeThrough: () => full(path) } : file)
      const journal = journalOn(disk)
      yield* journal.open
      yield* journal.write(write({ head: head(1) }))
      for (const op of range(1, 6)) yield* journal.write(longWrite(op))
      yield* journal.save(snapshotOf(2))
      yield* journal.save(snapshotOf(4))
      yield* journal.write(longWrite(7))
      assert.isEmpty((yield* disk.list(place.folder)).filter((name) => name.endsWith(".spare")))
      for (const number of [1, 2]) assert.include(disk.steps.join(), `remove ${spare(number)}`)
    }))
})

/** Long writes, some with a head or a cut, and many saves of what is committed: files come and go. */
const drawBusyLife = (random: Random, count: number): ReadonlyArray<Action> => {
  let held: Held = nothingHeld
  return Array.from({ length: count }, (_, index): Action => {
    const op = held.commit
    const saves = index % 3 === 2 && op > (held.snapshot ?? 0)
    const action: Action = saves ? { _tag: "Save", op, waits: random.next() < 0.3 } : { _tag: "Write", write: drawLong(random, held) }
    held = after(held, action)
    return action
  })
}

const drawLong = (random: Random, held: Held) => {
  const { head: next, truncate_to } = drawWrite(random, foundIn(held))
  const last = truncate_to ?? lastOp(held)
  const added = range(last + 1, last + 1 + below(random, 2)).map((op) => entryOf(op, 500 + below(random, 2200)))
  return { head: next, snapshot: null, truncate_to, entries: added, commit: last + added.length - below(random, 2) }
}

describe("a crash at any step of a life in which files are used again", () => {
  it.effect.each([["the process", false], ["the power", true]] as const)(
    "of %s leaves what was acknowledged, and of what was under way all or nothing",
    ([, power]) =>
      Effect.gen(function*() {
        const cuts = new Map<string, number>()
        let used = 0
        for (let seed = 0; seed < 3; seed++) {
          const actions = drawBusyLife(seeded(seed), 36)
          for (let step = 0, failed = true; failed; step++) {
            const outcome = yield* crash(actions, { seed, step, power })
            failed = outcome.failed
            const cut = outcome.cut.replace(/^(\w+) .*\/(?:\d+)?(\D*)$/, "$1 $2")
            cuts.set(cut, (cuts.get(cut) ?? 0) + 1)
            if (!failed) used += outcome.steps.filter((step) => /^rename .*\d\.log$/.test(step)).length
          }
        }
        // Of the life, every kind of step was cut short, and often.
        for (const kind of ["rename .spare", "write .spare", "sync .spare", "rename .log"]) {
          assert.isAbove(cuts.get(kind) ?? 0, 20, JSON.stringify([...cuts]))
        }
        assert.isAbove(used, 20)
      }),
    120_000
  )

  it.effect("comes to what the model says, over many lives", () =>
    Effect.gen(function*() {
      let used = 0
      for (let seed = 0; seed < 20; seed++) {
        const disk = new TestLogDisk(seeded(seed))
        disk.isBusy = true
        const actions = drawBusyLife(seeded(seed), 80)
        let held: Held = nothingHeld
        for (let from = 0; from < actions.length; from += 20) {
          const { found, journal } = yield* opened(disk)
          yield* judge(journal, found, [held], `seed ${seed}, action ${from}`)
          const some = actions.slice(from, from + 20)
          assert.strictEqual((yield* perform(journal, some)).failed.size, 0)
          held = some.reduce(after, held)
        }
        const { found, journal } = yield* opened(disk)
        yield* judge(journal, found, [held], `seed ${seed}, at the end`)
        used += disk.steps.filter((step) => /^rename .*\d\.log$/.test(step)).length
      }
      assert.isAbove(used, 100)
    }))
})
