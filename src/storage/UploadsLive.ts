/**
 * Uploads on a real disk: `<data_dir>/uploads/<id>.snapshot`.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { PlatformError } from "effect/PlatformError"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import { invariant } from "../base/Invariant.ts"
import { isUuid } from "../base/Names.ts"
import { makeFolder, platformReason } from "./FilesLive.ts"
import { UploadError, Uploads } from "./Uploads.ts"

/** What is read at a time: others have their turn in between. */
const piece_bytes = 1024 * 1024

/** To be used only while this process holds the folder, by `NodeStoreLive`. */
export const layer = (data_dir: string): Layer.Layer<Uploads, never, FileSystem.FileSystem> =>
  Layer.effect(
    Uploads,
    Effect.map(FileSystem.FileSystem, (fs) => {
      const folder = join(data_dir, "uploads")
      const fileOf = (id: string): string => {
        invariant(isUuid(id), "an upload has a UUID", { id })
        return join(folder, `${id}.snapshot`)
      }
      const failed = (path: string) =>
        Effect.mapError((error: PlatformError) => new UploadError({ message: `${path}: ${platformReason(error)}` }))
      const withFile = <A>(path: string, flag: "a" | "w", use: (file: FileSystem.File) => Effect.Effect<A, PlatformError>) =>
        failed(path)(Effect.scoped(Effect.flatMap(fs.open(path, { flag }), use)))
      return Uploads.of({
        clear: failed(folder)(fs.remove(folder, { recursive: true, force: true })),
        begin: (id) => Effect.andThen(failed(folder)(makeFolder(fs, folder)), withFile(fileOf(id), "w", () => Effect.void)),
        append: (id, bytes) => withFile(fileOf(id), "a", (file) => file.writeAll(bytes)),
        read: (id, take) =>
          failed(fileOf(id))(Stream.runForEach(fs.stream(fileOf(id), { chunkSize: piece_bytes }), (piece) =>
            Effect.andThen(Effect.sync(() => take(piece)), Effect.yieldNow))),
        remove: (id) => Effect.ignore(fs.remove(fileOf(id), { force: true }))
      })
    })
  )
