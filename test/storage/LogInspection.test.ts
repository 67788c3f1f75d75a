/**
 * Looking at a log says what opening it says, whatever became of it, and takes no more memory than a file of it has.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { seeded } from "../../src/base/Random.ts"
import type { ReadableDisk } from "../../src/storage/log/LogDisk.ts"
import { inspectLog, logFiles, type LogItem } from "../../src/storage/LogInspectionLive.ts"
import type { JournalWrite } from "../../src/storage/Journal.ts"
import { drawChange } from "./Damages.ts"
import { below, drawScript, journalOn, place, small } from "./Scripts.ts"
import { TestLogDisk } from "./TestLogDisk.ts"

const written = (writes: ReadonlyArray<JournalWrite>) =>
  Effect.gen(function*() {
    const disk = new TestLogDisk(seeded(1))
    const journal = journalOn(disk, small)
    yield* journal.open
    for (const write of writes) yield* journal.write(write)
    return disk
  })

const itemsOf = (disk: ReadableDisk) =>
  Effect.flatMap(logFiles(disk, place.folder, true), (files) =>
    files === null ? Effect.succeed<ReadonlyArray<LogItem>>([]) : Stream.runCollect(inspectLog(disk, files)))

describe("looking at a log", () => {
  it.effect("shows each write as it was written", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= 30; seed++) {
        const { writes } = drawScript(seeded(seed), 12)
        const items = yield* itemsOf(yield* written(writes))
        const batches = items.flatMap((item) => item._tag === "Batch" ? [item] : [])
        const shown = writes.filter(({ entries, head, truncate_to }) => head !== null || truncate_to !== null || entries.length > 0)
        assert.deepStrictEqual(batches.map(({ entries }) => entries), shown.map(({ entries }) => entries))
        assert.deepStrictEqual(batches.map(({ header }) => header.truncate_to), shown.map(({ truncate_to }) => truncate_to))
        assert.deepStrictEqual(items.filter(({ _tag }) => _tag === "Problem"), [])
      }
    }))

  it.effect("says what opening says, whatever became of it", () =>
    Effect.gen(function*() {
      const seen = { whole: 0, problem: 0, elsewhere: 0, refused: 0 }
      for (let seed = 1; seed <= 600; seed++) {
        const random = seeded(seed)
        const disk = yield* written(drawScript(random, 6 + below(random, 8)).writes)
        const said = drawChange(random, disk)
        const items = yield* itemsOf(disk)
        const problems = items.flatMap((item) => item._tag === "Problem" ? [item] : [])
        const notes = items.flatMap((item) => item._tag === "Note" ? [item.message] : [])
        const opened = yield* Effect.exit(journalOn(disk, small).open)
        if (Exit.isFailure(opened)) {
          // Either the head file, or this log.
          if (problems[0] !== undefined) assert.include(String(opened.cause), problems[0].message, `seed ${seed}: ${said}`)
          seen.refused++
        } else if (problems[0] !== undefined) {
          assert.strictEqual(opened.value.doubt, problems[0].message, `seed ${seed}: ${said}`)
          seen.problem++
        } else if (opened.value.doubt === null) {
          assert.deepStrictEqual(opened.value.notes, notes, `seed ${seed}: ${said}`)
          seen.whole++
        } else {
          // What only the head file knows, and the snapshots.
          const elsewhere = /head\.json|was durable|though there was a log|no snapshot has what came before/
          assert.match(opened.value.doubt, elsewhere, `seed ${seed}: ${said}`)
          seen.elsewhere++
        }
      }
      assert.isAbove(Math.min(seen.whole, seen.problem, seen.elsewhere), 30, JSON.stringify(seen))
    }), 60_000)

  it.effect("reads a file only once somebody wants to see it", () =>
    Effect.gen(function*() {
      const { writes } = drawScript(seeded(7), 2_000)
      const disk = yield* written(writes)
      const read: Array<string> = []
      const watched: ReadableDisk = {
        list: (folder) => disk.list(folder),
        open: (path) => disk.open(path),
        read: (path) => Effect.suspend(() => (read.push(path), disk.read(path)))
      }
      const files = (yield* logFiles(watched, place.folder, true))!
      assert.isAbove(files.names.length, 200)
      // Someone who takes a long time over the first item.
      const slow = Effect.forEach(Array.from({ length: 20_000 }), () => Effect.yieldNow, { discard: true })
      const first = yield* Stream.runCollect(inspectLog(watched, files).pipe(Stream.take(1), Stream.tap(() => slow)))
      assert.lengthOf(first, 1)
      // What was shown together, and what waits.
      assert.isBelow(read.length, files.names.length * 0.75)
    }))
})
