/**
 * The journal of a replica of durability `disk`: a write-ahead log, one durable write for each
 * `JournalWrite`; a head file beside it, which is written anew with every new head and every new segment; and snapshots,
 * which let the first segments go.
 *
 * `<data_dir>/tenants/<tenant id>/<replica>@<node>.log/00000001.log`, …, `<replica>@<node>.head.json` and
 * `<replica>@<node>.snapshots/`
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Semaphore from "effect/Semaphore"
import { basename, dirname } from "node:path"
import { invariant } from "../base/Invariant.ts"
import type { Snapshot } from "../vr/Snapshot.ts"
import { encodeHeadFile } from "./HeadFileLive.ts"
import { type Journal, JournalError, type JournalWrite, type ReplicaHead, type SavedSnapshot, type Stored } from "./Journal.ts"
import { checkContiguous, checkHead, checkLog, checkSave, isNothing, isReplacement, lastOp, opAfter } from "./JournalModel.ts"
import type { Batch } from "./log/Batch.ts"
import { DiskError, type LogDisk } from "./log/LogDisk.ts"
import type { Place } from "./LogReaderLive.ts"
import { type Opened, readLog } from "./OpeningLive.ts"
import { type Layout, Segments } from "./SegmentsLive.ts"
import { SnapshotFolder } from "./SnapshotFolderLive.ts"
import { install_name, save_name } from "./SnapshotReadingLive.ts"

/** What was found, without the entries, and what the writes since made of it. */
interface State extends Pick<Stored, "commit" | "doubt" | "head"> {
  readonly op: number
}

/** The names that the files of a replica get when they are set aside together, where these names are there already. */
export const setAsideNames = (
  { folder, headFile, snapshots }: Place,
  names: ReadonlySet<string>
): (path: string) => string => {
  const nth = (path: string, number: number): string => `${path}.${number}.damaged`
  let number = 1
  while ([folder, headFile, snapshots].some((path) => names.has(basename(nth(path, number))))) number++
  return (path) => nth(path, number)
}

export class DiskJournal implements Journal {
  private readonly disk: LogDisk
  private readonly place: Place
  private readonly segments: Segments
  private readonly snapshots: SnapshotFolder
  /** One at a time: a file is never closed, or removed, under someone who writes to it. */
  private readonly alone = Semaphore.makeUnsafe(1)
  /** The same for saves, which have turns of their own and wait for those of the others. */
  private readonly saving = Semaphore.makeUnsafe(1)
  private state: State | null = null
  /** The head file is being written, beside the writes of the log: for a new segment, not for a new head. */
  private renewing: Fiber.Fiber<void, JournalError> | null = null
  /** What else is done beside the writes: spares are overwritten, or given back. */
  private readonly besides = new Set<Fiber.Fiber<void, JournalError>>()
  /** Counts openings: a save does not outlive its own. */
  private life = 0
  private isHeadFileDamaged = false
  /** Once set, nothing more is taken. */
  failed: JournalError | null = null

  constructor(disk: LogDisk, place: Place, layout: Layout) {
    this.disk = disk
    this.place = place
    this.segments = new Segments(disk, place, layout)
    this.snapshots = new SnapshotFolder(disk, place)
  }

  private readonly letGo: Effect.Effect<void> = Effect.suspend(() => {
    this.state = null
    return this.segments.close
  })

  /** Lets go of the files, once nobody uses them. To be opened again before it is written. */
  readonly close: Effect.Effect<void> = this.afterAll(this.letGo)

  readonly open: Effect.Effect<Stored, JournalError> = this.afterAll(Effect.suspend(() => {
    if (this.failed) return Effect.fail(this.failed)
    const open = Effect.andThen(this.letGo, readLog(this.disk, this.place)).pipe(
      Effect.flatMap((opened) => Effect.as(this.begin(opened), opened.stored))
    )
    return this.ends("open", Effect.uninterruptible(open))
  }))

  restore(take: (part: Uint8Array) => void): Effect.Effect<void, JournalError> {
    return Effect.flatMap(this.opened, () => {
      invariant(this.snapshots.newest !== null, "there is a snapshot to restore", this.place)
      const file = this.snapshots.pathOfNewest
      // Opening found it whole a moment ago; the next one finds what this one has.
      const advice = this.snapshots.kept.length === 2
        ? "start the node again: it is set aside then, and the older one serves"
        : "start the node again: the replica does without it then"
      return this.ends("restore", Effect.flatMap(this.snapshots.read(take), ({ fault }) =>
        fault === null ? Effect.void : Effect.fail(new DiskError({ file, reason: `${fault.reason}; ${advice}` }))))
    })
  }

  write(write: JournalWrite): Effect.Effect<void, JournalError> {
    return this.alone.withPermits(1)(Effect.flatMap(this.opened, (state) => {
      checkContiguous(write.entries)
      if (write.head) checkHead(state.head, write.head)
      checkLog(state, write)
      if (isNothing(write)) return Effect.void
      const { snapshot } = write
      if (snapshot !== null) return this.ends("write", this.install(snapshot, write))
      const prepared = state.doubt === null ? Effect.void : this.setAside(write.head!)
      const written = Effect.andThen(prepared, this.append({ ...write, snapshot }))
      const all = isReplacement(write) ? Effect.andThen(written, this.giveUpSnapshots) : written
      return this.ends("write", Effect.uninterruptible(all))
    }))
  }

  save(snapshot: Snapshot, onKept?: (saved: SavedSnapshot) => void): Effect.Effect<SavedSnapshot, JournalError> {
    return this.saving.withPermits(1)(Effect.flatMap(this.opened, (state) => {
      checkSave(state, snapshot.op)
      const { life } = this
      const goesOn = () => this.life === life && this.failed === null
      const saved = this.snapshots.write(save_name, snapshot, goesOn).pipe(
        Effect.flatMap((saved) => this.alone.withPermits(1)(this.keep(saved))),
        Effect.tap((saved) => Effect.sync(() => onKept?.(saved))),
        Effect.tap(this.shorten(goesOn))
      )
      return this.ends("save", saved)
    }))
  }

  private readonly opened: Effect.Effect<State, JournalError> = Effect.suspend(() => {
    const { failed, state } = this
    invariant(failed !== null || state !== null, "a journal is opened before it is written", this.place)
    return failed === null ? Effect.succeed(state!) : Effect.fail(failed)
  })

  /** Once what is under way has ended. A save is not waited for: it ends at its next part. */
  private afterAll<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      this.life++
      const marked = Effect.suspend(() => Fiber.awaitAll(this.renewing === null ? [...this.besides] : [this.renewing, ...this.besides]))
      return this.saving.withPermits(1)(this.alone.withPermits(1)(Effect.andThen(marked, effect)))
    })
  }

  /** Nobody waits for it but who closes. */
  private beside(effect: Effect.Effect<void, JournalError>): Effect.Effect<void> {
    return Effect.map(Effect.forkDetach(effect, { startImmediately: true }), (fiber) => {
      this.besides.add(fiber)
      fiber.addObserver(() => void this.besides.delete(fiber))
    })
  }

  /** A failure is the end of the journal. */
  private ends<A>(
    during: JournalError["during"],
    effect: Effect.Effect<A, DiskError | JournalError>
  ): Effect.Effect<A, JournalError> {
    return Effect.catch(effect, (error) => {
      const { file } = error
      const message = error._tag === "JournalError" ? error.message : `${file}: ${error.reason}`
      if (this.failed !== null) return Effect.fail(this.failed)
      this.failed = new JournalError({ during, file, message })
      return Effect.andThen(this.beside(this.segments.dropSpares), Effect.fail(this.failed))
    })
  }

  private begin({ choice, end, headFile, spares, stored }: Opened): Effect.Effect<void, DiskError> {
    const { commit, doubt, head } = stored
    this.isHeadFileDamaged = headFile === "damaged"
    return Effect.gen({ self: this }, function*() {
      if (doubt === null) {
        // Before all that needs room.
        yield* this.segments.removeSpares(spares)
        if (end !== null) yield* this.segments.resume(end)
        // A log that was about to begin.
        else if (headFile !== null && headFile !== "damaged" && headFile.log !== null) this.segments.begin(headFile.log.id)
        yield* this.snapshots.begin(choice)
        // Before the head file, which needs room.
        yield* this.removeUseless
        if (end !== null) yield* this.putHeadFile(head)
      } else this.snapshots.forget()
      this.state = { commit, doubt, head, op: lastOp(stored) }
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
      const asideOf = setAsideNames(place, names)
      const isThere = (path: string): boolean => names.has(basename(path))
      const bytes = this.isHeadFileDamaged ? yield* disk.read(place.headFile) : null
      if (bytes !== null) yield* disk.put(asideOf(place.headFile), bytes)
      this.segments.begin()
      yield* this.putHeadFile(head)
      for (const path of [place.snapshots, place.folder].filter(isThere)) yield* disk.rename(path, asideOf(path))
    })
  }

  private append(batch: Batch): Effect.Effect<void, DiskError | JournalError> {
    return Effect.suspend(() => {
      const before = this.state!
      return Effect.flatMap(this.segments.append(batch, before), (isNewFile) => {
        const head = batch.head ?? before.head
        this.state = { head, commit: batch.commit, doubt: null, op: opAfter(batch, before.op) }
        if (batch.head === null && !isNewFile) return Effect.void
        return Effect.andThen(this.renewHeadFile(head, batch.head === null), this.eraseSpares)
      })
    })
  }

  /**
   * Writes the head file. One at a time, in order: a head is never replaced by an older one. If the head is known, nobody
   * waits for it: what it says of the log may be late. But a log that has more than its first write has a head file.
   */
  private renewHeadFile(head: ReplicaHead | null, isKnown: boolean): Effect.Effect<void, DiskError | JournalError> {
    return Effect.gen({ self: this }, function*() {
      if (this.renewing !== null) yield* Fiber.join(this.renewing)
      const put = this.putHeadFile(head)
      if (!isKnown || this.segments.mark.sequence === 1) yield* put
      else this.renewing = yield* Effect.forkDetach(this.ends("write", put), { startImmediately: true })
    })
  }

  /** The snapshot is durable before the batch that relies on it, and that one before anything is removed. */
  private install(snapshot: Snapshot, write: JournalWrite): Effect.Effect<void, DiskError | JournalError> {
    return Effect.uninterruptibleMask((interruptible) =>
      Effect.gen({ self: this }, function*() {
        const staged = yield* interruptible(this.snapshots.write(install_name, snapshot, () => true))
        yield* this.append({ ...write, snapshot: staged })
        yield* this.snapshots.install(snapshot.op)
        yield* this.removeUseless
      })
    )
  }

  /** What was saved gets its name, unless it is superfluous. */
  private keep(saved: SavedSnapshot | null): Effect.Effect<SavedSnapshot, DiskError | JournalError> {
    const kept = Effect.flatMap(this.opened, (state) => {
      invariant(saved !== null, "a journal is opened before it is written", this.place)
      const { newest } = this.snapshots
      if (newest !== null && saved.op <= newest) return Effect.as(this.snapshots.drop, saved)
      checkSave(state, saved.op)
      return Effect.map(this.snapshots.keep(saved.op), () => {
        this.state = { ...state, commit: Math.max(state.commit, saved.op) }
        return saved
      })
    })
    return Effect.uninterruptible(kept)
  }

  private readonly giveUpSnapshots: Effect.Effect<void, DiskError> = Effect.suspend(() => {
    this.snapshots.keepOnly([])
    return this.removeUseless
  })

  /** Removes a file that nobody needs, or makes a spare of it. Was there one? */
  private removeOne(recycles: boolean): Effect.Effect<boolean, DiskError> {
    const [older, newer] = this.snapshots.kept
    const op = older === undefined || newer === undefined ? null : older
    const others = Effect.flatMap(this.segments.removeOne(op, recycles), (removed) =>
      removed ? Effect.succeed(true) : this.snapshots.removeOne)
    return Effect.flatMap(this.segments.removeSpare, (removed) => removed ? Effect.succeed(true) : others)
  }

  private readonly removeUseless: Effect.Effect<void, DiskError> = Effect.gen({ self: this }, function*() {
    while (yield* this.removeOne(false));
  })

  /** The same, and writes have their turn after each file. Spares are erased beside them. */
  private shorten(goesOn: () => boolean): Effect.Effect<void, DiskError> {
    const step = Effect.suspend(() => goesOn() ? this.removeOne(true) : Effect.succeed(false))
    return Effect.gen({ self: this }, function*() {
      if (goesOn()) this.segments.keepSpares()
      while (yield* this.alone.withPermits(1)(Effect.uninterruptible(step)));
      yield* this.segments.eraseSpares(goesOn)
    })
  }

  /** For the segments that come. A few at a time: with one that begins, others are made ready. */
  private readonly eraseSpares: Effect.Effect<void> = Effect.suspend(() => {
    const { life } = this
    const goesOn = () => this.life === life && this.failed === null
    return this.beside(this.ends("write", this.segments.eraseSpares(goesOn)))
  })

  private putHeadFile(head: ReplicaHead | null): Effect.Effect<void, DiskError> {
    return this.disk.put(this.place.headFile, encodeHeadFile(this.place, { head, log: this.segments.mark }))
  }
}
