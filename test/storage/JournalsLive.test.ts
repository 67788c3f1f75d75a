/**
 * Journals on a real disk: the contract, loss of power at every step, and damage.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { seal } from "../../src/storage/FilesLive.ts"
import { type Journal, Journals } from "../../src/storage/Journal.ts"
import * as JournalsLive from "../../src/storage/JournalsLive.ts"
import { DiskError, type LogDisk, type LogFile } from "../../src/storage/log/LogDisk.ts"
import { makeLogDisk } from "../../src/storage/LogDiskLive.ts"
import { entries, head, journalContract, type JournalsHarness, tenant, write } from "../contracts/Journal.ts"
import { discardContract } from "../contracts/JournalDiscards.ts"
import { snapshotContract } from "../contracts/JournalSnapshots.ts"
import { snapshotOf } from "../contracts/Snapshots.ts"
import { makeTestDisk, type TestDisk } from "./TestDisk.ts"

const layer = (disk: TestDisk) => Layer.provide(JournalsLive.layer(disk.folder), disk.layer)

const small = { segment_bytes_max: 8192, step_bytes: 2048 }

/** All of a disk fails while it is broken. */
const brittle = (disk: LogDisk, isBroken: () => boolean): LogDisk => {
  const unless = <A>(file: string, effect: Effect.Effect<A, DiskError>) =>
    Effect.suspend(() => isBroken() ? new DiskError({ file, reason: "no space left on device" }) : effect)
  const brittleFile = (path: string, file: LogFile): LogFile => ({
    read: (at, length) => unless(path, file.read(at, length)),
    write: (at, chunks) => unless(path, file.write(at, chunks)),
    writeThrough: (at, chunks) => unless(path, file.writeThrough(at, chunks)),
    writePast: (at, bytes) => unless(path, file.writePast(at, bytes)),
    grow: (size) => unless(path, file.grow(size)),
    sync: unless(path, file.sync),
    close: file.close
  })
  return {
    list: (folder) => unless(folder, disk.list(folder)),
    read: (path) => unless(path, disk.read(path)),
    put: (path, bytes) => unless(path, disk.put(path, bytes)),
    rename: (from, to) => unless(from, disk.rename(from, to)),
    remove: (path) => unless(path, disk.remove(path)),
    removeFolder: (path) => unless(path, disk.removeFolder(path)),
    syncNames: (folder) => unless(folder, disk.syncNames(folder)),
    create: (path) => unless(path, Effect.map(disk.create(path), (file) => brittleFile(path, file))),
    open: (path) => unless(path, Effect.map(disk.open(path), (file) => brittleFile(path, file)))
  }
}

const makeHarness = Effect.map(makeTestDisk, (disk): JournalsHarness => {
  let broken = false
  const flip = (at: number, ...path: ReadonlyArray<string>) => {
    const file = join(disk.folder, "tenants", tenant, ...path)
    const bytes = readFileSync(file)
    bytes[at]! ^= 1
    writeFileSync(file, bytes)
  }
  const journals = Effect.map(FileSystem.FileSystem, (fs) => {
    broken = false
    return JournalsLive.layerOn(brittle(makeLogDisk(fs), () => broken), disk.folder, small)
  })
  return {
    journals: Layer.provide(Layer.unwrap(journals), disk.layer),
    breakDisk: () => void (broken = true),
    damage: () => flip(1024 + 70, "r1@dev1.log", "00000001.log"),
    damageSnapshot: (op) => flip(70, "r1@dev1.snapshots", `${String(op).padStart(16, "0")}.snapshot`)
  }
})

journalContract("on a disk", makeHarness)
snapshotContract("on a disk", makeHarness)
discardContract("on a disk", makeHarness)

it.effect("a log that could not be written stays dead for every later owner in the process", () =>
  Effect.gen(function*() {
    const disk = yield* makeTestDisk
    const fs = yield* Effect.provide(FileSystem.FileSystem, disk.layer)
    let broken = false
    const journals = JournalsLive.layerOn(brittle(makeLogDisk(fs), () => broken), disk.folder, small)
    const errors = Effect.gen(function*() {
      const first = yield* (yield* Journals).journal(tenant, "r1::dev1", "disk")
      yield* first.open
      yield* first.write(write({ head: head(1) }))
      broken = true
      const error = yield* Effect.flip(first.write(write({ head: head(2) })))
      broken = false
      const second = yield* (yield* Journals).journal(tenant, "r1::dev1", "disk")
      return [error, yield* Effect.flip(second.open)]
    })
    const [first, second] = yield* Effect.provide(errors, journals)
    assert.deepStrictEqual(second, first)
  }))

it.effect("a folder among the snapshots that is called as a file that is not finished is left alone", () =>
  Effect.gen(function*() {
    const disk = yield* makeTestDisk
    const life = Effect.gen(function*() {
      const journal = yield* (yield* Journals).journal(tenant, "r1::dev1", "disk")
      yield* journal.open
      yield* journal.write(write({ entries: entries(1, 3), commit: 3 }))
      yield* journal.save(snapshotOf(2))
      mkdirSync(join(disk.folder, "tenants", tenant, "r1@dev1.snapshots", "x.tmp"))
      return (yield* (yield* (yield* Journals).journal(tenant, "r1::dev1", "disk")).open).snapshot
    })
    assert.strictEqual(yield* Effect.provide(life, layer(disk)), 2)
  }))

it.effect("a log has one owner: the earlier one cannot write any more", () =>
  Effect.gen(function*() {
    const disk = yield* makeTestDisk
    const exit = yield* Effect.provide(
      Effect.gen(function*() {
        const first = yield* (yield* Journals).journal(tenant, "r1::dev1", "disk")
        yield* first.open
        yield* (yield* Journals).journal(tenant, "r1::dev1", "disk")
        return yield* Effect.exit(first.write(write({ head: head(1) })))
      }),
      layer(disk)
    )
    assert.include(Exit.isFailure(exit) ? String(exit.cause) : "no failure", "opened before it is written")
  }))

const opened = <A, E>(disk: TestDisk, body: (journal: Journal) => Effect.Effect<A, E>, replica = "r1::dev1") =>
  Effect.provide(
    Effect.gen(function*() {
      const journal = yield* (yield* Journals).journal(tenant, replica, "memory")
      yield* journal.open
      return yield* body(journal)
    }),
    layer(disk),
    { local: true }
  )
const headOf = (disk: TestDisk) => opened(disk, (journal) => Effect.map(journal.open, (found) => found.head))
const fileOf = (disk: TestDisk) => join(disk.folder, "tenants", tenant, "r1@dev1.head.json")

describe("loss of power", () => {
  it.effect.each<[string, boolean]>([["the first head", true], ["a later head", false]])(
    "at any step of writing %s leaves the old head or the new one, and the new one if the write returned",
    ([, first]) =>
      Effect.gen(function*() {
        const before = first ? null : head(1)
        for (const unkind of [false, true]) {
          for (let step = 0, cut = true; cut; step++) {
            const disk = yield* makeTestDisk
            if (before) yield* opened(disk, (journal) => journal.write(write({ head: before })))
            const written = yield* opened(disk, (journal) =>
              Effect.suspend(() => {
                disk.failAt(step)
                return Effect.exit(journal.write(write({ head: head(2) })))
              }))
            disk.powerLoss(unkind)
            cut = Exit.isFailure(written)
            assert.deepInclude(cut ? [before, head(2)] : [head(2)], yield* headOf(disk), `step ${step}`)
          }
        }
      })
  )
})

describe("cost", () => {
  it.effect("is nothing for entries, and one file and two syncs for a head", () =>
    Effect.gen(function*() {
      const disk = yield* makeTestDisk
      yield* opened(disk, (journal) =>
        Effect.gen(function*() {
          yield* journal.write(write({ head: head(0) }))
          disk.steps.length = 0
          yield* journal.write(write({ entries: entries(1, 100) }))
          assert.deepStrictEqual(disk.steps, [])
          yield* journal.write(write({ head: head(1), entries: entries(101, 1) }))
          const file = fileOf(disk)
          assert.deepStrictEqual(disk.steps, [
            `open ${file}.tmp`,
            `write ${file}.tmp`,
            `sync ${file}.tmp`,
            `rename ${file}`,
            `sync ${dirname(file)}`
          ])
        }))
    }))
})

describe("damage", () => {
  const broken = (change: (file: string) => void) =>
    Effect.gen(function*() {
      const disk = yield* makeTestDisk
      yield* opened(disk, (journal) => journal.write(write({ head: head(7) })))
      change(fileOf(disk))
      const error = yield* Effect.flip(headOf(disk))
      assert.strictEqual(error.during, "open")
      assert.notInclude(error.message, "\n")
      return error.message.replace(fileOf(disk), "FILE")
    })
  const advice = "if the other replicas of this tenant are up, remove it, and this replica recovers from them"

  it.effect("is refused, with advice", () =>
    Effect.gen(function*() {
      const edited = (file: string) => readFileSync(file, "utf8").replace(`"view": 7`, `"view": 1`)
      const changed = yield* broken((file) => writeFileSync(file, edited(file)))
      assert.strictEqual(changed, `FILE: the file is damaged: its checksum does not match its content; ${advice}`)
      const empty = yield* broken((file) => writeFileSync(file, ""))
      assert.strictEqual(empty, `FILE: the file is damaged: it is not valid JSON; ${advice}`)
      const folder = yield* broken((file) => (rmSync(file), mkdirSync(file)))
      assert.strictEqual(folder, "FILE: illegal operation on a directory")
    }))

  it.effect("is also a head whose group is none, but not a file of another version of the program", () =>
    Effect.gen(function*() {
      const sealed = (body: object, version: number) => (file: string) =>
        writeFileSync(file, seal("v2r2 replica head", { tenant, replica: "r1::dev1", log: null, ...body }, version))
      const twice = yield* broken(sealed({ head: head(7, 7, { replicas: ["r1::dev1", "r1::dev1"] }) }, 2))
      assert.strictEqual(twice, `FILE: the file is damaged: its replicas are no group; ${advice}`)
      const { left: _, replicas: __, ...before } = head(7)
      const older = yield* broken(sealed({ head: before }, 1))
      assert.strictEqual(older, "FILE: it has format version 1; this program knows version 2; start the program that wrote it")
      const newer = yield* broken(sealed({ head: head(7) }, 3))
      assert.include(newer, "format version 3; this program knows version 2; start the program that wrote it, or a newer one")
    }))

  it.effect("is also the file of another replica", () =>
    Effect.gen(function*() {
      const disk = yield* makeTestDisk
      yield* opened(disk, (journal) => journal.write(write({ head: head(7) })), "r2::dev1")
      renameSync(fileOf(disk).replace("r1@", "r2@"), fileOf(disk))
      const error = yield* Effect.flip(headOf(disk))
      assert.include(error.message, `the file belongs to ${tenant}::r2::dev1, not to ${tenant}::r1::dev1`)
    }))

  it.effect("is not a head that is gone: then there is no head", () =>
    Effect.gen(function*() {
      const disk = yield* makeTestDisk
      yield* opened(disk, (journal) => journal.write(write({ head: head(7) })))
      rmSync(fileOf(disk))
      assert.isNull(yield* headOf(disk))
    }))
})
