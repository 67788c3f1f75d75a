/**
 * Whole nodes with leases: reads that need no backup, and who waits for them to end.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { bytes, story, text, type World } from "./World.ts"

const lease_ms = 400

/** A cluster whose primary, on n1, holds a lease; and clients that know only n1, and only the others. */
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

const cutOff = (world: World, [first, ...others]: ReadonlyArray<Parameters<World["hold"]>[0]>): void => {
  for (const other of others) world.hold(first!, other)
}

describe("leases", () => {
  story("the primary reads although it reaches nobody, and nobody writes before that ends", (world) =>
    Effect.gen(function*() {
      const { here, nodes, there } = yield* begin(world, lease_ms)
      const start = yield* Clock.currentTimeMillis
      cutOff(world, nodes)
      const { data } = yield* Effect.timeout(here.get("/a"), 100)
      assert.strictEqual(text(data), "old")
      yield* there.put("/a", bytes("new"))
      assert.isAtLeast((yield* Clock.currentTimeMillis) - start, lease_ms / 2)
      // By now it asks, and nobody answers it; the client may look elsewhere.
      const last = yield* Effect.exit(Effect.timeout(here.get("/a"), 1_000))
      assert.isTrue(Exit.isFailure(last) || text(last.value.data) === "new")
    }))

  story("without them it does not", (world) =>
    Effect.gen(function*() {
      const { here, nodes } = yield* begin(world, 0)
      cutOff(world, nodes)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.timeout(here.get("/a"), 1_000))))
    }))

  story("a node that was set to grant some, and is not any more, still keeps what it may have promised", (world) =>
    Effect.gen(function*() {
      const { nodes } = yield* begin(world, lease_ms)
      const [, second] = nodes
      yield* world.stop(second!)
      const again = world.make("n2")
      again.disk = second!.disk
      yield* world.start(again)
      assert.strictEqual(again.disk.longest_lease_ms, lease_ms)
    }))
})
