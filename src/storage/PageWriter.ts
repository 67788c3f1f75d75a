/**
 * Writes a new file from its beginning to its end, past the system's cache: a snapshot is read when a replica starts, or another one
 * asks for it, which is rarely. In the cache it would take the place of what is needed; and where the system gives memory that it
 * does not use back to a host, as virtual machines do, to copy it into memory that is taken anew costs more than to make it.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { pageAligned } from "../base/Bytes.ts"
import { invariant } from "../base/Invariant.ts"
import { Limits } from "../base/Limits.ts"
import { type DiskError, type LogFile, page_bytes } from "./log/LogDisk.ts"

/**
 * What the last file was written from, some 2 MiB, for the next one: to take so much anew for each small snapshot would be most of its
 * work.
 */
let idle: Uint8Array | null = null

export class PageWriter {
  private readonly file: LogFile
  private readonly memory: Uint8Array
  /** Of the memory: what waits to be written. */
  private filled = 0
  /** Where in the file that begins. A multiple of `page_bytes`. */
  private at = 0
  private hasEnded = false

  /** `longest`: of what is added at a time. */
  constructor(file: LogFile, longest: number) {
    const bytes = Limits.snapshot_write_bytes + longest
    this.file = file
    this.memory = idle?.length === bytes ? idle : pageAligned(bytes)
    idle = null
  }

  /** Memory for what comes `behind` so many bytes: added from there, it need not be copied. */
  room(behind: number): Uint8Array {
    return this.memory.subarray(this.filled + behind)
  }

  add(bytes: Uint8Array): void {
    invariant(!this.hasEnded && this.filled + bytes.length <= this.memory.length, "what is added finds room")
    const isThere = bytes.buffer === this.memory.buffer && bytes.byteOffset === this.memory.byteOffset + this.filled
    if (!isThere) this.memory.set(bytes, this.filled)
    this.filled += bytes.length
  }

  /** Is there so much that it is to be written? */
  get isFull(): boolean {
    return this.filled >= Limits.snapshot_write_bytes
  }

  /** Writes whole pages, and keeps what is left. */
  readonly write: Effect.Effect<void, DiskError> = Effect.suspend(() => {
    const bytes = this.filled - this.filled % page_bytes
    return Effect.map(this.file.writePast(this.at, this.memory.subarray(0, bytes)), () => {
      this.memory.copyWithin(0, bytes, this.filled)
      this.filled -= bytes
      this.at += bytes
    })
  })

  /** Writes what is left, and makes all of the file durable. Nothing can be added any more. */
  readonly end: Effect.Effect<void, DiskError> = Effect.suspend(() => {
    this.hasEnded = true
    return Effect.andThen(this.file.write(this.at, [this.memory.subarray(0, this.filled)]), this.file.sync)
  }).pipe(Effect.tap(() => Effect.sync(() => void (idle = this.memory))))
}
