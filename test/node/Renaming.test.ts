/**
 * Tenants that are renamed and deleted: a name belongs to one at most, whoever wants it at the same time, and what is
 * deleted is so everywhere.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { uuid } from "../../src/base/Names.ts"
import { seeded } from "../../src/base/Random.ts"
import * as Tenants from "../../src/tenants/Tenants.ts"
import type { AdminError } from "../../src/wire/AdminProtocol.ts"
import { bytes, run, story, text, type TestNode, type World } from "./World.ts"

const refusal = (effect: Effect.Effect<unknown, AdminError>) =>
  Effect.map(Effect.flip(effect), ({ code, message }) => `${code}: ${message}`)

const create = (world: World, node: TestNode, name: string | null) => world.ask(node, "vr.create", { name })
const rename = (world: World, node: TestNode, tenant: string, name: string) => world.ask(node, "vr.rename", { tenant, name })

/** The names of the tenants that may be used, by id, as a node knows them. */
const names = (world: World, node: TestNode) =>
  Effect.map(world.ask(node, "vr.tenants", {}), (tenants) => new Map(tenants.map(({ id, name }) => [id, name])))

/** No node has a claim left of which nobody knows what became. */
const settled = (world: World, nodes: ReadonlyArray<TestNode>) =>
  Effect.forEach(nodes, (node) =>
    world.until(`${node.name} has no open claim`, Effect.sync(() =>
      [...node.disk.tenants.values()].every(({ confirmed, withdrawn }) => confirmed || withdrawn))), { discard: true })

describe("vr rename", () => {
  story("moves a tenant to another name, with its data, its sessions, and through any node", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const id = yield* world.tenant("blue", nodes)
      const client = yield* world.client(nodes)
      const session = yield* client.tenant("blue")
      yield* session.create("/a", bytes("x"))
      assert.deepStrictEqual(yield* rename(world, nodes[2]!, "blue", "red"), { tenant: id, name: "red", was: "blue", unheard: [] })
      for (const node of nodes) assert.deepStrictEqual([...yield* names(world, node)], [[id, "red"]])
      yield* settled(world, nodes)
      yield* session.put("/a", bytes("y"))
      const again = yield* client.tenant("red")
      assert.strictEqual(text((yield* again.get("/a")).data), "y")
      assert.strictEqual((yield* Effect.flip(client.tenant("blue")))._tag, "NoSuchTenant")
      // The old name is free, and the same once more is nothing.
      yield* create(world, nodes[0]!, "blue")
      assert.deepStrictEqual(yield* rename(world, nodes[0]!, id, "red"), { tenant: id, name: "red", was: "red", unheard: [] })
      // It may go back to a name that it had, once that is free.
      assert.match(
        yield* refusal(rename(world, nodes[1]!, "red", "blue")),
        /^conflict: the tenant was not renamed: .*"blue" is already taken/
      )
      yield* world.ask(nodes[1]!, "vr.delete", { tenant: "blue" })
      yield* rename(world, nodes[1]!, "red", "blue")
      for (const node of nodes) assert.deepStrictEqual([...yield* names(world, node)], [[id, "blue"]])
    }))

  story("gives one a name that had none, and survives restarts", (world) =>
    Effect.gen(function*() {
      const [one, two] = yield* world.cluster(2)
      const { id } = yield* create(world, one!, null)
      yield* rename(world, one!, id, "blue")
      yield* world.stop(two!)
      yield* world.stop(one!)
      yield* world.start(one!)
      yield* world.start(two!)
      for (const node of [one!, two!]) assert.deepStrictEqual([...yield* names(world, node)], [[id, "blue"]])
    }))

  story("is refused for a name that is none, a tenant that is not there, and without a majority: nothing has changed", (world) =>
    Effect.gen(function*() {
      const [one, two, three] = yield* world.cluster(3)
      const { id } = yield* create(world, one!, "blue")
      assert.match(yield* refusal(rename(world, one!, "blue", "a b")), /^usage: the tenant was not renamed: a name has only letters/)
      assert.strictEqual(yield* refusal(rename(world, one!, "green", "red")), `not_found: tenant "green" does not exist`)
      world.hold(one!, two!)
      world.hold(one!, three!)
      assert.match(
        yield* refusal(rename(world, one!, "blue", "red")),
        /^unavailable: the tenant was not renamed: 1 of 3 nodes has acknowledged it, 2 are needed: node n2: /
      )
      world.release(one!, two!)
      world.release(one!, three!)
      yield* settled(world, [one!, two!, three!])
      for (const node of [one!, two!, three!]) assert.deepStrictEqual([...yield* names(world, node)], [[id, "blue"]])
      yield* world.until("the name is free", Effect.map(Effect.result(create(world, two!, "red")), Result.isSuccess))
    }))

  story("a crash halfway: the reservation is withdrawn when the node starts again, and the name is free", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const [one, two, three] = nodes
      const { id } = yield* create(world, one!, "blue")
      world.hold(one!, three!)
      world.latency_ms = 50
      yield* Effect.forkChild(Effect.exit(rename(world, one!, "blue", "red")))
      yield* world.until("n2 has heard of it", Effect.sync(() => two!.disk.tenants.size === 2))
      yield* world.crash([one!])
      world.latency_ms = 0
      world.release(one!, three!)
      assert.match(yield* refusal(create(world, two!, "red")), /^conflict: the tenant name "red" is already taken .* created through n1$/)
      yield* world.start(one!)
      yield* settled(world, nodes)
      for (const node of nodes) assert.deepStrictEqual([...yield* names(world, node)], [[id, "blue"]])
      yield* world.meshed(nodes)
      yield* create(world, two!, "red")
    }))

  const seeds = Array.from({ length: 30 }, (_, index) => index + 1)

  /** Two tenants and a new one want one name, each through another node. Gives who succeeded. */
  const race = (world: World) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const [one, two, three] = nodes
      const blue = yield* create(world, one!, "blue")
      const red = yield* create(world, two!, "red")
      world.latency_ms = 20
      const results = yield* Effect.forEach([
        Effect.as(rename(world, one!, "blue", "green"), blue.id),
        Effect.as(rename(world, two!, "red", "green"), red.id),
        Effect.map(create(world, three!, "green"), ({ id }) => id)
      ], (attempt) => Effect.result(attempt), { concurrency: "unbounded" })
      world.latency_ms = 0
      const winners = results.flatMap((result) => Result.isSuccess(result) ? [result.success] : [])
      for (const result of results) if (Result.isFailure(result)) assert.strictEqual(result.failure.code, "conflict")
      assert.isAtMost(winners.length, 1)
      yield* settled(world, nodes)
      const expected = new Map<string, string>([[blue.id, "blue"], [red.id, "red"], ...winners.map((id) => [id, "green"] as const)])
      for (const node of nodes) {
        yield* world.until(`${node.name} agrees`, Effect.map(names(world, node), (known) =>
          known.size === expected.size && [...expected].every(([id, name]) => known.get(id) === name)))
        assert.strictEqual((yield* world.status(node)).verdict, "OK")
      }
      return winners.length
    })

  it.effect(`two renames and a creation of one name: one at most succeeds, and all nodes agree (${seeds.length} seeds)`, () =>
    Effect.gen(function*() {
      let won = 0
      for (const seed of seeds) yield* run((world) => Effect.map(race(world), (winners) => void (won += winners)), seed)
      assert.isAbove(won, seeds.length / 2)
    }), 60_000)

  it("keeps the name, when its group commits the next epoch where nobody has heard of it", () => {
    // What Tenancy.test.ts would do with whole nodes: the registry of n1, that of n2, and gossip from either side first.
    const random = seeded(1)
    const group = [{ name: "r1", node: "n1" }, { name: "r2", node: "n2" }]
    const made = Tenants.create(Tenants.noTenants, {
      id: uuid(random), name: "blue", replicas: group, durability: "disk", coordinator: "n1"
    })
    if (!made.ok) throw new Error(made.reason)
    const { id } = made.tenant
    const both = Tenants.confirm(made.tenants, id)
    const renamed = Tenants.rename(both, id, "red")
    const adopted = Tenants.adopt(Tenants.adopt(both, id, 1, group.slice(1)), id, 2, group)
    for (const registry of [Tenants.merge(renamed, adopted), Tenants.merge(adopted, renamed)]) {
      assert.deepInclude(Tenants.find(registry, "red"), { id, epoch: 2 })
      assert.isUndefined(Tenants.find(registry, "blue"))
    }
  })
})

describe("vr delete tenant", () => {
  story("withdraws it at all nodes, for good; clients are told that it does not exist", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      const [one, two, three, four] = nodes
      const id = yield* world.tenant("blue", [one!, two!, three!])
      const client = yield* world.client(nodes)
      const session = yield* client.tenant("blue")
      yield* session.create("/a", bytes("x"))
      yield* world.stop(two!)
      yield* world.until("n4 notices", Effect.map(world.ask(four!, "cluster.status", {}), (status) =>
        status.some(({ state }) => state === "disconnected")))
      assert.deepStrictEqual(yield* world.ask(four!, "vr.delete", { tenant: "blue" }), { tenant: id, name: "blue", unheard: ["n2"] })
      for (const node of [one!, three!, four!]) {
        assert.deepStrictEqual([...yield* names(world, node)], [])
        const client = yield* world.client([node])
        assert.strictEqual((yield* Effect.flip(client.tenant("blue")))._tag, "NoSuchTenant")
      }
      // A session that is open hears the same, and has no better name for it.
      const lost = yield* Effect.flip(session.get("/a"))
      assert.isTrue(lost._tag === "Unavailable" && lost.attempts.some(({ reason }) => reason.endsWith(" does not exist")), String(lost))
      // Whoever was away brings it back to nobody.
      yield* world.start(two!)
      yield* world.meshed(nodes)
      for (const node of nodes) assert.deepStrictEqual([...yield* names(world, node)], [])
      assert.strictEqual(yield* refusal(world.ask(one!, "vr.delete", { tenant: id })), `not_found: tenant "${id}" does not exist`)
      assert.notStrictEqual(yield* world.tenant("blue", [one!, two!, three!]), id)
    }))

  story("needs a majority of the nodes", (world) =>
    Effect.gen(function*() {
      const [one, two, three] = yield* world.cluster(3)
      const { id } = yield* create(world, one!, "blue")
      yield* world.stop(two!)
      yield* world.stop(three!)
      yield* world.until("n1 notices", Effect.map(world.ask(one!, "cluster.status", {}), (status) =>
        status.filter(({ state }) => state === "disconnected").length === 2))
      assert.match(
        yield* refusal(world.ask(one!, "vr.delete", { tenant: "blue" })),
        /^unavailable: the tenant was not deleted: 1 of 3 nodes can be reached, 2 are needed: node n2: .*; node n3: /
      )
      assert.deepStrictEqual([...yield* names(world, one!)], [[id, "blue"]])
    }))

  story("by its id, frees a name that a node has claimed which never comes back", (world) =>
    Effect.gen(function*() {
      const [one, two, three] = yield* world.cluster(3)
      world.hold(one!, three!)
      world.latency_ms = 50
      yield* Effect.forkChild(Effect.exit(world.ask(one!, "vr.create", { name: "red", replicas: [{ name: "r1", node: "n2" }] })))
      yield* world.until("n2 has heard of it", Effect.sync(() => two!.disk.tenants.size === 1))
      yield* world.crash([one!])
      world.latency_ms = 0
      const [claimed] = two!.disk.tenants.keys()
      yield* world.ask(two!, "vr.delete", { tenant: claimed! })
      yield* create(world, two!, "red")
      yield* world.until("n3 has it", Effect.map(names(world, three!), (known) => [...known.values()].join() === "red"))
    }))
})
