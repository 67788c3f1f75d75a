/**
 * The network over TCP: the contract, and what only real sockets have.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as net from "node:net"
import { vi } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { type Duplex, Network } from "../../src/network/Network.ts"
import * as TcpNetwork from "../../src/network/TcpNetwork.ts"
import { networkContract } from "../contracts/Network.ts"

networkContract("TCP", TcpNetwork.layer, "127.0.0.1:0")

const scenario = (title: string, body: Effect.Effect<void, unknown, Network | Scope.Scope>): void =>
  it.live(title, () => Effect.scoped(body).pipe(Effect.provide(TcpNetwork.layer)))

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1))

/** A socket that is not ours: it does what it likes. */
const rawSocket = (address: string): Effect.Effect<net.Socket, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = net.connect({ port: portOf(address), host: "127.0.0.1", allowHalfOpen: true })
      await once(socket, "connect")
      return socket
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** A process that listens and never accepts, its queue of connections filled. */
const deafListener = Effect.gen(function*() {
  const program = `require("net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, function () {
    process.stdout.write(String(this.address().port))
  })`
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const [port] = yield* Effect.promise(() => once(child.stdout, "data"))
  child.kill("SIGSTOP")
  const fillers = Array.from({ length: 8 }, () => net.connect({ port: Number(port), host: "127.0.0.1" }))
  for (const filler of fillers) filler.on("error", () => {})
  yield* Effect.addFinalizer(() => Effect.sync(() => fillers.forEach((filler) => filler.destroy())))
  yield* Effect.promise(() => once(fillers[0]!, "connect"))
  return `127.0.0.1:${port}`
})

describe("addresses over TCP", () => {
  it.live.each<readonly [string, string]>([
    ["nowhere", `nowhere: expected host:port, such as 127.0.0.1:2000 or [::1]:2000, got "nowhere" without a port`],
    ["127.0.0.1:0", "the port is a number from 1 to 65535"],
    ["127.0.0.1:99999", "the port is a number from 1 to 65535"],
    ["no-such-host.invalid:2000", "no-such-host.invalid:2000: host not found"]
  ])("%s cannot be dialled", ([address, reason]) =>
    Effect.scoped(Effect.gen(function*() {
      const error = yield* Effect.flip((yield* Network).connect(address))
      assert.include(error.message, reason)
    })).pipe(Effect.provide(TcpNetwork.layer)))

  it.live.each<readonly [string, string]>([
    ["192.0.2.1:0", "192.0.2.1:0: not an address of this machine"],
    ["no-such-host.invalid:0", "no-such-host.invalid:0: host not found"],
    ["127.0.0.1", `without a port`]
  ])("%s cannot be listened on", ([address, reason]) =>
    Effect.scoped(Effect.gen(function*() {
      const error = yield* Effect.flip((yield* Network).listen(address, () => Effect.never))
      assert.include(error.message, reason)
    })).pipe(Effect.provide(TcpNetwork.layer)))

  scenario("keep the host they were given, and are resolved by each dial", Effect.gen(function*() {
    const network = yield* Network
    const address = yield* network.listen("localhost:0", () => Effect.never)
    assert.match(address, /^localhost:[1-9][0-9]*$/)
    yield* network.connect(address)
  }))

  it.effect("that do not answer time out", () =>
    Effect.scoped(Effect.gen(function*() {
      const network = yield* Network
      const address = yield* deafListener
      const dialling = yield* Effect.forkChild(Effect.flip(network.connect(address)), { startImmediately: true })
      yield* TestClock.adjust(Limits.connect_timeout_ms)
      assert.strictEqual((yield* Fiber.join(dialling)).message, `${address}: timed out`)
    })).pipe(Effect.provide(TcpNetwork.layer)))
})

describe("what is written at once over TCP", () => {
  scenario("is much where we have dialled, and little where others have, as those are many", Effect.gen(function*() {
    const network = yield* Network
    const accepted = yield* Queue.unbounded<Duplex>()
    const address = yield* network.listen("127.0.0.1:0", (duplex) => Effect.andThen(Queue.offer(accepted, duplex), Effect.never))
    const dialled = yield* network.connect(address)
    const most = new Uint8Array(Limits.dialled_unsent_bytes_max)
    const usual = new Uint8Array(new net.Socket().writableHighWaterMark)
    // The system would take all of these. It is not asked first.
    assert.isFalse(dialled.writeNow([most]))
    assert.isTrue(dialled.writeNow([most.subarray(1)]))
    const other = yield* Queue.take(accepted)
    assert.isFalse(other.writeNow([usual]))
    assert.isTrue(other.writeNow([usual.subarray(1)]))
  }))
})

describe("strangers over TCP", () => {
  const accepting = Effect.gen(function*() {
    const accepted = yield* Queue.unbounded<Duplex>()
    const address = yield* (yield* Network).listen("127.0.0.1:0", (duplex) =>
      Effect.andThen(Queue.offer(accepted, duplex), Effect.never))
    return { address, accept: Queue.take(accepted) }
  })

  scenario("are known by their address", Effect.gen(function*() {
    const { accept, address } = yield* accepting
    const socket = yield* rawSocket(address)
    assert.strictEqual((yield* accept).remote, `127.0.0.1:${socket.localPort}`)
  }))

  scenario("that reset the connection are said to have done so", Effect.gen(function*() {
    const { accept, address } = yield* accepting
    const socket = yield* rawSocket(address)
    const duplex = yield* accept
    socket.resetAndDestroy()
    assert.strictEqual((yield* Effect.flip(duplex.pull)).reason, "reset")
    assert.strictEqual((yield* Effect.flip(duplex.write([Uint8Array.of(1)]))).reason, "reset")
  }))

  scenario("that say all and then stop talking are answered", Effect.gen(function*() {
    const address = yield* (yield* Network).listen("127.0.0.1:0", (duplex) =>
      duplex.pull.pipe(Effect.flatMap(duplex.write), Effect.forever, Effect.ignore))
    const socket = yield* rawSocket(address)
    const answer = Effect.promise(() => socket.toArray())
    socket.end("hello")
    assert.strictEqual(Buffer.concat(yield* answer).toString(), "hello")
  }))

  scenario("that talk on after our end are heard out, to spare them a reset", Effect.gen(function*() {
    const address = yield* (yield* Network).listen("127.0.0.1:0", () => Effect.void)
    const socket = yield* rawSocket(address)
    socket.resume()
    yield* Effect.promise(() => once(socket, "end"))
    yield* Effect.promise(() => new Promise((resolve) => socket.end(new Uint8Array(8 * 1024 * 1024), () => resolve(null))))
    yield* Effect.promise(() => once(socket, "close")) // Which rejects on an error.
  }))

  scenario("are read as plain Uint8Array", Effect.gen(function*() {
    const { accept, address } = yield* accepting
    const socket = yield* rawSocket(address)
    socket.write("x")
    const [chunk] = yield* (yield* accept).pull
    assert.strictEqual(Object.getPrototypeOf(chunk), Uint8Array.prototype)
  }))
})

describe("a listener that the kernel gives no connection", () => {
  it.live("says so, and not for every one", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const listening = vi.spyOn(net.Server.prototype, "listen")
      const address = yield* Effect.flatMap(Network, ({ listen }) => listen("127.0.0.1:0", () => Effect.void)).pipe(
        Effect.provide(Logger.layer([Logger.make(({ message }) => void log.push(String(message)))]))
      )
      const server: unknown = listening.mock.contexts[0]
      listening.mockRestore()
      assert.isTrue(server instanceof net.Server)
      const failure = Object.assign(new Error("accept EMFILE"), { code: "EMFILE" })
      for (let i = 0; i < 500 && server instanceof net.Server; i++) server.emit("error", failure)
      assert.strictEqual(log[0], "a connection to 127.0.0.1:0 could not be accepted: too many open files")
      assert.strictEqual(log.length, Limits.bad_lines_per_second_max)
      assert.match(address, /^127/)
    }).pipe(Effect.scoped, Effect.provide(TcpNetwork.layer)))
})
