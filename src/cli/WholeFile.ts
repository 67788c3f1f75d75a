/**
 * A file that is written whole or not at all: under another name first, which is gone if anything fails.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import { Failure } from "./Failure.ts"
import { fileFailure } from "./FileTrouble.ts"

/** Adds to the end of the file. */
export type Put = (pieces: ReadonlyArray<Uint8Array>) => Effect.Effect<void, Failure>

/** Fails if something is there that is not to be replaced. */
export const checkTarget = Effect.fnUntraced(function*(path: string, force: boolean) {
  const files = yield* FileSystem.FileSystem
  const there = yield* files.stat(path).pipe(
    Effect.catchIf(({ reason }) => reason._tag === "NotFound", () => Effect.succeed(null)),
    Effect.mapError(fileFailure("write", path))
  )
  if (there === null || (force && there.type === "File")) return
  return yield* new Failure({
    exit: "conflict",
    code: "already_exists",
    attempt: "",
    message: there.type === "File" ? `the file ${path} exists already` : `${path} exists already, and is no file`,
    hint: there.type === "File" ? "take another name, or replace it with --force" : "take another name",
    detail: { file: path }
  })
})

const cannotBegin = (path: string, temporary: string) => (error: PlatformError): Failure => {
  switch (error.reason._tag) {
    case "AlreadyExists":
      return fileFailure("write", temporary, "if no other command writes it, it was left by one that was killed: remove it")(error)
    case "NotFound":
      return new Failure({
        exit: "not_found",
        code: "file",
        attempt: "",
        message: `cannot write the file ${path}: there is no such folder`,
        hint: null,
        detail: { file: path }
      })
    default:
      return fileFailure("write", path)(error)
  }
}

/** What `write` has put is the file `path` once this succeeds, also after a loss of power. */
export const writeWhole = <A, E, R>(path: string, force: boolean, write: (put: Put) => Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const folder = (yield* Path.Path).dirname(path)
    const temporary = `${path}.tmp`
    const failed = Effect.mapError(fileFailure("write", temporary))
    let isThere = true
    yield* checkTarget(path, force)
    const file = yield* Effect.acquireRelease(
      Effect.mapError(files.open(temporary, { flag: force ? "w" : "wx" }), cannotBegin(path, temporary)),
      () => isThere ? Effect.ignore(files.remove(temporary)) : Effect.void
    )
    const result = yield* write((pieces) => Effect.forEach(pieces, (piece) => failed(file.writeAll(piece)), { discard: true }))
    yield* failed(file.sync)
    yield* checkTarget(path, force)
    yield* Effect.uninterruptible(Effect.gen(function*() {
      yield* Effect.mapError(files.rename(temporary, path), fileFailure("write", path))
      isThere = false
      const names = yield* Effect.mapError(files.open(folder, { flag: "r" }), fileFailure("write", folder))
      yield* Effect.mapError(names.sync, fileFailure("write", folder))
    }))
    return result
  }).pipe(Effect.scoped)
