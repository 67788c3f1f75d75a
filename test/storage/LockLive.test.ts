/**
 * The lock on a folder: who gets it, and when it is stale.
 *
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { holdLock, lookAtLock } from "../../src/storage/LockLive.ts"

const inFolder = <A, E>(body: (fs: FileSystem.FileSystem, folder: string) => Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    return yield* body(fs, yield* fs.makeTempDirectoryScoped({ prefix: "v2r2-lock-" }))
  }).pipe(Effect.provide(NodeFileSystem.layer))

/** A process id that was in use a moment ago. */
const goneProcess = (): number => spawnSync(process.execPath, ["--version"]).pid

describe("a lock", () => {
  it.effect("names its process while it is held, and leaves nothing behind", () =>
    inFolder((fs, folder) =>
      Effect.gen(function*() {
        yield* Effect.scoped(Effect.gen(function*() {
          yield* holdLock(fs, folder)
          assert.deepStrictEqual(readdirSync(folder), ["lock"])
          assert.include(readFileSync(join(folder, "lock"), "utf8"), `"pid":${process.pid}`)
        }))
        assert.deepStrictEqual(readdirSync(folder), [])
      })
    ))

  it.effect("is refused while a living process holds it", () =>
    inFolder((fs, folder) =>
      Effect.scoped(Effect.gen(function*() {
        yield* holdLock(fs, folder)
        const refusal = yield* Effect.flip(Effect.scoped(holdLock(fs, folder)))
        assert.deepStrictEqual(refusal, { _tag: "Held", file: join(folder, "lock"), pid: process.pid })
        assert.deepStrictEqual(readdirSync(folder), ["lock"])
      }))
    ))

  it.effect.each<[string, () => string]>([
    ["its process is gone", () => JSON.stringify({ pid: goneProcess(), started: null, token: "t" })],
    ["another process has its id", () => JSON.stringify({ pid: process.pid, started: "earlier", token: "t" })],
    ["it is empty, as after a loss of power", () => ""],
    ["it says nothing that we understand", () => JSON.stringify({ pid: -1 })]
  ])("is stale when %s", ([, content]) =>
    inFolder((fs, folder) =>
      Effect.scoped(Effect.gen(function*() {
        writeFileSync(join(folder, "lock"), content())
        yield* holdLock(fs, folder)
        assert.deepStrictEqual(readdirSync(folder), ["lock"])
        assert.include(readFileSync(join(folder, "lock"), "utf8"), `"pid":${process.pid}`)
      }))
    ))

  it.effect("outlives a process that was killed, and does not stop the next one", () =>
    inFolder((fs, folder) =>
      Effect.scoped(Effect.gen(function*() {
        const program = `
          import * as Effect from "effect/Effect"
          import * as FileSystem from "effect/FileSystem"
          import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
          import { holdLock } from "./src/storage/LockLive.ts"
          const hold = Effect.flatMap(FileSystem.FileSystem, (fs) => holdLock(fs, ${JSON.stringify(folder)}))
          // A waiting fiber alone does not keep a process alive.
          setInterval(() => {}, 60_000)
          const told = Effect.sync(() => process.stdout.write("held"))
          Effect.runFork(Effect.scoped(hold.pipe(Effect.andThen(told), Effect.andThen(Effect.never))).pipe(
            Effect.provide(NodeFileSystem.layer)
          ))`
        const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
          stdio: ["ignore", "pipe", "inherit"]
        })
        yield* Effect.promise(() => once(child.stdout, "data"))
        const refusal = yield* Effect.flip(Effect.scoped(holdLock(fs, folder)))
        assert.deepStrictEqual(refusal, { _tag: "Held", file: join(folder, "lock"), pid: child.pid! })
        child.kill("SIGKILL")
        yield* Effect.promise(() => once(child, "exit"))
        yield* holdLock(fs, folder)
      }))
    ))

  it.effect("goes to one of many that find a stale one at the same time", () =>
    inFolder((fs, folder) =>
      Effect.scoped(Effect.gen(function*() {
        for (let round = 0; round < 20; round++) {
          const stale = JSON.stringify({ pid: process.pid, started: `round ${round}`, token: "t" })
          writeFileSync(join(folder, "lock"), stale)
          const contenders = Array.from({ length: 8 }, () => Effect.exit(holdLock(fs, folder)))
          const exits = yield* Effect.all(contenders, { concurrency: "unbounded" })
          assert.isAtMost(exits.filter(Exit.isSuccess).length, 1)
          // All may have given way to each other; then the next one gets it.
          if (!exits.some(Exit.isSuccess)) yield* holdLock(fs, folder)
          assert.deepStrictEqual(readdirSync(folder), ["lock"])
        }
      }))
    ))

  it.effect("is not broken while another process is about to", () =>
    inFolder((fs, folder) =>
      Effect.gen(function*() {
        writeFileSync(join(folder, "lock"), JSON.stringify({ pid: goneProcess(), started: null, token: "t" }))
        writeFileSync(join(folder, "lock.break"), JSON.stringify({ pid: 1, started: null, token: "t" }))
        const refusal = yield* Effect.flip(Effect.scoped(holdLock(fs, folder)))
        assert.deepStrictEqual(refusal, { _tag: "Contended", file: join(folder, "lock.break"), pid: 1 })
      })
    ))

  it.effect("says who holds it, or is about to, to one who only looks, and stays as it is", () =>
    inFolder((fs, folder) =>
      Effect.gen(function*() {
        assert.isNull(yield* lookAtLock(fs, folder))
        yield* Effect.scoped(Effect.gen(function*() {
          yield* holdLock(fs, folder)
          assert.deepStrictEqual(yield* lookAtLock(fs, folder), { _tag: "Held", file: join(folder, "lock"), pid: process.pid })
        }))
        const stale = JSON.stringify({ pid: goneProcess(), started: null, token: "t" })
        writeFileSync(join(folder, "lock"), stale)
        assert.isNull(yield* lookAtLock(fs, folder))
        writeFileSync(join(folder, "lock.break"), JSON.stringify({ pid: 1, started: null, token: "t" }))
        assert.deepStrictEqual(yield* lookAtLock(fs, folder), { _tag: "Contended", file: join(folder, "lock.break"), pid: 1 })
        assert.strictEqual(readFileSync(join(folder, "lock"), "utf8"), stale)
      })
    ))

  it.effect("is not taken away from whoever broke it", () =>
    inFolder((fs, folder) =>
      Effect.gen(function*() {
        const theirs = JSON.stringify({ pid: 1, started: null, token: "theirs" })
        yield* Effect.scoped(Effect.andThen(
          holdLock(fs, folder),
          Effect.sync(() => writeFileSync(join(folder, "lock"), theirs))
        ))
        assert.strictEqual(readFileSync(join(folder, "lock"), "utf8"), theirs)
      })
    ))
})
