/**
 * Tenants on disk: whoever loses its power comes back with its log, also if that are all; and a log that cannot be trusted is
 * repaired from the others, or stops its replica.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { change } from "./Groups.ts"
import { enter, holds, write } from "./Work.ts"
import { bytes, story, type TestNode, type World } from "./World.ts"

const restart = (world: World, nodes: ReadonlyArray<TestNode>) =>
  Effect.forEach(nodes, (node) => world.start(node), { discard: true, concurrency: "unbounded" })

const isWell = (world: World, nodes: ReadonlyArray<TestNode>) =>
  world.until("all is well", Effect.map(Effect.forEach(nodes, (node) => world.status(node)), (statuses) =>
    statuses.every(({ verdict }) => verdict === "OK")))

/** Three nodes that have lost their power, and a tenant of theirs, to which 1 to 10 were written. */
const crashed = Effect.fnUntraced(function*(world: World) {
  const nodes = yield* world.cluster(3)
  yield* world.tenant("t", nodes)
  const tenant = yield* enter(world, nodes, "t")
  yield* write(tenant, 1, 10)
  yield* world.crash(nodes)
  return { nodes, tenant }
})

/** As a disk that has forgotten, or garbled, what it was told. */
const damage = (node: TestNode, doubt: string): void => {
  for (const [key, stored] of node.disk.journals) node.disk.journals.set(key, { ...stored, entries: [], commit: 0, doubt })
}

describe("a cluster that loses its power", () => {
  story("serves again within 5 s, by itself, all that it has acknowledged; several times", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      yield* world.tenant("a", nodes)
      yield* world.tenant("b", nodes.slice(0, 2))
      yield* world.tenant("c", nodes.slice(2))
      const tenants = yield* Effect.forEach(["a", "b", "c"], (name) => enter(world, nodes, name))
      for (let round = 0; round < 4; round++) {
        yield* Effect.forEach(tenants, (tenant) => write(tenant, round * 20 + 1, round * 20 + 20))
        yield* world.crash(nodes)
        yield* restart(world, nodes)
        const start = yield* Clock.currentTimeMillis
        const again = yield* Effect.forEach(["a", "b", "c"], (name) => enter(world, nodes, name), { concurrency: "unbounded" })
        yield* Effect.forEach(again, (tenant) => holds(tenant, round * 20 + 20))
        assert.isBelow((yield* Clock.currentTimeMillis) - start, 5_000)
      }
      for (const node of nodes) assert.isTrue(node.logged(/starts from its own log: view \d+, op \d+, committed up to \d+/))
      yield* isWell(world, nodes)
    }))

  story("warns of a snapshot that was damaged and set aside, but not of a write that was cut short", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(1)
      yield* world.tenant("t", nodes)
      yield* isWell(world, nodes)
      yield* world.crash(nodes)
      const { journals } = nodes[0]!.disk
      for (const [key, stored] of journals) journals.set(key, { ...stored, notes: ["a write was dropped"], damage: ["it is damaged"] })
      yield* restart(world, nodes)
      yield* isWell(world, nodes)
      assert.isTrue(nodes[0]!.logged(/Info replica r1::n1 of tenant t: a write was dropped/))
      assert.isTrue(nodes[0]!.logged(/Warn replica r1::n1 of tenant t: it is damaged/))
    }))

  story("under load, at any moment: sessions go on, each write once", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      for (const node of nodes) node.write_ms = 20
      yield* world.tenant("t", nodes)
      const tenant = yield* enter(world, nodes, "t")
      for (let round = 0; round < 5; round++) {
        const writing = yield* Effect.forkChild(write(tenant, round * 100 + 1, round * 100 + 100))
        yield* Effect.sleep(3 + round * 7)
        yield* world.crash(nodes)
        yield* restart(world, nodes)
        yield* Fiber.join(writing)
        yield* holds(tenant, round * 100 + 100)
      }
    }))

  story("of durability disk and memory, serves the one, and says what became of the other", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      yield* world.tenant("kept", nodes)
      yield* world.tenant("cache", nodes, "memory")
      const listed = yield* world.ask(nodes[1]!, "vr.tenants", {})
      assert.deepStrictEqual(listed.map(({ durability, name }) => [name, durability]), [["cache", "memory"], ["kept", "disk"]])
      yield* world.crash(nodes)
      yield* restart(world, nodes)
      yield* world.until("kept has a primary", Effect.map(world.ask(nodes[0]!, "vr.primary", { tenant: "kept" }), ({ primary }) =>
        primary !== null))
      yield* world.until("it is known that cache is lost", Effect.map(world.replica(nodes[0]!, "cache"), ({ detail }) =>
        /have lost their memory/.test(detail ?? "")))
    }))
})

describe("a replica whose log cannot be trusted", () => {
  story("says so, takes part in nothing, and has all again from the others", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const [one, two, three] = nodes
      yield* world.tenant("t", nodes)
      const tenant = yield* enter(world, nodes, "t")
      yield* write(tenant, 1, 50)
      yield* world.crash(nodes)
      damage(three!, "the record behind op 17 is damaged")
      // Twice: what is not whole is still not whole after a crash amidst the recovery.
      for (let round = 0; round < 2; round++) {
        yield* restart(world, [three!])
        yield* Effect.sleep("3 seconds")
        const { detail, state } = yield* world.replica(three!, "t")
        assert.strictEqual(state, "recovery")
        const reason = round === 0
          ? /^its log is damaged: the record behind op 17 is damaged; waits for/
          : /^its log was damaged, and the recovery from its group did not come to an end; waits for/
        assert.match(detail ?? "", reason)
        const { problems } = yield* world.status(three!)
        assert.include(problems.map(({ message }) => message).join("\n"), "r3::n3 is in recovery: its log ")
        if (round === 0) yield* world.crash([three!])
      }
      assert.isTrue(three!.logged(/Warn replica r3::n3 of tenant t does not trust its own log: .* It takes part in nothing before/))
      yield* restart(world, [one!, two!])
      yield* isWell(world, nodes)
      yield* holds(tenant, 50)
      // Now it has it for good: with it and one other the group goes on, and it comes back from its own log.
      yield* world.crash([one!])
      yield* write(tenant, 51, 60)
      yield* world.crash([two!, three!])
      yield* restart(world, [two!, three!])
      yield* holds(tenant, 60)
      assert.strictEqual(three!.log.filter((line) => line.includes("starts from its own log")).length, 1)
    }))

  story("or is not there at all: it is no new voter", (world) =>
    Effect.gen(function*() {
      const { nodes, tenant } = yield* crashed(world)
      nodes[0]!.disk.journals.clear()
      yield* restart(world, nodes)
      yield* isWell(world, nodes)
      yield* holds(tenant, 10)
      assert.isTrue(nodes[0]!.logged(/its journal is not there: the disk was lost, or files were removed/))
    }))

  story("as those of the others cannot be: the group serves nothing, and says so", (world) =>
    Effect.gen(function*() {
      const { nodes, tenant } = yield* crashed(world)
      for (const node of nodes.slice(1)) damage(node, "the record behind op 3 is damaged")
      yield* restart(world, nodes)
      yield* Effect.sleep("30 seconds")
      const { problems, verdict } = yield* world.status(nodes[0]!)
      assert.strictEqual(verdict, "DOWN")
      assert.include(problems.map(({ message }) => message).join("\n"),
        "2 of 3 replicas have lost their logs, more than the 1 that this group tolerates")
      assert.strictEqual((yield* Effect.flip(tenant.get("/1")))._tag, "Unavailable")
    }))

  story("and has no peers: it stops, and says what to do; nothing is changed", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const id = yield* world.tenant("single", nodes.slice(0, 1))
      yield* world.tenant("t", nodes)
      const tenant = yield* enter(world, nodes, "t")
      yield* write(yield* enter(world, nodes, "single"), 1, 10)
      yield* world.crash(nodes)
      const key = `${id}::r1::n1`
      const sound = nodes[0]!.disk.journals.get(key)!
      nodes[0]!.disk.journals.set(key, { ...sound, entries: [], commit: 0, doubt: "the record behind op 3 is damaged" })
      yield* restart(world, nodes)
      yield* write(tenant, 1, 10)
      const { detail, state } = yield* world.replica(nodes[0]!, "single")
      assert.strictEqual(state, "failed")
      assert.match(detail ?? "", /behind op 3 is damaged; it is the only replica of its tenant/)
      assert.match(detail ?? "", /Put back the files .* or create a new tenant/)
      assert.strictEqual(nodes[0]!.disk.journals.get(key)!.doubt, "the record behind op 3 is damaged")
      yield* world.until("a problem is shown", Effect.map(world.status(nodes[1]!), ({ problems }) =>
        problems.some(({ message }) => message.includes("tenant single: replica r1::n1 is in failed: its log is damaged"))))
      // As the message says: the files put back, and started again.
      yield* world.stop(nodes[0]!)
      nodes[0]!.disk.journals.set(key, sound)
      yield* restart(world, nodes.slice(0, 1))
      yield* holds(yield* enter(world, nodes, "single"), 10)
    }))
})

describe("a disk that fails", () => {
  story("under load, on the primary's node: the others go on, and it comes back with all that it has acknowledged", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const [one] = nodes
      for (const node of nodes) node.write_ms = 10
      const id = yield* world.tenant("t", nodes)
      const tenant = yield* enter(world, nodes, "t")
      const writing = yield* Effect.forkChild(Effect.forEach(Array.from({ length: 300 }, (_, i) => i + 1), (n) =>
        tenant.create(`/${n}`, bytes(String(n))), { concurrency: 5, discard: true }))
      yield* world.until("some is written", Effect.map(world.replica(one!, "t"), ({ commit }) => commit > 50))
      one!.brokenJournals.set(id, "no space left on the disk")
      yield* Fiber.join(writing)
      yield* holds(tenant, 300)
      assert.deepInclude(yield* world.replica(one!, "t"), { state: "failed", detail: "no space left on the disk" })
      yield* world.stop(one!)
      yield* world.start(one!)
      // It does not get well by itself: opening it fails as well, and says so.
      yield* world.until("it is said", Effect.map(world.replica(one!, "t"), ({ detail, state }) =>
        state === "failed" && detail === "no space left on the disk"))
      one!.brokenJournals.clear()
      yield* world.stop(one!)
      yield* world.start(one!)
      yield* isWell(world, nodes)
    }))
})

describe("a replica that has lost its disk while its group went on", () => {
  /** r3 of n3 has acknowledged, in epoch 1, what only r1 has beside it; then its files are gone, and its node's registry is late. */
  const forgets = (world: World) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      const [n1, n2, n3, n4] = nodes as [TestNode, TestNode, TestNode, TestNode]
      yield* world.tenant("t", [n1, n2, n3])
      const tenant = yield* enter(world, [n1], "t")
      yield* write(tenant, 1, 10)
      const late = n3.disk.tenants
      const args = { tenant: "t", epoch: 0, replicas: ["r1::n1", "r3::n3", "r4::n4"] }
      yield* world.until("the group has changed", Effect.map(world.ask(n1, "vr.group.ask", args), ({ done }) => done))
      for (const other of [n1, n2, n3]) world.hold(n4, other)
      yield* write(tenant, 11, 20)
      yield* world.crash([n1, n3])
      n3.disk.journals.clear()
      n3.disk.tenants = late
      for (const other of [n1, n2, n3]) world.release(n4, other)
      return { n1, n3, n4 }
    })

  story("does not vote without what it has acknowledged, however often it starts", (world) =>
    Effect.gen(function*() {
      const { n1, n3, n4 } = yield* forgets(world)
      for (let round = 0; round < 3; round++) {
        yield* world.start(n3)
        yield* Effect.sleep(8_000)
        assert.strictEqual((yield* world.replica(n3, "t")).state, "recovery")
        yield* world.crash([n3])
      }
      yield* world.start(n1)
      yield* world.start(n3)
      yield* world.until("all are back", Effect.map(world.status(n4), ({ tenants, verdict }) =>
        verdict === "OK" && tenants[0]!.replicas_up === 3))
      yield* holds(yield* enter(world, [n3], "t"), 20)
    }), { timeout: 60_000 })

  story("recovers in the group that there is by now, without being started again", (world) =>
    Effect.gen(function*() {
      const { n1, n3, n4 } = yield* forgets(world)
      yield* world.start(n1)
      yield* world.start(n3)
      yield* world.until("it is back", Effect.map(world.replica(n3, "t"), ({ epoch, state }) => epoch === 1 && state !== "recovery"))
      yield* world.stop(n4)
      yield* holds(yield* enter(world, [n1], "t"), 20)
    }))
})

describe("a replica that joins, and loses its disk", () => {
  story("is not begun anew while the change that it has acknowledged may have been committed", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      const [n1, n2, n3, n4] = nodes as [TestNode, TestNode, TestNode, TestNode]
      yield* world.tenant("t", [n1, n2, n3])
      const tenant = yield* enter(world, [n1], "t")
      yield* write(tenant, 1, 10)
      const late = n4.disk.tenants
      for (const other of [n1, n4]) world.hold(n3, other)
      const args = { tenant: "t", epoch: 0, replicas: ["r1::n1", "r3::n3", "r4::n4"] }
      const asked = (node: TestNode) => world.ask(node, "vr.group.ask", args)
      yield* world.until("it is there", Effect.map(asked(n1), () => n4.disk.journals.size === 1))
      n4.write_ms = 3_000
      yield* world.until("the change is in the log", Effect.map(asked(n1), ({ done, stage }) => stage === "in the log" && !done))
      yield* world.until("r2 has it", Effect.map(world.replica(n1, "t"), ({ acked, op }) => acked["r2::n2"] === op))
      for (const other of [n1, n4]) world.hold(n2, other)
      n4.write_ms = 0
      yield* world.until("it is committed", Effect.map(world.replica(n1, "t"), ({ epoch }) => epoch === 1))
      yield* write(tenant, 11, 20)
      yield* world.crash([n1, n4])
      n4.disk.journals.clear()
      n4.disk.tenants = late
      for (const other of [n2, n3]) world.release(n4, other)
      yield* world.start(n4)
      for (let round = 0; round < 50; round++) {
        yield* Effect.ignore(asked(n2))
        yield* Effect.sleep(200)
      }
      assert.strictEqual(n4.disk.journals.size, 0)
      for (const other of [n2, n3, n4]) world.release(n1, other)
      yield* world.start(n1)
      yield* world.until("all are in the next epoch", Effect.map(world.status(n1), ({ tenants, verdict }) =>
        verdict === "OK" && tenants[0]!.epoch === 1 && tenants[0]!.replicas_up === 3))
      yield* holds(yield* enter(world, [n1], "t"), 20)
    }), { timeout: 60_000 })
})

describe("what was lost once, and is there again,", () => {
  for (const remove of [true, false]) {
    story(`is not forgotten when the group changes later (${remove ? "one leaves" : "one is replaced"})`, (world) =>
      Effect.gen(function*() {
        const nodes = yield* world.cluster(3)
        const [n1, n2] = nodes as [TestNode, TestNode, TestNode]
        yield* world.tenant("t", [n1, n2], "memory")
        const tenant = yield* enter(world, nodes, "t")
        yield* write(tenant, 1, 20)
        yield* world.crash([n2])
        n2.disk.journals.clear()
        yield* world.start(n2)
        yield* world.until("it has recovered", Effect.map(world.status(n1), ({ tenants, verdict }) =>
          verdict === "OK" && tenants[0]!.replicas_up === 2))
        yield* write(tenant, 21, 30)
        yield* change(world, n1, remove ? { tenant: "t", remove: [{ name: "r1", node: "n1" }] } : { tenant: "t", off: "n1" })
        yield* Effect.sleep(5_000)
        yield* holds(tenant, 30)
      }))
  }
})

describe("a node that could not write down that a tenant was created", () => {
  for (const size of [1, 3]) {
    story(`says so, and removes nothing when it starts again (${size} replicas)`, (world) =>
      Effect.gen(function*() {
        const nodes = yield* world.cluster(3)
        const [n1, n2] = nodes as [TestNode, TestNode, TestNode]
        n1.refuses = (tenants) => [...tenants.values()].some(({ confirmed }) => confirmed)
        const replicas = nodes.slice(0, size).map((node, index) => ({ name: `r${index + 1}`, node: node.name }))
        const error = yield* Effect.flip(world.ask(n1, "vr.create", { name: "t", replicas }))
        assert.match(error.message, /tenant t was created, and its creator, node n1, could not write that down: no space left/)
        const tenant = yield* enter(world, [n1], "t")
        yield* write(tenant, 1, 10)
        const { problems } = yield* world.status(n1)
        assert.match(problems[0]?.message ?? "", /node n1 cannot save what it knows of members and tenants: no space left/)
        yield* world.stop(n1)
        n1.refuses = () => false
        yield* world.start(n1)
        yield* world.until("all is well", Effect.map(world.status(n2), ({ tenants, verdict }) =>
          verdict === "OK" && tenants[0]!.replicas_up === size))
        yield* holds(yield* enter(world, [n1], "t"), 10)
      }))
  }
})
