/**
 * A real temporary folder behind a `FileSystem` that can lose power. It remembers what was not made durable: after
 * `powerLoss`, files that were not synced are empty, and, if the disk is unkind, renames in folders that were not
 * synced are undone.
 *
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as PlatformError from "effect/PlatformError"
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

export interface TestDisk {
  /** The folder, with nothing in it. */
  readonly folder: string
  readonly layer: Layer.Layer<FileSystem.FileSystem>
  /** Steps that change the disk, in order. */
  readonly steps: Array<string>
  /** This step (from 0, counted from now) and all after it fail. Null: none. */
  failAt: (step: number | null) => void
  /** The power goes: what was not durable is lost. Then it comes back. */
  readonly powerLoss: (unkind: boolean) => void
}

const noSpace = (method: string, path: string) =>
  PlatformError.systemError({
    _tag: "Unknown",
    module: "FileSystem",
    method,
    pathOrDescriptor: path,
    cause: new Error(`ENOSPC: no space left on device, ${method} '${path}'`)
  })

class State {
  readonly steps: Array<string> = []
  budget = Number.POSITIVE_INFINITY
  readonly dirty = new Set<string>()
  /** By target: what the name held before a rename that is not durable. */
  readonly renames = new Map<string, Buffer | null>()

  step<A, R>(
    name: string,
    path: string,
    effect: Effect.Effect<A, PlatformError.PlatformError, R>
  ): Effect.Effect<A, PlatformError.PlatformError, R> {
    return Effect.suspend(() => {
      if (this.budget <= 0) return Effect.fail(noSpace(name, path))
      this.budget--
      this.steps.push(`${name} ${path}`)
      return effect
    })
  }

  renamed(from: string, to: string): void {
    if (this.dirty.delete(from)) this.dirty.add(to)
    else this.dirty.delete(to)
  }

  synced(path: string): void {
    this.dirty.delete(path)
    for (const target of this.renames.keys()) if (dirname(target) === path) this.renames.delete(target)
  }

  powerLoss(unkind: boolean): void {
    for (const path of this.dirty) if (existsSync(path)) writeFileSync(path, "")
    for (const [target, before] of unkind ? this.renames : []) {
      if (before === null) rmSync(target, { force: true })
      else writeFileSync(target, before)
    }
    this.dirty.clear()
    this.renames.clear()
    this.budget = Number.POSITIVE_INFINITY
  }
}

const watchedFile = (state: State, path: string, file: FileSystem.File): FileSystem.File => {
  const writeAll = (bytes: Uint8Array) => {
    state.dirty.add(path)
    // Half of it arrives before the power goes.
    return file.writeAll(bytes.subarray(0, bytes.length >> 1)).pipe(
      Effect.andThen(state.step("write", path, file.writeAll(bytes.subarray(bytes.length >> 1))))
    )
  }
  const sync = state.step("sync", path, Effect.tap(file.sync, () => Effect.sync(() => state.synced(path))))
  const watched: FileSystem.File = Object.create(file, { writeAll: { value: writeAll }, sync: { value: sync } })
  return watched
}

const watched = (state: State, fs: FileSystem.FileSystem): FileSystem.FileSystem => ({
  ...fs,
  open: (path, options) => {
    const open = Effect.map(fs.open(path, options), (file) => watchedFile(state, path, file))
    return options?.flag === "w" ? state.step("open", path, open) : open
  },
  rename: (from, to) =>
    state.step("rename", to, Effect.suspend(() => {
      if (!state.renames.has(to)) state.renames.set(to, existsSync(to) ? readFileSync(to) : null)
      state.renamed(from, to)
      return fs.rename(from, to)
    })),
  link: (from, to) => state.step("link", to, fs.link(from, to)),
  remove: (path, options) => state.step("remove", path, fs.remove(path, options)),
  makeDirectory: (path, options) => state.step("mkdir", path, fs.makeDirectory(path, options))
})

/** A disk for one test; its folder is removed when the scope ends. */
export const makeTestDisk = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const root = yield* fs.makeTempDirectoryScoped({ prefix: "v2r2-test-" })
  const state = new State()
  const disk: TestDisk = {
    folder: join(root, "data"),
    layer: Layer.succeed(FileSystem.FileSystem, watched(state, fs)),
    steps: state.steps,
    failAt: (step) => void (state.budget = step ?? Number.POSITIVE_INFINITY),
    powerLoss: (unkind) => state.powerLoss(unkind)
  }
  return disk
}).pipe(Effect.provide(NodeFileSystem.layer), Effect.orDie)
