/**
 * A node that is told to stop: what is under way is answered, nothing new is begun, and it ends in any case.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Limits } from "../../src/base/Limits.ts"
import { makeAdmin } from "../../src/client/Admin.ts"
import { connectFramed } from "../../src/network/Framed.ts"
import { Network } from "../../src/network/Network.ts"
import { makeHello } from "../../src/wire/Hello.ts"
import { create, enter, rawClient } from "./RawClient.ts"
import { story, type TestNode, type World } from "./World.ts"

const writes = 20

/** The primary of three nodes with writes of a client under way that it cannot finish, as it hears nobody. */
const underWay = (world: World) =>
  Effect.gen(function*() {
    const nodes = yield* world.cluster(3)
    const [primary, two, three] = nodes
    yield* world.tenant("t", nodes)
    const client = yield* rawClient(world, primary!)
    yield* enter(client, "t")
    world.hold(primary!, two!)
    world.hold(primary!, three!)
    const before = primary!.metrics!.client_messages
    yield* client.send(...Array.from({ length: writes }, (_, index) => create(index + 1, `/${index}`)))
    yield* world.until("the node has them", Effect.sync(() => primary!.metrics!.client_messages === before + writes))
    return { nodes, primary: primary!, client }
  })

const timed = (effect: Effect.Effect<void>): Effect.Effect<number> =>
  Effect.gen(function*() {
    const begin = yield* Clock.currentTimeMillis
    yield* effect
    return (yield* Clock.currentTimeMillis) - begin
  })

const dial = (world: World, node: TestNode) =>
  connectFramed(
    node.config.client_host,
    makeHello("v2r2-client", { cluster: null, node: null, limits: { frame_bytes_max: 1_000 } })
  ).pipe(Effect.scoped, Effect.provideService(Network, world.networkOf("client")))

describe("a node that stops", () => {
  story("answers what is in flight, and ends", (world) =>
    Effect.gen(function*() {
      const { client, nodes, primary } = yield* underWay(world)
      const stopping = yield* Effect.forkChild(timed(world.stop(primary)), { startImmediately: true })
      yield* Effect.sleep(50)
      const refused = yield* Effect.flip(dial(world, primary))
      assert.include(refused.message, "this node is being stopped")
      // What comes now is for another node.
      yield* client.send(create(writes + 1, "/too-late"))
      world.release(primary, nodes[1]!)
      const answers = yield* Effect.forEach(Array.from({ length: writes }), () => client.next)
      for (const [index, answer] of answers.entries()) {
        assert.deepInclude(answer, { _tag: "Written", request: index + 1 })
        assert.strictEqual("outcome" in answer && answer.outcome._tag, "Ok")
      }
      assert.strictEqual((yield* Effect.flip(client.next)).reason, "closed by the other side")
      assert.isBelow(yield* Fiber.join(stopping), Limits.shutdown_ms)
      world.release(primary, nodes[2]!)
      const kept = yield* Effect.flatMap(world.client(nodes.slice(1)), (client) => client.tenant("t"))
      assert.strictEqual((yield* kept.stat("/")).children, writes)
    }))

  story("ends in time if what is in flight cannot be answered", (world) =>
    Effect.gen(function*() {
      const { primary } = yield* underWay(world)
      const took_ms = yield* timed(world.stop(primary))
      assert.isAtMost(took_ms, Limits.shutdown_ms)
    }))

  story("has nothing to wait for if nobody asked for anything; its ports are free, and it starts again", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      yield* world.tenant("t", nodes)
      assert.isBelow(yield* timed(world.stop(nodes[0]!)), 100)
      const refused = yield* Effect.flip(dial(world, nodes[0]!))
      assert.include(refused.message, "refused")
      yield* world.start(nodes[0]!)
      yield* world.meshed(nodes)
    }))

  story("a client that does not read does not keep it", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(1)
      yield* world.tenant("t", nodes)
      const client = yield* rawClient(world, nodes[0]!)
      yield* enter(client, "t")
      for (let id = 0; id < 300; id++) {
        yield* client.send(...Array.from({ length: 100 }, (_, index) => ({ _tag: "Tenants", id: id * 100 + index }) as const))
      }
      assert.isBelow(yield* timed(world.stop(nodes[0]!)), 2 * Limits.shutdown_stalled_ms)
    }))

  story("takes leave of all at once: those who do not read cost their time once, not one after the other", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(2)
      yield* rawClient(world, nodes[0]!)
      yield* makeAdmin({ endpoints: [nodes[0]!.config.admin_host] }).pipe(
        Effect.provideService(Network, world.networkOf("operator"))
      )
      world.linger_ms = Limits.linger_ms
      assert.isAtMost(yield* timed(world.stop(nodes[0]!)), 2.5 * Limits.linger_ms)
      world.linger_ms = 0
    }))
})
