/**
 * The real disk under the journals.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import { close, constants, fdatasync, ftruncate, open, read, rmdir, write, writev } from "node:fs"
import { dirname } from "node:path"
import { makeFolder, platformReason, replaceFile, syncFolder, systemReason } from "./FilesLive.ts"
import { DiskError, type LogDisk, type LogFile, type ReadableDisk } from "./log/LogDisk.ts"

const at = <A>(file: string, effect: Effect.Effect<A, PlatformError>): Effect.Effect<A, DiskError> =>
  Effect.mapError(effect, (error) => new DiskError({ file, reason: platformReason(error) }))
const unlessMissing = <A>(effect: Effect.Effect<A, PlatformError>, otherwise: A) =>
  Effect.catchIf(effect, (error) => error.reason._tag === "NotFound", () => Effect.succeed(otherwise))

/** Files are opened to be read, so it works where nothing may be written, too. */
export const makeReadableDisk = (fs: FileSystem): ReadableDisk => ({
  list: (folder) => at(folder, unlessMissing(fs.readDirectory(folder), [])),
  read: (path) => at(path, unlessMissing<Uint8Array | null>(Effect.map(fs.readFile(path), plain), null)),
  open: (path) => openFile(path, "r")
})

export const makeLogDisk = (fs: FileSystem): LogDisk => ({
  ...makeReadableDisk(fs),
  put: (path, bytes) => at(path, Effect.andThen(makeFolder(fs, dirname(path)), replaceFile(fs, path, bytes))),
  rename: (from, to) => at(from, Effect.andThen(fs.rename(from, to), syncFolder(fs, dirname(from)))),
  create: (path) => Effect.andThen(at(path, makeFolder(fs, dirname(path))), openFile(path, "w+")),
  remove: (path) => at(path, Effect.andThen(unlessMissing(fs.remove(path), undefined), syncFolder(fs, dirname(path)))),
  removeFolder: (path) => Effect.andThen(removeEmpty(path), syncNames(fs, dirname(path))),
  syncNames: (folder) => syncNames(fs, folder),
  open: (path) => openFile(path, "r+")
})

const syncNames = (fs: FileSystem, folder: string): Effect.Effect<void, DiskError> =>
  at(folder, unlessMissing(syncFolder(fs, folder), undefined))

/** By the system itself: what the platform has removes a folder only together with all that is in it. */
const removeEmpty = (path: string): Effect.Effect<void, DiskError> =>
  systemCall(path, (done) => rmdir(path, (error) => done(error?.code === "ENOENT" ? null : error)))

const openFile = (path: string, flag: "r" | "r+" | "w+"): Effect.Effect<LogFile, DiskError> =>
  Effect.map(descriptor(path, flag), (fd) => logFile(path, fd))

const descriptor = (path: string, flag: string | number): Effect.Effect<number, DiskError> =>
  systemCall<number>(path, (done) => open(path, flag, done))

/**
 * A descriptor of which every write is durable when it returns; null where the system has none, or one that leaves it to the
 * cache of the drive, which `fdatasync` does not (macOS).
 */
const through = process.platform === "linux" ? constants.O_WRONLY | constants.O_DSYNC : null

/** A descriptor that writes past the system's cache; null where there is none. */
const past = process.platform === "linux" ? constants.O_WRONLY | constants.O_DIRECT : null

/** The same bytes, not as a `Buffer`. */
const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)

const logFile = (path: string, fd: number): LogFile => {
  const others: Array<number> = []
  /** Another descriptor of it, opened when it is needed: most files are only read. */
  const another = <Fd extends number | null>(open: Effect.Effect<Fd, DiskError>): Effect.Effect<Fd, DiskError> => {
    let opened: Fd | undefined
    // Who does not wait for it any more must not leave it open.
    const opening = Effect.uninterruptible(Effect.map(open, (fd) => {
      if (fd !== null) others.push(fd)
      return opened = fd
    }))
    return Effect.suspend(() => opened !== undefined ? Effect.succeed(opened) : opening)
  }
  const sync = systemCall(path, (done) => fdatasync(fd, done))
  const writeAndSync: LogFile["writeThrough"] = (at, chunks) => Effect.andThen(writeAll(path, fd, at, chunks), sync)
  const durable = through === null ? null : another(descriptor(path, through))
  const direct = another(past === null ? Effect.succeed(null) : unlessRefused(path, null, (done) => open(path, past, done)))
  return {
    write: (at, chunks) => writeAll(path, fd, at, chunks),
    writeThrough: (at, chunks) =>
      durable === null ? writeAndSync(at, chunks) : Effect.flatMap(durable, (durable) => writeAll(path, durable, at, chunks)),
    writePast: (at, bytes) =>
      Effect.flatMap(direct, (direct) =>
        direct === null ? Effect.succeed(0) : unlessRefused(path, 0, (done) => write(direct, bytes, 0, bytes.length, at, done))
      ).pipe(Effect.flatMap((written) =>
        written === bytes.length ? Effect.void : writeAndSync(at + written, [bytes.subarray(written)]))),
    read: (at, length) => readAll(path, fd, at, length),
    grow: (size) => systemCall(path, (done) => ftruncate(fd, size, done)),
    sync,
    close: Effect.suspend(() =>
      Effect.forEach([...others, fd], (fd) => Effect.ignore(systemCall(path, (done) => close(fd, done))), { discard: true })
    )
  }
}

type Done<A> = (error: NodeJS.ErrnoException | null, value?: A) => void

/** `otherwise`, where the file system does not have what is asked for, or not for this. */
const unlessRefused = <A extends number | null>(
  path: string,
  otherwise: A,
  call: (done: Done<number>) => void
): Effect.Effect<number | A, DiskError> =>
  systemCall<number | A>(path, (done) =>
    call((error, value) => error?.code === "EINVAL" || error?.code === "EOPNOTSUPP" ? done(null, otherwise) : done(error, value)))

/** The system may take a part only, and says why at the next try. */
const writeAll = (
  path: string,
  fd: number,
  at: number,
  chunks: ReadonlyArray<Uint8Array>
): Effect.Effect<void, DiskError> => {
  const some = chunks.filter((chunk) => chunk.length > 0)
  if (some.length === 0) return Effect.void
  return Effect.flatMap(systemCall<number>(path, (done) => writev(fd, some, at, done)), (written) =>
    written === 0
      ? Effect.fail(new DiskError({ file: path, reason: "the disk takes no more bytes" }))
      : writeAll(path, fd, at + written, behind(some, written)))
}

/** The system may give a part only; nothing at all means that the file ends. */
const readAll = (path: string, fd: number, at: number, length: number): Effect.Effect<Uint8Array, DiskError> =>
  Effect.gen(function*() {
    const bytes = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      const got = yield* systemCall<number>(path, (done) => read(fd, bytes, filled, length - filled, at + filled, done))
      if (got === 0) break
      filled += got
    }
    return bytes.subarray(0, filled)
  })

/** What is left of the chunks without their first `bytes`. */
export const behind = (chunks: ReadonlyArray<Uint8Array>, bytes: number): Array<Uint8Array> => {
  let gone = bytes
  return chunks.flatMap((chunk) => {
    const here = Math.min(gone, chunk.length)
    gone -= here
    return here === chunk.length ? [] : [chunk.subarray(here)]
  })
}

/** One call of the system; it cannot be taken back, so nobody stops waiting for it. */
const systemCall = <A = void>(
  file: string,
  call: (done: Done<A>) => void
): Effect.Effect<A, DiskError> =>
  Effect.uninterruptible(
    Effect.callback<A, DiskError>((resume) =>
      call((error, value) =>
        resume(error ? Effect.fail(new DiskError({ file, reason: systemReason(error) })) : Effect.succeed(value!))
      )
    )
  )
