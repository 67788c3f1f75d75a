/**
 * Whole nodes whose tenants change their groups: what an operator asks for comes about while clients go on, and what is not
 * needed any more is gone from the disks.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { crc32 } from "node:zlib"
import { askChange, withdrawChange } from "../../src/node/Changing.ts"
import { makeGroupCalls } from "../../src/node/GroupCalls.ts"
import { Metrics } from "../../src/node/Metrics.ts"
import { answerQuestion } from "../../src/node/Questions.ts"
import { makeDispatcherInbox } from "../../src/node/Queues.ts"
import { makeReplicas } from "../../src/node/Replicas.ts"
import { describeSilent, type ReplicaData } from "../../src/node/Status.ts"
import { Journals } from "../../src/storage/Journal.ts"
import { makeMemoryDisk } from "../../src/storage/MemoryDisk.ts"
import { makeStore } from "../../src/store/Store.ts"
import type { Tenant } from "../../src/tenants/Tenants.ts"
import { encodeNextGroup } from "../../src/vr/NextGroup.ts"
import type { Input } from "../../src/vr/Replica.ts"
import type { AdminError } from "../../src/wire/AdminProtocol.ts"
import type { ChangePlan, ChangeReport, ChangeWish } from "../../src/wire/Changes.ts"
import { entry, One } from "../vr/One.ts"
import { configOf } from "./TestNode.ts"
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

const tenant: Tenant = {
  id: "6f9619ff-8b86-4d01-8b42-00cf4fc964ff", name: "t", epoch: 0, replicas: [{ name: "r1", node: "n1" }], durability: "disk",
  stamp: 1, confirmed: true, withdrawn: false, coordinator: "n1"
}

/** Its only replica, and what that one says: first of a change that is under way, then that it has come about. */
const primary = [{ ...describeSilent(tenant, "r1::n1", "busy", ""), state: "primary" as const, detail: null }]
const report = { former: [], refusal: null, stage: "none", next: null, learners: [], commit: 1, elements: 0, bytes: 0 } as const
const before: ChangeReport = { ...report, epoch: 0, replicas: ["r1::n1"], stage: "catching up", next: ["r1::n1", "r2::n2"] }
const after: ChangeReport = { ...report, epoch: 1, replicas: ["r1::n1", "r2::n2"] }

describe("a change that is taken back", () => {
  it.effect("and has come about since it was looked at: that is said, and nobody is forgotten", () =>
    Effect.gen(function*() {
      const reports = [before, after]
      const asked: Array<string> = []
      const calls = makeGroupCalls((node, method) => Effect.sync(() => {
        asked.push(`${method} at ${node}`)
        return method === "change" ? reports.shift() : true
      }))
      const args = { tenant: "t", epoch: 0, replicas: ["r1::n1", "r2::n2"] }
      const { reason, withdrawn } = yield* withdrawChange({ calls, replicas: Effect.succeed(primary) }, tenant, args)
      assert.isFalse(withdrawn)
      assert.include(reason, "the group has changed")
      assert.deepStrictEqual(asked, ["change at n1", "change at n1"])
    }))
})

describe("one that is to join", () => {
  it.effect("is started again, if it is not heard, also once the change is in the log: it may be the one that it takes", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const inLog: ChangeReport = { ...before, stage: "in the log", learners: [{ id: "r2::n2", op: 0, heard: false }] }
      const calls = makeGroupCalls((node, method) => Effect.sync(() => {
        asked.push(`${method} at ${node}`)
        return method === "change" ? inLog : null
      }))
      const args = { tenant: "t", epoch: 0, replicas: ["r1::n1", "r2::n2"] }
      const { done, stage } = yield* askChange({ calls, replicas: Effect.succeed(primary) }, tenant, args)
      assert.deepStrictEqual([done, stage], [false, "in the log"])
      assert.deepStrictEqual(asked, ["change at n1", "enlist at n2"])
    }))

  it.effect("is written and started, also if whoever asked is gone in the middle of it", () =>
    Effect.gen(function*() {
      const disk = makeMemoryDisk()
      const journals = Context.get(yield* Layer.build(Journals.layerMemory(disk, crc32)), Journals)
      const slow = Journals.of({
        ...journals,
        journal: (...of) => Effect.map(journals.journal(...of), (journal) => ({
          ...journal, write: (write) => Effect.andThen(Effect.sleep(100), journal.write(write))
        }))
      })
      const metrics = Context.get(yield* Layer.build(Metrics.layer), Metrics)
      const dispatcher = yield* makeDispatcherInbox
      const replicas = yield* Effect.provideService(makeReplicas({
        node: "n2", dispatcher, settings: { current: configOf("n2") }, metrics, adopt: () => Effect.void
      }), Journals, slow)
      const asking = yield* Effect.forkChild(replicas.enlist(tenant, "r2::n2"))
      yield* TestClock.adjust(50)
      const ending = yield* Effect.forkChild(Fiber.interrupt(asking))
      yield* TestClock.adjust(1_000)
      yield* Fiber.join(ending)
      assert.isTrue(disk.journals.has(`${tenant.id}::r2::n2`))
      assert.isTrue(replicas.local().has(tenant.id))
    }).pipe(Effect.scoped))

  it("is not forgotten once it has the change in its log, which may count already", () => {
    const one = One.learner("R3")
    const data: ReplicaData = { tenant: tenant.id, node: "n3", durability: "disk", doubt: null, store: makeStore() }
    const forget = (id = "R3", begun: number | null = null): Input | "end" | null =>
      answerQuestion({ _tag: "Forget", id, begun, answer: () => {} }, one.replica, data, one.now)
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: [entry(1)], commit: 1 })
    assert.strictEqual(forget(), "end")
    // Another one of that tenant, that was to be there before.
    assert.isNull(forget("R4"))
    const operation = encodeNextGroup({ epoch: 1, replicas: ["R0", "R1", "R3"], leaving: ["R2"] })
    one.receive("R0", { _tag: "Prepare", view: 0, first: 2, entries: [{ ...entry(2), kind: "reconfigure", operation }], commit: 1 })
    assert.strictEqual(one.replica.log.op, 2)
    assert.isNull(forget())
  })
})

const fails = <A>(asked: Effect.Effect<A, AdminError>, code: string, reason: RegExp) =>
  Effect.map(Effect.flip(asked), (error) => {
    assert.strictEqual(error.code, code)
    assert.match(error.message, reason)
  })

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
