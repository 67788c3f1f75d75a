/**
 * Reads the segments of a write-ahead log, one after the other, and finds what is wrong with them. It changes nothing.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import { invariant } from "../base/Invariant.ts"
import { newer_advice, older_advice, othersReason, type Owner } from "./HeadFileLive.ts"
import { JournalError, type ReplicaHead } from "./Journal.ts"
import { type Batch, type BatchHeader, decodeBatchHeader, decodeBody, isBodyWhole, nextOffset } from "./log/Batch.ts"
import { Fold } from "./log/Fold.ts"
import type { DiskError, ReadableDisk } from "./log/LogDisk.ts"
import { scan } from "./log/Scan.ts"
import { type Bound, decodeBound, decodePreamble, preamble_bytes, seedOf, type SegmentHeader } from "./log/Segment.ts"

/** Where a replica's files are. */
export interface Place extends Owner {
  readonly headFile: string
  /** The folder of the log. */
  readonly folder: string
  /** The folder of the snapshots. */
  readonly snapshots: string
}

/** Where the next batch goes. */
export interface Tail {
  readonly file: string
  readonly number: number
  readonly at: number
  readonly size: number
}

/** A segment, its size, and the last op of the log where it ends. */
export interface SegmentFile {
  readonly number: number
  readonly op: number
  readonly bytes: number
}

/** A segment whose header is whole, before anything else of it is judged. */
export interface SeenSegment {
  readonly file: string
  readonly header: SegmentHeader
  readonly bound: Bound | null
  readonly bytes: number
}

/** A batch that is whole, and follows the one before. */
export interface SeenBatch extends Pick<Batch, "entries" | "head" | "snapshot"> {
  /** Of the segment that it is in. */
  readonly number: number
  readonly at: number
  readonly bytes: number
  readonly header: BatchHeader
  /** The last op of the log behind it. */
  readonly op: number
}

/** Someone who looks at all that is read, at once: what is shown shares memory with the file. */
export interface LogViewer {
  readonly segment: (segment: SeenSegment) => Effect.Effect<void>
  readonly batch: (batch: SeenBatch) => Effect.Effect<void>
}

/** After so many bytes, others get their turn. */
const turn_bytes = 1 * 1024 * 1024
export const segment_name = /^\d{8}\.log$/
export const segmentName = (number: number): string => `${String(number).padStart(8, "0")}.log`

export const openError = (file: string, reason: string): JournalError =>
  new JournalError({ during: "open", file, message: `${file}: ${reason}` })

export const orFail = <A>(effect: Effect.Effect<A, DiskError>): Effect.Effect<A, JournalError> =>
  Effect.mapError(effect, ({ file, reason }) => openError(file, reason))

/** The head in the first batch of a segment; null if it cannot be read. By its checksums it stands without what came before. */
export const promiseIn = (disk: ReadableDisk, place: Place, name: string): Effect.Effect<ReplicaHead | null, JournalError> =>
  Effect.map(orFail(disk.read(join(place.folder, name))), (read) => {
    const bytes = read ?? new Uint8Array(0)
    const segment = decodePreamble(bytes, crc32)
    if ("reason" in segment || segment.tenant !== place.tenant || segment.replica !== place.replica) return null
    const seed = seedOf(segment.log, crc32)
    const header = decodeBatchHeader(bytes, preamble_bytes, seed, crc32)
    if (header === null || !isBodyWhole(bytes, preamble_bytes, header, seed, crc32)) return null
    return decodeBody(bytes, preamble_bytes, header)?.head ?? null
  })

export class LogReader {
  fold: Fold
  readonly notes: Array<string> = []
  id: string | null = null
  sequence = 0
  chain = 0
  tail: Tail | null = null
  torn_to: number | null = null
  /** What there is, the last one included. */
  files: Array<SegmentFile> = []
  /** From here on there is all that is needed: the number of the segment in which the log was begun anew, or 0. */
  first = 0
  private readonly disk: ReadableDisk
  private readonly place: Place
  private readonly viewer: LogViewer | null

  /** With a viewer, the entries are for it alone: none is kept. */
  constructor(disk: ReadableDisk, place: Place, viewer: LogViewer | null = null) {
    this.disk = disk
    this.place = place
    this.viewer = viewer
    this.fold = new Fold(0, viewer === null)
  }

  /** What is wrong with a segment, or null. Those before it have been read; the first one may have any number. */
  segment(name: string, last: boolean): Effect.Effect<string | null, JournalError> {
    const { place } = this
    const number = (this.files.at(-1)?.number ?? Number(name.slice(0, 8)) - 1) + 1
    return Effect.suspend(() => {
      if (name !== segmentName(number)) return Effect.succeed(`${join(place.folder, segmentName(number))} is missing`)
      return this.file(join(place.folder, name), number, last)
    })
  }

  /** The same for a file of any name. Without a `number` it may have any. */
  file(file: string, number: number | null, last: boolean): Effect.Effect<string | null, JournalError> {
    return Effect.flatMap(orFail(this.disk.read(file)), (bytes) =>
      this.content(file, bytes ?? new Uint8Array(0), number, last))
  }

  private content(
    file: string,
    bytes: Uint8Array,
    number: number | null,
    last: boolean
  ): Effect.Effect<string | null, JournalError> {
    const { place } = this
    const header = decodePreamble(bytes, crc32)
    if ("reason" in header) {
      const { reason, version } = header
      return version === null
        ? Effect.succeed(`${file}: ${reason}`)
        : Effect.fail(openError(file, `${reason}; ${version === "newer" ? newer_advice : older_advice}`))
    }
    if (header.tenant !== place.tenant || header.replica !== place.replica) {
      return Effect.fail(openError(file, othersReason("log", header, place)))
    }
    const judged = Effect.suspend(() => {
      const problem = this.continues(header, bytes.length, number ?? header.number)
      return problem === null ? this.batches(file, bytes, header, last) : Effect.succeed(`${file}: ${problem}`)
    })
    if (this.viewer === null) return judged
    const bound = decodeBound(bytes, seedOf(header.log, crc32), crc32)
    return Effect.andThen(this.viewer.segment({ file, header, bound, bytes: bytes.length }), judged)
  }

  /** Does this segment follow the one before? */
  private continues(header: SegmentHeader, size: number, number: number): string | null {
    if (header.number !== number) return `it is file ${header.number} of its log, where file ${number} has to be`
    if (this.id !== null && header.log !== this.id) return "it belongs to another log than the file before it"
    if (this.id === null) this.begin(header)
    const follows = header.sequence === this.sequence + 1 && header.chain === this.chain && header.op === this.fold.op
    if (!follows) return `it begins with write ${header.sequence}, the file before it ends with write ${this.sequence}`
    if (size % header.step_bytes !== 0) return `it has been cut: it has ${size} bytes, no multiple of ${header.step_bytes}`
    this.files.push({ number, op: header.op, bytes: size })
    return null
  }

  /** The first segment that there is, but perhaps not the first that there was: then it says what came before. */
  private begin(header: SegmentHeader): void {
    this.id = header.log
    this.chain = seedOf(header.log, crc32)
    if (header.number === 1) return
    this.sequence = header.sequence - 1
    this.chain = header.chain
    this.fold = new Fold(header.op, this.viewer === null)
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
        this.took(found.header)
        if (this.viewer !== null) yield* this.viewer.batch(this.seen(bytes, at, found.header))
        at = nextOffset(at, found.header)
        if (at - turn < turn_bytes) continue
        turn = at
        yield* Effect.yieldNow
      }
    })
  }

  private took(header: BatchHeader): void {
    const file = this.files.at(-1)!
    this.sequence = header.sequence
    this.chain = header.checksum
    if (header.snapshot) this.first = file.number
    this.files[this.files.length - 1] = { ...file, op: this.fold.op }
  }

  private seen(bytes: Uint8Array, at: number, header: BatchHeader): SeenBatch {
    const body = decodeBody(bytes, at, header)
    invariant(body !== null, "what the fold took can be read", { at })
    return { ...body, number: this.files.at(-1)!.number, at, bytes: nextOffset(at, header) - at, header, op: this.fold.op }
  }

  private torn(file: string, at: number, to: number): void {
    this.torn_to = to
    const behind = this.fold.op
    this.notes.push(
      `${file}: a write that was cut short by a crash (${to - at} bytes behind op ${behind}) is dropped; ` +
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
