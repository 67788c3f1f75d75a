/**
 * The client when a node has too much to do: it stays there for a while, comes again less and less often, and
 * says so in the end.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Limits } from "../../src/base/Limits.ts"
import { seeded } from "../../src/base/Random.ts"
import { Overloaded } from "../../src/client/index.ts"
import { Pace } from "../../src/client/Pace.ts"
import type { ClientMessage, Outcome } from "../../src/wire/ClientProtocol.ts"
import { FakeCluster, type FakeNode, type Reaction } from "./FakeServer.ts"
import { client, once, pass, scenario, story, timeFlows, written } from "./Scenario.ts"

const overloaded: Outcome = { _tag: "Overloaded", ms: 20, reason: "too much is under way" }

/** Whatever it is asked to do, it has too much to do. */
const turnAway = (message: ClientMessage): Reaction => {
  switch (message._tag) {
    case "Write":
      return [{ _tag: "Written", channel: message.channel, request: message.request, outcome: overloaded }]
    case "Read":
      return [{ _tag: "Answer", channel: message.channel, id: message.id, outcome: overloaded }]
    case "Open":
      return [{ _tag: "Failed", channel: message.channel, outcome: overloaded }]
    default:
      return undefined
  }
}

/** Turns everybody away; gives the times of the writes that came. */
const refusing = (node: FakeNode) =>
  Effect.map(Clock.Clock, (clock) => {
    const times: Array<number> = []
    node.intercept = (message) => {
      if (message._tag === "Write") times.push(clock.currentTimeMillisUnsafe())
      return turnAway(message)
    }
    return times
  })

describe("the pace", () => {
  it("doubles the pause until something is served, and begins with what the node says", () => {
    const pace = new Pace()
    assert.deepStrictEqual([1, 2, 3, 4, 5, 6, 7].map(() => pace.pause(20)), [20, 40, 80, 160, 320, 500, 500])
    pace.served(true)
    assert.strictEqual(pace.pause(30), 30)
  })

  it("lets less be under way each time, one at least, and more with every answer, up to no limit", () => {
    const pace = new Pace()
    assert.isFalse(pace.isLimited)
    pace.turnedAway(100)
    assert.strictEqual(pace.window, 70)
    pace.turnedAway(0)
    assert.strictEqual(pace.window, 1)
    pace.served(true)
    assert.strictEqual(pace.window, 3)
    for (let i = 0; i < 100_000 && pace.isLimited; i++) pace.served(true)
    assert.isFalse(pace.isLimited)
    assert.isAtLeast(pace.window, 2 * Limits.session_window_max)
  })

  it("has no limit any more once nothing is held back", () => {
    const pace = new Pace()
    pace.turnedAway(100)
    pace.served(true)
    assert.isTrue(pace.isLimited)
    pace.served(false)
    assert.isFalse(pace.isLimited)
  })
})

describe("a node that has too much to do", () => {
  scenario("for a moment: the write is sent again there, with its number, and executed once", (cluster, tenant) =>
    Effect.gen(function*() {
      once(cluster.node("n1"), (message) => written(message, overloaded))
      yield* timeFlows
      yield* Effect.forEach(["/a", "/b", "/c"], (path) => tenant.create(path), { concurrency: 3 })
      assert.deepStrictEqual([...cluster.dev.executed].sort(), ["1/1", "1/2", "1/3"])
      assert.strictEqual(cluster.node("n1").count("Attach"), 0)
    }))

  scenario("until the deadline: asked less and less often, others now and then, and the error says so", (cluster, tenant) =>
    Effect.gen(function*() {
      const times = yield* refusing(cluster.node("n1"))
      const call = yield* Effect.forkChild(Effect.flip(tenant.create("/a")))
      yield* pass(5_000)
      const error = yield* Fiber.join(call)
      assert.instanceOf(error, Overloaded)
      assert.deepInclude(error, { reason: "too much is under way", retry_after_ms: 500 })
      assert.include(error.message, "500 ms")
      const gaps = times.slice(1).map((at, i) => at - times[i]!)
      const pauses = gaps.map((_, i) => Math.min(20 * 2 ** i, 500))
      // A quarter more or less, in steps of the clock.
      for (const [i, gap] of gaps.entries()) {
        assert.isAtLeast(gap, 0.75 * pauses[i]! - 10, `pause ${i}`)
        assert.isAtMost(gap, 1.25 * pauses[i]! + 10, `pause ${i}`)
      }
      assert.isAbove(new Set(gaps.slice(6)).size, 1, "no jitter")
      // Two seconds without one that was served: it might not be the primary any more. They send the client back.
      const [own, ...others] = cluster.nodes.map(({ connections }) => connections)
      assert.strictEqual(own, 1)
      for (const connections of others) assert.isTrue(connections >= 1 && connections <= 2, `${connections}`)
      assert.isAtMost(cluster.node("n1").count("Attach"), 2)
      assert.deepStrictEqual(cluster.dev.executed, [])
    }))

  scenario("and is not the primary any more, which it does not know: the others are asked, and serve",
    (cluster, tenant) =>
    Effect.gen(function*() {
      yield* refusing(cluster.node("n1"))
      cluster.primary = "n2"
      yield* timeFlows
      yield* tenant.create("/a")
      assert.strictEqual(cluster.dev.executed.length, 1)
    }))

  scenario("and reads: the same", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* refusing(cluster.node("n1"))
      const call = yield* Effect.forkChild(Effect.flip(tenant.get("/a")))
      yield* pass(5_000)
      assert.strictEqual((yield* Fiber.join(call))._tag, "Overloaded")
    }))

  scenario("and dies: that nobody answers is said then", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* refusing(cluster.node("n1"))
      const call = yield* Effect.forkChild(Effect.flip(tenant.create("/a")))
      yield* pass(500)
      yield* cluster.stop(cluster.node("n1"))
      cluster.primary = null
      yield* pass(4_600)
      assert.strictEqual((yield* Fiber.join(call))._tag, "Unavailable")
    }))

  story("to open a session: it is asked again, and in the end the caller is told", Effect.gen(function*() {
    const cluster = new FakeCluster(2)
    yield* cluster.startAll
    const node = cluster.node("n1")
    const v2r2 = yield* client(cluster)
    node.intercept = turnAway
    const first = yield* Effect.forkChild(Effect.flip(v2r2.tenant("dev")))
    yield* pass(5_000)
    assert.strictEqual((yield* Fiber.join(first))._tag, "Overloaded")
    assert.isAtMost(node.count("Open"), 20)
    assert.isAtMost(cluster.node("n2").connections, 3)
    const nonces = node.received.flatMap((message) => message._tag === "Open" ? [message.nonce.join()] : [])
    assert.strictEqual(new Set(nonces).size, 1)
    const second = yield* Effect.forkChild(v2r2.tenant("dev"))
    yield* pass(1_000)
    node.intercept = () => undefined
    yield* pass(1_000)
    yield* Fiber.join(second)
  }))

  scenario("most of the time: all calls are answered, each is executed once, and few are under way", (cluster, tenant) =>
    Effect.gen(function*() {
      const random = seeded(3)
      const node = cluster.node("n1")
      let [admitted, turn, most] = [0, 0, 0]
      // Eight in a turn, of which some are told that they were not executed, and others are not answered at first.
      node.intercept = (message) => {
        if (message._tag !== "Write") return undefined
        if (turn !== node.batches) [turn, admitted] = [node.batches, 0]
        admitted++
        if (turn > 60) most = Math.max(most, admitted)
        return admitted > 8 || random.next() < 0.1 ? turnAway(message) : undefined
      }
      yield* timeFlows
      const paths = Array.from({ length: 500 }, (_, i) => `/${i}`)
      yield* Effect.forEach(paths, (path) => tenant.create(path), { concurrency: "unbounded" })
      assert.strictEqual(cluster.dev.executed.length, 500)
      assert.strictEqual(new Set(cluster.dev.executed).size, 500)
      assert.isAtMost(most, 100)
      assert.isAtMost(node.count("Write"), 3_000)
    }), { deadline: "60 seconds" })
})

describe("too many calls at once", () => {
  scenario("are turned away by the library itself", (cluster, tenant) =>
    Effect.gen(function*() {
      cluster.node("n1").running.closeUnsafe()
      const all = Array.from({ length: Limits.client_waiting_max + 10 }, () => Effect.flip(tenant.stat("/a")))
      const calls = yield* Effect.forkChild(Effect.all(all, { concurrency: "unbounded" }))
      yield* pass(5_000)
      const errors = yield* Fiber.join(calls)
      const turnedAway = errors.filter(({ _tag }) => _tag === "Overloaded")
      assert.isAtLeast(turnedAway.length, 10)
      assert.include(turnedAway[0]!.message, "too many calls of this client wait")
    }))
})
