/**
 * The files of a write-ahead log that is being written, *segments*: appends batches to the last one, begins the next, and
 * removes the first, or keeps it as a spare for one that is to come.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import { dirname, join } from "node:path"
import { crc32 } from "node:zlib"
import { Limits } from "../base/Limits.ts"
import type { ReplicaHead } from "./Journal.ts"
import { opAfter } from "./JournalModel.ts"
import { alignment_bytes, type Batch, batchBytes, encodeBatch } from "./log/Batch.ts"
import type { DiskError, LogDisk, LogFile } from "./log/LogDisk.ts"
import { bound_offset, encodeBound, encodePreamble, preamble_bytes, seedOf } from "./log/Segment.ts"
import { type Place, type SegmentFile, segmentName, type Tail } from "./LogReaderLive.ts"
import type { LogEnd } from "./OpeningLive.ts"
import { Spares } from "./SpareLive.ts"

/** How a log is laid out; see base/Limits.ts. */
export interface Layout {
  /** A file that has more takes no further write. */
  readonly segment_bytes_max: number
  /** Files grow by this, at once. */
  readonly step_bytes: number
}

/** The journal before a write. */
export interface Before {
  readonly op: number
  readonly head: ReplicaHead | null
}

/** One caller at a time. */
export class Segments {
  private readonly disk: LogDisk
  private readonly place: Place
  private readonly layout: Layout
  private readonly zeros: Uint8Array
  private readonly spares: Spares
  /** Batches are encoded here, one after the other: memory of its own for each costs the collector dear. */
  private readonly room = new Uint8Array(Limits.journal_room_bytes)
  private log = newLog(randomBytes(8).toString("hex"))
  private tail: Tail | null = null
  private file: LogFile | null = null
  private files: Array<SegmentFile> = []
  /** What is in files with a lower number was replaced by a snapshot. */
  private first = 0

  constructor(disk: LogDisk, place: Place, layout: Layout) {
    this.disk = disk
    this.place = place
    this.layout = layout
    this.zeros = new Uint8Array(Limits.file_piece_bytes)
    this.spares = new Spares(disk, place.folder, this.steps(layout.segment_bytes_max))
  }

  /** The log's id, and its last batch. */
  get mark(): { readonly id: string; readonly sequence: number } {
    const { id, sequence } = this.log
    return { id, sequence }
  }

  /** An empty log. Its files are not there yet; none of another log may be. */
  begin(id = randomBytes(8).toString("hex")): void {
    this.log = newLog(id)
    this.tail = null
    this.files = []
    this.first = 0
  }

  /** Goes on where a log ends, and makes durable what is there: it may have been written just before a crash. */
  resume({ files, first, log, tail, torn_to }: LogEnd): Effect.Effect<void, DiskError> {
    const { disk, place } = this
    return Effect.gen({ self: this }, function*() {
      this.files = [...files]
      this.first = first
      this.log = { ...log, seed: seedOf(log.id, crc32) }
      this.tail = tail
      this.file = yield* disk.open(tail.file)
      if (torn_to !== null) yield* cutOff(this.file, tail.at, torn_to)
      yield* this.file.sync
      yield* disk.syncNames(place.folder)
      yield* disk.syncNames(dirname(place.folder))
    })
  }

  /** Lets go of all files. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.spares.forget()
    return this.closeLast
  })

  /** Those that an earlier process left. */
  removeSpares(names: ReadonlyArray<string>): Effect.Effect<void, DiskError> {
    return this.spares.remove(names)
  }

  /** A snapshot was written: of the spares those stay that the log may need until the next one. */
  keepSpares(): void {
    this.spares.onSnapshot()
  }

  /** Removes a spare that is not to stay. Was there one? */
  get removeSpare(): Effect.Effect<boolean, DiskError> {
    return this.spares.removeOne
  }

  /** The log goes on no more. */
  get dropSpares(): Effect.Effect<void> {
    return this.spares.drop
  }

  /** Makes some of what was kept fit for use, until `goesOn` says no. Beside all else but `close`. */
  eraseSpares(goesOn: () => boolean): Effect.Effect<void, DiskError> {
    return this.spares.erase(goesOn)
  }

  private readonly closeLast: Effect.Effect<void> = Effect.suspend(() => {
    const { file } = this
    this.file = null
    return file?.close ?? Effect.void
  })

  /**
   * Makes a batch durable. Did it begin a segment? One that installs a snapshot does. For most writes, no generator function is made
   * here, nor on the way here or on to the disk: docs/ARCHITECTURE.md says why, under "The way of a write".
   */
  append(batch: Batch, before: Before): Effect.Effect<boolean, DiskError> {
    return Effect.suspend(() => {
      const { file, log, tail } = this
      const sequence = log.sequence + 1
      const rolls = file === null || tail === null || batch.snapshot !== null ||
        tail.at > preamble_bytes && tail.at + batchBytes(batch) > this.layout.segment_bytes_max
      // Each segment has the head: those before it may be removed.
      const whole = rolls && batch.head === null ? { ...batch, head: before.head } : batch
      const at = rolls ? preamble_bytes : tail.at
      const { bytes, checksum } = encodeBatch(whole, { at, sequence, chain: log.chain, seed: log.seed }, crc32, this.room)
      const written = rolls ? this.addSegment(bytes, sequence, before.op) : this.addBatch(file, tail, bytes, sequence)
      return Effect.map(written, () => {
        this.log = { ...log, sequence, chain: checksum }
        this.appended(batch, before.op)
        return rolls
      })
    })
  }

  /**
   * Removes the first segment, if a snapshot replaced what is in it, or if the log does without it what comes at or below
   * `op`. Was there one? In this order, and each durably, so that what is left has no gap. The last one stays. If it
   * `recycles`, it may be kept as a spare: to be erased.
   */
  removeOne(op: number | null, recycles: boolean): Effect.Effect<boolean, DiskError> {
    return Effect.suspend(() => {
      const [one, next] = this.files
      const isNeeded = one === undefined || next === undefined || one.number >= this.first && (op === null || one.op > op)
      if (isNeeded) return Effect.succeed(false)
      this.files.shift()
      const removed = recycles && this.spares.wants(one.bytes)
        ? this.spares.retire(one.number)
        : this.disk.remove(join(this.place.folder, segmentName(one.number)))
      return Effect.as(removed, true)
    })
  }

  private appended(batch: Batch, op: number): void {
    const { number, size } = this.tail!
    if (batch.snapshot !== null) this.first = number
    this.files[this.files.length - 1] = { number, op: opAfter(batch, op), bytes: size }
  }

  private addBatch(
    file: LogFile,
    tail: Tail,
    bytes: Uint8Array,
    sequence: number
  ): Effect.Effect<void, DiskError> {
    const end = tail.at + bytes.length
    const size = Math.max(tail.size, this.steps(end))
    // A file that was a spare does not grow, and has its bound raised as often as if it did.
    const isNewStep = this.steps(end) > this.steps(tail.at)
    const write = !isNewStep ? file.writeThrough(tail.at, [bytes]) : Effect.gen({ self: this }, function*() {
      if (size > tail.size) {
        // The size changes first, and at once: a file whose size is in between has been cut.
        yield* file.grow(size)
        yield* this.fillStep(file, tail.at, bytes, size)
        yield* file.sync
      } else yield* file.writeThrough(tail.at, [bytes])
      // Through as well: later batches are, so no sync would take it along.
      yield* file.writeThrough(bound_offset, [encodeBound({ size, sequence }, this.log.seed, crc32)])
    })
    return Effect.map(write, () => {
      this.tail = { ...tail, at: end, size }
    })
  }

  /** Writes a batch, and zeros from there to the end of the file: in pieces, and in any order, as nothing is durable yet. */
  private fillStep(file: LogFile, at: number, batch: Uint8Array, size: number): Effect.Effect<void, DiskError> {
    const { zeros } = this
    const end = at + batch.length
    const next = Math.min(Math.ceil(end / zeros.length) * zeros.length, size)
    const writes = [file.write(at, [batch, zeros.subarray(0, next - end)])]
    for (let from = next; from < size; from += zeros.length) writes.push(file.write(from, [zeros.subarray(0, size - from)]))
    return Effect.all(writes, { concurrency: "unbounded", discard: true })
  }

  /** Begins a file, with its first batch in it. */
  private addSegment(batch: Uint8Array, sequence: number, op: number): Effect.Effect<void, DiskError> {
    const { disk, layout, log, place, spares } = this
    return Effect.gen({ self: this }, function*() {
      const number = (this.tail?.number ?? 0) + 1
      const { replica, tenant } = place
      const { step_bytes } = layout
      const header = { tenant, replica, log: log.id, number, step_bytes, sequence, chain: log.chain, op }
      const preamble = encodePreamble(header, crc32)
      const at = preamble_bytes + batch.length
      const file = join(place.folder, segmentName(number))
      const spare = spares.take(at)
      const size = spare === null ? this.steps(at) : spares.bytes
      if (spare === null) {
        const bytes = new Uint8Array(size)
        bytes.set(preamble)
        bytes.set(batch, preamble_bytes)
        yield* disk.put(file, bytes)
      } else {
        // All of the size is there from the beginning: less would be a file that was cut.
        preamble.set(encodeBound({ size, sequence }, log.seed, crc32), bound_offset)
        yield* spares.fill(spare, file, [preamble, batch])
      }
      spares.onBegin()
      yield* this.closeLast
      this.file = yield* disk.open(file)
      this.tail = { file, number, at, size }
      this.files.push({ number, op, bytes: size })
    })
  }

  private steps(bytes: number): number {
    return Math.ceil(bytes / this.layout.step_bytes) * this.layout.step_bytes
  }
}

/** Removes a write that was cut short. The header goes last: half of this is a write that was cut short as well. */
const cutOff = (file: LogFile, at: number, to: number): Effect.Effect<void, DiskError> => {
  const header_end = Math.min(at + alignment_bytes, to)
  return file.write(header_end, [new Uint8Array(to - header_end)]).pipe(
    Effect.andThen(file.sync),
    Effect.andThen(file.write(at, [new Uint8Array(header_end - at)]))
  )
}

const newLog = (id: string) => {
  const seed = seedOf(id, crc32)
  return { id, seed, sequence: 0, chain: seed }
}
