/**
 * `v2r2-admin`, where it changes groups and drains nodes: what it asks for, what it shows, and what it does when it is given up.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { Network } from "../../src/network/Network.ts"
import { AdminError, type Args, type CommandName } from "../../src/wire/AdminProtocol.ts"
import type { ChangePlan, ChangeProgress } from "../../src/wire/Changes.ts"
import { type Answers, adminServer } from "./FakeAdminServer.ts"
import { admin } from "./Programs.ts"
import type { Situation } from "./Terminal.ts"

const scenario = <A, E>(name: string, test: () => Effect.Effect<A, E, Network | Scope.Scope>) =>
  it.effect(name, () => Effect.scoped(Effect.andThen(Effect.forkScoped(Effect.forever(TestClock.adjust(50))), test())).pipe(
    Effect.provide(Network.layerMemory)
  ))

const plan: ChangePlan = {
  tenant: "5f0c1b52-0f5f-4c55-9d5e-0c2f2f4c9d11", name: "orders", epoch: 3,
  present: ["r1::dev1", "r2::dev2", "r3::dev3"], next: ["r1::dev1", "r4::dev4"], joins: ["r4::dev4"], leaves: ["r2::dev2", "r3::dev3"],
  tolerates: 1, tolerates_next: 0, down: ["r3::dev3"], elements: 1_204, bytes: 3_100_000, refusal: null
}
const under: ChangeProgress = {
  done: false, epoch: 3, replicas: plan.present, stage: "catching up", learners: [{ id: "r4::dev4", op: 30, heard: true }],
  commit: 120, waits: "r4::dev4 is at op 30 of 120"
}
const done: ChangeProgress = { ...under, done: true, epoch: 4, replicas: plan.next, stage: "none", learners: [], waits: null }

/** Answers one after the other, the last one for ever. */
const oneByOne = <A>(...answers: ReadonlyArray<A>) => {
  let next = 0
  return () => Effect.sync(() => answers[Math.min(next++, answers.length - 1)]!)
}

const usual = (): Answers => ({
  "vr.group.plan": () => Effect.succeed(plan),
  "vr.group.ask": oneByOne(under, { ...under, stage: "in the log", learners: [], waits: "a quorum has to hold it" }, done),
  "vr.group.withdraw": () => Effect.succeed({ withdrawn: true, reason: null })
})

const run = (line: string, answers: Answers = {}, situation?: Situation) =>
  Effect.gen(function*() {
    const seen = yield* adminServer("n1:2001", { ...usual(), ...answers })
    const ran = yield* admin(line.split(" "), situation)
    return { ...ran, seen, asked: seen.map(({ command }) => command) }
  }).pipe(Effect.scoped)

const wish = (seen: ReadonlyArray<{ readonly command: CommandName; readonly args: unknown }>) =>
  seen.find(({ command }) => command === "vr.group.plan")?.args as Args<"vr.group.plan">

describe("a change of the group", () => {
  const lines = [
    ["vr reconfigure orders r1::dev1,r4::dev4", { tenant: "orders", to: [{ name: "r1", node: "dev1" }, { name: "r4", node: "dev4" }] }],
    ["vr add orders dev4,r9::dev5", { tenant: "orders", add: [{ name: null, node: "dev4" }, { name: "r9", node: "dev5" }] }],
    ["vr remove orders r2::dev2", { tenant: "orders", remove: [{ name: "r2", node: "dev2" }] }],
    ["vr replace orders r2::dev2 dev4", {
      tenant: "orders", remove: [{ name: "r2", node: "dev2" }], add: [{ name: null, node: "dev4" }]
    }]
  ] as const
  for (const [line, args] of lines) {
    scenario(`${line} is planned, and asked for until it is done`, () =>
      Effect.gen(function*() {
        const { asked, exit, seen, stderr, stdout } = yield* run(line)
        assert.deepStrictEqual({ exit, stderr, stdout }, { exit: 0, stderr: "", stdout: "r1::dev1,r4::dev4\n" })
        assert.deepStrictEqual(wish(seen), args)
        assert.deepStrictEqual(asked, ["vr.group.plan", "vr.group.ask", "vr.group.ask", "vr.group.ask"])
        assert.deepStrictEqual(seen[1]?.args, { tenant: plan.tenant, epoch: 3, replicas: plan.next, force: false })
      }))
  }

  scenario("on a terminal shows what happens, how far it is, and what came of it", () =>
    Effect.gen(function*() {
      const { stderr, stdout } = yield* run("vr replace orders r2::dev2 dev4", {}, { terminal: true })
      assert.strictEqual(stdout, "the group of orders is r1::dev1, r4::dev4\n")
      for (const line of [
        "tenant orders, epoch 3",
        "  now     r1::dev1, r2::dev2, r3::dev3   (tolerates 1 failure)",
        "  next    r1::dev1, r4::dev4   (tolerates 0 failures)",
        "  joins   r4::dev4: each copies about 1204 elements, 3.1 MB",
        "  down    r3::dev3",
        "  note    it will tolerate 0 failures instead of 1",
        "orders: those that join catch up: r4::dev4 25 %",
        "orders: the change is in the log: a quorum has to hold it"
      ]) assert.include(stderr, line)
    }))

  scenario("as a dry run only says so", () =>
    Effect.gen(function*() {
      const { asked, exit, stdout } = yield* run("vr add --dry-run orders dev4", {}, { terminal: true })
      assert.deepStrictEqual([exit, asked], [0, ["vr.group.plan"]])
      assert.include(stdout, "  leaves  r2::dev2, r3::dev3: its copy of the data is removed\n")
      const { stdout: json } = yield* run("vr add --dry-run --json orders dev4")
      assert.deepStrictEqual(JSON.parse(json), { ...plan, changed: false })
    }))

  scenario("that would not serve is refused, and asked for if it is forced", () =>
    Effect.gen(function*() {
      const risky = { "vr.group.plan": () => Effect.succeed({ ...plan, refusal: "1 would be there, and 2 are needed" }) }
      const refused = yield* run("vr add orders dev4", risky)
      assert.deepStrictEqual([refused.exit, refused.asked], [4, ["vr.group.plan"]])
      assert.include(refused.stderr, "the group of orders would not serve: 1 would be there, and 2 are needed\n  start those first")
      const forced = yield* run("vr add --force orders dev4", risky)
      assert.strictEqual(forced.exit, 0)
      assert.include(forced.stderr, "at risk: 1 would be there, and 2 are needed; the change waits for them")
      assert.deepInclude(forced.seen[1]?.args, { force: true })
    }))

  scenario("is taken back when it fails, and when nobody waits any longer; what became of it is said", () =>
    Effect.gen(function*() {
      const failed = yield* run("vr add orders dev4", {
        "vr.group.ask": () => Effect.fail(new AdminError({ code: "conflict", message: "another change came first" }))
      })
      assert.deepStrictEqual([failed.exit, failed.asked.at(-1)], [4, "vr.group.withdraw"])
      assert.include(failed.stderr, "the change of orders is taken back\n")
      const late = yield* run("vr add orders dev4 --timeout 1s", {
        "vr.group.ask": () => Effect.succeed(under),
        "vr.group.withdraw": () => Effect.succeed({ withdrawn: false, reason: "it is in the log already" })
      })
      assert.deepStrictEqual([late.exit, late.asked.at(-1)], [124, "vr.group.withdraw"])
      assert.include(late.stderr, "the change of orders was not taken back: it is in the log already; see vr tenants")
    }))

  scenario("with a bad word in it is not even planned", () =>
    Effect.gen(function*() {
      for (const [line, message] of [
        ["vr reconfigure orders r1", "expected <replica>::<node>"],
        ["vr add orders dev/4", "node: a name has only letters"],
        ["vr replace orders r1::dev1 a::b::c", "expected <replica>::<node>"],
        ["vr remove or/ders r1::dev1", "a name has only letters"]
      ] as const) {
        const { asked, exit, stderr } = yield* run(line)
        assert.deepStrictEqual([exit, asked], [2, []])
        assert.include(stderr, message)
      }
    }))
})

describe("a hand-off", () => {
  const handed = { tenant: plan.tenant, from: "r1::dev1", to: "r2::dev2" }
  const led = (...primaries: ReadonlyArray<string | null>) =>
    oneByOne(...primaries.map((primary) => ({ tenant: plan.tenant, primary })))

  scenario("is waited for, until the other one leads", () =>
    Effect.gen(function*() {
      const { exit, seen, stdout } = yield* run("vr move-primary orders r2::dev2", {
        "vr.handoff": () => Effect.succeed(handed), "vr.primary": led("r1::dev1", null, "r2::dev2")
      }, { terminal: true })
      assert.deepStrictEqual([exit, stdout], [0, "the primary of orders is r2::dev2; it was r1::dev1\n"])
      assert.deepStrictEqual(seen[0]?.args, { tenant: "orders", to: { name: "r2", node: "dev2" } })
    }))

  scenario("that does not come about is no success", () =>
    Effect.gen(function*() {
      const stays = { "vr.handoff": () => Effect.succeed(handed), "vr.primary": led("r1::dev1") }
      const { exit, stderr } = yield* run("vr move-primary orders", stays)
      assert.strictEqual(exit, 4)
      assert.include(stderr, "r2::dev2 has not become the primary: it did not catch up in time")
    }))
})

scenario("vr withdraw takes back what is under way, or says why not", () =>
  Effect.gen(function*() {
    const done = yield* run("vr withdraw orders")
    assert.deepStrictEqual([done.exit, done.seen], [0, [{ command: "vr.group.withdraw", args: { tenant: "orders" } }]])
    const kept = yield* run("vr withdraw orders", {
      "vr.group.withdraw": () => Effect.succeed({ withdrawn: false, reason: "no change is under way" })
    })
    assert.strictEqual(kept.exit, 4)
    assert.include(kept.stderr, "vr withdraw orders: no change is under way")
  }))

scenario("vr forget names the replica", () =>
  Effect.gen(function*() {
    const { exit, seen } = yield* run("vr forget orders r4::dev4", { "vr.forget": () => Effect.succeed({}) })
    assert.strictEqual(exit, 0)
    assert.deepStrictEqual(seen, [{ command: "vr.forget", args: { tenant: "orders", replica: "r4", node: "dev4" } }])
  }))

describe("cluster drain", () => {
  const member = (name: string) =>
    ({ name, life: "joined", self: name === "dev1", cluster: "a:1", admin: "a:2", client: "a:3", peer: "a:4" }) as const
  const tenantOn = (...nodes: ReadonlyArray<string>) => [{
    id: plan.tenant, name: "orders", epoch: 3, durability: "disk" as const, primary: null,
    replicas: nodes.map((node) => ({ name: "r", node }))
  }]
  const whole = { ...plan, next: ["r1::dev1", "r3::dev3", "r4::dev4"], tolerates_next: 1 }
  const cluster = (): Answers => ({
    "cluster.members": () => Effect.succeed([member("dev1"), member("dev2")]),
    "cluster.drain": (args) => Effect.succeed({ ...args, unheard: [] }),
    "cluster.leave": () => Effect.succeed({ node: "dev2", unheard: [] }),
    "vr.tenants": oneByOne(tenantOn("dev1", "dev2"), tenantOn("dev1", "dev2"), tenantOn("dev1", "dev4")),
    "vr.group.plan": () => Effect.succeed(whole),
    "vr.group.ask": () => Effect.succeed(done)
  })
  const changes = (asked: ReadonlyArray<CommandName>) =>
    asked.filter((command) => !["cluster.members", "vr.tenants", "vr.group.plan"].includes(command))

  scenario("marks the node, moves each tenant, looks once more, and lets the node leave once it may", () =>
    Effect.gen(function*() {
      let tries = 0
      const { asked, exit, seen, stdout } = yield* run("cluster drain dev2", {
        ...cluster(),
        "cluster.leave": () => Effect.suspend(() => ++tries < 3
          ? Effect.fail(new AdminError({ code: "conflict", message: "node dev2 still has replicas" }))
          : Effect.succeed({ node: "dev2", unheard: ["dev3"] }))
      }, { terminal: true })
      const text = "node dev2 has left the cluster: 1 tenant moved; not heard yet by dev3, which will once reached. Stop it\n"
      assert.deepStrictEqual([exit, stdout], [0, text])
      assert.deepStrictEqual(changes(asked), ["cluster.drain", "vr.group.ask", "cluster.leave", "cluster.leave", "cluster.leave"])
      assert.deepStrictEqual(wish(seen), { tenant: plan.tenant, off: "dev2" })
    }))

  scenario("stays with --stay, does nothing as a dry run, and takes the mark away with --cancel", () =>
    Effect.gen(function*() {
      const stays = yield* run("cluster drain dev2 --stay", cluster(), { terminal: true })
      assert.strictEqual(stays.stdout, "node dev2 has no replicas: 1 tenant moved\n")
      assert.notInclude(stays.asked, "cluster.leave")
      assert.deepStrictEqual(changes((yield* run("cluster drain dev2 --dry-run", cluster())).asked), [])
      const cancelled = yield* run("cluster drain dev2 --cancel", cluster())
      assert.deepStrictEqual(cancelled.seen, [{ command: "cluster.drain", args: { node: "dev2", draining: false } }])
    }))

  scenario("moves what can be moved, and says what cannot", () =>
    Effect.gen(function*() {
      const two = [...tenantOn("dev1", "dev2"), { ...tenantOn("dev2")[0]!, id: "9f0c1b52-0f5f-4c55-9d5e-0c2f2f4c9d11", name: "ill" }]
      const { asked, exit, stderr } = yield* run("cluster drain dev2", {
        ...cluster(),
        "vr.tenants": oneByOne(two, two, two.slice(1)),
        "vr.group.plan": ({ tenant }) => tenant === plan.tenant
          ? Effect.succeed(whole)
          : Effect.fail(new AdminError({ code: "unavailable", message: "tenant ill has no primary at this moment" }))
      })
      assert.deepStrictEqual([exit, changes(asked)], [4, ["cluster.drain", "vr.group.ask"]])
      assert.include(stderr, "1 tenant moved off node dev2, which is marked; not all could be:\n  tenant ill has no primary at this moment")
    }))

  scenario("does not miss a tenant that another change has moved meanwhile", () =>
    Effect.gen(function*() {
      const { exit, stdout } = yield* run("cluster drain dev2 --stay", {
        ...cluster(),
        "vr.group.ask": () => Effect.fail(new AdminError({ code: "conflict", message: "another change of the group came first" }))
      }, { terminal: true })
      assert.deepStrictEqual([exit, stdout], [0, "node dev2 has no replicas: 0 tenants moved\n"])
    }))

  scenario("is refused where a tenant would be left with fewer, unless forced, and for a node that is none", () =>
    Effect.gen(function*() {
      const small: Answers = { ...cluster(), "vr.group.plan": () => Effect.succeed(plan) }
      const { asked, exit, stderr } = yield* run("cluster drain dev2", small)
      assert.deepStrictEqual([exit, changes(asked)], [4, []])
      assert.include(stderr, "there is no other node for the replicas of orders")
      const tenants = oneByOne(tenantOn("dev1", "dev2"), tenantOn("dev1", "dev2"), tenantOn("dev1"))
      assert.strictEqual((yield* run("cluster drain dev2 --force", { ...small, "vr.tenants": tenants })).exit, 0)
      assert.strictEqual((yield* run("cluster drain dev9", cluster())).exit, 3)
    }))
})
