/**
 * The journal of a replica of durability `disk`: a write-ahead log, one write and one `fdatasync` for each
 * `JournalWrite`, and a head file beside it, which is written anew with every new head and every new segment.
 *
 * `<data_dir>/tenants/<tenant id>/<replica>@<node>.log/00000001.log`, … and `<replica>@<node>.head.json`
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { randomBytes } from "node:crypto"
import { dirname, join } from "node:path"
import { crc32 } from "node:zlib"
import { invariant } from "../base/Invariant.ts"
import { encodeHeadFile } from "./HeadFileLive.ts"
import { type Journal, JournalError, type JournalWrite, type ReplicaHead, type Stored } from "./Journal.ts"
import { checkContiguous, checkHead, checkLog, isNothing } from "./JournalModel.ts"
import { alignment_bytes, batchBytes, encodeBatch } from "./log/Batch.ts"
import type { DiskError, LogDisk, LogFile } from "./log/LogDisk.ts"
import { bound_offset, encodeBound, encodePreamble, preamble_bytes, seedOf } from "./log/Segment.ts"
import { openError, type Opened, type Place, readLog, segmentName, type Tail } from "./OpeningLive.ts"

/** How a log is laid out; see base/Limits.ts. */
export interface Layout {
  /** A file that has more takes no further write. */
  readonly segment_bytes_max: number
  /** Files grow by this, at once. */
  readonly step_bytes: number
}

export class DiskJournal implements Journal {
  private readonly disk: LogDisk
  private readonly place: Place
  private readonly layout: Layout
  private readonly zeros: Uint8Array
  /** One at a time: a file is never closed under someone who writes to it. */
  private readonly alone = Semaphore.makeUnsafe(1)
  /** What was found, without the entries, and what the writes since made of it. */
  private state: Pick<Stored, "commit" | "doubt" | "head"> & { readonly op: number } | null = null
  private log = newLog()
  private tail: Tail | null = null
  private file: LogFile | null = null
  private isHeadFileDamaged = false
  /** Once set, nothing more is taken. */
  failed: JournalError | null = null

  constructor(disk: LogDisk, place: Place, layout: Layout) {
    this.disk = disk
    this.place = place
    this.layout = layout
    this.zeros = new Uint8Array(layout.step_bytes)
  }

  private readonly letGo: Effect.Effect<void> = Effect.suspend(() => {
    const { file } = this
    this.file = null
    this.state = null
    return file?.close ?? Effect.void
  })

  /** Lets go of the file, once nobody uses it. To be opened again before it is written. */
  readonly close: Effect.Effect<void> = this.alone.withPermits(1)(this.letGo)

  readonly open: Effect.Effect<Stored, JournalError> = Effect.suspend(() => {
    if (this.failed) return Effect.fail(this.failed)
    return Effect.andThen(this.letGo, readLog(this.disk, this.place)).pipe(
      Effect.flatMap((opened) => Effect.as(this.begin(opened), opened.stored)),
      Effect.catch((error) => {
        this.failed = error._tag === "JournalError" ? error : openError(error.file, error.reason)
        return Effect.fail(this.failed)
      }),
      Effect.uninterruptible
    )
  }).pipe((open) => this.alone.withPermits(1)(open))

  write(write: JournalWrite): Effect.Effect<void, JournalError> {
    return this.alone.withPermits(1)(Effect.suspend(() => {
      const state = this.state
      invariant(this.failed !== null || state !== null, "a journal is opened before it is written", this.place)
      if (this.failed || state === null) return Effect.fail(this.failed!)
      checkContiguous(write.entries)
      if (write.head) checkHead(state.head, write.head)
      checkLog(state, write)
      if (isNothing(write)) return Effect.void
      return Effect.andThen(state.doubt === null ? Effect.void : this.setAside(write.head!), this.append(write)).pipe(
        Effect.catch(({ file, reason }: DiskError) => {
          this.failed = new JournalError({ during: "write", file, message: `${file}: ${reason}` })
          return Effect.fail(this.failed)
        }),
        Effect.uninterruptible
      )
    }))
  }

  /** Makes durable what was found: it may have been written just before a crash, and never synced. */
  private begin({ headFile, log, stored, tail, torn_to }: Opened): Effect.Effect<void, DiskError> {
    const { disk, place } = this
    const { commit, doubt, entries, head } = stored
    this.isHeadFileDamaged = headFile === "damaged"
    const found = { commit, doubt, head, op: entries.length }
    return Effect.gen({ self: this }, function*() {
      if (doubt === null && log !== null && tail !== null) {
        this.log = { ...log, seed: seedOf(log.id, crc32) }
        this.tail = tail
        this.file = yield* disk.open(tail.file)
        if (torn_to !== null) yield* cutOff(this.file, tail.at, torn_to)
        yield* this.file.sync
        yield* disk.syncNames(place.folder)
        yield* disk.syncNames(dirname(place.folder))
        yield* this.putHeadFile(head)
      } else if (doubt === null && headFile !== null && headFile !== "damaged" && headFile.log !== null) {
        // A log that was about to begin.
        const { id } = headFile.log
        this.log = { id, seed: seedOf(id, crc32), sequence: 0, chain: seedOf(id, crc32) }
      }
      this.state = found
    })
  }

  /**
   * Begins a new log. From the first step on, whatever a crash leaves is in doubt, or an empty log that is not whole;
   * and the promise is always there.
   */
  private setAside(head: ReplicaHead): Effect.Effect<void, DiskError> {
    const { disk, place } = this
    const folder = dirname(place.folder)
    return Effect.gen({ self: this }, function*() {
      const names = new Set(yield* disk.list(folder))
      let number = 1
      const asideOf = (path: string): string => `${path}.${number}.damaged`
      while ([place.folder, place.headFile].some((path) => names.has(asideOf(path).slice(folder.length + 1)))) number++
      const bytes = this.isHeadFileDamaged ? yield* disk.read(place.headFile) : null
      if (bytes !== null) yield* disk.put(asideOf(place.headFile), bytes)
      this.log = newLog()
      this.tail = null
      yield* this.putHeadFile(head)
      yield* disk.rename(place.folder, asideOf(place.folder))
    })
  }

  private append(write: JournalWrite): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const { file, log, tail } = this
      const sequence = log.sequence + 1
      const rolls = file === null || tail === null ||
        tail.at > preamble_bytes && tail.at + batchBytes(write) > this.layout.segment_bytes_max
      const at = rolls ? preamble_bytes : tail.at
      const { bytes, checksum } = encodeBatch(write, { at, sequence, chain: log.chain, seed: log.seed }, crc32)
      if (rolls) yield* this.addSegment(bytes, sequence)
      else yield* this.addBatch(file, tail, bytes, sequence)
      this.log = { ...log, sequence, chain: checksum }
      const state = this.state!
      const op = (write.truncate_to ?? state.op) + write.entries.length
      this.state = { head: write.head ?? state.head, commit: write.commit, doubt: null, op }
      if (rolls || write.head !== null) yield* this.putHeadFile(this.state.head)
    })
  }

  private addBatch(
    file: LogFile,
    tail: Tail,
    bytes: Uint8Array,
    sequence: number
  ): Effect.Effect<void, DiskError> {
    const end = tail.at + bytes.length
    const size = Math.max(tail.size, this.steps(end))
    return Effect.gen({ self: this }, function*() {
      if (size === tail.size) yield* file.write(tail.at, [bytes])
      else {
        // The size changes first, and at once: a file whose size is in between has been cut.
        yield* file.grow(size)
        yield* file.write(tail.at, [bytes, this.zeros.subarray(0, size - end)])
      }
      yield* file.sync
      // Durable with the next sync, which is early enough for a lower bound.
      if (size !== tail.size) {
        yield* file.write(bound_offset, [encodeBound({ size, sequence }, this.log.seed, crc32)])
      }
      this.tail = { ...tail, at: end, size }
    })
  }

  /** Begins a file, with its first batch in it. */
  private addSegment(batch: Uint8Array, sequence: number): Effect.Effect<void, DiskError> {
    const { disk, layout, log, place } = this
    return Effect.gen({ self: this }, function*() {
      const number = (this.tail?.number ?? 0) + 1
      const header = {
        tenant: place.tenant,
        replica: place.replica,
        log: log.id,
        number,
        step_bytes: layout.step_bytes,
        sequence,
        chain: log.chain,
        op: this.state!.op
      }
      const at = preamble_bytes + batch.length
      const bytes = new Uint8Array(this.steps(at))
      bytes.set(encodePreamble(header, crc32))
      bytes.set(batch, preamble_bytes)
      const file = join(place.folder, segmentName(number))
      yield* disk.put(file, bytes)
      if (this.file !== null) yield* this.file.close
      this.file = yield* disk.open(file)
      this.tail = { file, number, at, size: bytes.length }
    })
  }

  private putHeadFile(head: ReplicaHead | null): Effect.Effect<void, DiskError> {
    const { id, sequence } = this.log
    return this.disk.put(this.place.headFile, encodeHeadFile(this.place, { head, log: { id, sequence } }))
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

/** An empty log with an id of its own. */
const newLog = () => {
  const id = randomBytes(8).toString("hex")
  const seed = seedOf(id, crc32)
  return { id, seed, sequence: 0, chain: seed }
}
