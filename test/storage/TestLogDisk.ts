/**
 * A disk in memory, under the journals, that fails and loses power at any step. Bytes that were written and not synced
 * are in the system's cache: they outlive the process, and when the power goes, each sector of them is there or not.
 * The same for a size, and for each change of the names in a folder.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { dirname } from "node:path"
import { concat } from "../../src/base/Bytes.ts"
import type { Random } from "../../src/base/Random.ts"
import { DiskError, type LogDisk, type LogFile } from "../../src/storage/log/LogDisk.ts"

interface Inode {
  cached: Uint8Array
  durable: Uint8Array
}

type Names = Map<string, Inode>
type Change = (names: Names) => void

const sector_bytes = 512

const resized = (bytes: Uint8Array, size: number): Uint8Array => {
  const other = new Uint8Array(size)
  other.set(bytes.subarray(0, size))
  return other
}

export class TestLogDisk implements LogDisk {
  /** What changes the disk, in order. */
  readonly steps: Array<string> = []
  /** Where bytes were written into files, and how many. */
  readonly writes: Array<{ readonly at: number; readonly length: number }> = []
  /** Others get a turn before some of the steps. */
  isBusy = false
  /** It takes no more bytes than that. What is there can still be changed, renamed and removed. */
  room_bytes = Number.POSITIVE_INFINITY
  private readonly random: Random
  private cached: Names = new Map()
  private durable: Names = new Map()
  /** What happened to the names of a folder and is not durable, in order. */
  private pending: Array<{ readonly folder: string; readonly change: Change }> = []
  /** Steps until it fails. */
  private left = Number.POSITIVE_INFINITY
  private reason = ""
  /** Counts processes: what one of them was about to do when it ended never happens. */
  private life = 0

  constructor(random: Random) {
    this.random = random
  }

  /** After so many steps, one happens in part, and fails, and all after it fail too. */
  failAt(steps: number, reason = "no space left on device"): void {
    this.left = steps
    this.reason = reason
  }

  /** The process ends, and another one comes: nothing is lost. */
  repair(): void {
    this.life++
    this.left = Number.POSITIVE_INFINITY
  }

  /** The power goes, and comes back. */
  losePower(): void {
    for (const { change } of this.pending) if (this.chance()) change(this.durable)
    this.pending = []
    this.cached = new Map(this.durable)
    for (const inode of new Set(this.cached.values())) {
      const { cached, durable } = inode
      const size = this.chance() ? cached.length : durable.length
      const after = resized(durable, size)
      for (let at = 0; at < size; at += sector_bytes) {
        if (this.chance()) after.set(resized(cached.subarray(at, at + sector_bytes), Math.min(sector_bytes, size - at)), at)
      }
      inode.cached = after
      inode.durable = after.slice()
    }
    this.repair()
  }

  get used_bytes(): number {
    return [...new Set(this.cached.values())].reduce((sum, { cached }) => sum + cached.length, 0)
  }

  get names(): ReadonlyArray<string> {
    return [...this.cached.keys()].sort()
  }

  content(path: string): Uint8Array {
    return this.cached.get(path)!.cached
  }

  /** Someone else changes a file, or makes one; null: removes it. */
  change(path: string, bytes: Uint8Array | null): void {
    const inode = bytes && { cached: bytes.slice(), durable: bytes.slice() }
    for (const names of [this.cached, this.durable]) {
      if (inode === null) names.delete(path)
      else names.set(path, inode)
    }
  }

  list(folder: string) {
    return this.unlessBroken(folder, () => {
      const under = this.names.filter((path) => path.startsWith(`${folder}/`))
      return [...new Set(under.map((path) => path.slice(folder.length + 1).split("/")[0]!))]
    })
  }

  read(path: string) {
    return this.unlessBroken(path, () => this.cached.get(path)?.cached.slice() ?? null)
  }

  put(path: string, bytes: Uint8Array) {
    const inode = { cached: bytes.slice(), durable: bytes.slice() }
    const put = this.naming("put", path, (names) => void names.set(path, inode))
    // What it replaces goes last.
    return Effect.andThen(this.needs(path, () => bytes.length), put)
  }

  rename(from: string, to: string) {
    const isThere = this.unlessBroken(from, () => this.names.some((path) => path === from || path.startsWith(`${from}/`)))
    const rename = this.naming("rename", to, (names) => {
      for (const [path, inode] of names) {
        if (path !== from && !path.startsWith(`${from}/`)) continue
        names.delete(path)
        names.set(to + path.slice(from.length), inode)
      }
    })
    const missing = new DiskError({ file: from, reason: "no such file or directory" })
    return Effect.flatMap(isThere, (isThere) => isThere ? rename : Effect.fail(missing))
  }

  remove(path: string) {
    return this.naming("remove", path, (names) => void names.delete(path))
  }

  /** Of folders it knows only what is in them. */
  removeFolder(path: string) {
    const isEmpty = this.unlessBroken(path, () => !this.names.some((name) => name.startsWith(`${path}/`)))
    const full = new DiskError({ file: path, reason: "directory not empty" })
    return Effect.flatMap(isEmpty, (isEmpty) => isEmpty ? this.naming("remove folder", path, () => {}) : full)
  }

  create(path: string): Effect.Effect<LogFile, DiskError> {
    const create = () => {
      // A file that is there loses its content, not its place.
      const inode = this.cached.get(path) ?? { cached: new Uint8Array(0), durable: new Uint8Array(0) }
      inode.cached = new Uint8Array(0)
      this.note(path, (names) => void names.set(path, inode))
    }
    return Effect.andThen(this.step("create", path, create), this.open(path))
  }

  syncNames(folder: string) {
    return this.step("sync names", folder, () => this.settle(folder))
  }

  open(path: string): Effect.Effect<LogFile, DiskError> {
    return this.unlessBroken(path, () => {
      const inode = this.cached.get(path)!
      const write: LogFile["write"] = (at, chunks) => {
        const bytes = concat(chunks)
        this.writes.push({ at, length: bytes.length })
        const take = (part: Uint8Array) => {
          if (inode.cached.length < at + part.length) inode.cached = resized(inode.cached, at + part.length)
          inode.cached.set(part, at)
        }
        const short = () => take(bytes.subarray(0, Math.floor(this.random.next() * (bytes.length + 1))))
        const growth = () => at + bytes.length - inode.cached.length
        return Effect.andThen(this.needs(path, growth), this.step("write", path, () => take(bytes), short))
      }
      /** Of what was written before, nothing more is durable by it. */
      const through = (at: number, length: number) => {
        if (inode.durable.length < at + length) inode.durable = resized(inode.durable, at + length)
        inode.durable.set(inode.cached.subarray(at, at + length), at)
      }
      return {
        read: (at, length) => this.unlessBroken(path, () => inode.cached.slice(at, at + length)),
        write,
        writeThrough: (at, chunks) => {
          const { length } = concat(chunks)
          return Effect.andThen(write(at, chunks), this.step("sync", path, () => through(at, length), () => {}))
        },
        writePast: (at, bytes) => write(at, [bytes]),
        grow: (size) => this.step("grow", path, () => void (inode.cached = resized(inode.cached, size)), () => {}),
        sync: this.step("sync", path, () => void (inode.durable = inode.cached.slice()), () => {}),
        close: Effect.void
      }
    })
  }

  /** A durable change of names; when it fails it may have happened, and may be durable or not. */
  private naming(name: string, path: string, change: Change) {
    const both = () => {
      this.note(path, change)
      this.settle(dirname(path))
    }
    return this.step(name, path, both, () => {
      if (this.chance()) return
      if (this.chance()) both()
      else this.note(path, change)
    })
  }

  private note(path: string, change: Change): void {
    change(this.cached)
    this.pending.push({ folder: dirname(path), change })
  }

  private settle(folder: string): void {
    for (const one of this.pending) if (one.folder === folder) one.change(this.durable)
    this.pending = this.pending.filter((one) => one.folder !== folder)
  }

  private step(name: string, path: string, whole: () => void, part: () => void = whole) {
    const step = Effect.suspend(() => {
      this.steps.push(`${name} ${path}`)
      this.left--
      if (this.left === -1) part()
      if (this.left < 0) return new DiskError({ file: path, reason: this.reason })
      whole()
      return Effect.void
    })
    return Effect.suspend(() => {
      const { life } = this
      const ended = new DiskError({ file: path, reason: "the process has ended" })
      const later = Effect.suspend(() => life === this.life ? step : ended)
      return this.isBusy && this.chance() ? Effect.andThen(Effect.yieldNow, later) : step
    })
  }

  private needs(path: string, bytes: () => number): Effect.Effect<void, DiskError> {
    const full = new DiskError({ file: path, reason: "no space left on device" })
    return Effect.suspend(() => this.used_bytes + bytes() > this.room_bytes ? full : Effect.void)
  }

  private unlessBroken<A>(path: string, value: () => A): Effect.Effect<A, DiskError> {
    return Effect.suspend(() =>
      this.left < 0 ? new DiskError({ file: path, reason: this.reason }) : Effect.succeed(value())
    )
  }

  private chance(): boolean {
    return this.random.next() < 0.5
  }
}
