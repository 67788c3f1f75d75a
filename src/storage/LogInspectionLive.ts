/**
 * Shows a log, or a single file of one, write by write, as opening reads it. Nothing is changed, and no more of it is in
 * memory than one file.
 *
 * Opening ends at the first thing that is wrong. A person may want to see the rest: what is in the files behind it is
 * read as if the log began there, as their headers say what came before.
 *
 * @module
 */
import * as Array from "effect/Array"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { basename, dirname, join } from "node:path"
import { crc32 } from "node:zlib"
import type { DiskError, ReadableDisk } from "./log/LogDisk.ts"
import { decodePreamble, preamble_bytes } from "./log/Segment.ts"
import { lookAtLock } from "./LockLive.ts"
import {
  LogReader, type LogViewer, type Place, segment_name, type SeenBatch, type SeenSegment, segmentName
} from "./LogReaderLive.ts"

export type LogItem =
  | ({ readonly _tag: "Segment" } & SeenSegment)
  | ({ readonly _tag: "Batch" } & SeenBatch)
  /** What opening says of it, and does about it: no damage. */
  | { readonly _tag: "Note"; readonly message: string }
  /** Why opening does not take it. `refused`: it is another's or of a newer program, and a node would not start on it. */
  | { readonly _tag: "Problem"; readonly message: string; readonly refused: boolean }

/** So many items and entries are shown together: enough to be quick, and not much to be held in memory. */
const together_max = 1_024

/** The process that has the data_dir open which this log, or snapshot, is in; null if there is none. */
export const processAt = (fs: FileSystem, path: string, isFolder: boolean): Effect.Effect<number | null> =>
  lookAtLock(fs, join(path, isFolder ? "../../.." : "../../../..")).pipe(
    Effect.map((refusal) => refusal?.pid ?? null),
    Effect.orElseSucceed(() => null)
  )

/** The files of a log. */
export interface LogFiles {
  readonly folder: string
  /** In order. */
  readonly names: ReadonlyArray<string>
  /** The names say which file of the log each is. */
  readonly numbered: boolean
  /** No file of the log follows the last one of these. */
  readonly ends: boolean
}

/** All of a folder, or a single file of any name. Null: there are none in this folder. */
export const logFiles = Effect.fnUntraced(function*(
  disk: ReadableDisk,
  path: string,
  isFolder: boolean
): Effect.fn.Return<LogFiles | null, DiskError> {
  const folder = isFolder ? path : dirname(path)
  const name = basename(path)
  const found = yield* disk.list(folder)
  // Not the spares: what is in them, if anything, is of no log any more, or not yet.
  const names = found.filter((name) => segment_name.test(name)).sort()
  if (!isFolder) {
    const ends = !segment_name.test(name) || !names.includes(segmentName(Number(name.slice(0, 8)) + 1))
    return { folder, names: [name], numbered: false, ends }
  }
  return names.length === 0 ? null : { folder, names, numbered: true, ends: true }
})

/** Reads them from beginning to end, as fast as the items are taken. */
export const inspectLog = (disk: ReadableDisk, files: LogFiles): Stream.Stream<LogItem> =>
  Stream.callback<Array.NonEmptyArray<LogItem>>((queue) =>
    Effect.gen(function*() {
      let items: Array<LogItem> = []
      let weight = 0
      const flush = Effect.suspend(() => {
        const together = items
        items = []
        weight = 0
        return Array.isArrayNonEmpty(together) ? Effect.asVoid(Queue.offer(queue, together)) : Effect.void
      })
      const show = (item: LogItem): Effect.Effect<void> => {
        items.push(item)
        weight += item._tag === "Batch" ? 1 + item.entries.length : 1
        return weight < together_max ? Effect.void : flush
      }
      yield* readAll(disk, yield* placeOf(disk, files), files, show)
      yield* flush
      yield* Queue.end(queue)
    }), { bufferSize: 1, strategy: "suspend" }).pipe(Stream.flattenArray)

type Show = (item: LogItem) => Effect.Effect<void>

const readAll = Effect.fnUntraced(function*(disk: ReadableDisk, place: Place, { ends, names, numbered }: LogFiles, show: Show) {
  const viewer = onceEach(show)
  let reader = new LogReader(disk, place, viewer)
  let said = ""
  for (let index = 0; index < names.length;) {
    const name = names[index]!
    const last = ends && index + 1 === names.length
    const before = reader.files.length
    const read = numbered ? reader.segment(name, last) : reader.file(join(place.folder, name), null, last)
    const problem = yield* read.pipe(
      Effect.map((message) => message === null ? null : { message, refused: false }),
      Effect.catch(({ message }) => Effect.succeed({ message, refused: true }))
    )
    for (const message of reader.notes.splice(0)) yield* show({ _tag: "Note", message })
    // What is wrong with a file by itself is found once more when the log is taken to begin there.
    if (problem !== null && problem.message !== said) yield* show({ _tag: "Problem", ...problem })
    said = problem?.message ?? ""
    const begins = problem !== null && before > 0 && reader.files.length === before
    if (problem !== null) reader = new LogReader(disk, place, viewer)
    if (!begins) index++
  }
})

/** A file whose beginning is read twice is shown once. */
const onceEach = (show: Show): LogViewer => {
  let file = ""
  return {
    segment: (segment) => {
      if (segment.file === file) return Effect.void
      file = segment.file
      return show({ _tag: "Segment", ...segment })
    },
    batch: (batch) => show({ _tag: "Batch", ...batch })
  }
}

/** Whose log it is, by the first file that says so. What is wrong with the others is found later. */
const placeOf = Effect.fnUntraced(function*(disk: ReadableDisk, { folder, names }: LogFiles): Effect.fn.Return<Place> {
  for (const name of names) {
    const header = yield* Effect.acquireUseRelease(
      disk.open(join(folder, name)),
      (file) => Effect.map(file.read(0, preamble_bytes), (bytes) => decodePreamble(bytes, crc32)),
      (file) => file.close
    ).pipe(Effect.orElseSucceed(() => null))
    if (header === null || "reason" in header) continue
    return { tenant: header.tenant, replica: header.replica, folder, headFile: "", snapshots: "" }
  }
  return { tenant: "", replica: "", folder, headFile: "", snapshots: "" }
})
