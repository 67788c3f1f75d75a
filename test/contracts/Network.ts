/**
 * What every network keeps: the contract of src/network/Network.ts, as tests that run against each version of it.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { type Duplex, Network } from "../../src/network/Network.ts"

const KiB = 1024
const MiB = 1024 * KiB

/** Bytes that show where they belong in a stream. */
const pattern = (length: number, from = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => (from + i) % 251)

const echo = (duplex: Duplex): Effect.Effect<void> =>
  duplex.pull.pipe(Effect.flatMap(duplex.write), Effect.forever, Effect.ignore)

/** Pulls until `bytes` have come. */
const read = Effect.fnUntraced(function*(duplex: Duplex, bytes: number) {
  const all = new Uint8Array(bytes)
  for (let at = 0; at < bytes;) {
    for (const chunk of yield* duplex.pull) {
      all.set(chunk, at)
      at += chunk.length
    }
  }
  return all
})

/** Pulls until the end: how many bytes came, and why it ended. */
const readToEnd = Effect.fnUntraced(function*(duplex: Duplex) {
  let bytes = 0
  const closed = yield* Effect.flip(Effect.forever(Effect.map(duplex.pull, (chunks) => {
    for (const chunk of chunks) bytes += chunk.length
  })))
  return { bytes, reason: closed.reason }
})

/** A handler that hands its connection out and keeps it open; the test plays the server. */
const handedOut = Effect.gen(function*() {
  const accepted = yield* Queue.unbounded<Duplex>()
  return {
    accept: Queue.take(accepted),
    onConnection: (duplex: Duplex) => Effect.andThen(Queue.offer(accepted, duplex), Effect.never)
  }
})

/** `anyPort`: an address to listen on whose port is free. */
export const networkContract = (name: string, layer: Layer.Layer<Network>, anyPort: string): void => {
  const scenario = (
    title: string,
    body: (network: Network["Service"]) => Effect.Effect<void, unknown, Scope.Scope>
  ): void =>
    it.live(title, () =>
      Effect.scoped(Effect.flatMap(Network, body)).pipe(
        Effect.provide(layer),
        // A handler that dies on purpose is reported: not here.
        Effect.provide(Logger.layer([]))
      ))

  describe(`${name}: connecting`, () => {
    scenario("gives each listener on port 0 an address of its own, and the dialler the one it dialled", (network) =>
      Effect.gen(function*() {
        const first = yield* network.listen(anyPort, () => Effect.never)
        const second = yield* network.listen(anyPort, () => Effect.never)
        assert.notStrictEqual(first, second)
        assert.notInclude([first, second], anyPort)
        assert.strictEqual((yield* network.connect(second)).remote, second)
      }))

    scenario("is refused where nobody listens, and where nobody listens any more", (network) =>
      Effect.gen(function*() {
        const address = yield* Effect.scoped(network.listen(anyPort, () => Effect.never))
        const error = yield* Effect.flip(network.connect(address))
        assert.strictEqual(error.message, `${address}: refused`)
      }))

    scenario("cannot be listened for twice, but again", (network) =>
      Effect.gen(function*() {
        const address = yield* Effect.scoped(Effect.gen(function*() {
          const address = yield* network.listen(anyPort, () => Effect.never)
          const error = yield* Effect.flip(network.listen(address, () => Effect.never))
          assert.strictEqual(error.message, `${address}: port in use`)
          return address
        }))
        assert.strictEqual(yield* network.listen(address, () => Effect.never), address)
      }))

    scenario("a hundred times at once gives a hundred conversations", (network) =>
      Effect.gen(function*() {
        const address = yield* network.listen(anyPort, echo)
        yield* Effect.forEach(Array.from({ length: 100 }, (_, i) => i), (i) =>
          Effect.gen(function*() {
            const duplex = yield* network.connect(address)
            const sent = pattern(1_000, i)
            yield* duplex.write([sent])
            assert.deepEqual(yield* read(duplex, sent.length), sent)
          }), { concurrency: "unbounded" })
      }))
  })

  describe(`${name}: bytes`, () => {
    scenario("arrive in order, however they were cut", (network) =>
      Effect.gen(function*() {
        const duplex = yield* network.connect(yield* network.listen(anyPort, echo))
        const sent = pattern(3 * MiB)
        const writer = yield* Effect.forkChild(Effect.gen(function*() {
          for (let at = 0, size = 1; at < sent.length; at += size, size = (size * 3) % 70_001) {
            const middle = at + (size >> 1)
            yield* duplex.write([sent.subarray(at, middle), sent.subarray(middle, Math.min(at + size, sent.length))])
          }
        }))
        assert.isTrue(Buffer.from(sent).equals(yield* read(duplex, sent.length)))
        yield* Fiber.join(writer)
      }))

    scenario("arrive in order, however slowly they are read", (network) =>
      Effect.gen(function*() {
        const { accept, onConnection } = yield* handedOut
        const client = yield* network.connect(yield* network.listen(anyPort, onConnection))
        const server = yield* accept
        const sent = pattern(8 * MiB)
        yield* Effect.forkChild(client.write([sent]))
        // What comes meanwhile is more than a connection takes in, so that it stops and goes on again and again.
        const slowly = { ...server, pull: Effect.andThen(Effect.sleep(1), server.pull) }
        assert.isTrue(Buffer.from(sent).equals(yield* read(slowly, sent.length)))
      }))

    scenario("are written at once as long as nobody has to wait, and then not at all", (network) =>
      Effect.gen(function*() {
        const { accept, onConnection } = yield* handedOut
        const address = yield* network.listen(anyPort, onConnection)
        const duplex = yield* network.connect(address)
        const there = yield* accept
        const part = pattern(16 * 1024)
        let parts = 0
        while (duplex.writeNow([part])) parts++
        assert.isAtLeast(parts, 1)
        // The one that was refused is not half there; and what waits for its turn is behind those before it.
        const last = pattern(1_000, 1)
        const waiting = yield* Effect.forkChild(duplex.write([last]))
        const all = yield* read(there, parts * part.length + last.length)
        assert.deepEqual(all.subarray(-last.length), last)
        yield* Fiber.join(waiting)
        assert.isTrue(duplex.writeNow([last]))
        assert.deepEqual(yield* read(there, last.length), last)
      }))

    scenario("are not written to what has ended", (network) =>
      Effect.gen(function*() {
        const duplex = yield* network.connect(yield* network.listen(anyPort, () => Effect.void))
        yield* readToEnd(duplex)
        assert.isFalse(duplex.writeNow([pattern(10)]))
      }))

    scenario("arrive as they were given, though they lie in one buffer in another order", (network) =>
      Effect.gen(function*() {
        const duplex = yield* network.connect(yield* network.listen(anyPort, echo))
        const buffer = pattern(200)
        const parts = [[0, 10], [10, 20], [40, 50], [30, 40], [40, 50], [50, 50], [50, 60], [0, 5]]
        const [first, ...rest] = parts.map(([from, to]) => buffer.subarray(from, to))
        yield* duplex.write([first!, ...rest])
        const sent = Uint8Array.from([first!, ...rest].flatMap((part) => [...part]))
        assert.deepEqual(yield* read(duplex, sent.length), sent)
      }))

    scenario("of concurrent writes do not mix", (network) =>
      Effect.gen(function*() {
        const { accept, onConnection } = yield* handedOut
        const client = yield* network.connect(yield* network.listen(anyPort, onConnection))
        const server = yield* accept
        const block = 10_000
        const write = (i: number) => client.write([new Uint8Array(block / 2).fill(i), new Uint8Array(block / 2).fill(i)])
        yield* Effect.forkChild(Effect.forEach(Array.from({ length: 200 }, (_, i) => i), write, {
          concurrency: "unbounded"
        }))
        const got = yield* read(server, 200 * block)
        for (let at = 0; at < got.length; at += block) {
          assert.isTrue(got.subarray(at, at + block).every((byte) => byte === got[at]))
        }
      }))

    scenario("wait for a reader: a fast writer is never far ahead", (network) =>
      Effect.gen(function*() {
        const { accept, onConnection } = yield* handedOut
        const client = yield* network.connect(yield* network.listen(anyPort, onConnection))
        const server = yield* accept
        const total = 96 * MiB
        let written = 0
        const block = new Uint8Array(64 * KiB)
        const writer = yield* Effect.forkChild(Effect.gen(function*() {
          while (written < total) {
            yield* client.write([block])
            written += block.length
          }
        }))
        let got = 0
        let ahead = 0
        while (got < total) {
          for (const chunk of yield* server.pull) got += chunk.length
          ahead = Math.max(ahead, written - got)
        }
        yield* Fiber.join(writer)
        // The kernel's own buffers are some megabytes on each side.
        assert.isBelow(ahead, 32 * MiB)
      }))

    scenario("stop coming when nobody reads, and block nobody else", (network) =>
      Effect.gen(function*() {
        const { accept, onConnection } = yield* handedOut
        const client = yield* network.connect(yield* network.listen(anyPort, onConnection))
        yield* accept
        const block = new Uint8Array(256 * KiB)
        let written = 0
        yield* Effect.forkChild(Effect.forever(Effect.tap(client.write([block]), () =>
          Effect.sync(() => {
            written += block.length
          }))))
        // Every round trip beside it would let the writer go on, if it could.
        const other = yield* network.connect(yield* network.listen(anyPort, echo))
        for (let i = 0; i < 2_000; i++) {
          yield* other.write([Uint8Array.of(1)])
          yield* other.pull
        }
        assert.isBelow(written, 32 * MiB)
      }))

    scenario("are not lost when a pull was interrupted", (network) =>
      Effect.gen(function*() {
        const { accept, onConnection } = yield* handedOut
        const client = yield* network.connect(yield* network.listen(anyPort, onConnection))
        const server = yield* accept
        const pulling = yield* Effect.forkChild(server.pull, { startImmediately: true })
        yield* Fiber.interrupt(pulling)
        yield* client.write([pattern(10)])
        assert.deepEqual(yield* read(server, 10), pattern(10))
      }))
  })

  describe(`${name}: the end`, () => {
    scenario("of the server's fiber flushes and closes", (network) =>
      Effect.gen(function*() {
        const bytes = 8 * MiB
        const address = yield* network.listen(anyPort, (duplex) => Effect.ignore(duplex.write([new Uint8Array(bytes)])))
        const end = yield* readToEnd(yield* network.connect(address))
        assert.deepStrictEqual(end, { bytes, reason: "closed by the other side" })
      }))

    scenario("of the server's fiber flushes also what its writer did not wait for", (network) =>
      Effect.gen(function*() {
        const bytes = 8 * MiB
        const address = yield* network.listen(anyPort, (duplex) =>
          Effect.forkChild(duplex.write([new Uint8Array(bytes)]), { startImmediately: true }))
        const end = yield* readToEnd(yield* network.connect(address))
        assert.deepStrictEqual(end, { bytes, reason: "closed by the other side" })
      }))

    scenario("keeps the last words also for one who is still talking", (network) =>
      Effect.gen(function*() {
        // The server answers and leaves with input unread: to close at once would be a reset, in which answers get lost.
        const address = yield* network.listen(anyPort, (duplex) =>
          Effect.ignore(Effect.andThen(duplex.pull, duplex.write([pattern(5)]))))
        const duplex = yield* network.connect(address)
        const talking = Effect.ignore(duplex.write([pattern(4 * MiB)]))
        yield* Effect.forkChild(talking, { startImmediately: true })
        assert.deepStrictEqual(yield* readToEnd(duplex), { bytes: 5, reason: "closed by the other side" })
      }))

    scenario("of the client's scope flushes and closes", (network) =>
      Effect.gen(function*() {
        const { accept, onConnection } = yield* handedOut
        const address = yield* network.listen(anyPort, onConnection)
        const reading = yield* Effect.forkChild(Effect.flatMap(accept, readToEnd))
        yield* Effect.scoped(Effect.flatMap(network.connect(address), (duplex) => duplex.write([pattern(MiB)])))
        assert.deepStrictEqual(yield* Fiber.join(reading), { bytes: MiB, reason: "closed by the other side" })
      }))

    scenario("fails later writes and pulls, on both sides", (network) =>
      Effect.gen(function*() {
        const { accept, onConnection } = yield* handedOut
        const address = yield* network.listen(anyPort, onConnection)
        const client = yield* Effect.scoped(network.connect(address))
        const server = yield* accept
        assert.strictEqual((yield* Effect.flip(client.pull)).reason, "closed on this side")
        assert.strictEqual((yield* Effect.flip(client.write([pattern(1)]))).reason, "closed on this side")
        assert.strictEqual((yield* Effect.flip(server.pull)).reason, "closed by the other side")
        assert.strictEqual((yield* Effect.flip(server.write([pattern(1)])))._tag, "Closed")
      }))

    scenario("wakes a writer whose reader left without reading", (network) =>
      Effect.gen(function*() {
        const { accept, onConnection } = yield* handedOut
        const address = yield* network.listen(anyPort, onConnection)
        const scope = yield* Scope.make()
        yield* Scope.provide(network.connect(address), scope)
        const server = yield* accept
        const stuck = yield* Effect.forkChild(Effect.flip(Effect.forever(server.write([new Uint8Array(MiB)]))), {
          startImmediately: true
        })
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* Fiber.join(stuck))._tag, "Closed")
      }))

    scenario("of the listener's scope interrupts its connections", (network) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const started = yield* Deferred.make<void>()
        const interrupted = yield* Deferred.make<void>()
        const address = yield* Scope.provide(
          network.listen(anyPort, () =>
            Effect.andThen(Deferred.succeed(started, undefined), Effect.never).pipe(
              Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
            )),
          scope
        )
        const duplex = yield* network.connect(address)
        yield* Deferred.await(started)
        // The close waits for those who still talk, so the other side reads on meanwhile.
        const reading = yield* Effect.forkChild(readToEnd(duplex))
        yield* Scope.close(scope, Exit.void)
        assert.isTrue(yield* Deferred.isDone(interrupted))
        assert.deepStrictEqual(yield* Fiber.join(reading), { bytes: 0, reason: "closed by the other side" })
      }))

    scenario("of a handler that dies is the end of its connection only", (network) =>
      Effect.gen(function*() {
        const address = yield* network.listen(anyPort, (duplex) =>
          duplex.pull.pipe(
            Effect.flatMap(([chunk]) => chunk[0] === 0 ? Effect.die("a bug") : duplex.write([chunk])),
            Effect.forever,
            Effect.ignore
          ))
        const good = yield* network.connect(address)
        const bad = yield* network.connect(address)
        yield* bad.write([Uint8Array.of(0)])
        assert.deepStrictEqual(yield* readToEnd(bad), { bytes: 0, reason: "closed by the other side" })
        yield* good.write([Uint8Array.of(1)])
        assert.deepEqual(yield* read(good, 1), Uint8Array.of(1))
        yield* (yield* network.connect(address)).write([Uint8Array.of(2)])
      }))

    scenario("does not wait for ever for one who never reads", (network) =>
      Effect.gen(function*() {
        const { accept, onConnection } = yield* handedOut
        const scope = yield* Scope.make()
        const address = yield* Scope.provide(network.listen(anyPort, onConnection), scope)
        yield* network.connect(address)
        const server = yield* accept
        const stuck = yield* Effect.forkChild(Effect.exit(server.write([new Uint8Array(32 * MiB)])), {
          startImmediately: true
        })
        yield* Scope.close(scope, Exit.void)
        const exit = yield* Fiber.join(stuck)
        assert.isTrue(Exit.isFailure(exit) && Cause.hasFails(exit.cause))
      }))
  })
}
