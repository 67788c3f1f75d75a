/**
 * A node under more load than it can serve: what it tells those that it turns away, that nobody who asks for little waits for
 * those that ask for much, and that its group does not take it for dead.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Limits } from "../../src/base/Limits.ts"
import { decodeResult } from "../../src/store/Operation.ts"
import type { ClientMessage } from "../../src/wire/ClientProtocol.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { create, enter, put, type RawClient, rawClient } from "./RawClient.ts"
import { story } from "./World.ts"

/** Other bounds for the rest of the test. */
const bounded = (limits: Partial<Record<keyof typeof Limits, number>>) =>
  Effect.acquireRelease(Effect.sync(() => squeeze(limits)), (restore) => Effect.sync(restore))

/** Until so many have been answered: how many, by outcome. */
const outcomes = (client: RawClient, count: number) =>
  Effect.gen(function*() {
    const counts: Record<string, number> = {}
    for (let left = count; left > 0; left--) {
      const message = yield* client.next
      const tag = "outcome" in message ? message.outcome._tag : message._tag
      counts[tag] = (counts[tag] ?? 0) + 1
    }
    return counts
  })

const flood = (count: number): ReadonlyArray<ClientMessage> =>
  Array.from({ length: count }, (_, i) => put(i + 1, "/flood", "x"))

describe("more than a pipeline holds", () => {
  story("is told when to come again, by an outcome of its own, and executed once when it does", (world) =>
    Effect.gen(function*() {
      yield* bounded({ pipeline_ops_max: 8 })
      const nodes = yield* world.cluster(3)
      yield* world.tenant("t", nodes)
      const client = yield* rawClient(world, nodes[0]!)
      yield* enter(client, "t")
      const messages = Array.from({ length: 20 }, (_, i) => create(i + 1, `/${i}`))
      yield* client.send(...messages)
      const turnedAway: Array<number> = []
      for (const _ of messages) {
        const message = yield* client.next
        if (message._tag !== "Written") throw new Error(message._tag)
        if (message.outcome._tag === "Ok") continue
        assert.deepStrictEqual(message.outcome, { _tag: "Overloaded", ms: 20, reason: "too many operations are under way" })
        turnedAway.push(message.request)
      }
      assert.deepStrictEqual(turnedAway, [9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20])
      assert.strictEqual(nodes[0]!.metrics!.client_overloaded, 12)
      yield* client.send(create(9, "/8"))
      const again = yield* client.next
      if (again._tag !== "Written" || again.outcome._tag !== "Ok") throw new Error(JSON.stringify(again))
      // It is new: nothing was executed when it was turned away.
      assert.strictEqual(decodeResult(again.outcome.result)._tag, "Written")
    }))

  story("is turned away before it reaches the replica, where too much waits there already", (world) =>
    Effect.gen(function*() {
      yield* bounded({ replica_requests_max: 4, intake_slice_max: 10 })
      const nodes = yield* world.cluster(1)
      yield* world.tenant("t", nodes)
      const client = yield* rawClient(world, nodes[0]!)
      yield* enter(client, "t")
      yield* client.send(...flood(10))
      assert.deepStrictEqual(yield* outcomes(client, 10), { Overloaded: 10 })
      assert.strictEqual(nodes[0]!.metrics!.replica_inputs_dropped, 1)
    }))
})

describe("many who ask for much", () => {
  story("do not hold up one who asks for little, nor the other nodes", (world) =>
    Effect.gen(function*() {
      const [connections, each] = [30, 400]
      yield* bounded({ pipeline_ops_max: 64, intake_requests_max: 32, intake_slice_max: 8 })
      const nodes = yield* world.cluster(3)
      yield* world.tenant("t", nodes)
      const one = yield* rawClient(world, nodes[0]!)
      yield* enter(one, "t")
      const many: Array<RawClient> = []
      for (let i = 0; i < connections; i++) {
        const client = yield* rawClient(world, nodes[0]!)
        yield* enter(client, "t")
        many.push(client)
      }
      const metrics = nodes[0]!.metrics!
      const before = metrics.client_messages
      for (const client of many) yield* client.send(...flood(each))
      yield* one.send({ _tag: "Ping", id: 7 })
      assert.deepStrictEqual(yield* one.next, { _tag: "Pong", id: 7 })
      // Behind one slice of each, and not behind all that they have sent.
      assert.isBelow(metrics.client_messages - before, connections * each / 4)
    }))

  story("do not make backups miss their primary, though they ask again and again and the disks are slow", (world) =>
    Effect.gen(function*() {
      yield* bounded({ pipeline_ops_max: 16, intake_requests_max: 64, intake_slice_max: 8 })
      const nodes = yield* world.cluster(3)
      yield* world.tenant("t", nodes)
      for (const node of nodes) node.write_ms = 60
      const many: Array<RawClient> = []
      for (let i = 0; i < 10; i++) {
        const client = yield* rawClient(world, nodes[0]!)
        yield* enter(client, "t")
        many.push(client)
      }
      for (const client of many) {
        yield* Effect.forkChild(Effect.forever(client.send(...flood(100)).pipe(
          Effect.andThen(outcomes(client, 100)),
          Effect.andThen(Effect.sleep(10))
        )))
      }
      const changes = (): number => nodes.reduce((sum, { metrics }) => sum + metrics!.state_changes, 0)
      const before = changes()
      for (let i = 0; i < 50; i++) {
        const heard = nodes.slice(1).map(({ metrics }) => metrics!.peer_messages_received)
        yield* Effect.sleep(200)
        for (const [j, node] of nodes.slice(1).entries()) {
          assert.isAbove(node.metrics!.peer_messages_received, heard[j]!, `${node.name} heard nothing for two heartbeats`)
        }
      }
      assert.strictEqual(changes(), before)
      assert.strictEqual((yield* world.replica(nodes[0]!, "t")).view, 0)
      assert.isAbove(nodes[0]!.metrics!.client_overloaded, 1_000)
    }), { timeout: 60_000 })
})
