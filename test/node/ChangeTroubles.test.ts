/**
 * Changes of groups that are refused, taken back, forgotten, or met by crashes, on whole nodes.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { change, fails, groupOf, held, places } from "./Groups.ts"
import { enter, holds, write } from "./Work.ts"
import { story, type TestNode } from "./World.ts"

describe("a change", () => {
  story("is refused where the next group would not serve; forced, it waits until that is there", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const [n1, n2] = nodes as [TestNode, TestNode, TestNode]
      yield* world.tenant("t", nodes)
      yield* world.stop(n2)
      yield* world.until("it is missed", Effect.map(world.status(n1), ({ verdict }) => verdict === "DEGRADED"))
      const plan = yield* world.ask(n1, "vr.group.plan", { tenant: "t", remove: [{ name: "r3", node: "n3" }] })
      assert.match(plan.refusal ?? "", /of the 2 replicas of the next group 1 would be there, and 2 are needed.*r2::n2 does not answer/)
      const args = { tenant: "t", epoch: 0, replicas: plan.next }
      yield* fails(world.ask(n1, "vr.group.ask", args), "conflict", /2 are needed/)
      const forced = yield* world.ask(n1, "vr.group.ask", { ...args, force: true })
      assert.deepInclude(forced, { done: false, epoch: 0 })
      yield* world.start(n2)
      yield* world.until("it comes about", Effect.map(world.ask(n1, "vr.group.ask", args), ({ done }) => done))
    }))

  story("for a group that has changed meanwhile is refused, and so is one that cannot be", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      const [n1, n2, n3] = nodes as [TestNode, TestNode, TestNode]
      yield* world.tenant("t", [n1, n2, n3])
      yield* change(world, n1, { tenant: "t", remove: [{ name: "r3", node: "n3" }] })
      yield* fails(world.ask(n2, "vr.group.ask", { tenant: "t", epoch: 0, replicas: ["r1::n1"] }), "conflict",
        /another change of the group came first: it is r1::n1, r2::n2 now/)
      const again = { tenant: "t", to: [{ name: "r3", node: "n3" }] }
      yield* fails(world.ask(n2, "vr.group.plan", again), "conflict", /ids are never used again/)
      yield* fails(world.ask(n2, "vr.group.ask", { tenant: "t", epoch: 1, replicas: ["r1::n1", "r3::n3"] }), "conflict", /never used again/)
      yield* fails(world.ask(n1, "vr.group.plan", { tenant: "none", add: places([n3]) }), "not_found", /does not exist/)
    }))

  story("is taken back while those that join are not there yet, and they go", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const [n1, n2, n3] = nodes as [TestNode, TestNode, TestNode]
      yield* world.tenant("t", [n1])
      // It never catches up: what the primary sends does not arrive.
      const { epoch, next: replicas } = yield* world.ask(n1, "vr.group.plan", { tenant: "t", add: places([n2, n3]) })
      yield* world.stop(n3)
      const args = { tenant: "t", epoch, replicas }
      yield* world.until("one of them has begun", Effect.map(world.ask(n1, "vr.group.ask", args), ({ learners, stage }) =>
        stage === "catching up" && learners.some(({ heard, id }) => id === "r2::n2" && heard)))
      assert.deepStrictEqual(held([n2]), ["r2::n2"])
      assert.deepStrictEqual(yield* world.ask(n1, "vr.group.withdraw", args), { withdrawn: true, reason: null })
      yield* world.until("it is gone", Effect.sync(() => held([n2]).length === 0))
      assert.deepStrictEqual(yield* groupOf(world, n1, "t"), { epoch: 0, replicas: ["r1::n1"] })
      yield* change(world, n1, { tenant: "t", add: places([n2]) })
      const late = yield* world.ask(n1, "vr.group.withdraw", { ...args, replicas: ["r1::n1", "r2::n2"] })
      assert.match(late.reason ?? "", /the group has changed: it is r1::n1, r2::n2 now/)
    }))

  story("that nobody asks for any more leaves a learner, which status tells of, and which can be forgotten", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      const [n1, n2, n3, n4] = nodes as [TestNode, TestNode, TestNode, TestNode]
      yield* world.tenant("t", [n1, n2, n3])
      const { epoch, next: replicas } = yield* world.ask(n1, "vr.group.plan", { tenant: "t", to: [
        { name: "r1", node: "n1" }, { name: "r2", node: "n2" }, { name: "r4", node: "n4" }
      ] })
      yield* fails(world.ask(n1, "vr.forget", { tenant: "t", replica: "r1", node: "n1" }), "conflict", /in the group: vr remove/)
      // Its primary forgets what it was asked for.
      world.hold(n1, n4)
      yield* Effect.ignore(world.ask(n2, "vr.group.ask", { tenant: "t", epoch, replicas }))
      yield* world.crash([n1])
      world.release(n1, n4)
      yield* world.start(n1)
      yield* world.until("status tells of it", Effect.map(world.status(n2), ({ problems }) =>
        problems.some(({ remedy }) => remedy === "vr forget t r4::n4")))
      yield* world.ask(n2, "vr.forget", { tenant: "t", replica: "r4", node: "n4" })
      yield* world.until("all is well", Effect.map(world.status(n2), ({ verdict }) => verdict === "OK"))
      assert.deepStrictEqual(held([n4]), [])
    }))

  story("goes on when another one is asked for meanwhile, which is refused; and is taken back by name, or whatever it is", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      const [n1, n2, n3, n4] = nodes as [TestNode, TestNode, TestNode, TestNode]
      yield* world.tenant("t", [n1])
      const first = { tenant: "t", epoch: 0, replicas: ["r1::n1", "r2::n2", "r3::n3"] }
      const second = { tenant: "t", epoch: 0, replicas: ["r1::n1", "r2::n2", "r4::n4"] }
      yield* world.stop(n3)
      const force = true
      yield* world.until("it is under way", Effect.map(world.ask(n1, "vr.group.ask", { ...first, force }), ({ stage }) =>
        stage === "catching up"))
      yield* fails(world.ask(n2, "vr.group.ask", { ...second, force }), "conflict", /it is to become r1::n1, r2::n2, r3::n3/)
      // Its own joiners go, not those of the other one.
      assert.deepStrictEqual(yield* world.ask(n2, "vr.group.withdraw", second), { withdrawn: true, reason: null })
      yield* world.until("they are gone", Effect.sync(() => held([n2, n4]).join() === "r2::n2"))
      const status = yield* world.status(n1)
      assert.deepInclude(status.problems.map(({ remedy }) => remedy), "start its node, or: vr withdraw t")
      assert.deepStrictEqual((yield* world.ask(n4, "vr.replica", { tenant: "t", replica: "r2", node: "n2" })).state, "learner")
      const withdraw = world.ask(n4, "vr.group.withdraw", { tenant: "t" })
      assert.deepStrictEqual(yield* withdraw, { withdrawn: true, reason: null })
      assert.deepStrictEqual(yield* withdraw, { withdrawn: false, reason: "no change is under way" })
      yield* world.until("all are gone", Effect.sync(() => held([n2, n4]).length === 0))
      assert.strictEqual((yield* groupOf(world, n1, "t")).epoch, 0)
    }))

  story("that is in the log needs those that it counts on: they are not let go, and it is done once one comes back", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      const [n1, n2, n3] = nodes as [TestNode, TestNode, TestNode, TestNode]
      yield* world.tenant("t", [n1])
      const tenant = yield* enter(world, [n1], "t")
      yield* write(tenant, 1, 10)
      const args = { tenant: "t", epoch: 0, replicas: ["r1::n1", "r2::n2"] }
      // It has caught up, and takes long to write the change down.
      n2.write_ms = 300
      yield* world.until("the change is in the log", Effect.map(world.ask(n1, "vr.group.ask", args), ({ done, stage }) =>
        !done && stage === "in the log"))
      yield* world.crash([n2])
      n2.write_ms = 0
      yield* world.until("status says so", Effect.map(world.status(n3), ({ problems }) =>
        problems.some(({ message }) => message.startsWith("tenant t serves no writes: its group is changing to r1::n1, r2::n2"))))
      yield* fails(world.ask(n1, "cluster.remove", { node: "n2" }), "conflict", /r2::n2 of tenant t is part of a change that is in the log/)
      const another = world.ask(n1, "vr.group.plan", { tenant: "t", add: places([n3]) })
      yield* fails(another, "conflict", /another change of the group is in the log/)
      yield* world.start(n2)
      yield* world.until("it is done", Effect.map(world.ask(n1, "vr.group.ask", args), ({ done }) => done))
      yield* write(tenant, 11, 20)
      yield* holds(tenant, 20)
    }))

  story("puts no replica on a node that is draining, or has left, whoever asks", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const [n1, n2, n3] = nodes as [TestNode, TestNode, TestNode]
      yield* world.tenant("t", [n1])
      const args = (id: string) => ({ tenant: "t", epoch: 0, replicas: ["r1::n1", id] })
      yield* world.ask(n1, "cluster.drain", { node: "n2", draining: true })
      yield* fails(world.ask(n1, "vr.group.ask", args("r2::n2")), "conflict", /n2: it is draining, or leaves/)
      yield* world.ask(n1, "cluster.leave", { node: "n3" })
      yield* fails(world.ask(n1, "vr.group.ask", args("r2::n3")), "conflict", /not a member of the cluster/)
      assert.deepStrictEqual(held([n2, n3]), [])
    }))

  story("survives the crash of all nodes, right after it and on the way", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(5)
      const [n1, n2, n3, n4] = nodes as [TestNode, TestNode, TestNode, TestNode, TestNode]
      yield* world.tenant("t", [n1, n2, n3])
      const tenant = yield* enter(world, nodes, "t")
      yield* write(tenant, 1, 50)
      const restart = Effect.andThen(world.crash(nodes), Effect.forEach(nodes, (node) => world.start(node), { concurrency: "unbounded" }))
      const { epoch, next: replicas } = yield* world.ask(n2, "vr.group.plan", { tenant: "t", off: "n1" })
      for (let round = 0; round < 6; round++) {
        yield* Effect.ignore(world.ask(n2, "vr.group.ask", { tenant: "t", epoch, replicas }))
        yield* Effect.sleep(round * 3)
        yield* restart
        yield* world.meshed(nodes)
      }
      const asked = world.ask(n4, "vr.group.ask", { tenant: "t", epoch, replicas })
      yield* world.until("the group has changed", Effect.map(asked, ({ done }) => done))
      yield* restart
      yield* world.meshed(nodes)
      yield* write(tenant, 51, 100)
      yield* holds(tenant, 100)
      yield* world.until("who has left is gone", Effect.sync(() => held(nodes).join() === replicas.join()))
      yield* world.until("all is well", Effect.map(world.status(n1), ({ verdict }) => verdict === "OK"))
    }))
})
