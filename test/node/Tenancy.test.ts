/**
 * Tenants: created through any node, known to all, and one winner when two nodes take one name at the same time.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import { replicaId } from "../../src/base/Names.ts"
import type { AdminError } from "../../src/wire/AdminProtocol.ts"
import { bytes, run, story, text, type TestNode, type World } from "./World.ts"

const create = (world: World, node: TestNode, name: string | null, replicas: ReadonlyArray<TestNode> | null = null) =>
  world.ask(node, "vr.create", {
    name,
    replicas: replicas?.map((node, index) => ({ name: `r${index + 1}`, node: node.name })) ?? null
  })

const refusal = (effect: Effect.Effect<unknown, AdminError>) =>
  Effect.map(Effect.flip(effect), ({ code, message }) => `${code}: ${message}`)

/** A write and a read through a node's client port. */
const works = (world: World, node: TestNode, tenant: string) =>
  Effect.gen(function*() {
    const client = yield* world.client([node])
    const session = yield* client.tenant(tenant)
    const path = `/by-${node.name}`
    yield* session.create(path, bytes(node.name))
    assert.strictEqual(text((yield* session.get(path)).data), node.name)
  }).pipe(Effect.scoped)

describe("creating a tenant", () => {
  story("with replicas, by name and by id, through any node", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      const [one, two, three, four] = nodes
      const { epoch, id, name, replicas } = yield* create(world, four!, "blue", [one!, two!, three!])
      assert.deepStrictEqual([name, epoch, replicas.map(replicaId)], ["blue", 0, ["r1::n1", "r2::n2", "r3::n3"]])
      for (const node of nodes) {
        const known = yield* world.ask(node, "vr.tenants", {})
        assert.deepStrictEqual(known.map((tenant) => [tenant.id, tenant.name]), [[id, "blue"]])
        assert.strictEqual((yield* world.ask(node, "vr.primary", { tenant: id })).tenant, id)
      }
      // The node without a replica sends its clients on.
      yield* works(world, four!, "blue")
      yield* works(world, two!, id)
    }))

  story("without a list: on up to three nodes, those with the fewest replicas first", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      const places = (name: string | null) =>
        Effect.map(create(world, nodes[3]!, name), ({ replicas }) => replicas.map(replicaId).join(" "))
      assert.strictEqual(yield* places("a"), "r1::n1 r2::n2 r3::n3")
      assert.strictEqual(yield* places("b"), "r1::n1 r2::n2 r3::n4")
      assert.strictEqual(yield* places(null), "r1::n1 r2::n3 r3::n4")
      yield* works(world, nodes[0]!, "b")
    }))

  story("on a cluster of one, of two", (world) =>
    Effect.gen(function*() {
      const [one, two] = [world.make("n1"), world.make("n2")]
      yield* world.start(one)
      assert.strictEqual((yield* create(world, one, "a")).replicas.length, 1)
      yield* works(world, one, "a")
      yield* world.start(two)
      yield* world.ask(two, "cluster.join", { address: "n1:2000" })
      yield* world.meshed([one, two])
      assert.strictEqual((yield* create(world, two, "b")).replicas.length, 2)
      yield* works(world, one, "b")
    }))

  story("groups of 1 to 7; not of 8, not of none", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(8)
      for (let size = 1; size <= 7; size++) {
        const { id, replicas } = yield* create(world, nodes[0]!, `of-${size}`, nodes.slice(0, size))
        assert.strictEqual(replicas.length, size)
        yield* works(world, nodes[size % 8]!, id)
      }
      assert.strictEqual(
        yield* refusal(create(world, nodes[0]!, "of-8", nodes)),
        "usage: a tenant has 1 to 7 replicas, got 8"
      )
      assert.strictEqual(yield* refusal(create(world, nodes[0]!, "of-0", [])), "usage: a tenant has 1 to 7 replicas, got 0")
      assert.strictEqual((yield* world.ask(nodes[7]!, "vr.tenants", {})).length, 7)
    }))

  story("a name that is taken, or is none", (world) =>
    Effect.gen(function*() {
      const [one, two] = yield* world.cluster(2)
      const { id } = yield* create(world, one!, "blue")
      assert.strictEqual(
        yield* refusal(create(world, two!, "blue")),
        `conflict: the tenant name "blue" is already taken by tenant ${id}, created through n1`
      )
      assert.match(yield* refusal(create(world, two!, "no spaces")), /^usage: /)
      assert.match(yield* refusal(create(world, two!, id)), /^usage: /)
    }))

  story("a node that is not a member, one that is there twice, and one that is down", (world) =>
    Effect.gen(function*() {
      const [one, two, three] = yield* world.cluster(3)
      const stranger = world.make("n9")
      assert.strictEqual(
        yield* refusal(create(world, one!, "a", [one!, stranger])),
        "not_found: node n9 is not a member of the cluster"
      )
      assert.match(yield* refusal(create(world, one!, "a", [one!, one!])), /^usage: .*"n1" is there twice/)
      yield* world.stop(three!)
      yield* world.until("n1 notices", Effect.map(world.ask(one!, "cluster.status", {}), (status) =>
        status.some(({ state }) => state === "disconnected")))
      assert.match(
        yield* refusal(create(world, one!, "a", [one!, two!, three!])),
        /^unavailable: the tenant was not created: node n3: not connected: /
      )
      // Left alone, it takes the nodes that are there; and the name is free.
      assert.deepStrictEqual((yield* create(world, one!, "a")).replicas.map(({ node }) => node), ["n1", "n2"])
      yield* works(world, two!, "a")
    }))
})

describe("what a node hears of tenants", () => {
  story("one that joins later knows those before", (world) =>
    Effect.gen(function*() {
      const [one, late] = [world.make("n1"), world.make("late")]
      yield* world.start(one)
      const { id } = yield* create(world, one, "blue")
      yield* world.start(late)
      yield* world.ask(late, "cluster.join", { address: "n1:2000" })
      assert.strictEqual((yield* world.ask(late, "vr.primary", { tenant: "blue" })).tenant, id)
      assert.match(yield* refusal(create(world, late, "blue")), /^conflict: /)
      yield* world.meshed([one, late])
      yield* works(world, late, "blue")
    }))

  story("one that was away hears of what was created meanwhile", (world) =>
    Effect.gen(function*() {
      const [one, two, three] = yield* world.cluster(3)
      yield* world.stop(three!)
      const { id } = yield* create(world, two!, "blue", [one!, two!])
      yield* world.start(three!)
      yield* world.until("n3 knows it", Effect.map(world.ask(three!, "vr.tenants", {}), (tenants) =>
        tenants.some((tenant) => tenant.id === id)))
      assert.strictEqual(three!.disk.tenants.get(id)?.name, "blue")
    }))

  story("two clusters with a tenant of one name each: one holds it, both are there", (world) =>
    Effect.gen(function*() {
      const [one, two] = [world.make("n1"), world.make("n2")]
      yield* world.start(one)
      yield* world.start(two)
      const ids = [(yield* create(world, one, "blue")).id, (yield* create(world, two, "blue")).id]
      yield* world.ask(one, "cluster.join", { address: "n2:2000" })
      yield* world.meshed([one, two])
      const holders = yield* Effect.forEach([one, two], (node) => world.ask(node, "vr.primary", { tenant: "blue" }))
      assert.strictEqual(holders[0]!.tenant, holders[1]!.tenant)
      const other = ids.find((id) => id !== holders[0]!.tenant)
      const { problems, verdict } = yield* world.status(two)
      assert.deepStrictEqual([verdict, problems], ["DEGRADED", [{
        message: `the tenant name "blue" is claimed twice: it means ${holders[0]!.tenant}, and not ${other}`,
        remedy: "use the other one by its id"
      }]])
      // Nobody's data are taken away: by its id, the other one is served as before.
      for (const id of ids) yield* works(world, one, id)
    }))
})

describe("a creation needs a majority of the nodes", () => {
  const cut = (world: World, node: TestNode, others: ReadonlyArray<TestNode>) =>
    others.forEach((other) => world.hold(node, other))
  const heal = (world: World, node: TestNode, others: ReadonlyArray<TestNode>) =>
    others.forEach((other) => world.release(node, other))

  story("with a minority that does not answer it is there, and they hear of it", (world) =>
    Effect.gen(function*() {
      const [one, two, three] = yield* world.cluster(3)
      cut(world, three!, [one!, two!])
      const { id } = yield* create(world, one!, "blue", [one!, two!])
      yield* works(world, two!, "blue")
      heal(world, three!, [one!, two!])
      yield* world.until("n3 knows it", Effect.map(world.ask(three!, "vr.tenants", {}), (tenants) =>
        tenants.some((tenant) => tenant.id === id)))
    }))

  story("without one it fails, says who did not answer, and takes nobody's name", (world) =>
    Effect.gen(function*() {
      const [one, two, three] = yield* world.cluster(3)
      cut(world, one!, [two!, three!])
      assert.match(
        yield* refusal(create(world, one!, "blue", [one!])),
        /^unavailable: the tenant was not created: 1 of 3 nodes has acknowledged it, 2 are needed: node n2: .*; node n3: /
      )
      assert.deepStrictEqual(yield* world.ask(one!, "vr.tenants", {}), [])
      const { id } = yield* create(world, two!, "blue", [two!, three!])
      heal(world, one!, [two!, three!])
      yield* world.until("n1 knows the one", Effect.map(world.ask(one!, "vr.tenants", {}), (tenants) =>
        tenants.length === 1 && tenants[0]!.id === id))
      yield* world.until("all is well", Effect.map(world.status(one!), ({ verdict }) => verdict === "OK"))
      // As far as is known that the others are gone, nothing is begun.
      yield* world.stop(two!)
      yield* world.stop(three!)
      yield* world.until("n1 notices", Effect.map(world.ask(one!, "cluster.status", {}), (status) =>
        status.filter(({ state }) => state === "disconnected").length === 2))
      const journals = one!.disk.journals.size
      assert.match(
        yield* refusal(create(world, one!, "red", [one!])),
        /^unavailable: the tenant was not created: 1 of 3 nodes can be reached, 2 are needed: node n2: .*; node n3: /
      )
      assert.strictEqual(one!.disk.journals.size, journals)
    }))

  story("nobody can use it before that", (world) =>
    Effect.gen(function*() {
      const [one, two, three] = yield* world.cluster(3)
      cut(world, one!, [two!, three!])
      const creation = yield* Effect.forkChild(refusal(create(world, one!, "blue", [one!])))
      yield* world.until("it is prepared", Effect.sync(() => one!.disk.journals.size === 1))
      const client = yield* world.client([one!])
      assert.strictEqual((yield* Effect.flip(client.tenant("blue")))._tag, "NoSuchTenant")
      assert.deepStrictEqual(yield* world.ask(one!, "vr.tenants", {}), [])
      assert.match(yield* Fiber.join(creation), /^unavailable: /)
    }))

  it.effect("two nodes that do not reach each other: one at most has the name, and it is the one that keeps it", () =>
    Effect.forEach([1, 2, 3, 4, 5, 6], (seed) => run((world) =>
      Effect.gen(function*() {
        const [one, two, three] = yield* world.cluster(3)
        world.hold(one!, two!)
        world.latency_ms = 20
        const results = yield* Effect.forEach([one!, two!], (node) =>
          Effect.result(create(world, node, "blue", [node, three!])), { concurrency: "unbounded" })
        world.latency_ms = 0
        const winners = results.flatMap((result) => Result.isSuccess(result) ? [result.success.id] : [])
        const losers = results.flatMap((result) => Result.isFailure(result) ? [result.failure] : [])
        assert.deepStrictEqual([winners.length, losers.map(({ code }) => code)], [1, ["conflict"]])
        world.release(one!, two!)
        for (const node of [one!, two!, three!]) {
          yield* world.until(`${node.name} agrees`, Effect.map(world.ask(node, "vr.tenants", {}), (tenants) =>
            tenants.length === 1 && tenants[0]!.id === winners[0]))
        }
      }), seed), { discard: true }), 60_000)
})

describe("two nodes create one name at the same time", () => {
  const race = (world: World, size = 3) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(size)
      world.latency_ms = 20
      const results = yield* Effect.forEach([nodes[0]!, nodes[1]!], (node) => Effect.result(create(world, node, "blue")), {
        concurrency: "unbounded"
      })
      world.latency_ms = 0
      const winners = results.flatMap((result) => Result.isSuccess(result) ? [result.success] : [])
      const losers = results.flatMap((result) => Result.isFailure(result) ? [result.failure] : [])
      assert.strictEqual(winners.length, 1, "one winner")
      const [{ id }] = [winners[0]!]
      assert.deepInclude(losers[0], { code: "conflict" })
      assert.match(losers[0]!.message, new RegExp(`^the tenant name "blue" is already taken by tenant ${id}, created through n[12]$`))
      for (const node of nodes) {
        yield* world.until(`${node.name} agrees`, Effect.map(world.ask(node, "vr.tenants", {}), (tenants) =>
          tenants.length === 1 && tenants[0]!.id === id))
      }
      return nodes
    })

  const seeds = Array.from({ length: 50 }, (_, index) => index + 1)

  it.effect(`one wins, the other is told, and all nodes agree (${seeds.length} seeds)`, () =>
    Effect.forEach(seeds, (seed) => run((world) => Effect.asVoid(race(world)), seed), { discard: true }), 60_000)

  it.effect("also where the votes are split, so that the older claim has to ask again", () =>
    Effect.forEach(seeds, (seed) => run((world) => Effect.asVoid(race(world, 2)), seed), { discard: true }), 60_000)

  story("the winner serves; no replica of the loser runs, none comes back with its node, and its files go", (world) =>
    Effect.gen(function*() {
      const nodes = yield* race(world)
      yield* world.until("only the winner's are left", Effect.sync(() => nodes.every(({ disk }) => disk.journals.size === 1)))
      yield* works(world, nodes[2]!, "blue")
      yield* world.stop(nodes[1]!)
      yield* world.start(nodes[1]!)
      yield* world.until("all is well", Effect.map(world.status(nodes[1]!), ({ tenants, verdict }) =>
        verdict === "OK" && tenants.length === 1))
    }))
})
