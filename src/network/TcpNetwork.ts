/**
 * The network over TCP: node:net sockets behind the contract of Network.ts. Reading stops when nobody pulls, writing
 * waits when the other side does not read, a close flushes first, and every failure has its reason in words.
 *
 * @module
 */
import { isArrayNonEmpty, type NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as net from "node:net"
import { formatAddress, parseAddress } from "../base/Address.ts"
import { bytesOf } from "../base/Bytes.ts"
import { invariant } from "../base/Invariant.ts"
import { Limits } from "../base/Limits.ts"
import { makeLineLimit } from "./LineLimit.ts"
import { Closed, type Duplex, Network, NetworkError, serveConnection } from "./Network.ts"

/** The same for both ends. Names are resolved by every dial, as no socket is made twice. */
const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: Limits.keepalive_ms } as const

/** A network of real sockets. */
export const layer: Layer.Layer<Network> = Layer.sync(Network, () => ({ listen, connect }))

const listen: Network["Service"]["listen"] = Effect.fnUntraced(function*(address, onConnection) {
  const parsed = parseAddress(address, true)
  if (!parsed.ok) return yield* new NetworkError({ address, reason: parsed.reason })
  const { host, port } = parsed.value
  const run = yield* FiberSet.makeRuntime()
  const server = net.createServer(options, (socket) => {
    const connection = new Connection(socket, remoteAddress(socket), socket.writableHighWaterMark)
    run(serveConnection(connection, onConnection, connection.close))
  })
  yield* Effect.acquireRelease(bind(server, address, host, port), () => Effect.sync(() => server.close()))
  const limited = yield* makeLineLimit(`accepting connections on ${address}`)
  // The kernel may refuse a connection now and then (out of descriptors); the listener goes on.
  server.on("error", (error) => {
    run(limited(Effect.logError(`a connection to ${address} could not be accepted: ${inWords(error)}`)))
  })
  return formatAddress({ host, port: boundPort(server) })
})

const bind = (server: net.Server, address: string, host: string, port: number): Effect.Effect<void, NetworkError> =>
  Effect.callback((resume) => {
    const failed = (error: Error): void =>
      resume(Effect.fail(new NetworkError({ address, reason: inWords(error) })))
    server.once("error", failed)
    server.listen({ host, port, backlog: Limits.listen_backlog_max }, () => {
      server.off("error", failed)
      resume(Effect.void)
    })
  })

const connect: Network["Service"]["connect"] = Effect.fnUntraced(function*(address) {
  const parsed = parseAddress(address)
  if (!parsed.ok) return yield* new NetworkError({ address, reason: parsed.reason })
  const { host, port } = parsed.value
  const dial = Effect.timeoutOrElse(dialled(address, host, port), {
    duration: Limits.connect_timeout_ms,
    orElse: () => new NetworkError({ address, reason: "timed out" })
  })
  return yield* Effect.acquireRelease(dial, ({ close }) => close, { interruptible: true })
})

const dialled = (address: string, host: string, port: number): Effect.Effect<Connection, NetworkError> =>
  Effect.callback((resume) => {
    const socket = net.connect({ ...options, host, port })
    const failed = (error: Error): void =>
      resume(Effect.fail(new NetworkError({ address, reason: inWords(error) })))
    socket.once("error", failed)
    socket.once("connect", () => {
      socket.off("error", failed)
      resume(Effect.succeed(new Connection(socket, address, Limits.dialled_unsent_bytes_max)))
    })
    return Effect.sync(() => socket.destroy())
  })

type Waiter<A> = (result: Effect.Effect<A, Closed>) => void
type Chunks = NonEmptyReadonlyArray<Uint8Array>

/** One connected socket. All state changes happen in its event handlers and in the two operations, synchronously. */
class Connection implements Duplex {
  readonly remote: string
  private readonly socket: net.Socket
  private readonly unsent_bytes_max: number
  private received: Array<Uint8Array> = []
  private receivedBytes = 0
  /** Why no more can come or be written: the first reason. What came before may still be pulled. */
  private ended: string | null = null
  private reader: Waiter<Chunks> | null = null
  private readonly writers = new Set<Waiter<void>>()

  constructor(socket: net.Socket, remote: string, unsent_bytes_max: number) {
    this.socket = socket
    this.remote = remote
    this.unsent_bytes_max = unsent_bytes_max
    socket.on("data", (chunk: Buffer) => this.onData(chunk))
    bypassStream(socket, (chunk) => this.onData(chunk))
    socket.on("drain", () => this.onDrain())
    socket.on("error", (error) => this.onEnd(inWords(error)))
    // As no half-open connections are allowed, node ends our side too, once what was written is flushed.
    socket.on("end", () => this.onEnd("closed by the other side"))
    socket.on("close", () => this.onEnd("closed"))
  }

  readonly pull: Effect.Effect<Chunks, Closed> = Effect.suspend(() => {
    const taken = this.take()
    if (taken !== null) return Effect.succeed(taken)
    if (this.ended !== null) return Effect.fail(new Closed({ reason: this.ended }))
    return Effect.callback<Chunks, Closed>((resume) => {
      invariant(this.reader === null, "one fiber at a time pulls a connection")
      this.reader = resume
      return Effect.sync(() => {
        this.reader = null
      })
    })
  })

  readonly write = (chunks: Chunks): Effect.Effect<void, Closed> =>
    Effect.suspend(() => {
      if (this.ended !== null) return Effect.fail(new Closed({ reason: this.ended }))
      this.put(chunks)
      return this.socket.writableNeedDrain ? this.drained : Effect.void
    })

  readonly writeNow = (chunks: Chunks): boolean => {
    const { socket } = this
    // What the kernel does not take at once waits here, and nobody counts it: little for each of the many that we accept.
    const goes = this.ended === null && socket.writableLength + bytesOf(chunks) < this.unsent_bytes_max
    if (goes) this.put(chunks)
    return goes
  }

  private put(chunks: Chunks): void {
    const whole = joined(chunks)
    if (whole.length === 1) return void this.socket.write(whole[0]!)
    this.socket.cork()
    for (const chunk of whole) this.socket.write(chunk)
    this.socket.uncork()
  }

  /** Flushes, as long as the other side reads; then no more is written, and what still comes is thrown away. */
  readonly close: Effect.Effect<void> = Effect.callback((resume) => {
    const { socket } = this
    this.onEnd("closed on this side")
    if (socket.destroyed) return resume(Effect.void)
    const timer = setTimeout(() => socket.destroy(), Limits.linger_ms)
    socket.once("close", () => {
      clearTimeout(timer)
      resume(Effect.void)
    })
    // Closing with unread bytes would reset the connection, and the other side would lose our last words.
    this.received = []
    socket.resume()
    socket.end(() => resume(Effect.void))
  })

  private readonly drained: Effect.Effect<void, Closed> = Effect.callback((resume) => {
    if (this.ended !== null) return resume(Effect.fail(new Closed({ reason: this.ended })))
    if (!this.socket.writableNeedDrain) return resume(Effect.void)
    this.writers.add(resume)
    return Effect.sync(() => {
      this.writers.delete(resume)
    })
  })

  private take(): Chunks | null {
    const chunks = this.received
    if (!isArrayNonEmpty(chunks)) return null
    this.received = []
    if (this.receivedBytes >= Limits.receive_buffer_bytes_max) this.socket.resume()
    this.receivedBytes = 0
    return chunks
  }

  private onData(chunk: Uint8Array): void {
    if (this.ended !== null) return // We have closed, and only wait for the other side to do so.
    this.received.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length))
    this.receivedBytes += chunk.length
    if (this.receivedBytes >= Limits.receive_buffer_bytes_max) this.socket.pause()
    const reader = this.reader
    if (reader === null) return
    const chunks = this.take()
    if (chunks === null) return
    this.reader = null
    reader(Effect.succeed(chunks))
  }

  private onDrain(): void {
    this.resumeWriters(Effect.void)
  }

  private onEnd(reason: string): void {
    this.ended ??= reason
    const failed = Effect.fail(new Closed({ reason: this.ended }))
    const reader = this.reader
    this.reader = null
    reader?.(failed)
    this.resumeWriters(failed)
  }

  private resumeWriters(result: Effect.Effect<void, Closed>): void {
    const writers = [...this.writers]
    this.writers.clear()
    for (const resume of writers) resume(result)
  }
}

/**
 * What the system has read is pushed into the stream, which keeps it and then emits it. While it would emit it at once, and keeps nothing,
 * it comes past all that, which shows where one write is under way. Else, and at the end, it takes the usual way; and always, should a Node
 * not call `push` for it. (`onread` would do the same, but sockets of `net.createServer` do not have it.)
 */
const bypassStream = (socket: net.Socket, onData: (chunk: Uint8Array) => void): void => {
  const push = socket.push.bind(socket)
  socket.push = (chunk: Uint8Array | null) => {
    if (chunk === null || socket.readableFlowing !== true || socket.readableLength > 0) return push(chunk)
    onData(chunk)
    return true
  }
}

/** Chunks side by side in memory, as frames are that were encoded in one go, become one: three times as fast. */
const joined = (chunks: Chunks): ReadonlyArray<Uint8Array> => {
  if (chunks.length === 1) return chunks
  const out: Array<Uint8Array> = []
  let run = chunks[0]
  let length = 0
  for (const chunk of chunks) {
    if (chunk.buffer === run.buffer && chunk.byteOffset === run.byteOffset + length) {
      length += chunk.length
    } else {
      out.push(new Uint8Array(run.buffer, run.byteOffset, length))
      run = chunk
      length = chunk.length
    }
  }
  out.push(new Uint8Array(run.buffer, run.byteOffset, length))
  return out
}

const boundPort = (server: net.Server): number => {
  const address = server.address()
  invariant(typeof address === "object" && address !== null, "a listening server has an address")
  return address.port
}

const remoteAddress = ({ remoteAddress, remotePort }: net.Socket): string =>
  remoteAddress === undefined
    ? "gone"
    : formatAddress({ host: remoteAddress.replace(/^::ffff:/, ""), port: remotePort ?? 0 })

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused",
  ECONNRESET: "reset",
  EPIPE: "reset",
  ETIMEDOUT: "timed out",
  EADDRINUSE: "port in use",
  EADDRNOTAVAIL: "not an address of this machine",
  EACCES: "permission denied",
  ENOTFOUND: "host not found",
  EAI_AGAIN: "host not found (the name server does not answer)",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  EMFILE: "too many open files"
}

const inWords = (error: Error): string => {
  const code = "code" in error ? String(error.code) : ""
  return words[code] ?? (error.message === "" ? code : error.message)
}
