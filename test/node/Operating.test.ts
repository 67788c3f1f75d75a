/**
 * What operators ask of a node: settings, and how the cluster is.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { ClusterStatus } from "../../src/wire/AdminProtocol.ts"
import { story, type TestNode, type World } from "./World.ts"

const set = (world: World, node: TestNode, key: string, value: string) =>
  Effect.match(world.ask(node, "config.set", { key, value }), {
    onFailure: ({ code, message }) => `${code}: ${message}`,
    onSuccess: ({ key, value }) => `${key}=${value}`
  })

describe("config", () => {
  story("get: all keys, or one", (world) =>
    Effect.gen(function*() {
      const node = world.make("n1", { advertise_host: "public" })
      yield* world.start(node)
      assert.deepStrictEqual(yield* world.ask(node, "config.get", {}), { ...node.config })
      assert.deepStrictEqual(yield* world.ask(node, "config.get", { key: "heartbeat_ms" }), { heartbeat_ms: 100 })
      const unknown = yield* Effect.flip(world.ask(node, "config.get", { key: "hartbeat_ms" }))
      assert.strictEqual(unknown.code, "not_found")
      assert.include(unknown.message, "did you mean heartbeat_ms?")
      assert.strictEqual((yield* world.ask(node, "cluster.members", {}))[0]!.client, "public:2002")
    }))

  story("set: runtime keys take effect, others are fixed, and nonsense is refused", (world) =>
    Effect.gen(function*() {
      const [node] = yield* world.cluster(1)
      assert.strictEqual(yield* set(world, node!, "heartbeat_ms", "50"), "heartbeat_ms=50")
      assert.strictEqual(yield* set(world, node!, "view_change_ms", "200"), "view_change_ms=200")
      assert.strictEqual(yield* set(world, node!, "log_level", "warn"), "log_level=warn")
      assert.match(yield* set(world, node!, "client_host", "x:1"), /^denied: client_host is fixed while the node runs/)
      assert.match(yield* set(world, node!, "gossip_ms", "soon"), /^usage: gossip_ms: expected a whole number/)
      assert.match(yield* set(world, node!, "view_change_ms", "100"), /^usage: view_change_ms: expected at least 150/)
      assert.match(yield* set(world, node!, "color", "red"), /^not_found: "color": unknown key/)
      const config = yield* world.ask(node!, "config.get", {})
      assert.deepStrictEqual(
        [config["heartbeat_ms"], config["view_change_ms"], config["gossip_ms"], config["log_level"]],
        [50, 200, 1_000, "warn"]
      )
      assert.strictEqual((yield* world.status(node!)).failover_ms_worst, 600)
    }))
})

describe("status", () => {
  const facts = ({ tenants, verdict }: ClusterStatus) => [
    verdict,
    ...tenants.map(({ name, primary, replicas_total, replicas_up, tolerates }) =>
      `${name} ${primary} ${replicas_up}/${replicas_total} ${tolerates}`)
  ]

  story("OK, DEGRADED and DOWN, and what to do about it", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const [one, two, three] = nodes
      yield* world.tenant("t", nodes)
      for (const node of nodes) assert.deepStrictEqual(facts(yield* world.status(node)), ["OK", "t r1::n1 3/3 1"])
      const healthy = yield* world.status(one!)
      assert.deepStrictEqual(healthy.problems, [])
      assert.deepStrictEqual(healthy.tenants[0]!.lag, { "r2::n2": 0, "r3::n3": 0 })

      yield* world.stop(one!)
      yield* world.until("another takes over", Effect.map(world.status(three!), ({ tenants }) => tenants[0]!.primary !== null))
      const degraded = yield* world.status(three!)
      assert.deepStrictEqual(facts(degraded), ["DEGRADED", `t ${degraded.tenants[0]!.primary} 2/3 0`])
      assert.match(degraded.problems[0]!.message, /^node n1 is unreachable \(n1:2000: .+\)$/)
      assert.match(degraded.problems[0]!.remedy ?? "", /start it again/)
      assert.deepInclude(degraded.problems, {
        message: "tenant t cannot lose another node", remedy: "start the nodes of r1::n1 again, or: vr replace t r1::n1 <another node>"
      })
      assert.deepStrictEqual(degraded.nodes.map(({ name, state }) => `${name} ${state}`), [
        "n1 disconnected", "n2 connected", "n3 self"
      ])

      yield* world.stop(two!)
      yield* world.until("the quorum is lost", Effect.map(world.status(three!), ({ verdict }) => verdict === "DOWN"))
      const down = yield* world.status(three!)
      assert.isNull(down.tenants[0]!.primary)
      assert.deepInclude(down.problems, {
        message: "tenant t has no primary: it serves nothing", remedy: "start its nodes again"
      })
    }))

  story("a node that is connected and does not answer is a problem, even if nothing else is", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(5)
      yield* world.tenant("t", nodes)
      world.hold(nodes[0]!, nodes[4]!)
      const { problems, tenants, verdict } = yield* world.status(nodes[0]!)
      assert.deepStrictEqual([verdict, problems], [
        "DEGRADED",
        [{ message: "tenant t: replica r5::n5 does not answer", remedy: null }]
      ])
      assert.strictEqual(tenants[0]!.tolerates, 1)
    }))

  story("since when, and why, a node is not connected", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(2)
      yield* world.stop(nodes[1]!)
      yield* world.until("noticed", Effect.map(world.ask(nodes[0]!, "cluster.status", {}), (status) =>
        status[1]?.state === "disconnected" && status[1].reason === "refused"))
      const before = yield* world.ask(nodes[0]!, "cluster.status", {})
      yield* Effect.sleep("10 seconds")
      assert.deepStrictEqual(yield* world.ask(nodes[0]!, "cluster.status", {}), before)
    }))

  story("since when a node itself runs", (world) =>
    Effect.gen(function*() {
      const node = world.make("n1")
      yield* Effect.sleep("1 minute")
      const before = yield* Clock.currentTimeMillis
      yield* world.start(node)
      const after = yield* Clock.currentTimeMillis
      yield* Effect.sleep("1 minute")
      const [self] = yield* world.ask(node, "cluster.status", {})
      assert.isAtLeast(self!.since_ms, before)
      assert.isAtMost(self!.since_ms, after)
    }))

  story("stats count what happens", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(1)
      yield* world.tenant("t", nodes)
      const tenant = yield* Effect.flatMap(world.client(nodes), (client) => client.tenant("t"))
      const before = (yield* world.ask(nodes[0]!, "vr.stats", {})).counters
      for (let i = 0; i < 10; i++) yield* tenant.create(`/${i}`)
      const after = (yield* world.ask(nodes[0]!, "vr.stats", {})).counters
      assert.strictEqual(after["entries_appended"]! - before["entries_appended"]!, 10)
      assert.isAtLeast(after["client_messages"]! - before["client_messages"]!, 10)
      assert.strictEqual(after["client_connections"], 1)
    }))
})
