/**
 * What a journal needs of a disk. `LogDiskLive.ts` has the real one; tests have one in memory that loses power.
 *
 * @module
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export class DiskError extends Schema.TaggedError<DiskError>()("DiskError", {
  file: Schema.String,
  /** In words: "no space left on device". */
  reason: Schema.String
}) {}

/** A disk that is looked at. Whoever judges what is there takes this one, and so cannot change anything. */
export interface ReadableDisk {
  /** The names in a folder, in no order; none if there is no such folder. */
  readonly list: (folder: string) => Effect.Effect<ReadonlyArray<string>, DiskError>
  /** Null if there is no such file. */
  readonly read: (path: string) => Effect.Effect<Uint8Array | null, DiskError>
  readonly open: (path: string) => Effect.Effect<ReadableFile, DiskError>
}

export interface ReadableFile {
  /** Up to `length` bytes from offset `at` on; fewer only if the file ends. */
  readonly read: (at: number, length: number) => Effect.Effect<Uint8Array, DiskError>
  readonly close: Effect.Effect<void>
}

/** No disk wants more. */
export const page_bytes = 4096

/** An open file. Nothing of it is durable before the next `sync` returns, but for what is written through. */
export interface LogFile extends ReadableFile {
  /** Writes all of the chunks, one after the other, from offset `at` on. */
  readonly write: (at: number, chunks: ReadonlyArray<Uint8Array>) => Effect.Effect<void, DiskError>
  /**
   * The same, and durable when it returns: these bytes, and no others. For what lies within the file: its size may not be
   * durable. One call of the system, and one turn of a thread, where a write and a sync are two of each.
   */
  readonly writeThrough: (at: number, chunks: ReadonlyArray<Uint8Array>) => Effect.Effect<void, DiskError>
  /**
   * Writes past the system's cache, if it lets us: what nobody reads soon would only take memory there. Its content does not wait
   * for a flush then; for the file, a sync is still needed. `at` and the length: multiples of `page_bytes`. The bytes lie at such a
   * multiple in memory that is `pageAligned`.
   */
  readonly writePast: (at: number, bytes: Uint8Array) => Effect.Effect<void, DiskError>
  /** Makes the file `size` bytes long, with zeros. */
  readonly grow: (size: number) => Effect.Effect<void, DiskError>
  readonly sync: Effect.Effect<void, DiskError>
}

export interface LogDisk extends ReadableDisk {
  /** Makes or replaces a file, and the folder if need be: durably, and all of it or nothing. */
  readonly put: (path: string, bytes: Uint8Array) => Effect.Effect<void, DiskError>
  /** Gives a file or folder another name in the same folder, durably. */
  readonly rename: (from: string, to: string) => Effect.Effect<void, DiskError>
  /** Makes an empty file, or empties the one that is there, and makes the folder if need be. Its name is not durable. */
  readonly create: (path: string) => Effect.Effect<LogFile, DiskError>
  /** Removes a file, durably. No harm if it is not there. */
  readonly remove: (path: string) => Effect.Effect<void, DiskError>
  /** Removes an empty folder, durably. No harm if it is not there; one that is not empty stays, and that is an error. */
  readonly removeFolder: (path: string) => Effect.Effect<void, DiskError>
  /** Makes the names in a folder durable. No harm if there is no such folder. */
  readonly syncNames: (folder: string) => Effect.Effect<void, DiskError>
  readonly open: (path: string) => Effect.Effect<LogFile, DiskError>
}
