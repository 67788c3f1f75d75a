/**
 * Files of a log that a snapshot replaced, and that are to be written again: *spares*. One that is there costs a log that
 * goes on neither a new file nor any growth, and nothing has to be removed.
 *
 * All of a spare is made zeros before it is used: what was in it would be taken for writes that follow, as it is of the
 * same log. That is done beside the writes. A spare is known to the process that made it and to nobody else: those that
 * are found when a log is opened are removed.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { Limits } from "../base/Limits.ts"
import type { DiskError, LogDisk, LogFile } from "./log/LogDisk.ts"
import { segmentName } from "./LogReaderLive.ts"

/** It keeps the number that it had as a segment: no two have ever had the same. */
const spareName = (number: number): string => `${String(number).padStart(8, "0")}.spare`
export const spare_name = /^\d{8}\.spare$/

export class Spares {
  /** The size that each of them has. */
  readonly bytes: number
  private readonly disk: LogDisk
  private readonly folder: string
  private readonly zeros: Uint8Array
  /** Numbers of those that still have something in them. */
  private used: ReadonlyArray<number> = []
  /** Of those that are zeros, durably. */
  private ready: ReadonlyArray<number> = []
  /** Of those that are too many. */
  private useless: ReadonlyArray<number> = []
  private isErasing = false
  /** Segments that have begun since the last snapshot, and between that and the one before. */
  private begun = 0
  private begunBefore = 0
  /** As many as the log may need until the next snapshot: it goes on about as fast as it did. */
  private wanted = 2

  constructor(disk: LogDisk, folder: string, bytes: number) {
    this.disk = disk
    this.folder = folder
    this.bytes = bytes
    this.zeros = new Uint8Array(Math.min(bytes, Limits.journal_zeros_bytes))
  }

  /** A segment begins. */
  onBegin(): void {
    this.begun++
  }

  /** A snapshot was written. Those that are too many by now are to go, and the others are for what comes. */
  onSnapshot(): void {
    this.wanted = Math.min(Math.max(this.begun, this.begunBefore, 1) + 1, Limits.journal_spares_max)
    this.begunBefore = this.begun
    this.begun = 0
    const ready = this.ready.slice(0, this.wanted)
    const used = this.used.slice(0, this.wanted - ready.length)
    this.useless = [...this.useless, ...this.ready.slice(ready.length), ...this.used.slice(used.length)]
    this.ready = ready
    this.used = used
  }

  /** Removes one that is to go. Was there one? */
  readonly removeOne: Effect.Effect<boolean, DiskError> = Effect.suspend(() => {
    const [number, ...rest] = this.useless
    if (number === undefined) return Effect.succeed(false)
    this.useless = rest
    return Effect.as(this.disk.remove(this.pathOf(number)), true)
  })

  /** Would a segment of that size be one more? */
  wants(bytes: number): boolean {
    return bytes === this.bytes && this.used.length + this.ready.length < this.wanted
  }

  /**
   * Takes a segment that nobody needs. Its old name is gone durably before anything in it is changed: a crash that brought
   * the name back would bring back a segment that is damaged.
   */
  retire(number: number): Effect.Effect<void, DiskError> {
    const { folder } = this
    const renamed = this.disk.rename(join(folder, segmentName(number)), this.pathOf(number))
    return Effect.map(renamed, () => {
      this.used = [...this.used, number]
    })
  }

  /**
   * Makes them zeros, one after the other, until some are ready, or `goesOn` says no. Writes go on meanwhile; if somebody does so
   * already, nothing happens. One that cannot be overwritten is removed, as it would have been without all this: where a full
   * disk copies what is changed, only that makes room.
   */
  erase(goesOn: () => boolean): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      if (this.isErasing) return Effect.void
      this.isErasing = true
      return Effect.ensuring(this.eraseSome(goesOn), Effect.sync(() => void (this.isErasing = false)))
    })
  }

  private eraseSome(goesOn: () => boolean): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      while (this.used.length > 0 && this.ready.length < Limits.journal_spares_ready) {
        const number = this.used[0]!
        // Meanwhile others may come, and this one go.
        const isHere = () => this.used.includes(number)
        const open = this.disk.open(this.pathOf(number))
        const zeroed = Effect.acquireUseRelease(open, (file) => this.zero(file, goesOn), ({ close }) => close)
        const isReady = yield* Effect.catch(zeroed, () =>
          isHere() ? Effect.as(this.disk.remove(this.pathOf(number)), null) : Effect.succeed(null))
        if (isReady === false) return
        if (isReady === true && isHere()) this.ready = [...this.ready, number]
        this.used = this.used.filter((each) => each !== number)
      }
    })
  }

  /** One that is ready, for so many bytes; nobody gets it again. Null: there is none. */
  take(bytes: number): number | null {
    const [number, ...rest] = this.ready
    if (number === undefined || bytes > this.bytes) return null
    this.ready = rest
    return number
  }

  /** Makes one that was taken the segment `file`, with this at its beginning. That is durable before the file has its name. */
  fill(number: number, file: string, chunks: ReadonlyArray<Uint8Array>): Effect.Effect<void, DiskError> {
    const path = this.pathOf(number)
    const written = Effect.acquireUseRelease(
      this.disk.open(path),
      (spare) => spare.writeThrough(0, chunks),
      ({ close }) => close
    )
    const failed = Effect.sync(() => void (this.used = [...this.used, number]))
    return Effect.andThen(written, this.disk.rename(path, file)).pipe(Effect.tapError(() => failed))
  }

  /** Those of this log: it goes on no more, and others may need the room. */
  readonly drop: Effect.Effect<void> = Effect.suspend(() => {
    const numbers = [...this.used, ...this.ready, ...this.useless]
    this.forget()
    return Effect.forEach(numbers, (number) => Effect.ignore(this.disk.remove(this.pathOf(number))), { discard: true })
  })

  /** Removes these, such as an earlier process left. A crash came at any time: there is no telling what is in them. */
  remove(names: ReadonlyArray<string>): Effect.Effect<void, DiskError> {
    return Effect.forEach(names, (name) => this.disk.remove(join(this.folder, name)), { discard: true })
  }

  forget(): void {
    this.used = []
    this.ready = []
    this.useless = []
    this.begun = 0
    this.begunBefore = 0
  }

  /** In pieces, each durable by itself: a write of the log does not wait for more than one. Did it come to the end? */
  private zero(file: LogFile, goesOn: () => boolean): Effect.Effect<boolean, DiskError> {
    const { bytes, zeros } = this
    return Effect.gen(function*() {
      for (let at = 0; at < bytes; at += zeros.length) {
        if (!goesOn()) return false
        yield* file.writeThrough(at, [zeros.subarray(0, bytes - at)])
      }
      return true
    })
  }

  private pathOf(number: number): string {
    return join(this.folder, spareName(number))
  }
}
