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
import { dirname } from "node:path"
import { invariant } from "../base/Invariant.ts"
import { encodeHeadFile } from "./HeadFileLive.ts"
import { type Journal, JournalError, type JournalWrite, type ReplicaHead, type Stored } from "./Journal.ts"
import { checkContiguous, checkHead, checkLog, isNothing } from "./JournalModel.ts"
import type { DiskError, LogDisk } from "./log/LogDisk.ts"
import { openError, type Opened, type Place, readLog } from "./OpeningLive.ts"
import { type Layout, Segments } from "./SegmentsLive.ts"

export class DiskJournal implements Journal {
  private readonly disk: LogDisk
  private readonly place: Place
  private readonly segments: Segments
  /** One at a time: a file is never closed under someone who writes to it. */
  private readonly alone = Semaphore.makeUnsafe(1)
  /** What was found, without the entries, and what the writes since made of it. */
  private state: Pick<Stored, "commit" | "doubt" | "head"> & { readonly op: number } | null = null
  private isHeadFileDamaged = false
  /** Once set, nothing more is taken. */
  failed: JournalError | null = null

  constructor(disk: LogDisk, place: Place, layout: Layout) {
    this.disk = disk
    this.place = place
    this.segments = new Segments(disk, place, layout)
  }

  private readonly letGo: Effect.Effect<void> = Effect.suspend(() => {
    this.state = null
    return this.segments.close
  })

  /** Lets go of the files, once nobody uses them. To be opened again before it is written. */
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

  private begin({ end, headFile, stored }: Opened): Effect.Effect<void, DiskError> {
    const { commit, doubt, entries, head } = stored
    this.isHeadFileDamaged = headFile === "damaged"
    return Effect.gen({ self: this }, function*() {
      if (doubt === null && end !== null) {
        yield* this.segments.resume(end)
        yield* this.putHeadFile(head)
      } else if (doubt === null && headFile !== null && headFile !== "damaged" && headFile.log !== null) {
        // A log that was about to begin.
        this.segments.begin(headFile.log.id)
      }
      this.state = { commit, doubt, head, op: entries.length }
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
      this.segments.begin()
      yield* this.putHeadFile(head)
      yield* disk.rename(place.folder, asideOf(place.folder))
    })
  }

  private append(write: JournalWrite): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const before = this.state!
      const isNewFile = yield* this.segments.append(write, before)
      const op = (write.truncate_to ?? before.op) + write.entries.length
      this.state = { head: write.head ?? before.head, commit: write.commit, doubt: null, op }
      if (isNewFile || write.head !== null) yield* this.putHeadFile(this.state.head)
    })
  }

  private putHeadFile(head: ReplicaHead | null): Effect.Effect<void, DiskError> {
    return this.disk.put(this.place.headFile, encodeHeadFile(this.place, { head, log: this.segments.mark }))
  }
}
