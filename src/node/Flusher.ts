/**
 * Makes what a replica appends durable while its turns go on. One flush is under way at a time, and what is appended
 * meanwhile gathers for the next: so batches grow by themselves with the load. What has to wait for a write leaves right
 * after it, in the order of the turns.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import { Limits } from "../base/Limits.ts"
import type { JournalError, JournalWrite } from "../storage/Journal.ts"
import type { Entry, OpNumber } from "../vr/Message.ts"
import type { Send } from "../vr/Replica.ts"
import { entryBytes } from "../vr/Log.ts"
import type { Snapshot } from "../vr/Snapshot.ts"
import { type AppendQueue, makeAppendQueue } from "./Queues.ts"

/** Of one turn: entries for the log, and what has to wait until these, and all before them, are durable. */
export interface Append {
  /** May be none, if there is only something that has to wait. */
  readonly entries: ReadonlyArray<Entry>
  /** Up to here all is committed. */
  readonly commit: OpNumber
  readonly sends: ReadonlyArray<Send>
  /** One that is due. What it holds is in the log once this is durable. */
  readonly snapshot: Snapshot | null
}

/** Of one node. */
export interface Flushes {
  /** Replicas whose flusher writes. */
  underWay: number
}

export interface FlusherOptions {
  readonly flushes: Flushes
  readonly write: (write: JournalWrite) => Effect.Effect<void, JournalError>
  readonly release: (sends: ReadonlyArray<Send>) => Effect.Effect<void>
  readonly save: (snapshot: Snapshot) => void
  /** There is something to ask {@link Flusher.takeDurable} for, and what waited for it was released. */
  readonly onDurable: () => void
}

export class Flusher {
  private readonly options: FlusherOptions
  private readonly appends: AppendQueue
  private readonly idleness = Latch.makeUnsafe(true)
  /** Turns whose appends are not durable yet, and the bytes of their entries. */
  private waiting = 0
  private waitingBytes = 0
  private durable: OpNumber = 0
  /** It is one of those that are under way. */
  private isWriting = false

  private constructor(options: FlusherOptions, appends: AppendQueue) {
    this.options = options
    this.appends = appends
  }

  static make(options: FlusherOptions): Effect.Effect<Flusher> {
    return Effect.map(makeAppendQueue, (appends) => new Flusher(options, appends))
  }

  /** Is all that was appended durable, and has left what waited for it? */
  get isIdle(): boolean {
    return this.waiting === 0
  }

  /** More waits for the disk than a replica may have waiting. */
  get isFull(): boolean {
    return this.waiting >= Limits.appends_max || this.waitingBytes >= Limits.appends_bytes_max
  }

  append(append: Append): void {
    this.waiting++
    this.waitingBytes += bytesOf(append)
    this.idleness.closeUnsafe()
    Queue.offerUnsafe(this.appends, append)
  }

  /** If it is idle, it begins with what was appended now, not in its fiber's next turn. */
  begin(): void {
    Queue.flushUnsafe(this.appends)
  }

  /**
   * Waits until it is idle. Whoever then cuts the log, and makes that durable as well, has to forget what {@link takeDurable}
   * would say: it may be of entries that are not there any more, under numbers that others have by then.
   */
  readonly settled: Effect.Effect<void> = Effect.suspend(() => this.isIdle ? Effect.void : this.idleness.await)

  /** Up to here all appends are durable; 0: nothing new since this was asked last. */
  takeDurable(): OpNumber {
    const op = this.durable
    this.durable = 0
    return op
  }

  /** Until the disk refuses. */
  readonly run: Effect.Effect<never, JournalError> = Effect.suspend(() =>
    Effect.flatMap(Queue.takeAll(this.appends), (appends) => this.flush(appends))
  ).pipe(Effect.forever({ disableYield: true }), Effect.ensuring(Effect.sync(() => this.writes(false))))

  private flush(appends: ReadonlyArray<Append>): Effect.Effect<void, JournalError> {
    const first = appends.findIndex(({ entries }) => entries.length > 0)
    if (first === -1) return this.letGo(appends)
    // What was said before these entries came waited for the write before.
    if (first > 0) return Effect.andThen(this.letGo(appends.slice(0, first)), () => this.flush(appends.slice(first)))
    const end = endOfBatch(appends)
    if (end < appends.length) return Effect.andThen(this.flush(appends.slice(0, end)), () => this.flush(appends.slice(end)))
    const entries = appends.length === 1 ? appends[0]!.entries : appends.flatMap((append) => append.entries)
    const { commit } = appends[appends.length - 1]!
    this.writes(true)
    return Effect.flatMap(this.options.write({ head: null, snapshot: null, truncate_to: null, entries, commit }), () => {
      this.writes(false)
      this.durable = entries[entries.length - 1]!.op
      return Effect.map(this.letGo(appends), this.options.onDurable)
    })
  }

  private writes(does: boolean): void {
    if (does !== this.isWriting) this.options.flushes.underWay += does ? 1 : -1
    this.isWriting = does
  }

  private letGo(appends: ReadonlyArray<Append>): Effect.Effect<void> {
    const sends = appends.length === 1 ? appends[0]!.sends : appends.flatMap((append) => append.sends)
    return Effect.map(this.options.release(sends), () => {
      for (const { snapshot } of appends) if (snapshot !== null) this.options.save(snapshot)
      this.waiting -= appends.length
      for (const append of appends) this.waitingBytes -= bytesOf(append)
      if (this.waiting === 0) this.idleness.openUnsafe()
    })
  }
}

/** A write does not hold up its thread, nor fill a file, with all that has gathered: the first ones that make one. */
const endOfBatch = (appends: ReadonlyArray<Append>): number => {
  let end = 0
  let bytes = 0
  do bytes += bytesOf(appends[end++]!)
  while (end < appends.length && bytes + bytesOf(appends[end]!) <= Limits.journal_segment_bytes_max / 2)
  return end
}

const bytesOf = ({ entries }: Append): number => {
  let bytes = 0
  for (const entry of entries) bytes += entryBytes(entry)
  return bytes
}
