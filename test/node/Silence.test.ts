/**
 * Nodes that stopped, or lost their power: their connections stand and nothing comes from them.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Limits } from "../../src/base/Limits.ts"
import * as Members from "../../src/members/Members.ts"
import { acceptFramed, connectFramed } from "../../src/network/Framed.ts"
import { Network } from "../../src/network/Network.ts"
import { Metrics } from "../../src/node/Metrics.ts"
import { makePeers } from "../../src/node/Peers.ts"
import { noTenants } from "../../src/tenants/Tenants.ts"
import { decodeClusterMessage, encodeClusterMessage } from "../../src/wire/ClusterProtocol.ts"
import { makeHello, type Protocol } from "../../src/wire/Hello.ts"
import { story, type TestNode, type World } from "./World.ts"

const stateOf = (world: World, asked: TestNode, other: TestNode) =>
  Effect.map(world.ask(asked, "cluster.status", {}), (nodes) => nodes.find(({ name }) => name === other.name)!)

const helloOf = (protocol: Protocol) =>
  makeHello(protocol, { cluster: "test", node: "n2", limits: { frame_bytes_max: 1_000_000 } })

/** Not a node, but says that it is n2: counts who dials it, and answers nothing but pings. */
const impostor = (world: World) =>
  Effect.gen(function*() {
    const network = world.networkOf("n2")
    const dialled = { cluster: 0, peer: 0 }
    yield* network.listen("n2:2000", (duplex) =>
      Effect.gen(function*() {
        const framed = yield* acceptFramed(duplex, helloOf("v2r2-cluster"), { frame_bytes_max: 1_000_000 })
        dialled.cluster++
        while (true) {
          for (const payload of yield* framed.receive) {
            const message = decodeClusterMessage(payload)
            if (message._tag !== "Call") continue
            yield* framed.send([encodeClusterMessage({ _tag: "Return", id: message.id, ok: null })])
          }
        }
      }).pipe(Effect.ignore))
    yield* network.listen("n2:2003", (duplex) =>
      Effect.gen(function*() {
        const framed = yield* acceptFramed(duplex, helloOf("v2r2-peer"), { frame_bytes_max: 1_000_000 })
        dialled.peer++
        yield* Effect.forever(framed.receive)
      }).pipe(Effect.ignore))
    const dial = (protocol: Protocol, address: string) =>
      Effect.provideService(connectFramed(address, helloOf(protocol)), Network, network)
    return { dialled, dial }
  })

const n2: Members.Member = {
  id: "00000000-0000-4000-8000-000000000002",
  name: "n2", cluster: "n2:2000", admin: "n2:2001", client: "n2:2002", peer: "n2:2003"
}

describe("a node that gives no sign of life", () => {
  story("is disconnected, for a reason, and connected again once it wakes up", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(2)
      const [one, two] = nodes
      world.hold(one!, two!)
      yield* Effect.sleep("10 seconds")
      const status = yield* stateOf(world, one!, two!)
      assert.strictEqual(status.state, "disconnected")
      assert.isTrue(one!.logged(/node n2 is disconnected: silent for 5000 ms/))
      assert.strictEqual(one!.metrics!.peer_connections_lost, 1)
      world.release(one!, two!)
      yield* world.meshed(nodes)
    }))

  story("is not chosen for a new tenant", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      for (const other of [nodes[0]!, ...nodes.slice(2)]) world.hold(nodes[1]!, other)
      yield* Effect.sleep("10 seconds")
      const { replicas } = yield* world.ask(nodes[0]!, "vr.create", { name: "t" })
      assert.deepStrictEqual(replicas.map(({ node }) => node).sort(), ["n1", "n3", "n4"])
    }))

  story("has nothing to do with one that has nothing to say", (world) =>
    Effect.gen(function*() {
      const [one, two] = yield* world.cluster(2)
      yield* Effect.sleep("60 seconds")
      assert.strictEqual((yield* stateOf(world, one!, two!)).state, "connected")
      assert.isFalse(one!.logged(/is disconnected/))
    }))
})

describe("a node that lost its connections without a word", () => {
  story("is dialled anew as soon as it dials a second time", (world) =>
    Effect.gen(function*() {
      const one = world.make("n1")
      yield* world.start(one)
      const { dial, dialled } = yield* impostor(world)
      const added = Members.add(Members.noMembers, n2)
      assert.isTrue(added.ok)
      const members = added.ok ? added.value : Members.noMembers
      const link = yield* dial("v2r2-cluster", "n1:2000")
      yield* link.send([encodeClusterMessage({ _tag: "State", members, tenants: noTenants })])
      yield* dial("v2r2-peer", "n1:2003")
      yield* world.until("it is dialled", Effect.sync(() => dialled.cluster === 1 && dialled.peer === 1))
      yield* Effect.sleep("3 seconds")
      assert.deepStrictEqual(dialled, { cluster: 1, peer: 1 })
      yield* dial("v2r2-peer", "n1:2003")
      yield* Effect.sleep("100 millis")
      assert.deepStrictEqual(dialled, { cluster: 2, peer: 2 })
      // These connections are new; whoever dials again and again does not keep us dialling.
      for (let again = 0; again < 10; again++) yield* dial("v2r2-peer", "n1:2003")
      yield* Effect.sleep("1 second")
      assert.deepStrictEqual(dialled, { cluster: 2, peer: 2 })
    }))
})

describe("a node that does not read", () => {
  story("costs a connection what one write may take, and is dialled anew", (world) =>
    Effect.gen(function*() {
      const network = world.networkOf("n2")
      let dialled = 0
      yield* network.listen("n2:2003", (duplex) =>
        Effect.gen(function*() {
          yield* acceptFramed(duplex, helloOf("v2r2-peer"), { frame_bytes_max: 1_000_000 })
          dialled++
          return yield* Effect.never
        }).pipe(Effect.ignore))
      const lost: Array<string> = []
      const peers = yield* makePeers({
        hello: helloOf("v2r2-peer"),
        metrics: Context.get(yield* Layer.build(Metrics.layer), Metrics),
        onLost: (node) => Effect.sync(() => void lost.push(node))
      }).pipe(Effect.provideService(Network, network))
      yield* peers.reconcile([n2])
      yield* world.until("it is connected", Effect.sync(() => peers.isConnected("n2")))
      peers.send("n2", new Uint8Array(2 * Limits.memory_pipe_bytes_max), new Uint8Array(0))
      peers.flush()
      yield* Effect.sleep(Limits.connection_stalled_ms - 100)
      assert.deepStrictEqual([lost, dialled], [[], 1])
      yield* Effect.sleep(200)
      assert.deepStrictEqual([lost, dialled], [["n2"], 2])
    }))
})
