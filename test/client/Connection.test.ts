/**
 * When a connection of the library writes.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { Limits } from "../../src/base/Limits.ts"
import { Connection, type ChannelUser } from "../../src/client/Connection.ts"
import { encodeServerMessage } from "../../src/wire/ClientProtocol.ts"
import { makeWire, type Payloads } from "../network/Wire.ts"

/** The answers to requests of one channel. */
const answers = (channel: number, ...requests: ReadonlyArray<number>): Payloads => {
  const payload = (request: number): Uint8Array =>
    encodeServerMessage({ _tag: "Written", channel, request, outcome: { _tag: "Ok", result: new Uint8Array(1) } }).subarray(4)
  return [payload(requests[0]!), ...requests.slice(1).map(payload)]
}

/** Two channels, of which each has so many requests under way, and asks once more at each answer. */
const scene = Effect.fnUntraced(function*(...underWay: [number, number]) {
  const { come, framed, room, sent } = makeWire("v2r2-client", "n1")
  const connection = new Connection("n1:2002", framed)
  yield* Effect.forkScoped(connection.run)
  const users = yield* Effect.forEach(underWay, (count) =>
    connection.attach((channel) => {
      let waiting = count
      let unanswered = 0
      const user: ChannelUser = {
        take: () => {
          const taken = Array.from({ length: waiting }, () => ({ _tag: "Ping", id: 1 } as const))
          unanswered += waiting
          waiting = 0
          return taken
        },
        receive: () => {
          unanswered--
          waiting++
          connection.wake(user)
        },
        expecting: () => unanswered > 0,
        lost: () => {}
      }
      return { ...user, channel, begin: () => connection.wake(user) }
    }))
  for (const { begin } of users) begin()
  const turns = Effect.replicateEffect(Effect.yieldNow, 9, { discard: true })
  yield* turns
  const [one, other] = users.map(({ channel }) => channel)
  return { come, connection, room, sent, turns, one: one!, other: other! }
})

describe("a connection", () => {
  it.effect("writes at once what is asked for when the last answer comes, all in one write", () =>
    Effect.gen(function*() {
      const { come, one, other, sent, turns } = yield* scene(2, 1)
      assert.deepStrictEqual(sent, [3])
      come([...answers(one, 1, 2), ...answers(other, 1)])
      assert.deepStrictEqual(sent, [3, 3])
      // And nothing more, later.
      yield* turns
      assert.deepStrictEqual(sent, [3, 3])
    }).pipe(Effect.scoped))

  it.effect("waits for whoever else asks in this turn while the node owes more answers", () =>
    Effect.gen(function*() {
      const { come, one, other, sent, turns } = yield* scene(2, 1)
      come(answers(one, 1))
      come(answers(one, 2))
      assert.deepStrictEqual(sent, [3])
      yield* turns
      assert.deepStrictEqual(sent, [3, 2])
      come(answers(other, 1))
      yield* turns
      assert.deepStrictEqual(sent, [3, 2, 1])
    }).pipe(Effect.scoped))

  it.effect("leaves to its writer what the other side does not take at once", () =>
    Effect.gen(function*() {
      const { come, connection, one, room, sent, turns } = yield* scene(2, 0)
      room.closeUnsafe()
      come(answers(one, 1, 2))
      yield* turns
      assert.deepStrictEqual(sent, [2])
      connection.ping(() => {})
      room.openUnsafe()
      yield* turns
      assert.deepStrictEqual(sent, [2, 2, 1])
    }).pipe(Effect.scoped))

  it.effect("with many channels does not look at all of them for that", () =>
    Effect.gen(function*() {
      const { come, connection, one, sent, turns } = yield* scene(1, 0)
      let looks = 0
      const idle: ChannelUser = { take: () => [], receive: () => {}, expecting: () => ++looks < 0, lost: () => {} }
      for (let i = 0; i < Limits.client_channels_asked_max; i++) yield* connection.attach(() => idle)
      come(answers(one, 1))
      yield* turns
      assert.deepStrictEqual([sent, looks], [[1, 1], 0])
    }).pipe(Effect.scoped))

  it.effect("notices a silent node, though a channel has left in the turn in which something was asked", () =>
    Effect.gen(function*() {
      const { framed } = makeWire("v2r2-client", "n1")
      const connection = new Connection("n1:2002", framed)
      yield* Effect.forkScoped(connection.run)
      const channels = yield* Scope.make()
      const idle: ChannelUser = { take: () => [], receive: () => {}, expecting: () => false, lost: () => {} }
      yield* Scope.provide(connection.attach(() => idle), channels)
      yield* Effect.yieldNow
      connection.ping(() => {})
      yield* Scope.close(channels, Exit.void)
      for (let passed_ms = 0; passed_ms <= 2 * Limits.client_silent_ms; passed_ms += Limits.client_look_ms) {
        yield* TestClock.adjust(Limits.client_look_ms)
      }
      assert.match(String(connection.ended), /^silent for/)
    }).pipe(Effect.scoped))

  it.effect("says that a channel is closed behind what that has asked for, and the other side did not take at once", () =>
    Effect.gen(function*() {
      const { come, framed, room, sent } = makeWire("v2r2-client", "n1")
      const connection = new Connection("n1:2002", framed)
      yield* Effect.forkScoped(connection.run)
      yield* Effect.yieldNow
      const channels = yield* Scope.make()
      const user: ChannelUser = {
        take: () => [{ _tag: "Ping", id: 1 }], receive: () => connection.wake(user), expecting: () => false, lost: () => {}
      }
      const channel = yield* Scope.provide(connection.attach((channel) => ({ ...user, channel })), channels)
      room.closeUnsafe()
      come(answers(channel.channel, 1))
      const closing = yield* Effect.forkChild(Scope.close(channels, Exit.void), { startImmediately: true })
      room.openUnsafe()
      yield* Fiber.join(closing)
      assert.deepStrictEqual(sent, [2])
    }).pipe(Effect.scoped))
})
