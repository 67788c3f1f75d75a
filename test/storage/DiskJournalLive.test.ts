/**
 * The write-ahead log on a disk that fails and loses power at every step.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { seeded } from "../../src/base/Random.ts"
import type { DiskJournal } from "../../src/storage/DiskJournalLive.ts"
import type { JournalWrite, Stored } from "../../src/storage/Journal.ts"
import { afterWrite, foundIn, nothingStored, replacement } from "../../src/storage/JournalModel.ts"
import { entries, head, write } from "../contracts/Journal.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { drawScript, drawWrite, journalOn, place, segment } from "./Scripts.ts"
import { TestLogDisk } from "./TestLogDisk.ts"

/** Writes until one fails. How many did not? */
const writeAll = (journal: DiskJournal, writes: ReadonlyArray<JournalWrite>) =>
  Effect.gen(function*() {
    for (const [index, write] of writes.entries()) {
      if (Exit.isFailure(yield* Effect.exit(journal.write(write)))) return index
    }
    return writes.length
  })

const opened = (disk: TestLogDisk) => {
  const journal = journalOn(disk)
  return Effect.map(journal.open, (found) => ({ journal, found }))
}
const long = (op: number, bytes: number) => ({ ...entries(op, 1)[0]!, operation: new Uint8Array(bytes).fill(op) })
const withPieces = (file_piece_bytes: number) =>
  Effect.acquireRelease(Effect.sync(() => squeeze({ file_piece_bytes })), (release) => Effect.sync(release))
const withoutNotes = (stored: Stored): Stored => ({ ...stored, notes: [] })

describe("a log", () => {
  it.effect("comes to what the model says, over many files and lives", () =>
    Effect.gen(function*() {
      let cuts = 0
      for (let seed = 0; seed < 40; seed++) {
        const disk = new TestLogDisk(seeded(seed))
        const { stored, writes } = drawScript(seeded(seed), 30)
        for (const [index, write] of writes.entries()) {
          const { found, journal } = yield* opened(disk)
          assert.deepStrictEqual(found, stored[index], `seed ${seed}, write ${index}`)
          yield* journal.write(write)
          cuts += write.truncate_to === null ? 0 : 1
        }
        assert.deepStrictEqual((yield* opened(disk)).found, stored.at(-1))
        assert.isAbove(disk.names.length, 3)
      }
      assert.isAbove(cuts, 100)
    }))

  it.effect("takes a cut that reaches into the file before", () =>
    Effect.gen(function*() {
      const disk = new TestLogDisk(seeded(1))
      const { journal } = yield* opened(disk)
      const long = entries(1, 9).map((entry) => ({ ...entry, operation: new Uint8Array(1500).fill(entry.op) }))
      yield* writeAll(journal, [{ ...write({}), head: head(0) }, ...long.map((entry) => write({ entries: [entry] }))])
      assert.include(disk.names, segment(3))
      const other = entries(3, 1)
      yield* journal.write(write({ head: head(1), truncate_to: 2, entries: other }))
      const expected = { ...nothingStored, head: head(1), entries: [...long.slice(0, 2), ...other] }
      assert.deepStrictEqual((yield* opened(disk)).found, expected)
    }))

  it.effect("takes a write that is longer than a file may get", () =>
    Effect.gen(function*() {
      const disk = new TestLogDisk(seeded(1))
      const { journal } = yield* opened(disk)
      const long = entries(1, 2).map((entry) => ({ ...entry, operation: new Uint8Array(9000).fill(entry.op) }))
      yield* writeAll(journal, [write({ head: head(0) }), write({ entries: long }), write({ entries: entries(3, 1) })])
      const expected = { ...nothingStored, head: head(0), entries: [...long, ...entries(3, 1)] }
      assert.deepStrictEqual((yield* opened(disk)).found, expected)
      assert.deepStrictEqual(disk.names, [place.headFile, segment(1), segment(2), segment(3)])
    }))

  it.effect("costs one write and one sync, and with a new head a small file", () =>
    Effect.gen(function*() {
      const disk = new TestLogDisk(seeded(1))
      const { journal } = yield* opened(disk)
      yield* journal.write(write({ head: head(0) }))
      disk.steps.length = 0
      yield* journal.write(write({ entries: entries(1, 3) }))
      assert.deepStrictEqual(disk.steps, [`write ${segment(1)}`, `sync ${segment(1)}`])
      yield* journal.write(write({ head: head(1) }))
      assert.deepStrictEqual(disk.steps.slice(2), [`write ${segment(1)}`, `sync ${segment(1)}`, `put ${place.headFile}`])
      disk.steps.length = 0
      yield* journal.write(write({ commit: 3 }))
      assert.deepStrictEqual(disk.steps, [])
      yield* journal.write(write({ entries: [{ ...entries(4, 1)[0]!, operation: new Uint8Array(1500) }] }))
      assert.deepStrictEqual(disk.steps.map((step) => step.split(" ")[0]), ["grow", "write", "sync", "write", "sync"])
    }))

  it.effect("grows by the batch up to the next piece, and then by whole ones", () =>
    Effect.gen(function*() {
      yield* withPieces(512)
      const disk = new TestLogDisk(seeded(1))
      const { journal } = yield* opened(disk)
      yield* journal.write(write({ head: head(0), entries: [long(1, 100)] }))
      disk.steps.length = 0
      disk.writes.length = 0
      yield* journal.write(write({ entries: [long(2, 1000)] }))
      const steps = disk.steps.map((step) => step.split(" ")[0])
      assert.deepStrictEqual(steps, ["grow", "write", "write", "write", "write", "sync", "write", "sync"])
      const [first, ...rest] = disk.writes.slice(0, 4)
      assert.deepStrictEqual(rest, [{ at: 2560, length: 512 }, { at: 3072, length: 512 }, { at: 3584, length: 512 }])
      assert.strictEqual(first!.at + first!.length, 2560)
      const { entries } = (yield* opened(disk)).found
      assert.deepStrictEqual(entries, [long(1, 100), long(2, 1000)])
    }))
})

describe("a crash at any step of a life", () => {
  /** Fails after `step` steps, twice if need be; then all that was acknowledged is there. Did it fail at all? */
  const crash = Effect.fnUntraced(function*(seed: number, step: number, power: boolean) {
    const random = seeded(seed * 1000 + step)
    const disk = new TestLogDisk(random)
    const { stored, writes } = drawScript(seeded(seed), 10)
    const restart = () => power ? disk.losePower() : disk.repair()
    const first = yield* opened(disk)
    disk.failAt(step)
    const acknowledged = yield* writeAll(first.journal, writes)
    restart()
    // Opening may be cut short as well.
    disk.failAt(Math.floor(random.next() * 6))
    yield* Effect.exit(opened(disk))
    restart()
    const { found, journal } = yield* opened(disk)
    const legal = stored.slice(acknowledged, acknowledged + 2)
    const said = `seed ${seed}, step ${step}, power ${power}, after ${acknowledged} writes`
    assert.isNull(found.doubt, said)
    assert.deepInclude(legal, withoutNotes(found), said)
    // What was found is durable now, and the log goes on from there.
    disk.losePower()
    const again = yield* opened(disk)
    assert.deepStrictEqual(again.found, withoutNotes(found), said)
    const more = drawWrite(random, again.found)
    yield* journal.close
    yield* again.journal.write(more)
    disk.losePower()
    const after = (yield* opened(disk)).found
    assert.deepStrictEqual(after, foundIn(afterWrite({ ...again.found, kept: [] }, more, "disk")), said)
    return { failed: acknowledged < writes.length, torn: found.notes.length > 0 }
  })

  it.effect.each([["the process", false], ["the power", true]] as const)(
    "of %s leaves what was acknowledged, and of the write under way all or nothing",
    ([, power]) =>
      Effect.gen(function*() {
        let torn = 0
        for (let seed = 0; seed < 40; seed++) {
          let failed = true
          for (let step = 0; failed; step++) {
            // What grows is many writes, or one.
            const outcome = yield* Effect.scoped(Effect.andThen(withPieces(seed % 2 === 0 ? 2048 : 300), crash(seed, step, power)))
            failed = outcome.failed
            torn += outcome.torn ? 1 : 0
          }
        }
        assert.isAbove(torn, 30)
      })
  )
})

describe("a disk that refuses", () => {
  it.effect.each([["no space left on device", false], ["i/o error", true]] as const)(
    "a step of a write (%s) ends the journal, and the next life (unsynced bytes lost: %s) finds what was acknowledged",
    ([reason, power]) =>
      Effect.gen(function*() {
        const { stored, writes } = drawScript(seeded(3), 12)
        for (let step = 0, failed = true; failed; step++) {
          const disk = new TestLogDisk(seeded(step))
          const { journal } = yield* opened(disk)
          disk.failAt(step, reason)
          const acknowledged = yield* writeAll(journal, writes)
          failed = acknowledged < writes.length
          if (power) disk.losePower()
          else disk.repair()
          if (!failed) continue
          const error = yield* Effect.flip(journal.write(writes[acknowledged]!))
          assert.strictEqual(error.during, "write")
          assert.strictEqual(error.message, `${error.file}: ${reason}`)
          assert.isTrue(error.file.startsWith("/data/r1@dev1."), error.file)
          assert.deepStrictEqual(yield* Effect.flip(journal.open), error)
          const { found } = yield* opened(disk)
          assert.deepInclude(stored.slice(acknowledged, acknowledged + 2), withoutNotes(found), `step ${step}`)
        }
      })
  )

  it.effect("to open is an error, not a doubt", () =>
    Effect.gen(function*() {
      const disk = new TestLogDisk(seeded(1))
      const first = yield* opened(disk)
      yield* writeAll(first.journal, drawScript(seeded(1), 5).writes)
      for (let step = 0, failed = true; failed; step++) {
        disk.failAt(step, "input/output error")
        const exit = yield* Effect.exit(opened(disk))
        failed = Exit.isFailure(exit)
        disk.repair()
      }
      assert.isNull((yield* opened(disk)).found.doubt)
    }))
})

describe("a replacement", () => {
  it.effect.each([["the log", false], ["the head file", true]] as const)(
    "of damage in %s, cut short at any step, leaves doubt or an empty log that is not whole; the damage stays aside",
    ([, inHeadFile]) =>
      Effect.gen(function*() {
        const file = inHeadFile ? place.headFile : segment(1)
        for (const power of [false, true]) {
          for (let step = 0, failed = true; failed; step++) {
            const disk = new TestLogDisk(seeded(step))
            const one = yield* opened(disk)
            yield* writeAll(one.journal, [write({ head: head(4, 3), entries: entries(1, 2) }), write({ head: head(5, 3) })])
            const damaged = disk.content(file).slice()
            damaged[inHeadFile ? 300 : 1100]! ^= 1
            disk.change(file, damaged)
            const two = yield* opened(disk)
            assert.isString(two.found.doubt)
            disk.failAt(step)
            failed = Exit.isFailure(yield* Effect.exit(two.journal.write(replacement(two.found.head!))))
            if (power) disk.losePower()
            else disk.repair()
            const three = yield* opened(disk)
            const { doubt, head: promise } = three.found
            assert.deepStrictEqual(three.found.entries, [])
            assert.strictEqual(promise?.view, 5, `step ${step}`)
            assert.isTrue(doubt !== null || promise?.whole === false, `step ${step}`)
            yield* three.journal.write(replacement(promise!))
            const empty = { ...nothingStored, head: head(5, 3, { whole: false }) }
            assert.deepStrictEqual((yield* opened(disk)).found, empty)
            const aside = disk.names.filter((name) => name.includes(".damaged"))
            assert.isTrue(aside.some((name) => disk.content(name).every((byte, at) => byte === damaged[at])), `step ${step}`)
          }
        }
      })
  )

  it.effect("of one that was replaced before keeps both aside", () =>
    Effect.gen(function*() {
      const disk = new TestLogDisk(seeded(1))
      for (let time = 0; time < 2; time++) {
        const one = yield* opened(disk)
        yield* writeAll(one.journal, [write({ head: head(time + 1) }), write({ entries: entries(1, 1) })])
        const bytes = disk.content(segment(1)).slice()
        bytes[1030]! ^= 1
        disk.change(segment(1), bytes)
        const two = yield* opened(disk)
        yield* two.journal.write(replacement(two.found.head!))
        yield* two.journal.write(write({ truncate_to: 0, head: head(time + 1) }))
      }
      assert.deepStrictEqual(disk.names, [
        place.headFile,
        "/data/r1@dev1.log.1.damaged/00000001.log",
        "/data/r1@dev1.log.2.damaged/00000001.log",
        segment(1)
      ])
    }))
})
