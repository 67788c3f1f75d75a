/**
 * Files that somebody sends to this node, and that are needed for a moment: snapshots of which tenants are made. They
 * need not survive a crash; what a node finds when it starts is removed.
 *
 * This file has the contract and the version in memory; `UploadsLive.ts` has the real one.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { MemoryDisk } from "./MemoryDisk.ts"

export class UploadError extends Schema.TaggedError<UploadError>()("UploadError", {
  /** One line: the file, and what happened. */
  message: Schema.String
}) {}

/** By the id of the upload, a UUID. One user of an id at a time. */
export class Uploads extends Context.Service<Uploads, {
  /** Removes all that there are. To be called when a node starts. */
  readonly clear: Effect.Effect<void, UploadError>
  /** Empty, whatever there was. */
  readonly begin: (id: string) => Effect.Effect<void, UploadError>
  /** After a failure the content is not known. */
  readonly append: (id: string, bytes: Uint8Array) => Effect.Effect<void, UploadError>
  /** Gives the content, in pieces of any size. */
  readonly read: (id: string, take: (piece: Uint8Array) => void) => Effect.Effect<void, UploadError>
  /** No harm if it is not there. */
  readonly remove: (id: string) => Effect.Effect<void>
}>()("v2r2/storage/Uploads") {
  static readonly layerMemory = (disk: MemoryDisk): Layer.Layer<Uploads> =>
    Layer.sync(Uploads, () => {
      const failing = <A>(effect: () => Effect.Effect<A, UploadError>): Effect.Effect<A, UploadError> =>
        Effect.suspend(() => disk.failure === null ? effect() : new UploadError({ message: disk.failure }))
      const pieces = (id: string) => {
        const known = disk.uploads.get(id)
        return known === undefined ? new UploadError({ message: `there is no upload ${id}` }) : Effect.succeed(known)
      }
      return Uploads.of({
        clear: Effect.sync(() => disk.uploads.clear()),
        begin: (id) => failing(() => Effect.sync(() => void disk.uploads.set(id, []))),
        append: (id, bytes) => failing(() => Effect.map(pieces(id), (known) => void known.push(bytes.slice()))),
        read: (id, take) =>
          Effect.flatMap(pieces(id), (known) =>
            Effect.forEach(known, (piece) => Effect.andThen(Effect.sync(() => take(piece)), Effect.yieldNow), { discard: true })),
        remove: (id) => Effect.sync(() => void disk.uploads.delete(id))
      })
    })
}
