/**
 * Nodes that find together: a full mesh from either side, idempotent, and refusals in words.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Members from "../../src/members/Members.ts"
import { story, type TestNode, type World } from "./World.ts"

const names = (world: World, node: TestNode) =>
  Effect.map(world.ask(node, "cluster.members", {}), (members) => members.map(({ name }) => name))

const join = (world: World, node: TestNode, other: TestNode) =>
  Effect.map(world.ask(node, "cluster.join", { address: other.config.cluster_host }), ({ members }) => members)

const startAll = (world: World, nodes: ReadonlyArray<TestNode>) =>
  Effect.forEach(nodes, (node) => world.start(node), { discard: true })

describe("cluster join", () => {
  story("a node alone is a cluster of one", (world) =>
    Effect.gen(function*() {
      const node = world.make("n1")
      yield* world.start(node)
      assert.deepStrictEqual(yield* world.ask(node, "cluster.members", {}), [
        { name: "n1", self: true, life: "joined", cluster: "n1:2000", admin: "n1:2001", client: "n1:2002", peer: "n1:2003" }
      ])
      assert.strictEqual((yield* world.status(node)).verdict, "OK")
    }))

  for (const [asked, title] of [[0, "the first node"], [1, "the second node"]] as const) {
    story(`through ${title}: both know both`, (world) =>
      Effect.gen(function*() {
        const nodes = [world.make("n1"), world.make("n2")]
        yield* startAll(world, nodes)
        assert.deepStrictEqual(yield* join(world, nodes[asked]!, nodes[1 - asked]!), ["n1", "n2"])
        yield* world.meshed(nodes)
      }))
  }

  story("three and five nodes, joined in a chain: everybody is connected to everybody", (world) =>
    Effect.gen(function*() {
      const nodes = ["a", "b", "c", "d", "e"].map((name) => world.make(name))
      yield* startAll(world, nodes)
      yield* join(world, nodes[0]!, nodes[1]!)
      yield* join(world, nodes[2]!, nodes[1]!)
      yield* world.meshed(nodes.slice(0, 3))
      // Two clusters become one.
      yield* join(world, nodes[3]!, nodes[4]!)
      yield* join(world, nodes[4]!, nodes[0]!)
      yield* world.meshed(nodes)
      for (const node of nodes) assert.deepStrictEqual(yield* names(world, node), ["a", "b", "c", "d", "e"])
    }))

  story("again, and again from the other side: nothing changes", (world) =>
    Effect.gen(function*() {
      const [one, two] = yield* world.cluster(2)
      const before = one!.metrics!.gossip_changes
      assert.deepStrictEqual(yield* join(world, one!, two!), ["n1", "n2"])
      assert.deepStrictEqual(yield* join(world, two!, one!), ["n1", "n2"])
      assert.strictEqual(one!.metrics!.gossip_changes, before)
      yield* world.meshed([one!, two!])
    }))
})

describe("a join that fails says why", () => {
  const refusal = (world: World, node: TestNode, address: string) =>
    Effect.map(Effect.flip(world.ask(node, "cluster.join", { address })), ({ code, message }) => ({ code, message }))

  story("nobody there, and no address", (world) =>
    Effect.gen(function*() {
      const node = world.make("n1")
      yield* world.start(node)
      assert.deepStrictEqual(yield* refusal(world, node, "nowhere:2000"), {
        code: "unavailable", message: "cannot join nowhere:2000: refused"
      })
      assert.deepStrictEqual(yield* refusal(world, node, "n1:2000"), {
        code: "usage", message: "cannot join n1:2000: that is this node itself"
      })
    }))

  story("another cluster", (world) =>
    Effect.gen(function*() {
      const node = world.make("n1")
      const other = world.make("n2", { cluster_name: "prod" })
      yield* startAll(world, [node, other])
      assert.deepStrictEqual(yield* refusal(world, node, "n2:2000"), {
        code: "conflict", message: `cannot join n2:2000: wrong cluster: got "test", expected "prod"`
      })
      assert.deepStrictEqual(yield* names(world, node), ["n1"])
      assert.deepStrictEqual(yield* names(world, other), ["n2"])
    }))

  story("another port of a node", (world) =>
    Effect.gen(function*() {
      const nodes = [world.make("n1"), world.make("n2")]
      yield* startAll(world, nodes)
      const { code, message } = yield* refusal(world, nodes[0]!, "n2:2002")
      assert.strictEqual(code, "unavailable")
      assert.include(message, `wrong protocol: got "v2r2-cluster", expected "v2r2-client"`)
    }))

  story("its name is taken by the node that it asks, and by another one", (world) =>
    Effect.gen(function*() {
      const [one, two] = yield* world.cluster(2)
      const impostor = world.make("n2", {}, "elsewhere")
      yield* world.start(impostor)
      const taken = (address: string) => `cannot join ${address}: the node name "n2" is already taken by `
      const asked = yield* refusal(world, impostor, "n2:2000")
      assert.strictEqual(asked.code, "conflict")
      assert.include(asked.message, `${taken("n2:2000")}the node with cluster address n2:2000`)
      const other = yield* refusal(world, impostor, "n1:2000")
      assert.strictEqual(other.code, "conflict")
      assert.include(other.message, `${taken("n1:2000")}another node, at cluster address n2:2000`)
      const invited = yield* refusal(world, one!, "elsewhere:2000")
      assert.strictEqual(invited.code, "conflict")
      assert.include(invited.message, `the node name "n2" is already taken`)
      // Nobody has changed its mind.
      yield* world.meshed([one!, two!])
      assert.deepStrictEqual(yield* names(world, impostor), ["n2"])
      assert.isFalse([...impostor.disk.members.values()].some(({ member }) => member?.name === "n1"))
    }))
})

describe("two nodes of one name, each joined while the two sides did not hear each other", () => {
  story("one stays, the other one stands down and says so, and the cluster goes on, restarts included", (world) =>
    Effect.gen(function*() {
      const [one, two] = yield* world.cluster(2)
      const twins = [world.make("x", {}, "x1"), world.make("x", {}, "x2")]
      yield* startAll(world, twins)
      for (const [a, b] of [[one, two], [one, twins[1]], [two, twins[0]]] as const) world.hold(a!, b!)
      yield* join(world, twins[0]!, one!)
      yield* join(world, twins[1]!, two!)
      for (const [a, b] of [[one, two], [one, twins[1]], [two, twins[0]]] as const) world.release(a!, b!)
      const ids = twins.map(({ disk }) => disk.identity!.id)
      const [winner, loser] = ids[0]! < ids[1]! ? twins : twins.toReversed()
      yield* world.until("the loser stands down", Effect.sync(() =>
        loser!.logged(/ERROR.*the node name "x" is already taken by another node, .*node_name/i)))
      yield* world.meshed([one!, two!, winner!])
      const members = yield* world.ask(two!, "cluster.members", {})
      assert.deepStrictEqual(members.map(({ cluster }) => cluster), ["n1:2000", "n2:2000", winner!.config.cluster_host])
      const { problems } = yield* world.status(loser!)
      assert.isTrue(problems.some(({ message, remedy }) =>
        /the node name "x" is already taken/.test(message) && /another node_name/.test(remedy ?? "")))
      assert.match((yield* Effect.flip(join(world, loser!, one!))).message, /the node name "x" is already taken/)
      assert.match((yield* Effect.flip(join(world, one!, loser!))).message, /the node name "x" is already taken/)
      yield* world.stop(one!)
      yield* world.start(one!)
      yield* world.meshed([one!, two!, winner!])
    }))
})

describe("a node that comes back", () => {
  story("is itself, and needs no second join", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const [, two] = nodes
      const { id } = two!.disk.identity!
      yield* world.stop(two!)
      yield* world.until("the others notice", Effect.map(world.ask(nodes[0]!, "cluster.status", {}), (status) =>
        status.some(({ name, state }) => name === "n2" && state === "disconnected")))
      yield* world.start(two!)
      yield* world.meshed(nodes)
      assert.strictEqual(two!.disk.identity!.id, id)
      assert.deepStrictEqual(yield* names(world, two!), ["n1", "n2", "n3"])
    }))

  story("at another address: the others dial it there", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const [one, two, three] = nodes
      yield* world.stop(three!)
      const moved = world.make("n3", {}, "new")
      Object.assign(moved.disk, three!.disk, { locked: false })
      yield* world.start(moved)
      yield* world.meshed([one!, two!, moved])
      const members = yield* world.ask(one!, "cluster.members", {})
      assert.strictEqual(members.find(({ name }) => name === "n3")?.client, "new:2002")
      assert.strictEqual(Members.list(two!.disk.members).find(({ name }) => name === "n3")?.peer, "new:2003")
    }))

  story("two processes on one disk: the second does not start", (world) =>
    Effect.gen(function*() {
      const node = world.make("n1")
      yield* world.start(node)
      const twin = world.make("n1", {}, "elsewhere")
      Object.assign(twin.disk, node.disk)
      const failure = yield* Effect.flip(world.start(twin))
      assert.strictEqual(failure._tag, "NodeStoreError")
      assert.include(failure.message, "in use")
    }))

  story("a port in use is named by its key", (world) =>
    Effect.gen(function*() {
      const node = world.make("n1")
      yield* world.start(node)
      const other = world.make("n2", { client_host: "n1:2002" })
      const failure = yield* Effect.flip(world.start(other))
      assert.strictEqual(
        failure.message,
        "client_host: cannot listen on n1:2002: port in use; expected a free address of this machine"
      )
      // Nothing of it is left behind.
      yield* world.start(world.make("n3", {}, "n2"))
    }))
})
