/**
 * A network for the nodes' own code, in memory, of which all faults are in the hands of a test: see Wires.ts for what may
 * happen to what is under way, and `kill` and `reset` below for what may happen to a whole connection.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import { Limits } from "../../../src/base/Limits.ts"
import { type Duplex, Network, NetworkError, serveConnection } from "../../../src/network/Network.ts"
import { Connection, type End } from "./Connection.ts"
import type { Executor } from "./Executor.ts"
import type { Process } from "./Process.ts"
import type { Wires } from "./Wires.ts"

interface Listener {
  readonly process: Process
  readonly accept: (end: End) => void
}

/** The part of an address before the port. */
export const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(":"))

export class Sockets {
  readonly wires: Wires
  private readonly executor: Executor
  private readonly pipe_bytes_max: number
  private readonly listeners = new Map<string, Listener>()
  private readonly open = new Set<Connection>()
  private count = 0
  /** Gives who hears what the dialling side of a connection writes; null: nobody. */
  tap: (host: string, address: string) => ((chunk: Uint8Array) => void) | null = () => null

  /** `pipe_bytes_max`: what a reader may leave unread, before the writer has to wait. */
  constructor(executor: Executor, wires: Wires, pipe_bytes_max: number) {
    this.executor = executor
    this.wires = wires
    this.pipe_bytes_max = pipe_bytes_max
    wires.onFree = () => {
      for (const connection of this.open) connection.pump()
    }
  }

  /** The network as a process on that host sees it. */
  at(host: string, process: Process): Network["Service"] {
    return Network.of({
      listen: Effect.fnUntraced({ self: this }, function*(address, onConnection) {
        const known = this.listeners.get(address)
        if (known !== undefined && !known.process.isDead) return yield* new NetworkError({ address, reason: "port in use" })
        const run = yield* FiberSet.makeRuntime()
        const listener: Listener = {
          process,
          // In a turn of its own: not inside the turn of whoever brought it. By then nobody may listen any more.
          accept: (end) =>
            process.enqueue(() => {
              if (this.listeners.get(address) === listener) run(serveConnection(end.duplex, onConnection, end.close))
              else end.abort()
            })
        }
        this.listeners.set(address, listener)
        yield* Effect.addFinalizer(() => Effect.sync(() => {
          if (this.listeners.get(address) === listener) this.listeners.delete(address)
        }))
        return address
      }),
      connect: (address) =>
        Effect.map(
          Effect.acquireRelease(this.dial(host, process, address), (end) => end.close, { interruptible: true }),
          ({ duplex }): Duplex => duplex
        )
    })
  }

  /** Ends connections from both sides, without a word: as many as `chosen` is true of. */
  reset(chosen: (a: string, b: string) => boolean): number {
    let count = 0
    for (const connection of this.open) {
      if (!chosen(connection.dialler.host, connection.acceptor.host)) continue
      connection.reset()
      count++
    }
    return count
  }

  /** The process is gone. `silent`: so is its machine, and nobody is told. */
  kill(process: Process, silent: boolean): void {
    process.kill()
    for (const connection of this.open) connection.lose(process, silent)
  }

  /** Connections that either side still has open. */
  get size(): number {
    return this.open.size
  }

  private readonly dial = (host: string, process: Process, address: string): Effect.Effect<End, NetworkError> =>
    Effect.callback((resume) => {
      const there = hostOf(address)
      let connection: Connection | null = null
      let over = false
      const end = (outcome: Effect.Effect<End, NetworkError>) =>
        process.enqueue(() => {
          if (over) return
          over = true
          cancel()
          resume(outcome)
        })
      const giveUp = (reason: string) => end(Effect.fail(new NetworkError({ address, reason })))
      const cancel = process.after(Limits.connect_timeout_ms, () => {
        connection?.dialler.abort()
        giveUp("timed out")
      })
      this.over(host, there, () => over, () => {
        const listener = this.listeners.get(address)
        if (listener === undefined || listener.process.isDead) return this.over(there, host, () => over, () => giveUp("refused"))
        const made = this.connection({ host, process, address }, { host: there, process: listener.process })
        connection = made
        listener.accept(made.acceptor)
        this.over(there, host, () => over, () => end(Effect.succeed(made.dialler)))
      })
      return Effect.sync(() => {
        over = true
        cancel()
        connection?.dialler.abort()
      })
    })

  /** One packet of a handshake. It is sent again while it does not get through, as long as anybody cares. */
  private over(from: string, to: string, isOver: () => boolean, arrived: () => void): void {
    this.executor.after(this.wires.delay(from, to), () => {
      if (isOver()) return
      if (this.wires.isOpen(from, to)) arrived()
      else this.executor.after(200, () => this.over(from, to, isOver, arrived))
    })
  }

  private connection(
    dialler: { readonly host: string; readonly process: Process; readonly address: string },
    acceptor: { readonly host: string; readonly process: Process }
  ): Connection {
    const number = ++this.count
    const { executor, pipe_bytes_max, wires } = this
    const made: Connection = new Connection({
      number, executor, wires, pipe_bytes_max, dialler, acceptor, onOver: () => this.open.delete(made)
    })
    made.dialler.tap = this.tap(dialler.host, dialler.address)
    this.open.add(made)
    return made
  }
}
