/**
 * Connections, as the rest of the system sees them: listen, connect, and a duplex of bytes with back-pressure both
 * ways. `layerMemory` is the whole network in one map, for tests; TcpNetwork.ts is the real one. One suite of tests
 * holds for both.
 *
 * @module
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { bytesOf } from "../base/Bytes.ts"
import { Limits } from "../base/Limits.ts"

/** A connection ended; `reason` says why in words, such as "closed by the other side" or "reset". */
export class Closed extends Schema.TaggedError<Closed>()("Closed", {
  reason: Schema.String,
  /** True if what came was not the protocol: we end it, and the other side may still be told. */
  malformed: Schema.optionalKey(Schema.Boolean)
}) {
  override get message(): string {
    return `connection closed: ${this.reason}`
  }
}

/** No connection, or no listener: `reason` is a few words, such as "refused", "timed out" or "port in use". */
export class NetworkError extends Schema.TaggedError<NetworkError>()("NetworkError", {
  address: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.address}: ${this.reason}`
  }
}

/** One end of a connection. Chunks that were read or written must not be changed afterwards. */
export interface Duplex {
  /** The other end, for people: an address. */
  readonly remote: string
  /** All bytes at hand; waits for the first. Fails once all was read and the connection has ended. One reader only. */
  readonly pull: Effect.Effect<NonEmptyReadonlyArray<Uint8Array>, Closed>
  /** Waits while the other side is slow to read. Chunks of concurrent writes do not mix. */
  readonly write: (chunks: NonEmptyReadonlyArray<Uint8Array>) => Effect.Effect<void, Closed>
  /** Writes what nobody has to wait for, a few hundred KiB at most: true. False: nothing was written; `write` waits, or says why. */
  readonly writeNow: (chunks: NonEmptyReadonlyArray<Uint8Array>) => boolean
}

export class Network extends Context.Service<Network, {
  /**
   * Succeeds with the address that was bound (which has the real port if port 0 was asked for). Every connection gets a
   * fiber of its own that runs `onConnection`; when that ends, what was written is flushed and the connection closed.
   * The end of the Scope stops listening and interrupts the connections.
   */
  readonly listen: (
    address: string,
    onConnection: (duplex: Duplex) => Effect.Effect<void>
  ) => Effect.Effect<string, NetworkError, Scope.Scope>
  /** Connected when it returns. The end of the Scope flushes what was written and closes. */
  readonly connect: (address: string) => Effect.Effect<Duplex, NetworkError, Scope.Scope>
}>()("v2r2/network/Network") {
  /** The network in memory. Any string is an address; `…:0` binds a free port. Deterministic if the scheduler is. */
  static readonly layerMemory: Layer.Layer<Network> = Layer.sync(Network, () => memory())
}

/** The life of one accepted connection: a handler that dies ends this connection only, and is reported. */
export const serveConnection = (
  duplex: Duplex,
  onConnection: (duplex: Duplex) => Effect.Effect<void>,
  close: Effect.Effect<void>
): Effect.Effect<void> =>
  Effect.suspend(() => onConnection(duplex)).pipe(
    Effect.tapCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.void
        : Effect.logError("a connection's handler died", cause).pipe(Effect.annotateLogs("remote", duplex.remote))
    ),
    Effect.ensuring(close)
  )

const by_us = "closed on this side"
const by_them = "closed by the other side"

/** One direction of a connection. */
interface Pipe {
  readonly chunks: Queue.Queue<Uint8Array, Closed>
  /** Open while the writer may go on. */
  readonly room: Latch.Latch
  /** Written and not yet read. */
  bytes: number
  /** Why the writer can write no more, or null. */
  broken: string | null
}

const pipe = (): Effect.Effect<Pipe> =>
  Effect.map(Queue.unbounded<Uint8Array, Closed>(), (chunks) => ({
    chunks,
    room: Latch.makeUnsafe(true),
    bytes: 0,
    broken: null
  }))

const memory = (): Network["Service"] => {
  const listeners = new Map<string, (duplex: Duplex, close: Effect.Effect<void>) => void>()
  let port = 49_151
  let connections = 0

  const bindable = (address: string): string => {
    if (!address.endsWith(":0")) return address
    do port++
    while (listeners.has(`${address.slice(0, -1)}${port}`))
    return `${address.slice(0, -1)}${port}`
  }

  return {
    listen: Effect.fnUntraced(function*(address, onConnection) {
      const bound = bindable(address)
      if (listeners.has(bound)) return yield* new NetworkError({ address, reason: "port in use" })
      const run = yield* FiberSet.makeRuntime()
      listeners.set(bound, (duplex, close) => {
        // In a turn of its own, as a real network would: not inside the turn of the fiber that connects.
        run(serveConnection(duplex, (duplex) => Effect.andThen(Effect.yieldNow, onConnection(duplex)), close))
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => listeners.delete(bound)))
      return bound
    }),
    connect: Effect.fnUntraced(function*(address) {
      const accept = listeners.get(address)
      if (accept === undefined) return yield* new NetworkError({ address, reason: "refused" })
      const there = yield* pipe()
      const back = yield* pipe()
      yield* Effect.acquireRelease(
        Effect.sync(() => accept(memoryDuplex(there, back, `client:${++connections}`), close(there, back))),
        () => close(back, there)
      )
      return memoryDuplex(back, there, address)
    })
  }
}

const put = (pipe: Pipe, chunks: NonEmptyReadonlyArray<Uint8Array>): void => {
  pipe.bytes += bytesOf(chunks)
  Queue.offerAllUnsafe(pipe.chunks, chunks)
}

const memoryDuplex = (incoming: Pipe, outgoing: Pipe, remote: string): Duplex => ({
  remote,
  pull: Effect.flatMap(Queue.takeAll(incoming.chunks), (chunks) => {
    for (const chunk of chunks) incoming.bytes -= chunk.length
    return incoming.bytes > Limits.memory_pipe_bytes_max
      ? Effect.succeed(chunks)
      : Effect.as(incoming.room.open, chunks)
  }),
  write: (chunks) =>
    Effect.suspend(() => {
      if (outgoing.broken !== null) return Effect.fail(new Closed({ reason: outgoing.broken }))
      put(outgoing, chunks)
      if (outgoing.bytes <= Limits.memory_pipe_bytes_max) return Effect.void
      outgoing.room.closeUnsafe()
      return Effect.andThen(outgoing.room.await, Effect.suspend(() =>
        outgoing.broken === null ? Effect.void : Effect.fail(new Closed({ reason: outgoing.broken }))))
    }),
  writeNow: (chunks) => {
    const goes = outgoing.broken === null && outgoing.bytes + bytesOf(chunks) <= Limits.memory_pipe_bytes_max
    if (goes) put(outgoing, chunks)
    return goes
  }
})

/** One side leaves: the other may read what was written to it; nobody writes any more, and nobody waits. */
const close = (incoming: Pipe, outgoing: Pipe): Effect.Effect<void> =>
  Effect.suspend(() => {
    outgoing.broken ??= by_us
    incoming.broken ??= by_them
    Queue.failCauseUnsafe(outgoing.chunks, Cause.fail(new Closed({ reason: by_them })))
    Queue.failCauseUnsafe(incoming.chunks, Cause.fail(new Closed({ reason: by_us })))
    Queue.shutdownUnsafe(incoming.chunks)
    return Effect.andThen(outgoing.room.open, incoming.room.open)
  })
