/**
 * Whole nodes whose tenants change their groups: what an operator asks for comes about while clients go on, and what is not
 * needed any more is gone from the disks.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { AdminError } from "../../src/wire/AdminProtocol.ts"
import { change, fails, groupOf, held, places } from "./Groups.ts"
import { enter, holds, write } from "./Work.ts"
import { story, type TestNode } from "./World.ts"

describe("a group that changes", () => {
  for (const durability of ["disk", "memory"] as const) {
    story(`grows from 1 to 3 to 5, is replaced as a whole, and shrinks to 3, under load (${durability})`, (world) =>
      Effect.gen(function*() {
        const nodes = yield* world.cluster(6)
        const [n1, n2, n3, n4, n5, n6] = nodes as [TestNode, TestNode, TestNode, TestNode, TestNode, TestNode]
        yield* world.tenant("t", [n1], durability)
        const tenant = yield* enter(world, [n1], "t")
        let last = 0
        const under = <A>(work: Effect.Effect<A, AdminError>) =>
          Effect.gen(function*() {
            const writing = yield* Effect.forkChild(write(tenant, last + 1, last + 200))
            const result = yield* work
            yield* Fiber.join(writing)
            yield* holds(tenant, last += 200)
            return result
          })
        yield* under(change(world, n1, { tenant: "t", add: places([n2, n3]) }))
        yield* under(change(world, n6, { tenant: "t", add: places([n4, n5]) }))
        assert.deepStrictEqual(yield* groupOf(world, n1, "t"), {
          epoch: 2, replicas: ["r1::n1", "r2::n2", "r3::n3", "r4::n4", "r5::n5"]
        })
        yield* under(change(world, n4, { tenant: "t", remove: [{ name: "r1", node: "n1" }], add: places([n6]) }))
        yield* under(change(world, n4, { tenant: "t", remove: [{ name: "r2", node: "n2" }], add: places([n1]) }))
        yield* under(change(world, n4, { tenant: "t", remove: [{ name: "r3", node: "n3" }], add: places([n2]) }))
        yield* under(change(world, n4, { tenant: "t", remove: [{ name: "r4", node: "n4" }, { name: "r7", node: "n1" }] }))
        yield* world.until("all know it", Effect.map(Effect.forEach(nodes, (node) => groupOf(world, node, "t")), (groups) =>
          groups.every(({ epoch, replicas }) => epoch === 6 && replicas?.join() === "r5::n5,r6::n6,r8::n2")))
        yield* world.until("who has left is gone", Effect.sync(() => held(nodes).join() === "r5::n5,r6::n6,r8::n2"))
        yield* world.until("all is well", Effect.map(world.status(n3), ({ verdict }) => verdict === "OK"))
      }), { timeout: 60_000 })
  }

  story("twice while one of it was away, so that nobody is left whom that one knows: it hears of it, and goes", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(5)
      const [n1, n2, n3, n4, n5] = nodes as [TestNode, TestNode, TestNode, TestNode, TestNode]
      yield* world.tenant("t", [n1, n2, n3])
      yield* world.stop(n3)
      const to = (...replicas: ReadonlyArray<string>) => replicas.map((id) => ({ name: id.split("::")[0]!, node: id.split("::")[1]! }))
      yield* change(world, n1, { tenant: "t", to: to("r4::n4", "r5::n5") })
      yield* world.until("nobody of the first group is left", Effect.sync(() => held([n1, n2]).length === 0))
      yield* change(world, n1, { tenant: "t", to: to("r6::n1", "r7::n2") })
      yield* world.until("nor of the second", Effect.sync(() => held([n4, n5]).length === 0))
      assert.deepStrictEqual(held([n3]), ["r3::n3"])
      yield* world.start(n3)
      yield* world.until("it is gone", Effect.sync(() => held(nodes).join() === "r6::n1,r7::n2"))
      yield* world.until("all is well", Effect.map(world.status(n3), ({ verdict }) => verdict === "OK"))
    }))
})

describe("a node that is cut off while the group changes twice", () => {
  story("and is in none of the groups any more, learns it, and its files go", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(6)
      const [n1, n2, n3, n4, n5, n6] = nodes as [TestNode, TestNode, TestNode, TestNode, TestNode, TestNode]
      const others = [n1, n2, n4, n5, n6]
      yield* world.tenant("t", [n1, n2, n3])
      const tenant = yield* enter(world, others, "t")
      yield* write(tenant, 1, 20)
      for (const other of others) world.hold(n3, other)
      yield* change(world, n1, { tenant: "t", remove: [{ name: "r3", node: "n3" }], add: places([n4]) })
      yield* write(tenant, 21, 40)
      yield* change(world, n1, {
        tenant: "t", remove: [{ name: "r1", node: "n1" }, { name: "r2", node: "n2" }], add: places([n5, n6])
      })
      yield* write(tenant, 41, 60)
      assert.deepStrictEqual(held([n3]), ["r3::n3"])
      for (const other of others) world.release(n3, other)
      yield* world.until("it has left", Effect.sync(() => held(nodes).join() === "r4::n4,r5::n5,r6::n6"))
      yield* holds(yield* enter(world, [n3], "t"), 60)
    }))

  story("and is in the last one, catches up, and counts", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(5)
      const [n1, n2, n3, n4, n5] = nodes as [TestNode, TestNode, TestNode, TestNode, TestNode]
      const others = [n1, n2, n4, n5]
      yield* world.tenant("t", [n1, n2, n3])
      const tenant = yield* enter(world, others, "t")
      yield* write(tenant, 1, 20)
      for (const other of others) world.hold(n3, other)
      yield* change(world, n1, { tenant: "t", off: "n1", add: [] })
      yield* write(tenant, 21, 40)
      yield* change(world, n5, { tenant: "t", off: "n2", add: [] }, true)
      yield* write(tenant, 41, 60)
      for (const other of others) world.release(n3, other)
      yield* world.until("it has caught up", Effect.map(world.replica(n3, "t"), ({ epoch, state }) => epoch === 2 && state === "backup"))
      yield* world.stop(n4)
      yield* write(tenant, 61, 80)
      yield* holds(tenant, 80)
    }))
})

describe("the primary", () => {
  for (const durability of ["disk", "memory"] as const) {
    story(`hands off, to whom it is told or to the furthest, and clients follow (${durability})`, (world) =>
      Effect.gen(function*() {
        const nodes = yield* world.cluster(3)
        const [n1, n2] = nodes as [TestNode, TestNode, TestNode]
        yield* world.tenant("t", nodes, durability)
        const tenant = yield* enter(world, nodes, "t")
        const isPrimary = (id: string) =>
          world.until(`${id} leads`, Effect.map(world.ask(n1, "vr.primary", { tenant: "t" }), ({ primary }) => primary === id))
        const writing = yield* Effect.forkChild(write(tenant, 1, 200))
        const handed = yield* world.ask(n2, "vr.handoff", { tenant: "t", to: { name: "r3", node: "n3" } })
        assert.deepInclude(handed, { from: "r1::n1", to: "r3::n3" })
        yield* isPrimary("r3::n3")
        const { to } = yield* world.ask(n2, "vr.handoff", { tenant: "t" })
        yield* isPrimary(to)
        yield* Fiber.join(writing)
        yield* holds(tenant, 200)
        const hand = (name: string, node: string) => world.ask(n1, "vr.handoff", { tenant: "t", to: { name, node } })
        const [name, node] = to.split("::") as [string, string]
        yield* fails(hand(name, node), "conflict", /it is the primary itself/)
        yield* fails(hand("r9", "n9"), "conflict", /it is not in the group/)
      }))
  }
})
