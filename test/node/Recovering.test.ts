/**
 * Whole nodes of which a quorum is lost for good: the tenant goes on from one that is left, and those that turn up afterwards
 * are none of it any more.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { planRecovery, recoveryWrite, survivorOf } from "../../src/node/Recovering.ts"
import { afterWrite, foundIn, type Held } from "../../src/storage/JournalModel.ts"
import { encodeNextGroup } from "../../src/vr/NextGroup.ts"
import { enter, holds, write } from "./Work.ts"
import { story, type TestNode, type World } from "./World.ts"

const heldBy = ({ disk }: TestNode, tenant: string): readonly [key: string, held: Held] | undefined =>
  [...disk.journals].find(([key]) => key.startsWith(tenant))

/** As the command does, with these nodes as all that is left; gives the one that is chosen. */
const recover = (nodes: ReadonlyArray<TestNode>, id: string): TestNode => {
  const tenant = nodes[0]!.disk.tenants.get(id)!
  const plan = planRecovery(tenant, nodes.map((node) => {
    const [key, held] = heldBy(node, id) ?? assert.fail("it has a replica")
    return survivorOf(tenant, { folder: "", node: node.name, replica: key.slice(id.length + 2), bytes: 0 }, foundIn(held))
  }))
  if ("code" in plan) return assert.fail(plan.message)
  const chosen = nodes.find(({ name }) => name === plan.chosen.node)!
  const [key, held] = heldBy(chosen, id)!
  chosen.disk.journals.set(key, afterWrite(held, recoveryWrite(plan, held.entries.at(-1)!.time), tenant.durability))
  return chosen
}

const groupsOf = (world: World, nodes: ReadonlyArray<TestNode>) =>
  Effect.forEach(nodes, (node) => Effect.map(world.ask(node, "vr.tenants", {}), ([found]) =>
    `${found?.epoch}: ${found?.replicas.map(({ name, node }) => `${name}::${node}`).join()}`))

const knows = (world: World, nodes: ReadonlyArray<TestNode>, group: string) =>
  world.until(`all know ${group}`, Effect.map(groupsOf(world, nodes), (groups) => groups.every((one) => one === group)))

/** New replicas on these nodes. */
const grow = (world: World, via: TestNode, nodes: ReadonlyArray<TestNode>) =>
  Effect.gen(function*() {
    const add = nodes.map(({ name }) => ({ name: null, node: name }))
    const { epoch, next } = yield* world.ask(via, "vr.group.plan", { tenant: "t", add })
    const args = { tenant: "t", epoch, replicas: next, force: false }
    yield* world.until(`the group is ${next.join()}`, Effect.map(world.ask(via, "vr.group.ask", args), ({ done }) => done))
    return next
  })

describe("a tenant that has lost a quorum for good", () => {
  story("goes on from the one that is left: sessions too; one that was behind leaves; and it grows again", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(5)
      const [n1, n2, n3, n4, n5] = nodes as [TestNode, TestNode, TestNode, TestNode, TestNode]
      const id = yield* world.tenant("t", [n1, n2, n3])
      const tenant = yield* enter(world, nodes, "t")
      yield* write(tenant, 1, 20)
      yield* world.crash([n2])
      yield* write(tenant, 21, 50)
      yield* world.crash([n1, n3])
      recover([n3], id)
      yield* world.start(n3)
      yield* holds(tenant, 50)
      yield* write(tenant, 51, 60)
      yield* knows(world, [n3, n4, n5], "1002: r3::n3")
      yield* world.start(n2)
      yield* world.until("n2 has nothing of it any more", Effect.sync(() => heldBy(n2, id) === undefined))
      yield* knows(world, [n2, n3, n4, n5], "1002: r3::n3")
      assert.deepStrictEqual(yield* grow(world, n4, [n4, n5]), ["r3::n3", "r4::n4", "r5::n5"])
      yield* world.crash([n3])
      yield* write(tenant, 61, 70)
      yield* holds(tenant, 70)
      yield* knows(world, [n2, n4, n5], "1003: r3::n3,r4::n4,r5::n5")
    }))

  story("is not served by one that holds more, which stops, says why, and keeps what it has", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      const [n1, n2, n3, n4] = nodes as [TestNode, TestNode, TestNode, TestNode]
      const id = yield* world.tenant("t", [n1, n2, n3])
      const tenant = yield* enter(world, nodes, "t")
      yield* write(tenant, 1, 20)
      yield* Effect.sleep("1 second")
      yield* world.crash([n3])
      yield* write(tenant, 21, 40)
      yield* world.until("n2 knows that all is committed", Effect.map(world.replica(n2, "t"), ({ commit, op }) => op > 40 && commit === op))
      yield* world.crash([n1, n2])
      const { entries } = heldBy(n2, id)![1]
      recover([n3], id)
      yield* world.start(n3)
      // Twice: nothing of it is forgotten by a restart, either.
      for (let round = 0; round < 2; round++) {
        yield* world.start(n2)
        const stopped = "r2::n2, which is in no group any more, has stopped"
        const why = new RegExp(`${stopped}: epoch 1002 of its group was begun without what (?:is committed here|its log holds from op)`)
        yield* world.until("n2 says why", Effect.map(world.status(n4), ({ problems }) => problems.some(({ message }) => why.test(message))))
        yield* Effect.sleep("5 seconds")
        yield* holds(yield* enter(world, [n2], "t"), 20)
        assert.deepStrictEqual(heldBy(n2, id)![1].entries, entries)
        yield* world.crash([n2])
      }
      assert.deepStrictEqual(yield* grow(world, n3, [n4]), ["r3::n3", "r4::n4"])
      yield* write(yield* enter(world, [n3, n4], "t"), 21, 30)
      yield* world.start(n2)
      yield* holds(yield* enter(world, [n4], "t"), 30)
    }))

  story("or whose log ends with a change to a group of which no quorum is left: that is over with", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const id = yield* world.tenant("t", nodes)
      const tenant = yield* enter(world, nodes, "t")
      yield* write(tenant, 1, 20)
      yield* world.until("all have it all", Effect.map(Effect.forEach(nodes, (node) => world.replica(node, "t")), (replicas) =>
        replicas.every(({ op }) => op === replicas[0]!.op)))
      yield* world.crash(nodes)
      const operation = encodeNextGroup({ epoch: 1, replicas: ["r1::n1", "r8::n8", "r9::n9"], leaving: ["r2::n2", "r3::n3"] })
      for (const { disk } of nodes) {
        for (const [key, held] of disk.journals) {
          const last = held.entries.at(-1)!
          const change = { ...last, op: last.op + 1, kind: "reconfigure" as const, session: 0, request: 0, answered: 0, operation }
          disk.journals.set(key, { ...held, entries: [...held.entries, change] })
        }
      }
      for (const node of nodes) yield* world.start(node)
      yield* Effect.sleep("5 seconds")
      assert.strictEqual((yield* world.status(nodes[0]!)).tenants[0]?.epoch, 0)
      yield* world.crash(nodes)
      const chosen = recover(nodes, id)
      for (const node of [chosen, ...nodes.filter((node) => node !== chosen)]) yield* world.start(node)
      yield* holds(yield* enter(world, nodes, "t"), 20)
      const others = nodes.filter((node) => node !== chosen)
      yield* world.until("the others have left", Effect.sync(() => others.every((node) => heldBy(node, id) === undefined)))
      assert.lengthOf(yield* grow(world, chosen, others), 3)
      yield* write(yield* enter(world, nodes, "t"), 21, 30)
    }))

  story("goes on from one that has left, if those that took its place are lost", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const [n1, n2, n3] = nodes as [TestNode, TestNode, TestNode]
      const id = yield* world.tenant("t", [n1])
      const tenant = yield* enter(world, nodes, "t")
      yield* write(tenant, 1, 50)
      n2.write_ms = 200
      const args = { tenant: "t", epoch: 0, replicas: ["r2::n2"] }
      const asked = Effect.forkChild(Effect.forever(Effect.andThen(Effect.ignore(world.ask(n3, "vr.group.ask", args)), Effect.sleep(10))))
      yield* asked
      yield* world.until("it has left", Effect.sync(() => n1.logged(/Primary → Leaving/)))
      yield* world.crash([n1, n2])
      recover([n1], id)
      yield* world.start(n1)
      yield* holds(yield* enter(world, [n1], "t"), 50)
      yield* knows(world, [n1, n3], `${yield* epochOf(world, n1)}: r1::n1`)
    }))
})

const epochOf = (world: World, node: TestNode) => Effect.map(world.ask(node, "vr.tenants", {}), ([found]) => found?.epoch)
