/**
 * How nodes go, and tenants: what is refused while it is needed, what stays out, and what becomes free again.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { uuid } from "../../src/base/Names.ts"
import { seeded } from "../../src/base/Random.ts"
import * as Members from "../../src/members/Members.ts"
import { makeGossip, type State } from "../../src/node/Gossip.ts"
import { leaveCluster, type LifecycleOptions } from "../../src/node/Lifecycle.ts"
import { describeSilent } from "../../src/node/Status.ts"
import * as Tenants from "../../src/tenants/Tenants.ts"
import type { AdminError, ReplicaStatus } from "../../src/wire/AdminProtocol.ts"
import { bytes, story, text, type TestNode, type World } from "./World.ts"

const refusal = (effect: Effect.Effect<unknown, AdminError>) =>
  Effect.map(Effect.flip(effect), ({ code, message }) => `${code}: ${message}`)

const lives = (world: World, node: TestNode) =>
  Effect.map(world.ask(node, "cluster.status", {}), (nodes) => nodes.map(({ life, name, state }) => `${name} ${life} ${state}`))

const leave = (world: World, asked: TestNode, node: string) => world.ask(asked, "cluster.leave", { node })
const remove = (world: World, asked: TestNode, node: string) => world.ask(asked, "cluster.remove", { node })

/** Until every one of these says so. */
const allSay = (world: World, nodes: ReadonlyArray<TestNode>, wanted: ReadonlyArray<string>) =>
  Effect.forEach(nodes, (node) =>
    world.until(`${node.name} says ${wanted.join(", ")}`, Effect.map(lives(world, node), (said) =>
      wanted.every((life) => said.some((line) => line.startsWith(life))))), { discard: true })

const noticed = (world: World, node: TestNode, gone: string) =>
  world.until(`${node.name} notices`, Effect.map(lives(world, node), (said) => said.includes(`${gone} joined disconnected`)))

describe("cluster leave", () => {
  story("is refused while replicas live there, with the commands that move them", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      const [one, two, three, four] = nodes
      yield* world.tenant("blue", [one!, two!, three!])
      yield* world.tenant("red", nodes)
      assert.strictEqual(yield* refusal(leave(world, two!, "n3")), [
        "conflict: node n3 still has replicas. To move all of them: cluster drain n3. Or each by itself:",
        "  vr replace blue r3::n3 n4",
        "  vr replace red r3::n3 <node>   (a node without a replica of red has to join first)"
      ].join("\n"))
      assert.strictEqual(yield* refusal(leave(world, two!, "n9")), "not_found: node n9 is not a member of the cluster")
      // Nothing has changed, also not that it may be given replicas.
      for (const node of nodes) assert.include(yield* lives(world, node), `n3 joined ${node === three ? "self" : "connected"}`)
      assert.strictEqual((yield* world.status(four!)).verdict, "OK")
    }))

  story("takes an empty node out: all know, it says so, and sends clients on by what it last knew", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      const [one, two, three, four] = nodes
      yield* world.tenant("blue", [one!, two!, three!])
      assert.deepStrictEqual(yield* leave(world, one!, "n4"), { node: "n4", unheard: [] })
      yield* allSay(world, [one!, two!, three!], ["n4 left gone"])
      yield* world.meshed([one!, two!, three!])
      assert.deepStrictEqual(yield* lives(world, one!), ["n1 joined self", "n2 joined connected", "n3 joined connected", "n4 left gone"])
      const { nodes: told, problems, verdict } = yield* world.status(two!)
      assert.deepStrictEqual([verdict, problems, told.at(-1)?.name], ["OK", [], "n4"])
      assert.strictEqual(yield* refusal(leave(world, one!, "n4")), "not_found: node n4 has left the cluster")

      const status = yield* world.status(four!)
      assert.deepStrictEqual([status.verdict, status.problems, status.tenants], ["DEGRADED", [{
        message: "node n4 has left the cluster",
        remedy: "stop it; to come back, it has to start with an empty data_dir, and join again"
      }], []])
      assert.isTrue(four!.logged(/error.*node n4 has left the cluster; stop it/i))
      for (const refused of [
        world.ask(four!, "cluster.join", { address: "n1:2000" }),
        world.ask(one!, "cluster.join", { address: "n4:2000" }),
        world.ask(four!, "vr.create", { name: "red" }),
        leave(world, four!, "n1")
      ]) assert.match(yield* refusal(refused), /^conflict: .*node n4 has left the cluster; stop it/)
      const session = yield* Effect.flatMap(world.client([four!]), (client) => client.tenant("blue"))
      yield* session.create("/a", bytes("x"))
      assert.strictEqual(text((yield* session.get("/a")).data), "x")
    }))

  story("can be asked of the node itself; and it stays out when it starts again", (world) =>
    Effect.gen(function*() {
      const [one, two, three] = yield* world.cluster(3)
      assert.deepStrictEqual(yield* leave(world, three!, "n3"), { node: "n3", unheard: [] })
      yield* allSay(world, [one!, two!], ["n3 left"])
      yield* world.stop(three!)
      yield* world.start(three!)
      yield* world.until("it says so again", Effect.sync(() =>
        three!.log.filter((line) => /error.*node n3 has left the cluster; stop it/i.test(line)).length === 2))
      yield* Effect.sleep("5 seconds")
      assert.deepStrictEqual(yield* lives(world, one!), ["n1 joined self", "n2 joined connected", "n3 left gone"])
      assert.include(yield* lives(world, three!), "n3 left self")
    }))

  story("frees the name for a node with an empty data_dir", (world) =>
    Effect.gen(function*() {
      const [one, two, three] = yield* world.cluster(3)
      yield* leave(world, one!, "n3")
      yield* world.stop(three!)
      const fresh = world.make("n3")
      yield* world.start(fresh)
      yield* world.ask(fresh, "cluster.join", { address: "n1:2000" })
      yield* world.meshed([one!, two!, fresh])
      assert.deepStrictEqual(yield* lives(world, two!), ["n1 joined connected", "n2 joined self", "n3 joined connected"])
      yield* world.tenant("blue", [fresh, one!, two!])
    }))

  story("is not for the only node, nor for one that does not answer", (world) =>
    Effect.gen(function*() {
      const [one, two] = yield* world.cluster(2)
      yield* world.stop(two!)
      yield* noticed(world, one!, "n2")
      assert.match(
        yield* refusal(leave(world, one!, "n2")),
        /^unavailable: node n2 cannot be asked which replicas it has: .*; or, if it will never return: cluster remove n2 --dead$/
      )
      yield* remove(world, one!, "n2")
      assert.strictEqual(
        yield* refusal(leave(world, one!, "n1")),
        "conflict: node n1 is the only one of its cluster: there is nothing to leave"
      )
    }))

  it.effect("is refused if another node turns out to put a replica there: it is asked when nobody begins to any more", () =>
    Effect.gen(function*() {
      const told: Array<boolean> = []
      const { leaving, members } = yield* twoNodes({
        summary: () => [],
        tell: (state) => {
          told.push(Members.isDraining(Members.recordOf(state.members, "n2")!))
          return { members: state.members, tenants: claimOf("blue").tenants }
        }
      })
      assert.match(
        yield* refusal(leaving),
        /^conflict: node n2 still has replicas.*\n  blue is being created or renamed through node n2: try again; .*: vr delete tenant /
      )
      assert.deepStrictEqual(told, [true, false])
      assert.isFalse(Members.isDraining(Members.recordOf(members(), "n2")!))
    }).pipe(Effect.scoped))

  it.effect("is refused while there is a replica that the registry does not name, whatever it is, and says what to do", () =>
    Effect.gen(function*() {
      const claimed = claimOf("blue")
      const said = describeSilent(claimed.tenant, "r1::n2", "failed", "its log is another one")
      let there: ReadonlyArray<ReplicaStatus> = []
      const { leaving, members } = yield* twoNodes({ summary: () => there, tell: (state) => state })
      for (const [state, line] of [
        ["leaving", /is no longer in its group, and still needed until/],
        ["busy", /is no longer in its group, and still needed until/],
        ["learner", /is to join its group: let that end, or: vr withdraw .*; vr forget .* r1::n2$/m],
        ["failed", /has stopped: its log is another one. If what it has is not needed: stop the node, remove its files/]
      ] as const) {
        there = [{ ...said, state }]
        assert.match(yield* refusal(leaving), line)
      }
      there = []
      assert.deepStrictEqual(yield* leaving, { node: "n2", unheard: [] })
      assert.deepStrictEqual(Members.list(members()).map(({ name }) => name), ["n1"])
    }).pipe(Effect.scoped))
})

/** As it is being created through n2, on n2. */
const claimOf = (name: string) => {
  const claim = Tenants.create(Tenants.noTenants, {
    id: uuid(seeded(2)), name, replicas: [{ name: "r1", node: "n2" }], durability: "disk", coordinator: "n2"
  })
  if (!claim.ok) throw new Error(claim.reason)
  return claim
}

/** What n1 does when n2 is to leave, where n2 is only what it says. */
const twoNodes = Effect.fnUntraced(function*(
  { summary, tell }: { readonly summary: () => ReadonlyArray<ReplicaStatus>; readonly tell: (state: State) => State }
) {
  const random = seeded(1)
  const kept = ["n1", "n2"].reduce((members, name) => {
    const member = { id: uuid(random), name, admin: `${name}:1`, client: `${name}:2`, cluster: `${name}:3`, peer: `${name}:4` }
    const added = Members.add(members, member)
    return added.ok ? added.value : members
  }, Members.noMembers)
  const gossip = yield* makeGossip({
    self: Members.find(kept, "n1")!,
    kept: { members: kept, tenants: Tenants.noTenants },
    onChange: () => Effect.void,
    unsaved: () => null,
    broadcast: () => {}
  })
  yield* Effect.forkScoped(gossip.run)
  const calls: LifecycleOptions["calls"] = {
    summary: () => Effect.sync(summary),
    tell: (_, state) => Effect.sync(() => tell(state))
  }
  const links: LifecycleOptions["links"] = { connected: () => ["n2"] }
  return { leaving: leaveCluster({ node: "n1", gossip, calls, links }, "n2"), members: () => gossip.state().members }
})

describe("cluster remove --dead", () => {
  story("is refused while the node answers, and while tenants count on it", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      const [one, two, three, four] = nodes
      yield* world.tenant("blue", [one!, two!, three!])
      yield* world.tenant("red", [three!])
      const alive = (node: string) =>
        `conflict: node ${node} answers at ${node}:2000: it is not dead. To take it out: cluster leave ${node}`
      assert.strictEqual(yield* refusal(remove(world, one!, "n4")), alive("n4"))
      assert.strictEqual(yield* refusal(remove(world, one!, "n1")), "conflict: node n1 is the one that answers you: it is not dead")
      yield* world.stop(three!)
      yield* noticed(world, one!, "n3")
      assert.strictEqual(yield* refusal(remove(world, one!, "n3")), [
        "conflict: tenants still count on node n3:",
        "  vr replace blue r3::n3 n4",
        "  vr delete tenant red   (its only replica was there: what it held is lost)"
      ].join("\n"))
      // The connection is lost, and the node is there.
      world.hold(one!, four!)
      yield* noticed(world, one!, "n4")
      world.release(one!, four!)
      assert.strictEqual(yield* refusal(remove(world, one!, "n4")), alive("n4"))
    }))

  story("takes a dead node out; if it was not dead after all, it hears of that and stays out", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      const [one, two, three, four] = nodes
      yield* world.tenant("blue", [one!, two!, three!])
      yield* world.stop(four!)
      yield* noticed(world, one!, "n4")
      assert.deepStrictEqual(yield* remove(world, one!, "n4"), { node: "n4", unheard: [] })
      yield* allSay(world, [one!, two!, three!], ["n4 dead gone"])
      assert.strictEqual((yield* world.status(two!)).verdict, "OK")

      yield* world.start(four!)
      yield* world.until("it stands down", Effect.sync(() =>
        four!.logged(/error.*node n4 was removed from the cluster as dead; stop it; to come back/i)))
      assert.deepStrictEqual((yield* lives(world, one!)).at(-1), "n4 dead gone")
      assert.include(yield* lives(world, four!), "n4 dead self")
      assert.match(
        yield* refusal(world.ask(four!, "cluster.join", { address: "n1:2000" })),
        /^conflict: cannot join n1:2000: node n4 was removed from the cluster as dead; /
      )
    }))

  story("one that does not know yet that it is out is told when it wants to join", (world) =>
    Effect.gen(function*() {
      const [one, two, three] = yield* world.cluster(3)
      yield* world.stop(three!)
      yield* noticed(world, one!, "n3")
      yield* remove(world, one!, "n3")
      world.hold(one!, three!)
      world.hold(two!, three!)
      yield* world.start(three!)
      // It has dialled already, in vain: the join is what gets through first.
      yield* Effect.sleep(100)
      world.release(two!, three!)
      assert.match(
        yield* refusal(world.ask(three!, "cluster.join", { address: "n2:2000" })),
        /node n3 was removed from the cluster as dead/
      )
    }))

  story("does not take another node for it that has its name and its place", (world) =>
    Effect.gen(function*() {
      const [one, two, three] = yield* world.cluster(3)
      yield* world.stop(three!)
      yield* noticed(world, one!, "n3")
      // The machine was set up anew, on an empty disk.
      const fresh = world.make("n3")
      world.hold(one!, fresh)
      world.hold(two!, fresh)
      yield* world.start(fresh)
      yield* Effect.sleep(100)
      world.release(one!, fresh)
      assert.deepStrictEqual(yield* remove(world, one!, "n3"), { node: "n3", unheard: [] })
      world.release(two!, fresh)
      yield* world.ask(fresh, "cluster.join", { address: "n1:2000" })
      yield* world.meshed([one!, two!, fresh])
      assert.deepStrictEqual(yield* lives(world, one!), ["n1 joined self", "n2 joined connected", "n3 joined connected"])
    }))
})

describe("draining", () => {
  story("keeps new replicas away, and is taken back; restarts do not end it", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const [one, two, three] = nodes
      const drain = (asked: TestNode, draining: boolean) => world.ask(asked, "cluster.drain", { node: "n3", draining })
      assert.deepStrictEqual(yield* drain(one!, true), { node: "n3", draining: true, unheard: [] })
      yield* world.stop(three!)
      yield* world.start(three!)
      yield* world.meshed(nodes)
      for (const node of nodes) assert.include(yield* lives(world, node), `n3 draining ${node === three ? "self" : "connected"}`)
      const placed = (name: string) =>
        Effect.map(world.ask(three!, "vr.create", { name }), ({ replicas }) => replicas.map(({ node }) => node))
      assert.deepStrictEqual(yield* placed("a"), ["n1", "n2"])
      assert.strictEqual(
        yield* refusal(world.ask(two!, "vr.create", { name: "b", replicas: [{ name: "r1", node: "n3" }] })),
        "conflict: node n3 is draining: no new replica may be placed on it"
      )
      assert.strictEqual((yield* world.status(one!)).verdict, "OK")
      yield* drain(two!, false)
      assert.deepStrictEqual(yield* placed("b"), ["n1", "n2", "n3"])
      assert.match(yield* refusal(world.ask(one!, "cluster.drain", { node: "n9", draining: true })), /^not_found: /)
    }))

  story("everywhere leaves no place for a tenant", (world) =>
    Effect.gen(function*() {
      const [one] = yield* world.cluster(1)
      yield* world.ask(one!, "cluster.drain", { node: "n1", draining: true })
      assert.strictEqual(
        yield* refusal(world.ask(one!, "vr.create", { name: "a" })),
        "conflict: the tenant was not created: all nodes that can be reached are draining"
      )
    }))
})
