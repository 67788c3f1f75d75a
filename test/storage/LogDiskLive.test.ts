/**
 * The real disk under the journals.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as PlatformError from "effect/PlatformError"
import * as fc from "fast-check"
import {
  closeSync, constants, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, writeFileSync, writeSync
} from "node:fs"
import { join } from "node:path"
import { concat, pageAligned } from "../../src/base/Bytes.ts"
import { type LogFile, page_bytes } from "../../src/storage/log/LogDisk.ts"
import { behind, makeLogDisk } from "../../src/storage/LogDiskLive.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { makeTestDisk } from "./TestDisk.ts"

const makeDisk = Effect.gen(function*() {
  const { folder, layer, steps } = yield* makeTestDisk
  return { folder, steps, disk: makeLogDisk(yield* Effect.provide(FileSystem.FileSystem, layer)) }
})
const bytes = (...values: ReadonlyArray<number>) => Uint8Array.from(values)

describe("the disk", () => {
  it.effect("puts, lists, reads and renames; what is not there is none", () =>
    Effect.gen(function*() {
      const { disk, folder } = yield* makeDisk
      const log = join(folder, "deep", "r1.log")
      assert.deepStrictEqual(yield* disk.list(log), [])
      assert.isNull(yield* disk.read(join(log, "1")))
      yield* disk.put(join(log, "1"), bytes(1, 2))
      yield* disk.put(join(log, "1"), bytes(3))
      assert.deepStrictEqual(yield* disk.list(log), ["1"])
      assert.deepStrictEqual(yield* disk.read(join(log, "1")), bytes(3))
      yield* disk.rename(log, `${log}.damaged`)
      assert.deepStrictEqual(yield* disk.list(join(folder, "deep")), ["r1.log.damaged"])
      assert.deepStrictEqual(yield* disk.read(join(`${log}.damaged`, "1")), bytes(3))
    }))

  it.effect("puts what is long in pieces", () =>
    Effect.gen(function*() {
      yield* Effect.acquireRelease(Effect.sync(() => squeeze({ file_piece_bytes: 3 })), (release) => Effect.sync(release))
      const { disk, folder, steps } = yield* makeDisk
      for (const length of [0, 1, 3, 4, 9, 11]) {
        const content = Uint8Array.from({ length }, (_, i) => i + 1)
        const path = join(folder, `${length}`)
        steps.length = 0
        yield* disk.put(path, content)
        assert.deepStrictEqual(yield* disk.read(path), content)
        assert.strictEqual(steps.filter((step) => step.startsWith("write")).length, Math.ceil(length / 3))
      }
    }))

  it.effect("writes chunks at a place, and grows a file with zeros", () =>
    Effect.gen(function*() {
      const { disk, folder } = yield* makeDisk
      const path = join(folder, "file")
      yield* disk.put(path, bytes(1, 2, 3, 4))
      const file = yield* disk.open(path)
      yield* file.grow(8)
      yield* file.write(2, [bytes(7), bytes(), bytes(8, 9)])
      yield* file.sync
      yield* file.close
      assert.deepStrictEqual(yield* disk.read(path), bytes(1, 2, 7, 8, 9, 0, 0, 0))
    }))

  it.effect("writes past the system's cache what it lets past, and the rest as usual", () =>
    Effect.gen(function*() {
      const { disk, folder } = yield* makeDisk
      const shared = existsSync("/dev/shm") ? [mkdtempSync("/dev/shm/v2r2-")] : []
      yield* Effect.addFinalizer(() => Effect.sync(() => shared.forEach((path) => rmSync(path, { recursive: true }))))
      for (const path of [folder, ...shared].map((folder) => join(folder, "file"))) {
        const memory = pageAligned(4 * page_bytes)
        memory.forEach((_, i) => memory[i] = i % 251)
        const file = yield* disk.create(path)
        yield* file.writePast(0, memory.subarray(0, 2 * page_bytes))
        yield* file.writePast(2 * page_bytes, memory.subarray(page_bytes, 2 * page_bytes))
        // No system takes these that way.
        yield* file.writePast(3 * page_bytes, memory.subarray(1, 1 + page_bytes))
        yield* file.writePast(4 * page_bytes, memory.subarray(0, 7))
        yield* file.write(4 * page_bytes + 7, [bytes(1, 2)])
        yield* file.sync
        yield* file.close
        const parts = [[0, 2 * page_bytes], [page_bytes, 2 * page_bytes], [1, 1 + page_bytes], [0, 7]] as const
        assert.deepStrictEqual(yield* disk.read(path), concat([...parts.map(([from, to]) => memory.subarray(from, to)), bytes(1, 2)]))
      }
    }))

  it.effect.runIf(process.platform === "linux")("leaves nothing open of a closed file, also if nobody waited for a write", () =>
    Effect.gen(function*() {
      const { disk, folder } = yield* makeDisk
      const path = join(folder, "file")
      const left = () => readdirSync("/proc/self/fd").filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`) === path
        } catch {
          return false
        }
      })
      for (const write of [
        (file: LogFile) => file.writePast(0, pageAligned(page_bytes)),
        (file: LogFile) => file.writeThrough(0, [bytes(1)])
      ]) {
        const file = yield* disk.create(path)
        const fiber = yield* Effect.forkChild(write(file), { startImmediately: true })
        yield* Fiber.interrupt(fiber)
        assert.lengthOf(left(), 2)
        yield* file.close
        assert.deepStrictEqual(left(), [])
      }
    }))

  it.effect("takes memory that begins at a page past its cache, where there is a way", () =>
    Effect.gen(function*() {
      const { folder } = yield* makeDisk
      let fd: number
      try {
        fd = openSync(join(folder, "file"), constants.O_WRONLY | constants.O_CREAT | constants.O_DIRECT)
      } catch {
        // Not this file system, or not this system.
        return
      }
      for (const length of [page_bytes, 10 * page_bytes + 1, 600_000, 2_359_305]) {
        const memory = pageAligned(length)
        const whole = length - length % page_bytes
        assert.strictEqual(writeSync(fd, memory, 0, whole, 0), whole)
      }
      closeSync(fd)
    }))

  it.effect("makes a file, writes it piece by piece, reads any range of it, empties it, and removes it", () =>
    Effect.gen(function*() {
      const { disk, folder } = yield* makeDisk
      const path = join(folder, "deep", "file")
      const file = yield* disk.create(path)
      yield* file.write(0, [bytes(1, 2)])
      yield* file.write(2, [bytes(3), bytes(4, 5)])
      yield* file.sync
      yield* disk.syncNames(join(folder, "deep"))
      assert.deepStrictEqual(yield* file.read(1, 3), bytes(2, 3, 4))
      assert.deepStrictEqual(yield* file.read(3, 100), bytes(4, 5))
      assert.deepStrictEqual(yield* file.read(5, 1), bytes())
      yield* file.close
      yield* (yield* disk.create(path)).close
      assert.deepStrictEqual(yield* disk.read(path), bytes())
      yield* disk.remove(path)
      yield* disk.remove(path)
      assert.deepStrictEqual(yield* disk.list(join(folder, "deep")), [])
      yield* disk.syncNames(join(folder, "nowhere"))
    }))

  it.effect("removes a folder that is empty, and no other", () =>
    Effect.gen(function*() {
      const { disk, folder } = yield* makeDisk
      const path = join(folder, "deep", "r1.log")
      yield* disk.put(join(path, "1"), bytes(1))
      assert.deepInclude(yield* Effect.flip(disk.removeFolder(path)), { file: path, reason: "directory not empty" })
      assert.deepStrictEqual(yield* disk.list(path), ["1"])
      yield* disk.remove(join(path, "1"))
      yield* disk.removeFolder(path)
      assert.deepStrictEqual(yield* disk.list(join(folder, "deep")), [])
      yield* disk.removeFolder(path)
      yield* disk.removeFolder(join(folder, "nowhere", "r1.log"))
      assert.deepStrictEqual(yield* disk.list(folder), ["deep"])
    }))

  it.effect("leaves nothing behind of a file that it had no room for", () =>
    Effect.gen(function*() {
      const { folder, layer } = yield* makeTestDisk
      const fs = yield* Effect.provide(FileSystem.FileSystem, layer)
      const full = PlatformError.systemError({ _tag: "Unknown", module: "FileSystem", method: "write" })
      const fullFile = (file: FileSystem.File): FileSystem.File =>
        Object.create(file, {
          writeAll: { value: (bytes: Uint8Array) => Effect.andThen(file.writeAll(bytes.subarray(1)), Effect.fail(full)) }
        })
      const disk = makeLogDisk({ ...fs, open: (path, options) => Effect.map(fs.open(path, options), fullFile) })
      yield* makeLogDisk(fs).put(join(folder, "1"), bytes(1))
      yield* Effect.flip(disk.put(join(folder, "1"), bytes(2, 3)))
      assert.deepStrictEqual(yield* disk.list(folder), ["1"])
      assert.deepStrictEqual(yield* disk.read(join(folder, "1")), bytes(1))
    }))

  it.effect("says what it refuses in words", () =>
    Effect.gen(function*() {
      const { disk, folder } = yield* makeDisk
      const path = join(folder, "file")
      assert.deepInclude(yield* Effect.flip(disk.open(path)), { file: path, reason: "no such file or directory" })
      assert.deepInclude(yield* Effect.flip(disk.rename(path, `${path}.2`)), { file: path, reason: "no such file or directory" })
      mkdirSync(path, { recursive: true })
      assert.deepInclude(yield* Effect.flip(disk.read(path)), { file: path, reason: "illegal operation on a directory" })
      writeFileSync(join(path, "1"), "")
      assert.deepInclude(yield* Effect.flip(disk.list(join(path, "1"))), { reason: "not a directory" })
    }))

  it.effect.runIf(existsSync("/dev/full"))("is full", () =>
    Effect.gen(function*() {
      const { disk } = yield* makeDisk
      const file = yield* disk.open("/dev/full")
      const errors = [yield* Effect.flip(file.write(0, [bytes(1)])), yield* Effect.flip(file.writePast(0, pageAligned(page_bytes)))]
      yield* file.close
      for (const error of errors) assert.deepInclude(error, { file: "/dev/full", reason: "no space left on device" })
    }))
})

it("what the system did not take is what is left", () => {
  const drawn = fc.array(fc.uint8Array({ minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 5 })
  fc.assert(fc.property(drawn, fc.nat(30), (chunks, taken) => {
    const all = concat(chunks)
    const rest = behind(chunks, Math.min(taken, all.length))
    assert.deepStrictEqual(concat(rest).slice(), all.slice(taken))
    assert.isTrue(rest.every((chunk) => chunk.length > 0))
  }))
})
