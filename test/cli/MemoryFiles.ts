/**
 * The files of a test, in memory: what the command lines do with files, and no more. One can be made to fail.
 *
 * @module
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import { systemError } from "effect/PlatformError"
import * as Stream from "effect/Stream"
import { bytesOf, concat } from "./Bytes.ts"

export type Files = Map<string, Uint8Array>

/** A path that ends in a slash is a folder. */
const isFolder = (files: Files, path: string): boolean => path === "." || path === "/" || files.has(`${path.replace(/\/$/, "")}/`)

const fails = (tag: "AlreadyExists" | "BadResource" | "NotFound" | "PermissionDenied", method: string, path: string) =>
  Effect.fail(systemError({ module: "FileSystem", method, _tag: tag, pathOrDescriptor: path }))

/** Too many bytes for the disk, in all files together, are more than `room`. */
export const memoryFiles = (files: Files, room = Infinity): Layer.Layer<FileSystem.FileSystem> => {
  const content = (method: string, path: string) =>
    Effect.suspend(() => {
      if (isFolder(files, path)) return fails("BadResource", method, path)
      const data = files.get(path)
      if (path.startsWith("secret")) return fails("PermissionDenied", method, path)
      return data === undefined ? fails("NotFound", method, path) : Effect.succeed(data)
    })
  const append = (path: string, data: Uint8Array) =>
    Effect.suspend(() => {
      files.set(path, concat([files.get(path) ?? new Uint8Array(), data]))
      const used = [...files.values()].reduce((sum, { length }) => sum + length, 0)
      const cause = new Error("ENOSPC: no space left on device, write")
      return used > room ? Effect.fail(systemError({ module: "FileSystem", method: "write", _tag: "Unknown", cause })) : Effect.void
    })
  return FileSystem.layerNoop({
    readFile: (path) => content("readFile", path),
    readFileString: (path) => Effect.map(content("readFileString", path), (data) => new TextDecoder().decode(data)),
    stream: (path, options) =>
      Stream.flatMap(Stream.fromEffect(content("stream", path)), (data) => {
        const size = options?.chunkSize ?? 64 * 1024
        const count = Math.ceil(data.length / size)
        return Stream.fromIterable(Array.from({ length: count }, (_, index) => data.subarray(index * size, (index + 1) * size)))
      }),
    writeFileString: (path, data, options) =>
      Effect.suspend(() => {
        if (options?.flag !== "a") files.delete(path)
        return append(path, bytesOf(data))
      }),
    open: (path, options) =>
      Effect.suspend(() => {
        const flag = options?.flag ?? "r"
        if (flag === "wx" && files.has(path)) return fails("AlreadyExists", "open", path)
        if (flag === "r" && !files.has(path) && !isFolder(files, path)) return fails("NotFound", "open", path)
        if (flag !== "r") files.set(path, new Uint8Array())
        const file: Partial<FileSystem.File> = { sync: Effect.void, writeAll: (data) => append(path, data) }
        return Effect.succeed(file as FileSystem.File)
      }),
    rename: (from, to) => Effect.sync(() => {
      files.set(to, files.get(from)!)
      files.delete(from)
    }),
    remove: (path) => Effect.sync(() => void files.delete(path)),
    makeDirectory: () => Effect.void,
    stat: (path) =>
      isFolder(files, path)
        ? Effect.succeed({ type: "Directory", size: ByteSize.bytes(0) } as FileSystem.File.Info)
        : Effect.map(content("stat", path), ({ length }) =>
          ({ type: "File", size: ByteSize.bytes(length) }) as FileSystem.File.Info)
  })
}
