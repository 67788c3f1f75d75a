/**
 * The head file of a new segment is written beside the writes: on a disk on which others have their turn, that fails and
 * loses power, it is never newer than the log, never older than a promise, and never missed when it fails.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { seeded } from "../../src/base/Random.ts"
import { decodeHeadFile } from "../../src/storage/HeadFileLive.ts"
import { Journals } from "../../src/storage/Journal.ts"
import { lastOp } from "../../src/storage/JournalModel.ts"
import * as JournalsLive from "../../src/storage/JournalsLive.ts"
import { head, own, write } from "../contracts/Journal.ts"
import { range } from "../contracts/Snapshots.ts"
import { journalOn, longWrite, place, small } from "./Scripts.ts"
import { TestLogDisk } from "./TestLogDisk.ts"

const opened = (disk: TestLogDisk) => {
  const journal = journalOn(disk)
  return Effect.map(journal.open, (found) => ({ journal, found }))
}

describe("the head file of a new segment", () => {
  const decoded = (disk: TestLogDisk) => {
    const found = decodeHeadFile(disk.content(place.headFile), place, "disk")
    assert.isFalse("reason" in found)
    return "reason" in found ? null : found
  }

  /** All that is about to happen has happened then. */
  const turns = Effect.forEach(range(1, 9), () => Effect.yieldNow, { discard: true })

  it.effect("is written beside the writes, and never over that of a promise", () =>
    Effect.gen(function*() {
      let late = 0
      for (let seed = 0; seed < 300; seed++) {
        const disk = new TestLogDisk(seeded(seed))
        const { journal } = yield* opened(disk)
        yield* journal.write(write({ head: head(1) }))
        disk.isBusy = true
        for (const op of range(1, 4)) {
          yield* journal.write(longWrite(op))
          const { log } = decoded(disk)!
          assert.isAtMost(log!.sequence, 2 * op)
          late += log!.sequence < 2 * op ? 1 : 0
          yield* journal.write(write({ head: head(op + 1), commit: op - 1 }))
          yield* turns
          assert.deepStrictEqual(decoded(disk)?.head, head(op + 1), `seed ${seed}`)
        }
        yield* journal.write(longWrite(5))
        yield* journal.close
        assert.deepStrictEqual([decoded(disk)?.head, decoded(disk)?.log?.sequence], [head(5), 10])
      }
      assert.isAbove(late, 100)
    }))

  it.effect("is there before a promise is acknowledged, whatever crash comes then", () =>
    Effect.gen(function*() {
      let crashes = 0
      for (let seed = 0; seed < 30; seed++) {
        for (let step = 0, failed = true; failed; step++) {
          const disk = new TestLogDisk(seeded(seed * 1000 + step))
          const { journal } = yield* opened(disk)
          yield* journal.write(write({ head: head(1) }))
          disk.isBusy = true
          disk.failAt(step)
          let promised = 1
          const life = Effect.gen(function*() {
            for (const op of range(1, 4)) {
              yield* journal.write(longWrite(op))
              yield* journal.write(write({ head: head(op + 1), commit: op - 1 }))
              promised = op + 1
            }
          })
          failed = (yield* Effect.exit(life))._tag === "Failure"
          disk.losePower()
          // What was about to happen does not.
          yield* turns
          assert.isAtLeast(decoded(disk)!.head!.view, promised, `seed ${seed}, step ${step}`)
          assert.isNull((yield* opened(disk)).found.doubt, `seed ${seed}, step ${step}`)
          crashes++
        }
      }
      assert.isAbove(crashes, 200)
    }))

  it.effect("ends the journal if it cannot be written", () =>
    Effect.gen(function*() {
      const disk = new TestLogDisk(seeded(1))
      const { journal } = yield* opened(disk)
      for (const op of range(1, 6)) yield* journal.write(longWrite(op))
      // The segment, and then this.
      disk.failAt(1)
      yield* journal.write(longWrite(7))
      const error = yield* Effect.flip(journal.write(longWrite(8)))
      assert.deepInclude(error, { during: "write", message: `${place.headFile}: no space left on device` })
      assert.deepStrictEqual(yield* Effect.flip(journal.write(write({ head: head(2) }))), error)
      disk.repair()
      assert.deepStrictEqual(yield* Effect.flip(journal.open), error)
      const { found } = yield* opened(disk)
      assert.deepStrictEqual([found.doubt, lastOp(found)], [null, 7])
    }))

  it.effect("ends the journal also if it fails when that is closed for another owner", () =>
    Effect.gen(function*() {
      let pending = 0
      for (let seed = 0; seed < 20; seed++) {
        const disk = new TestLogDisk(seeded(seed))
        const life = Effect.gen(function*() {
          const journals = yield* Journals
          const first = yield* journals.journal(...own, "disk")
          yield* first.open
          for (const op of [1, 2]) yield* first.write(longWrite(op))
          disk.isBusy = true
          yield* first.write(longWrite(3))
          const isPending = !disk.steps.at(-1)!.endsWith(".head.json")
          // What it is about to do fails.
          disk.repair()
          const exit = yield* Effect.exit((yield* journals.journal(...own, "disk")).open)
          assert.strictEqual(exit._tag, isPending ? "Failure" : "Success", `seed ${seed}`)
          pending += isPending ? 1 : 0
        })
        yield* Effect.provide(life, JournalsLive.layerOn(disk, "/data", small), { local: true })
      }
      assert.isAbove(pending, 4)
    }))

  it.effect("of a log that has just begun is waited for: without it, the log would be in doubt", () =>
    Effect.gen(function*() {
      for (let seed = 0; seed < 20; seed++) {
        const disk = new TestLogDisk(seeded(seed))
        disk.isBusy = true
        const { journal } = yield* opened(disk)
        yield* journal.write(longWrite(1))
        assert.include(disk.names, place.headFile)
      }
    }))
})
