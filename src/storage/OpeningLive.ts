/**
 * Reads what a replica has on its disk when it starts, and judges it: whole, whole after a write that was cut short by a
 * crash, or in doubt. It changes nothing.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { decodeHeadFile, type HeadFile } from "./HeadFileLive.ts"
import type { JournalError, ReplicaHead, Stored } from "./Journal.ts"
import { nothingStored } from "./JournalModel.ts"
import type { Fold } from "./log/Fold.ts"
import type { ReadableDisk } from "./log/LogDisk.ts"
import {
  LogReader, type LogViewer, openError, orFail, type Place, promiseIn, segment_name, type SegmentFile, type Tail
} from "./LogReaderLive.ts"
import { type Choice, chooseSnapshot, noChoice } from "./SnapshotReadingLive.ts"
import { spare_name } from "./SpareLive.ts"

/** Where a log goes on. */
export interface LogEnd {
  /** Its id and its last batch. */
  readonly log: { readonly id: string; readonly sequence: number; readonly chain: number }
  readonly tail: Tail
  /** Behind `tail.at`, up to here, are the remains of a write that was cut short. */
  readonly torn_to: number | null
  readonly files: ReadonlyArray<SegmentFile>
  /** What is in files with a lower number was replaced by a snapshot. */
  readonly first: number
}

export interface Opened {
  readonly stored: Stored
  /** Null: there is no log, or none that can be read to its end. */
  readonly end: LogEnd | null
  readonly choice: Choice
  readonly headFile: HeadFile | null | "damaged"
  /** Names of files that were to be used again: what is in them is of no log any more, or not yet. */
  readonly spares: ReadonlyArray<string>
  /** What the log comes to, be it in doubt or not. */
  readonly fold: Fold
}

/** With a viewer, `stored` has no entries. */
export const readLog = Effect.fnUntraced(function*(
  disk: ReadableDisk,
  place: Place,
  viewer: LogViewer | null = null
): Effect.fn.Return<Opened, JournalError> {
  const headBytes = yield* orFail(disk.read(place.headFile))
  const decoded = headBytes === null ? null : decodeHeadFile(headBytes, place, "disk")
  const headProblem = decoded !== null && "reason" in decoded ? decoded : null
  if (headProblem?.damaged === false) return yield* openError(place.headFile, headProblem.reason)
  const headFile = decoded === null || "reason" in decoded ? null : decoded
  const listed = yield* orFail(disk.list(place.folder))
  const names = listed.filter((name) => segment_name.test(name)).sort()
  const reader = new LogReader(disk, place, viewer)
  let doubt: string | null = null
  let promise = headFile?.head ?? null
  for (const [index, name] of names.entries()) {
    doubt ??= yield* reader.segment(name, index + 1 === names.length)
    if (doubt !== null) promise = higher(promise, yield* promiseIn(disk, place, name))
  }
  if (headProblem) doubt ??= `${place.headFile} is damaged: ${headProblem.reason}`
  doubt ??= mismatch(place, reader, headFile)
  const { fold, notes } = reader
  const head = doubt === null ? fold.head ?? headFile?.head ?? null : higher(promise, fold.head)
  const choice = doubt === null ? yield* chooseSnapshot(disk, place, fold, head?.whole !== false) : noChoice
  doubt ??= choice.doubt
  const { base, entries } = fold
  const snapshot = choice.kept.at(-1) ?? null
  const commit = Math.max(fold.commit, snapshot ?? 0)
  const stored: Stored = doubt === null
    ? { head, base, snapshot, entries, commit, doubt, notes, damage: choice.damage }
    : { ...nothingStored, head, doubt }
  const spares = listed.filter((name) => spare_name.test(name))
  return { stored, end: endOf(reader), choice, headFile: headProblem ? "damaged" : headFile, spares, fold }
})

/** Durability `memory`: the head file is all that there is. Null: there is none. */
export const readHeadFile = Effect.fnUntraced(function*(
  disk: ReadableDisk,
  place: Place
): Effect.fn.Return<HeadFile | null, JournalError> {
  const bytes = yield* orFail(disk.read(place.headFile))
  const found = bytes === null ? null : decodeHeadFile(bytes, place, "memory")
  if (found === null || !("reason" in found)) return found
  const reason = found.damaged ? `the file is damaged: ${found.reason}; ${damage_advice}` : found.reason
  return yield* openError(place.headFile, reason)
})

const damage_advice =
  "if the other replicas of this tenant are up, remove it, and this replica recovers from them"

const endOf = ({ chain, files, first, id, sequence, tail, torn_to }: LogReader): LogEnd | null =>
  id === null || tail === null ? null : { log: { id, sequence, chain }, tail, torn_to, files, first }

/** Does the log, which is whole by itself, hold less than the head file says? */
const mismatch = ({ folder, headFile: file }: Place, log: LogReader, headFile: HeadFile | null): string | null => {
  const known = headFile?.log ?? null
  if (known === null) {
    // A crash may keep the first head file from being written, not a later one.
    return log.sequence > 1 ? `${file} is missing, though there is a log` : null
  }
  if (log.id === null) return known.sequence > 0 ? `${folder} is missing or empty, though there was a log` : null
  if (log.id !== known.id) return `${folder} holds another log than ${file} says`
  if (log.sequence >= known.sequence) return null
  return `the log in ${folder} ends with write ${log.sequence}, though write ${known.sequence} was durable`
}

/** Of two promises, the one that holds. */
const higher = (one: ReplicaHead | null, other: ReplicaHead | null): ReplicaHead | null => {
  if (one === null || other === null) return one ?? other
  if (one.epoch !== other.epoch) return one.epoch > other.epoch ? one : other
  return one.view >= other.view ? one : other
}
