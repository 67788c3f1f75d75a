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
import type { ChangePlan, ChangeWish } from "../../src/wire/Changes.ts"
import { enter, holds, write } from "./Work.ts"
import { story, type TestNode, type World } from "./World.ts"

const places = (nodes: ReadonlyArray<TestNode>) => nodes.map(({ name }) => ({ name: null, node: name }))

/** As the command does: planned, and asked for until it is done. Gives the plan. */
export const change = (world: World, via: TestNode, wish: ChangeWish, force = false): Effect.Effect<ChangePlan, AdminError> =>
  Effect.gen(function*() {
    const plan = yield* world.ask(via, "vr.group.plan", wish)
    const { epoch, next } = plan
    const args = { tenant: wish.tenant, epoch, replicas: next, force }
    yield* world.until(`the group is ${next.join(", ")}`, Effect.map(world.ask(via, "vr.group.ask", args), ({ done }) => done))
    return plan
  })

const groupOf = (world: World, node: TestNode, tenant: string) =>
  Effect.map(world.ask(node, "vr.tenants", {}), (tenants) => {
    const found = tenants.find(({ name }) => name === tenant)
    return { epoch: found?.epoch, replicas: found?.replicas.map(({ name, node }) => `${name}::${node}`) }
  })

/** Of that tenant, on the disks of these nodes. */
const held = (nodes: ReadonlyArray<TestNode>): ReadonlyArray<string> =>
  nodes.flatMap(({ disk }) => [...disk.journals.keys()]).map((key) => key.slice(key.indexOf("::") + 2)).sort()

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
})
