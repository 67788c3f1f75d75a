/**
 * Bugs in a node itself: what it cannot do without takes it down, and says so; everything else goes on.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { NetworkError } from "../../src/network/Network.ts"
import { keepConnected } from "../../src/node/Dialing.ts"
import { story } from "./World.ts"

describe("a bug in a node", () => {
  story("in gossip: the node ends, and says why", (world) =>
    Effect.gen(function*() {
      const [one, two] = [world.make("n1"), world.make("n2")]
      yield* world.start(one)
      yield* world.start(two)
      one.bug = "nobody thought of that"
      yield* Effect.forkChild(world.ask(two, "cluster.join", { address: "n1:2000" }))
      const crash = yield* Effect.flip(one.crashed)
      assert.strictEqual(crash._tag, "NodeCrashed")
      assert.include(crash.message, "gossip has died")
      assert.include(crash.message, "nobody thought of that")
      assert.isTrue(one.logged(/^Fatal the gossip has died, and the node with it/))
    }))

  story("in a conversation with another node: that one ends, and the node is dialled again", () =>
    Effect.gen(function*() {
      let dials = 0
      const talk = Effect.suspend(() => {
        dials++
        if (dials === 2) throw new Error("nobody thought of that")
        return Effect.fail(new NetworkError({ address: "n2:2000", reason: "refused" }))
      })
      yield* Effect.forkChild(keepConnected("cluster", "n2", Latch.makeUnsafe(), talk))
      yield* Effect.sleep("10 seconds")
      assert.isAbove(dials, 5)
    }))
})
