/**
 * Reads a write-ahead log when its replica starts, and judges it: whole, whole after a write that was cut short by a
 * crash, or in doubt. It changes nothing on the disk.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import { decodeHeadFile, type HeadFile, newer_advice, othersReason, type Owner } from "./HeadFileLive.ts"
import { JournalError, type ReplicaHead, type Stored } from "./Journal.ts"
import { nextOffset } from "./log/Batch.ts"
import { Fold } from "./log/Fold.ts"
import type { DiskError, LogDisk } from "./log/LogDisk.ts"
import { scan } from "./log/Scan.ts"
import { decodeBound, decodePreamble, preamble_bytes, seedOf, type SegmentHeader } from "./log/Segment.ts"

/** Where a replica's files are. */
export interface Place extends Owner {
  readonly headFile: string
  /** The folder of the log. */
  readonly folder: string
}

/** Where the next batch goes. */
export interface Tail {
  readonly file: string
  readonly number: number
  readonly at: number
  readonly size: number
}

/** Where a log goes on. */
export interface LogEnd {
  /** Its id and its last batch. */
  readonly log: { readonly id: string; readonly sequence: number; readonly chain: number }
  readonly tail: Tail
  /** Behind `tail.at`, up to here, are the remains of a write that was cut short. */
  readonly torn_to: number | null
}

export interface Opened {
  readonly stored: Stored
  /** Null: there is no log, or none that can be read to its end. */
  readonly end: LogEnd | null
  readonly headFile: HeadFile | null | "damaged"
}

/** After so many bytes, others get their turn. */
const turn_bytes = 1 * 1024 * 1024
const segment_name = /^\d{8}\.log$/
export const segmentName = (number: number): string => `${String(number).padStart(8, "0")}.log`

export const openError = (file: string, reason: string): JournalError =>
  new JournalError({ during: "open", file, message: `${file}: ${reason}` })

export const readLog = Effect.fnUntraced(function*(
  disk: LogDisk,
  place: Place
): Effect.fn.Return<Opened, JournalError> {
  const headBytes = yield* orFail(disk.read(place.headFile))
  const decoded = headBytes === null ? null : decodeHeadFile(headBytes, place, "disk")
  const headProblem = decoded !== null && "reason" in decoded ? decoded : null
  if (headProblem?.damaged === false) return yield* openError(place.headFile, headProblem.reason)
  const headFile = decoded === null || "reason" in decoded ? null : decoded
  const names = (yield* orFail(disk.list(place.folder))).filter((name) => segment_name.test(name)).sort()
  const reader = new LogReader(disk, place)
  let doubt: string | null = null
  for (const [index, name] of names.entries()) {
    doubt ??= yield* reader.segment(name, index + 1, index + 1 === names.length)
  }
  if (headProblem) doubt ??= `${place.headFile} is damaged: ${headProblem.reason}`
  doubt ??= mismatch(place, reader, headFile)
  const { fold, id, tail, torn_to } = reader
  const head = doubt === null ? fold.head ?? headFile?.head ?? null : higher(headFile?.head ?? null, fold.head)
  const stored: Stored = doubt === null
    ? { head, entries: fold.entries, commit: fold.commit, doubt, notes: reader.notes }
    : { head, entries: [], commit: 0, doubt, notes: [] }
  return {
    stored,
    end: id === null || tail === null ? null : { log: { id, sequence: reader.sequence, chain: reader.chain }, tail, torn_to },
    headFile: headProblem ? "damaged" : headFile
  }
})

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

const orFail = <A>(effect: Effect.Effect<A, DiskError>): Effect.Effect<A, JournalError> =>
  Effect.mapError(effect, ({ file, reason }) => openError(file, reason))

class LogReader {
  readonly fold = new Fold()
  readonly notes: Array<string> = []
  id: string | null = null
  sequence = 0
  chain = 0
  tail: Tail | null = null
  torn_to: number | null = null
  private readonly disk: LogDisk
  private readonly place: Place

  constructor(disk: LogDisk, place: Place) {
    this.disk = disk
    this.place = place
  }

  /** What is wrong with a segment, or null. */
  segment(name: string, number: number, last: boolean): Effect.Effect<string | null, JournalError> {
    const { disk, place } = this
    const file = join(place.folder, name)
    return Effect.suspend(() => {
      if (name !== segmentName(number)) return Effect.succeed(`${join(place.folder, segmentName(number))} is missing`)
      return Effect.flatMap(orFail(disk.read(file)), (bytes) => this.content(file, bytes ?? new Uint8Array(0), number, last))
    })
  }

  private content(file: string, bytes: Uint8Array, number: number, last: boolean) {
    const { place } = this
    const header = decodePreamble(bytes, crc32)
    if ("reason" in header) {
      return header.newer
        ? Effect.fail(openError(file, `${header.reason}; ${newer_advice}`))
        : Effect.succeed(`${file}: ${header.reason}`)
    }
    if (header.tenant !== place.tenant || header.replica !== place.replica) {
      return Effect.fail(openError(file, othersReason("log", header, place)))
    }
    const problem = this.continues(header, bytes.length, number)
    return problem === null
      ? this.batches(file, bytes, header, last)
      : Effect.succeed(`${file}: ${problem}`)
  }

  /** Does this segment follow the one before? */
  private continues(header: SegmentHeader, size: number, number: number): string | null {
    if (header.number !== number) return `it is file ${header.number} of its log, where file ${number} has to be`
    if (this.id !== null && header.log !== this.id) return "it belongs to another log than the file before it"
    const chain = this.id === null ? seedOf(header.log, crc32) : this.chain
    const follows = header.sequence === this.sequence + 1 && header.chain === chain &&
      header.op === this.fold.entries.length
    if (!follows) return `it begins with write ${header.sequence}, the file before it ends with write ${this.sequence}`
    if (size % header.step_bytes !== 0) return `it has been cut: it has ${size} bytes, no multiple of ${header.step_bytes}`
    this.id = header.log
    this.chain = chain
    return null
  }

  private batches(
    file: string,
    bytes: Uint8Array,
    header: SegmentHeader,
    last: boolean
  ): Effect.Effect<string | null> {
    const seed = seedOf(header.log, crc32)
    const segment = { bytes, seed, last }
    return Effect.gen({ self: this }, function*() {
      let at = preamble_bytes
      let turn = at
      while (true) {
        const found = scan(segment, at, { sequence: this.sequence + 1, chain: this.chain }, crc32)
        if (found._tag === "Damaged") return `${file}, at byte ${at}: ${found.reason}`
        if (found._tag !== "Batch") {
          if (found._tag === "Torn") this.torn(file, at, found.to)
          this.tail = { file, number: header.number, at, size: bytes.length }
          return this.bounded(file, bytes, seed)
        }
        const problem = this.fold.take(bytes, at, found.header)
        if (problem !== null) return `${file}, at byte ${at}: ${problem}`
        this.sequence = found.header.sequence
        this.chain = found.header.checksum
        at = nextOffset(at, found.header)
        if (at - turn < turn_bytes) continue
        turn = at
        yield* Effect.yieldNow
      }
    })
  }

  private torn(file: string, at: number, to: number): void {
    this.torn_to = to
    const behind = this.fold.entries.length
    this.notes.push(
      `${file}: a write that was cut short by a crash (${to - at} bytes behind op ${behind}) was dropped; ` +
        "it was never acknowledged"
    )
  }

  /** Is there all that the segment says of itself? */
  private bounded(file: string, bytes: Uint8Array, seed: number): string | null {
    const bound = decodeBound(bytes, seed, crc32)
    return bound === null || bytes.length >= bound.size && this.sequence >= bound.sequence
      ? null
      : `${file}: it ends with write ${this.sequence}, though write ${bound.sequence} was durable`
  }
}
