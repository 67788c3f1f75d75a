/**
 * Whole nodes with leases: reads that need no backup, and who waits for them to end.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { bytes, story, type TestNode, text, type World } from "./World.ts"

const lease_ms = 400
/** Of those that have granted it. */
const promised_ms = lease_ms * 1.125

/** A cluster whose primary is on n1; and clients that know only n1, and only the others. */
const begin = (world: World, leases: number) =>
  Effect.gen(function*() {
    const nodes = yield* world.cluster(3, { lease_ms: leases })
    yield* world.tenant("t", nodes)
    const near = yield* world.client(nodes.slice(0, 1))
    const far = yield* world.client(nodes.slice(1))
    const here = yield* near.tenant("t")
    const there = yield* far.tenant("t")
    yield* here.create("/a", bytes("old"))
    yield* here.get("/a")
    return { nodes, here, there }
  })

const cutOff = (world: World, [first, ...others]: ReadonlyArray<TestNode>): void => {
  for (const other of others) world.hold(first!, other)
}

describe("leases", () => {
  story("the primary reads although it reaches nobody, and says so", (world) =>
    Effect.gen(function*() {
      const { here, nodes, there } = yield* begin(world, lease_ms)
      assert.isAbove((yield* world.replica(nodes[0]!, "t")).lease_ms ?? 0, 0)
      assert.strictEqual((yield* world.status(nodes[0]!)).verdict, "OK")
      cutOff(world, nodes)
      const { data } = yield* Effect.timeout(here.get("/a"), 100)
      assert.strictEqual(text(data), "old")
      yield* there.put("/a", bytes("new"))
      // By now it asks, and nobody answers it; the client may look elsewhere.
      const last = yield* Effect.exit(Effect.timeout(here.get("/a"), 1_000))
      assert.isTrue(Exit.isFailure(last) || text(last.value.data) === "new")
    }))

  story("without them it does not", (world) =>
    Effect.gen(function*() {
      const { here, nodes } = yield* begin(world, 0)
      assert.isNull((yield* world.replica(nodes[0]!, "t")).lease_ms)
      cutOff(world, nodes)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.timeout(here.get("/a"), 1_000))))
    }))

  story("when the primary is gone, which its backups notice at once, they wait for what they have promised", (world) =>
    Effect.gen(function*() {
      const { here, nodes, there } = yield* begin(world, lease_ms)
      yield* here.get("/a")
      const start = yield* Clock.currentTimeMillis
      yield* world.stop(nodes[0]!)
      yield* world.until("it is told why", Effect.map(world.replica(nodes[1]!, "t"), ({ detail }) =>
        /has promised not to vote for another \d+ ms/.test(detail ?? "")))
      yield* there.put("/a", bytes("new"))
      // The last promise is at most one heartbeat old.
      assert.isAtLeast((yield* Clock.currentTimeMillis) - start, promised_ms - 120)
    }))

  story("those that come back hold what they may have promised, though they are not to grant any more", (world) =>
    Effect.gen(function*() {
      const { nodes, there } = yield* begin(world, lease_ms)
      const [first, ...others] = nodes
      yield* world.crash(others)
      const start = yield* Clock.currentTimeMillis
      const back = others.map(({ disk, name }) => Object.assign(world.make(name), { disk }))
      for (const node of back) yield* world.start(node)
      // So that they notice at once that it is gone.
      yield* world.meshed([first!, ...back])
      yield* world.stop(first!)
      yield* there.put("/a", bytes("new"))
      assert.isAtLeast((yield* Clock.currentTimeMillis) - start, promised_ms)
    }))
})
