/**
 * One connection with its two ends, each of which belongs to a process that may die.
 *
 * @module
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import { isArrayNonEmpty } from "effect/Array"
import * as Effect from "effect/Effect"
import { bytesOf } from "../../../src/base/Bytes.ts"
import { Limits } from "../../../src/base/Limits.ts"
import { Closed, type Duplex } from "../../../src/network/Network.ts"
import type { Executor } from "./Executor.ts"
import { Pipe, type Segment } from "./Pipe.ts"
import type { Process } from "./Process.ts"
import type { Wires } from "./Wires.ts"

export interface ConnectionOptions {
  readonly number: number
  readonly executor: Executor
  readonly wires: Wires
  readonly pipe_bytes_max: number
  readonly dialler: { readonly host: string; readonly process: Process; readonly address: string }
  readonly acceptor: { readonly host: string; readonly process: Process }
  /** Neither end has it open any more, and nothing is under way. */
  readonly onOver: () => void
}

export class Connection {
  readonly dialler: End
  readonly acceptor: End
  private readonly options: ConnectionOptions

  constructor(options: ConnectionOptions) {
    const { acceptor, dialler, number, pipe_bytes_max } = options
    this.options = options
    this.dialler = new End(dialler.host, dialler.process, dialler.address, pipe_bytes_max)
    this.acceptor = new End(acceptor.host, acceptor.process, `${dialler.host}:${50_000 + number}`, pipe_bytes_max)
    this.dialler.out = this.pipe(this.dialler, this.acceptor)
    this.acceptor.out = this.pipe(this.acceptor, this.dialler)
    this.dialler.peer = this.acceptor
    this.acceptor.peer = this.dialler
  }

  pump(): void {
    this.dialler.out.pump()
    this.acceptor.out.pump()
  }

  /** Both sides lose it, at a byte anywhere. */
  reset(): void {
    for (const end of [this.dialler, this.acceptor]) {
      end.out.cut()
      end.out.send("rst")
    }
  }

  /** The process of one or both ends is gone; what it has written last may be lost. */
  lose(process: Process, silent: boolean): void {
    const { executor } = this.options
    for (const end of [this.dialler, this.acceptor]) {
      if (end.process !== process) continue
      if (!end.isOver) {
        end.out.cut()
        if (!silent) end.out.send(executor.random.next() < 0.5 ? "rst" : "fin")
        // A side that sends nothing hears of it all the same, by the probes of the kernel.
        else executor.after(2 * Limits.keepalive_ms, () => end.peer.receive("rst"))
      }
      end.die()
    }
    this.settle()
  }

  private pipe(from: End, to: End): Pipe {
    const { executor, number, wires } = this.options
    const deliver = (segment: Segment): void => {
      executor.mix(number ^ (typeof segment === "string" ? 1 << 20 : segment.length))
      // To a process that has left: its machine knows nothing of this connection.
      if (to.isOver && typeof segment !== "string") to.out.send("rst")
      to.receive(segment)
      this.settle()
    }
    return new Pipe({ executor, wires, from: from.host, to: to.host, deliver })
  }

  private settle(): void {
    const { acceptor, dialler } = this
    if (dialler.isOver && acceptor.isOver && dialler.out.isIdle && acceptor.out.isIdle) this.options.onOver()
  }
}

const by_us = "closed on this side"
const by_them = "closed by the other side"

export class End {
  readonly host: string
  readonly process: Process
  readonly duplex: Duplex
  out!: Pipe
  peer!: End
  /** Hears what is written. */
  tap: ((chunk: Uint8Array) => void) | null = null
  private readonly pipe_bytes_max: number
  private received: Array<Uint8Array> = []
  /** Received, and not read. */
  private bytes = 0
  /** Why nothing more comes, and nothing more can be written. */
  private ended: string | null = null
  private reader: (() => void) | null = null
  private writers: Array<() => void> = []

  constructor(host: string, process: Process, remote: string, pipe_bytes_max: number) {
    this.host = host
    this.process = process
    this.pipe_bytes_max = pipe_bytes_max
    this.duplex = { remote, pull: this.pull, write: (chunks) => this.write(chunks), writeNow: (chunks) => this.writeNow(chunks) }
  }

  /** Neither reads nor writes any more. */
  isOver = false

  receive(segment: Segment): void {
    if (this.isOver) return
    if (typeof segment !== "string") {
      this.received.push(segment)
      this.bytes += segment.length
    } else {
      this.ended ??= segment === "fin" ? by_them : "reset"
      this.awaken()
    }
    const reader = this.reader
    this.reader = null
    if (reader !== null) this.process.enqueue(reader)
  }

  /** What was written arrives, and then the end. */
  readonly close: Effect.Effect<void> = Effect.sync(() => {
    if (this.isOver) return
    this.out.send("fin")
    this.die()
  })

  /** Nobody here wants it. */
  abort(): void {
    if (this.isOver) return
    this.out.send("rst")
    this.die()
  }

  die(): void {
    this.isOver = true
    this.ended = by_us
    this.received = []
    this.bytes = 0
    this.awaken()
    this.peer.awaken()
  }

  private awaken(): void {
    const { reader, writers } = this
    this.reader = null
    this.writers = []
    for (const wake of reader === null ? writers : [reader, ...writers]) this.process.enqueue(wake)
  }

  private readonly pull: Duplex["pull"] = Effect.suspend(() => {
    const chunks = this.received
    if (isArrayNonEmpty(chunks)) {
      this.received = []
      this.bytes = 0
      if (!this.peer.isOver) this.peer.awakenWriters()
      return Effect.succeed(chunks)
    }
    if (this.ended !== null) return Effect.fail(new Closed({ reason: this.ended }))
    return Effect.andThen(this.readable, this.pull)
  })

  private awakenWriters(): void {
    const { writers } = this
    this.writers = []
    for (const wake of writers) this.process.enqueue(wake)
  }

  private readonly readable: Effect.Effect<void> = Effect.callback((resume) => {
    const reader = () => resume(Effect.void)
    this.reader = reader
    return Effect.sync(() => {
      if (this.reader === reader) this.reader = null
    })
  })

  private write(chunks: NonEmptyReadonlyArray<Uint8Array>): Effect.Effect<void, Closed> {
    return Effect.suspend(() => {
      if (this.ended !== null) return Effect.fail(new Closed({ reason: this.ended }))
      this.put(chunks)
      return this.room
    })
  }

  private writeNow(chunks: NonEmptyReadonlyArray<Uint8Array>): boolean {
    const goes = this.ended === null && this.out.bytes + this.peer.bytes + bytesOf(chunks) <= this.pipe_bytes_max
    if (goes) this.put(chunks)
    return goes
  }

  private put(chunks: NonEmptyReadonlyArray<Uint8Array>): void {
    for (const chunk of chunks) {
      this.tap?.(chunk)
      this.out.send(chunk)
    }
  }

  private get isFull(): boolean {
    return !this.peer.isOver && this.out.bytes + this.peer.bytes > this.pipe_bytes_max
  }

  private readonly room: Effect.Effect<void, Closed> = Effect.suspend(() => {
    if (this.ended !== null) return Effect.fail(new Closed({ reason: this.ended }))
    if (!this.isFull) return Effect.void
    return Effect.andThen(
      Effect.callback<void>((resume) => {
        this.writers.push(() => resume(Effect.void))
      }),
      this.room
    )
  })
}
