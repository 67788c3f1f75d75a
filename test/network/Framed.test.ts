/**
 * Framed connections: two sides say hello and then talk in frames; whoever does not fit, or does not speak, is told why.
 * In memory, with a clock that only the test moves.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as fc from "fast-check"
import { Limits } from "../../src/base/Limits.ts"
import { acceptFramed, connectFramed, type Framed, type HelloRejected } from "../../src/network/Framed.ts"
import { type Closed, type Duplex, Network } from "../../src/network/Network.ts"
import * as TcpNetwork from "../../src/network/TcpNetwork.ts"
import { encodeFrame, FrameDecoder } from "../../src/wire/Frame.ts"
import {
  decodeHello,
  encodeHello,
  encodeReject,
  type Hello,
  makeHello,
  reject,
  type RejectCode
} from "../../src/wire/Hello.ts"

const frame_bytes_max = 100_000
const limits = { frame_bytes_max, value_bytes_max: Limits.value_bytes_max }
const serverHello = makeHello("v2r2-client", { cluster: "prod", node: "n1", limits })
const clientHello = makeHello("v2r2-client", { cluster: null, node: null, limits })

type Accepted = Exit.Exit<Framed, Closed | HelloRejected>

/** A server that accepts one connection and hands out what became of it, keeping it open while the test goes on. */
const server = Effect.fnUntraced(function*(
  hello: Hello = serverHello,
  verify: ((got: Hello) => ReturnType<typeof reject> | null) | null = null
) {
  const outcome = yield* Deferred.make<Accepted>()
  const options = verify === null ? { frame_bytes_max } : { frame_bytes_max, verify }
  const address = yield* (yield* Network).listen("127.0.0.1:0", (duplex) =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(acceptFramed(duplex, hello, options))
      yield* Deferred.succeed(outcome, exit)
      if (Exit.isSuccess(exit)) yield* Effect.never
    }))
  return { address, accepted: Effect.flatten(Deferred.await(outcome)) }
})

/** A server that does as it is told, and keeps the connection for as long as that takes. */
const rudeServer = (onConnection: (duplex: Duplex) => Effect.Effect<void, Closed>) =>
  Effect.flatMap(Network, (network) => network.listen("127.0.0.1:0", (duplex) => Effect.ignore(onConnection(duplex))))

const connectRaw = (address: string) => Effect.flatMap(Network, (network) => network.connect(address))

/** The first frame that comes, as a hello; then the end must come. */
const answerAndEnd = Effect.fnUntraced(function*(duplex: Duplex) {
  const decoder = new FrameDecoder(Limits.hello_bytes_max)
  const payloads: Array<Uint8Array> = []
  const end = yield* Effect.flip(Effect.forever(Effect.map(duplex.pull, (chunks) => {
    for (const chunk of chunks) payloads.push(...decoder.push(chunk))
  })))
  assert.strictEqual(end.reason, "closed by the other side")
  assert.lengthOf(payloads, 1)
  return decodeHello(payloads[0] ?? new Uint8Array(0))
})

const scenario = (title: string, body: Effect.Effect<void, unknown, Network | Scope.Scope>): void =>
  it.effect(title, () => Effect.scoped(body).pipe(Effect.provide(Network.layerMemory)))

const join = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]))

describe("two sides that fit", () => {
  const conversation = Effect.gen(function*() {
    const { accepted, address } = yield* server()
    const client = yield* connectFramed(address, clientHello)
    const framed = yield* accepted
    assert.deepEqual(client.hello, serverHello)
    assert.deepEqual(framed.hello, clientHello)
    assert.strictEqual(client.remote, address)
    yield* client.send([encodeFrame(Uint8Array.of(1)), encodeFrame(new Uint8Array(frame_bytes_max))])
    const got: Array<number> = []
    while (got.length < 2) got.push(...(yield* framed.receive).map(({ length }) => length))
    assert.deepStrictEqual(got, [1, frame_bytes_max])
    yield* framed.send([encodeFrame(Uint8Array.of(7))])
    assert.deepEqual(yield* client.receive, [Uint8Array.of(7)])
  })

  scenario("know each other's hello and talk", conversation)

  it.live("do so over TCP", () => Effect.scoped(conversation).pipe(Effect.provide(TcpNetwork.layer)))

  scenario("may cut the hello into single bytes", Effect.gen(function*() {
    const { accepted, address } = yield* server()
    const duplex = yield* connectRaw(address)
    for (const byte of encodeHello(clientHello)) {
      yield* duplex.write([Uint8Array.of(byte)])
      yield* Effect.yieldNow
    }
    assert.deepEqual((yield* accepted).hello, clientHello)
  }))

  scenario("may send long frames right behind the hello", Effect.gen(function*() {
    const { accepted, address } = yield* server()
    const duplex = yield* connectRaw(address)
    const long = new Uint8Array(2 * Limits.hello_bytes_max).fill(3)
    const frame = encodeFrame(long)
    yield* duplex.write([join(encodeHello(clientHello), frame, frame, frame.subarray(0, 10))])
    const framed = yield* accepted
    assert.deepEqual(yield* framed.receive, [long, long])
    yield* duplex.write([frame.subarray(10)])
    assert.deepEqual(yield* framed.receive, [long])
  }))

  scenario("hear of the end", Effect.gen(function*() {
    const { accepted, address } = yield* server()
    yield* Effect.scoped(connectFramed(address, clientHello))
    const closed = yield* Effect.flip((yield* accepted).receive)
    assert.strictEqual(closed.message, "connection closed: closed by the other side")
    assert.isUndefined(closed.malformed)
  }))
})

describe("two sides that do not fit", () => {
  const mismatch = (
    client: Hello,
    code: RejectCode,
    reason: string
  ): Effect.Effect<void, unknown, Network | Scope.Scope> =>
    Effect.gen(function*() {
      const { accepted, address } = yield* server()
      const here = yield* Effect.flip(connectFramed(address, client))
      assert.strictEqual(here.message, `${address}: rejected our hello: ${reason}`)
      const there = yield* Effect.flip(accepted)
      assert.strictEqual(there._tag === "HelloRejected" ? there.code : there._tag, code)
      assert.match(there.message, /^client:1: hello rejected: /)
      assert.include(there.message, reason)
    })

  scenario(
    "for want of the same protocol",
    mismatch(
      { ...clientHello, protocol: "v2r2-peer" },
      "protocol",
      `wrong protocol: got "v2r2-peer", expected "v2r2-client"`
    )
  )
  scenario(
    "for want of the same version",
    mismatch({ ...clientHello, version: 2 }, "version", "wrong version of v2r2-client: got 2, expected 1")
  )
  scenario(
    "for want of the same cluster",
    mismatch({ ...clientHello, cluster: "dev" }, "cluster", `wrong cluster: got "dev", expected "prod"`)
  )

  scenario("for reasons that only the server knows", Effect.gen(function*() {
    const { accepted, address } = yield* server(serverHello, () => reject("busy", "2 connections; at most 2 are allowed"))
    const error = yield* Effect.flip(connectFramed(address, clientHello))
    assert.strictEqual(error._tag === "HelloRejected" ? error.code : error._tag, "busy")
    assert.strictEqual((yield* Effect.flip(accepted))._tag, "HelloRejected")
  }))

  scenario("as the client finds, when the server does not", Effect.gen(function*() {
    const address = yield* rudeServer((duplex) =>
      Effect.andThen(duplex.write([encodeHello({ ...serverHello, cluster: "dev" })]), Effect.never))
    const error = yield* Effect.flip(connectFramed(address, { ...clientHello, cluster: "prod" }))
    assert.strictEqual(error.message, `${address}: hello rejected: wrong cluster: got "dev", expected "prod"`)
  }))
})

describe("a hello that never comes", () => {
  scenario("ends the connection, and says so to both sides", Effect.gen(function*() {
    const { accepted, address } = yield* server()
    const duplex = yield* connectRaw(address)
    const answer = yield* Effect.forkChild(answerAndEnd(duplex), { startImmediately: true })
    yield* TestClock.adjust(Limits.hello_timeout_ms - 1)
    assert.isUndefined(answer.pollUnsafe())
    yield* TestClock.adjust(1)
    assert.deepStrictEqual(yield* Fiber.join(answer), reject("timeout", "no hello within 5000 ms"))
    assert.strictEqual((yield* Effect.flip(accepted)).message, "client:1: hello rejected: no hello within 5000 ms")
  }))

  scenario("does so too if it only trickles", Effect.gen(function*() {
    const { accepted, address } = yield* server()
    const duplex = yield* connectRaw(address)
    for (const byte of encodeHello(clientHello).subarray(0, 5)) {
      yield* duplex.write([Uint8Array.of(byte)])
      yield* TestClock.adjust(Limits.hello_timeout_ms / 5)
    }
    assert.strictEqual((yield* Effect.flip(accepted)).message, "client:1: hello rejected: no hello within 5000 ms")
  }))

  scenario("is reported by a client whose server is silent", Effect.gen(function*() {
    const address = yield* rudeServer(() => Effect.never)
    const dialling = yield* Effect.forkChild(Effect.flip(connectFramed(address, clientHello)), {
      startImmediately: true
    })
    yield* TestClock.adjust(Limits.hello_timeout_ms)
    assert.strictEqual((yield* Fiber.join(dialling)).message, `${address}: no hello within 5000 ms`)
  }))

  scenario("is reported by a client whose server hangs up", Effect.gen(function*() {
    const address = yield* rudeServer(() => Effect.void)
    const error = yield* Effect.flip(connectFramed(address, clientHello))
    assert.strictEqual(error.message, `${address}: closed by the other side, before a hello`)
  }))
})

describe("a first frame that is no hello", () => {
  const answered = (
    bytes: Uint8Array,
    code: RejectCode,
    message: string
  ): Effect.Effect<void, unknown, Network | Scope.Scope> =>
    Effect.gen(function*() {
      const { accepted, address } = yield* server()
      const duplex = yield* connectRaw(address)
      yield* duplex.write([bytes])
      const answer = yield* answerAndEnd(duplex)
      assert.deepInclude(answer, { _tag: "Reject", code })
      assert.include(answer._tag === "Reject" ? answer.message : "", message)
      assert.include((yield* Effect.flip(accepted)).message, message)
    })
  const text = (words: string): Uint8Array => new TextEncoder().encode(words)

  const fourGiB = Uint8Array.of(255, 255, 255, 255, 1, 2)
  const tooLong = "at most 4096 are allowed"
  scenario("but 4 GiB is refused", answered(fourGiB, "limit", `no hello: a frame of 4294967295 bytes; ${tooLong}`))
  scenario("but HTTP is refused", answered(text("GET / HTTP/1.1\r\n\r\n"), "limit", tooLong))
  scenario("but empty is refused", answered(new Uint8Array(4), "limit", "no hello: a frame of length 0"))
  scenario("but noise is refused", answered(encodeFrame(Uint8Array.of(0xc1, 9)), "malformed", "not msgpack"))
  scenario("but another message is refused", answered(encodeFrame(Uint8Array.of(0x92, 7, 1)), "malformed", "not a map"))
  scenario(
    "but a reject is refused",
    answered(encodeReject(reject("busy", "me")), "malformed", "a reject, expected a hello")
  )

  scenario("is reported by a client who gets one", Effect.gen(function*() {
    const address = yield* rudeServer((duplex) => Effect.andThen(duplex.write([text("SSH-2.0-x\r\n")]), Effect.never))
    const error = yield* Effect.flip(connectFramed(address, clientHello))
    assert.strictEqual(error.message, `${address}: a frame of 1397966893 bytes; ${tooLong}, before a hello`)
    const other = yield* rudeServer((duplex) =>
      Effect.andThen(duplex.write([encodeFrame(Uint8Array.of(1))]), Effect.never))
    const malformed = yield* Effect.flip(connectFramed(other, clientHello))
    assert.strictEqual(malformed.message, `${other}: the answer to our hello is not a map`)
  }))

  it("never breaks the server, whatever the bytes", async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 50, size: "max" })), (chunks) =>
      Effect.runPromise(
        Effect.scoped(Effect.gen(function*() {
          const { accepted, address } = yield* server()
          yield* Effect.scoped(Effect.gen(function*() {
            const duplex = yield* connectRaw(address)
            for (const chunk of chunks) yield* Effect.ignore(duplex.write([chunk]))
          }))
          const error = yield* Effect.flip(accepted)
          assert.include(["Closed", "HelloRejected"], error._tag)
        })).pipe(Effect.provide(Network.layerMemory))
      )))
  })
})

describe("a bad frame after the hello", () => {
  scenario("ends what can be read, after the frames before it; the complaint can still be sent", Effect.gen(function*() {
    const { accepted, address } = yield* server()
    const client = yield* connectFramed(address, clientHello)
    const framed = yield* accepted
    yield* client.send([encodeFrame(Uint8Array.of(1)), Uint8Array.of(255, 255, 255, 255)])
    assert.deepEqual(yield* framed.receive, [Uint8Array.of(1)])
    const closed = yield* Effect.flip(framed.receive)
    assert.strictEqual(closed.reason, "a frame of 4294967295 bytes; at most 100000 are allowed")
    assert.isTrue(closed.malformed)
    yield* framed.send([encodeFrame(Uint8Array.of(9))])
    assert.deepEqual(yield* client.receive, [Uint8Array.of(9)])
  }))

  scenario("is found even if it came with the hello", Effect.gen(function*() {
    const { accepted, address } = yield* server()
    const duplex = yield* connectRaw(address)
    yield* duplex.write([join(encodeHello(clientHello), encodeFrame(Uint8Array.of(1)), new Uint8Array(4))])
    const framed = yield* accepted
    assert.deepEqual(yield* framed.receive, [Uint8Array.of(1)])
    assert.strictEqual((yield* Effect.flip(framed.receive)).reason, "a frame of length 0")
  }))
})
