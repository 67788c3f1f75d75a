/**
 * The replicas of a node, of tenants in memory: back in recovery after a restart, never as new empty voters. And one
 * that breaks, breaks alone.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { connectFramed } from "../../src/network/Framed.ts"
import { Network } from "../../src/network/Network.ts"
import { decodeClusterMessage, encodeClusterMessage } from "../../src/wire/ClusterProtocol.ts"
import { makeHello, type Protocol } from "../../src/wire/Hello.ts"
import { encodeEnvelope, encodeMessage } from "../../src/wire/PeerProtocol.ts"
import { toRecords } from "../../src/tenants/Tenants.ts"
import { enter, holds, write } from "./Work.ts"
import { bytes, story, text, type TestNode, type World } from "./World.ts"

/** Its replica serves, and has all that the tenant has committed. */
const caughtUp = (world: World, node: TestNode, tenant: string, witness: TestNode) =>
  world.until(`${node.name} has caught up`, Effect.gen(function*() {
    const { commit } = yield* world.replica(witness, tenant)
    const own = yield* world.replica(node, tenant)
    return (own.state === "backup" || own.state === "primary") && own.commit >= commit
  }))

const timesNew = (node: TestNode): number => node.log.filter((line) => line.includes("starts, new")).length

describe("a node that was away, and had the log in memory", () => {
  story("its replica recovers what it had, and what came meanwhile", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const [one, , three] = nodes
      yield* world.tenant("t", nodes, "memory")
      const tenant = yield* enter(world, nodes, "t")
      yield* write(tenant, 1, 50)
      yield* world.stop(three!)
      yield* write(tenant, 51, 100)
      yield* world.start(three!)
      yield* caughtUp(world, three!, "t", one!)
      assert.isTrue(three!.logged(/replica r3::n3 of tenant t recovers from its group/))
      assert.strictEqual(timesNew(three!), 1)
      // It counts again: with it, the group bears the loss of another.
      yield* world.stop(one!)
      yield* write(tenant, 101, 150)
      yield* holds(tenant, 150)
    }))

  story("the node of the primary: the session goes on, and each write once", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      yield* world.tenant("t", nodes, "memory")
      const tenant = yield* enter(world, nodes, "t")
      for (const [round, node] of nodes.entries()) {
        const writing = yield* Effect.forkChild(write(tenant, round * 100 + 1, round * 100 + 100))
        yield* world.stop(node)
        yield* Fiber.join(writing)
        yield* holds(tenant, round * 100 + 100)
        yield* world.start(node)
        yield* caughtUp(world, node, "t", nodes[(round + 1) % 3]!)
      }
    }))

  story("without its journals: it has lost its promises too, and still is no new voter", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const [one, , three] = nodes
      yield* world.tenant("t", nodes, "memory")
      const tenant = yield* enter(world, nodes, "t")
      yield* write(tenant, 1, 10)
      yield* world.stop(three!)
      three!.disk.journals.clear()
      yield* world.start(three!)
      yield* caughtUp(world, three!, "t", one!)
      assert.strictEqual(timesNew(three!), 1)
    }))

  story("all of them at once: what was in memory is gone, and nobody pretends otherwise", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      yield* world.tenant("t", nodes, "memory")
      const tenant = yield* enter(world, nodes, "t")
      yield* write(tenant, 1, 10)
      for (const node of nodes) yield* world.stop(node)
      for (const node of nodes) yield* world.start(node)
      yield* world.meshed(nodes)
      yield* Effect.sleep("30 seconds")
      const status = yield* world.status(nodes[1]!)
      assert.strictEqual(status.verdict, "DOWN")
      assert.include(status.problems.map(({ message }) => message).join("\n"), "have lost their memory")
      for (const node of nodes) {
        assert.strictEqual((yield* world.replica(node, "t")).state, "recovery")
        assert.strictEqual(timesNew(node), 1)
      }
      const failure = yield* Effect.flip(tenant.get("/1"))
      assert.strictEqual(failure._tag, "Unavailable")
    }))

  story("asked to prepare a replica that it has already: refused, and the replica goes on", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      yield* world.tenant("t", nodes)
      const tenant = yield* enter(world, nodes, "t")
      const [record] = toRecords(nodes[0]!.disk.tenants)
      const answer = yield* asNode(world, nodes[2]!, "v2r2-cluster", (framed) =>
        Effect.gen(function*() {
          yield* framed.send([encodeClusterMessage({ _tag: "Call", id: 1, method: "bootstrap", args: { tenant: [record], upload: null } })])
          return decodeClusterMessage((yield* framed.receive)[0])
        }))
      assert.deepInclude(answer, { _tag: "Failure", id: 1, code: "conflict" })
      yield* write(tenant, 1, 10)
      yield* caughtUp(world, nodes[2]!, "t", nodes[0]!)
      assert.strictEqual((yield* world.replica(nodes[2]!, "t")).state, "backup")
    }))
})

/** Talks to a node's port as n2 would. */
const asNode = <A, E>(
  world: World,
  node: TestNode,
  protocol: Extract<Protocol, "v2r2-cluster" | "v2r2-peer">,
  talk: (framed: Effect.Success<ReturnType<typeof connectFramed>>) => Effect.Effect<A, E>
) =>
  Effect.gen(function*() {
    const address = protocol === "v2r2-peer" ? node.config.peer_host : node.config.cluster_host
    const hello = makeHello(protocol, { cluster: "test", node: "n2", limits: { frame_bytes_max: 1 << 20 } })
    return yield* talk(yield* connectFramed(address, hello))
  }).pipe(Effect.scoped, Effect.provideService(Network, world.networkOf("n2")))

describe("a replica that breaks, breaks alone", () => {
  /** Two tenants, a and b, on three nodes. */
  const two = (world: World) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const ids = { a: yield* world.tenant("a", nodes), b: yield* world.tenant("b", nodes) }
      const tenants = { a: yield* enter(world, nodes, "a"), b: yield* enter(world, nodes, "b") }
      yield* write(tenants.a, 1, 10)
      yield* write(tenants.b, 1, 10)
      return { nodes, ids, tenants }
    })

  /** The other tenant has not noticed, and the one that was hit goes on without that replica. */
  const othersGoOn = (
    world: World,
    { nodes, tenants }: Effect.Success<ReturnType<typeof two>>,
    broken: TestNode,
    reason: RegExp
  ) =>
    Effect.gen(function*() {
      const failed = yield* world.replica(broken, "a")
      assert.strictEqual(failed.state, "failed")
      assert.match(failed.detail ?? "", reason)
      assert.isTrue(broken.logged(/Error replica r\d::n\d of tenant .* has stopped: /))
      const before = yield* world.replica(broken, "b")
      yield* write(tenants.a, 11, 20)
      yield* write(tenants.b, 11, 20)
      yield* holds(tenants.a, 20)
      yield* holds(tenants.b, 20)
      const { log_view, state } = yield* world.replica(broken, "b")
      assert.deepStrictEqual([state, log_view], [before.state, before.log_view])
      const { problems, tenants: listed, verdict } = yield* world.status(nodes.find((node) => node !== broken)!)
      assert.strictEqual(verdict, "DEGRADED")
      assert.include(problems.map(({ message }) => message).join("\n"), `::${broken.name} is in failed: `)
      assert.deepStrictEqual(listed.map(({ name, replicas_up }) => [name, replicas_up]), [["a", 2], ["b", 3]])
    })

  story("a backup whose journal fails", (world) =>
    Effect.gen(function*() {
      const scene = yield* two(world)
      const [, backup] = scene.nodes
      backup!.brokenJournals.set(scene.ids.a, "no space left on the disk")
      yield* scene.tenants.a.put("/1", bytes("x"))
      yield* world.until("it has stopped", Effect.sync(() => backup!.metrics!.replicas_failed === 1))
      yield* othersGoOn(world, scene, backup!, /no space left on the disk/)
    }))

  story("a primary whose journal fails: another takes over, and nothing that it could not keep is acknowledged", (world) =>
    Effect.gen(function*() {
      const scene = yield* two(world)
      const [primary] = scene.nodes
      primary!.brokenJournals.set(scene.ids.a, "no space left on the disk")
      yield* scene.tenants.a.put("/1", bytes("x"))
      assert.strictEqual((yield* world.replica(primary!, "a")).state, "failed")
      assert.strictEqual(text((yield* scene.tenants.a.get("/1")).data), "x")
      yield* othersGoOn(world, scene, primary!, /no space left on the disk/)
    }))

  story("a primary with a broken invariant", (world) =>
    Effect.gen(function*() {
      const scene = yield* two(world)
      const [primary] = scene.nodes
      // Nobody of the group says this: an acknowledgement of what the primary never had.
      const lie = encodeMessage({ _tag: "PrepareOk", view: 0, op: 1_000_000 }).slice()
      yield* asNode(world, primary!, "v2r2-peer", (framed) =>
        framed.send([encodeEnvelope(scene.ids.a, "r1::n1", "r2::n2", 0, lie)]))
      yield* world.until("it has stopped", Effect.sync(() => primary!.metrics!.replicas_failed === 1))
      yield* othersGoOn(world, scene, primary!, /the primary's log is the longest of its view/)
      // A restart heals it.
      yield* world.stop(primary!)
      yield* world.start(primary!)
      yield* caughtUp(world, primary!, "a", scene.nodes[1]!)
      yield* world.until("all is well", Effect.map(world.status(primary!), ({ verdict }) => verdict === "OK"))
    }))

  story("a tenant is not created where a journal fails", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      nodes[2]!.disk.failure = "no space left on the disk"
      const failure = yield* Effect.flip(world.ask(nodes[0]!, "vr.create", { name: "t" }))
      assert.strictEqual(failure.message, "the tenant was not created: node n3: no space left on the disk")
      nodes[2]!.disk.failure = null
      yield* world.tenant("t", nodes)
    }))
})
