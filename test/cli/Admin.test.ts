/**
 * `v2r2-admin`: every command against a fake node, as text, on a terminal and as JSON; errors and exit codes.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { Network } from "../../src/network/Network.ts"
import {
  AdminError, type AdminErrorCode, ClusterStatus, type CommandName, commands, type Ok, ReplicaStatus
} from "../../src/wire/AdminProtocol.ts"
import { type Answers, adminServer } from "./FakeAdminServer.ts"
import { admin } from "./Programs.ts"
import { type Situation, tabKey } from "./Terminal.ts"

const scenario = <A, E>(name: string, test: () => Effect.Effect<A, E, Network | Scope.Scope>) =>
  it.effect(name, () => Effect.scoped(test()).pipe(Effect.provide(Network.layerMemory)))

const id = "5f0c1b52-0f5f-4c55-9d5e-0c2f2f4c9d11"
const replicas = [{ name: "r1", node: "dev1" }, { name: "r2", node: "dev2" }, { name: "r3", node: "dev3" }]

const values: { readonly [C in CommandName]: Ok<C> } = {
  "config.get": { heartbeat_ms: 100, log_level: "info", advertise_host: null },
  "config.set": { key: "heartbeat_ms", value: 50 },
  "cluster.join": { members: ["dev1", "dev2"] },
  "cluster.members": [
    { name: "dev1", self: true, life: "joined", cluster: "n1:2000", admin: "n1:2001", client: "n1:2002", peer: "n1:2003" },
    { name: "dev2", self: false, life: "draining", cluster: "n2:3000", admin: "n2:3001", client: "n2:3002", peer: "n2:3003" },
    { name: "dev3", self: false, life: "dead", cluster: "n3:4000", admin: "n3:4001", client: "n3:4002", peer: "n3:4003" }
  ],
  "cluster.status": [
    { name: "dev1", life: "joined", state: "self", address: "n1:2000", since_ms: 0, reason: null },
    { name: "dev2", life: "draining", state: "disconnected", address: "n2:3000", since_ms: 1_000, reason: "refused" },
    { name: "dev3", life: "dead", state: "gone", address: "n3:4000", since_ms: 0, reason: null }
  ],
  "cluster.leave": { node: "dev2", unheard: [] },
  "cluster.remove": { node: "dev2", unheard: ["dev3"] },
  "cluster.drain": { node: "dev2", draining: true, unheard: [] },
  "vr.delete": { tenant: id, name: "orders", unheard: ["dev2", "dev3"] },
  "vr.rename": { tenant: id, name: "bills", was: "orders", unheard: [] },
  "vr.create": { id, name: "orders", epoch: 0, replicas, durability: "disk" },
  "vr.tenants": [{ id, name: "orders", epoch: 1, replicas, primary: "r1::dev1", durability: "memory" }],
  "vr.replica": {
    tenant: id, name: "r1", node: "dev1", state: "primary", durability: "disk", epoch: 1,
    replicas: ["r1::dev1", "r2::dev2"], view: 4, log_view: 4, op: 12, commit: 11,
    primary: "r1::dev1", sessions: 2, elements: 5, log_bytes: 1_000, log_base: 4,
    snapshot: { op: 9, digest: 48_879 }, detail: null, lease_ms: null, change: null, acked: { "r2::dev2": 12 }
  },
  "vr.primary": { tenant: id, primary: "r1::dev1" },
  "vr.group.plan": {
    tenant: id, name: "orders", epoch: 1, present: ["r1::dev1"], next: ["r1::dev1", "r2::dev2", "r3::dev3"],
    joins: ["r2::dev2", "r3::dev3"], leaves: [], tolerates: 0, tolerates_next: 1, down: [], elements: 5, bytes: 4_096, refusal: null
  },
  "vr.group.ask": { done: true, epoch: 2, replicas: ["r1::dev1"], stage: "none", learners: [], commit: 12, waits: null },
  "vr.group.withdraw": { withdrawn: true, reason: null },
  "vr.forget": {},
  "vr.handoff": { tenant: id, from: "r1::dev1", to: "r2::dev2" },
  "vr.stats": { counters: { "view changes": 2, "ops committed": 11 } },
  "status": {
    cluster: "prod",
    verdict: "DEGRADED",
    nodes: [
      { name: "n1", life: "joined", state: "self", address: "10.0.0.1:7004", since_ms: 0, reason: null },
      { name: "n2", life: "draining", state: "connected", address: "10.0.0.2:7004", since_ms: 0, reason: null },
      { name: "n3", life: "joined", state: "disconnected", address: "10.0.0.3:7004", since_ms: 0, reason: "refused" },
      { name: "n4", life: "left", state: "gone", address: "10.0.0.4:7004", since_ms: 0, reason: null }
    ],
    problems: [
      { message: "2 tenants cannot lose another node", remedy: "v2r2-admin n1:7001 cluster status" },
      { message: "node n3 is unreachable (10.0.0.3:7004: refused)", remedy: "start it again" },
      { message: "n1 has little memory left", remedy: null }
    ],
    tenants: [
      {
        id, name: "root", durability: "disk", primary: "r1::n1", epoch: 1, view: 4, commit: 18_210, lag: { "r2::n2": 0 },
        replicas_up: 2, replicas_total: 3, tolerates: 0
      },
      {
        id, name: null, durability: "memory", primary: null, epoch: 3, view: 19, commit: 912_004, lag: { "r1::n1": 2, "r2::n2": 7 },
        replicas_up: 2, replicas_total: 3, tolerates: 0
      }
    ],
    failover_ms_worst: 1_200
  },
  "snapshot.open": { snapshot: id, tenant: id, name: "orders", replica: "r1::dev1", op: 12, elements: 5, size: 1_000 },
  "snapshot.part": { bytes: null },
  "snapshot.close": {},
  "vr.plan": { replicas },
  "upload.begin": {},
  "upload.part": {},
  "upload.end": { op: 12, digest: 99 },
  "upload.drop": {}
}

const allAnswers = Object.fromEntries(Object.entries(values).map(([command, value]) => [command, () => Effect.succeed(value)])) as Answers

const lines: ReadonlyArray<readonly [line: string, command: CommandName, args: object]> = [
  ["config get", "config.get", { key: null }],
  ["config get log_level", "config.get", { key: "log_level" }],
  ["config set heartbeat_ms 50", "config.set", { key: "heartbeat_ms", value: "50" }],
  ["cluster join 127.0.0.1:3000", "cluster.join", { address: "127.0.0.1:3000" }],
  ["cluster members", "cluster.members", {}],
  ["cluster status", "cluster.status", {}],
  ["cluster leave dev2", "cluster.leave", { node: "dev2" }],
  ["cluster remove dev2 --dead", "cluster.remove", { node: "dev2" }],
  ["vr delete tenant orders --confirm orders", "vr.delete", { tenant: "orders" }],
  ["vr rename orders bills", "vr.rename", { tenant: "orders", name: "bills" }],
  ["vr create tenant", "vr.create", { name: null, replicas: null, durability: "disk" }],
  ["vr create tenant --name orders r1::dev1,r2::dev2,r3::dev3", "vr.create", {
    name: "orders", replicas, durability: "disk"
  }],
  ["vr create tenant --durability memory", "vr.create", { name: null, replicas: null, durability: "memory" }],
  ["vr tenants", "vr.tenants", {}],
  ["vr replica orders::r1::dev1", "vr.replica", { tenant: "orders", replica: "r1", node: "dev1" }],
  ["vr primary orders", "vr.primary", { tenant: "orders" }],
  ["vr stats", "vr.stats", {}],
  ["status", "status", {}]
]

describe("commands", () => {
  it.effect.each(lines)("%s asks the node for %s", ([line, command, args]) =>
    Effect.scoped(Effect.gen(function*() {
      const seen = yield* adminServer("n1:2001", allAnswers)
      const { exit, stderr } = yield* admin(line.split(" "))
      assert.deepStrictEqual(seen, [{ command, args } as (typeof seen)[number]])
      assert.deepStrictEqual({ exit, stderr }, { exit: command === "status" ? 1 : 0, stderr: "" })
    })).pipe(Effect.provide(Network.layerMemory)))

  it.effect.each(lines)("%s --json prints the answer, one element of a list a line", ([line, command]) =>
    Effect.scoped(Effect.gen(function*() {
      yield* adminServer("n1:2001", allAnswers)
      const { stdout } = yield* admin([...line.split(" "), "--json"])
      const printed = stdout.trimEnd().split("\n").map((text): unknown => JSON.parse(text))
      const value: unknown = Array.isArray(values[command]) ? printed : printed[0]
      const schema = commands[command].ok as Schema.Codec<unknown>
      assert.deepStrictEqual(Schema.decodeUnknownSync(schema, { onExcessProperty: "error" })(value), values[command])
    })).pipe(Effect.provide(Network.layerMemory)))
})

const shown = (line: string, terminal: boolean) =>
  Effect.gen(function*() {
    yield* adminServer("n1:2001", allAnswers)
    yield* TestClock.adjust("252 seconds")
    return (yield* admin(line.split(" "), { terminal })).stdout
  }).pipe(Effect.scoped)

describe("what is shown", () => {
  scenario("status on a terminal: the verdict, what is wrong and what helps, the tenants", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* shown("status", true), [
        "CLUSTER prod  DEGRADED  3 nodes, 2 up   failover: within 1200 ms",
        "! n3 unreachable 4m12s (10.0.0.3:7004: refused)   → start it again",
        "! 2 tenants cannot lose another node   → v2r2-admin n1:7001 cluster status",
        "! n1 has little memory left",
        "draining: n2",
        "left: n4",
        "TENANT                                PRIMARY  EPOCH/VIEW  COMMIT  LAG                REPLICAS  TOLERATES  DURABILITY",
        "root                                  r1::n1   1/4         18210   0                  2/3       0          disk",
        `${id}  none     3/19        912004  r2::n2:7,r1::n1:2  2/3       0          memory`,
        ""
      ].join("\n"))
    }))

  scenario("status in a pipe: a line for each thing, its kind first", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* shown("status", false)).trimEnd().split("\n").map((line) => line.split("\t").slice(0, 3)), [
        ["cluster", "prod", "DEGRADED"],
        ["node", "n1", "self"],
        ["node", "n2", "connected"],
        ["node", "n3", "disconnected"],
        ["node", "n4", "gone"],
        ["problem", "2 tenants cannot lose another node", "v2r2-admin n1:7001 cluster status"],
        ["problem", "node n3 is unreachable (10.0.0.3:7004: refused)", "start it again"],
        ["problem", "n1 has little memory left", ""],
        ["tenant", id, "root"],
        ["tenant", id, id]
      ])
    }))

  scenario("tables", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* shown("cluster status", true), [
        "NODE  LIFE      STATE         FOR    ADDRESS  REASON",
        "dev1  joined    self          4m12s  n1:2000",
        "dev2  draining  disconnected  4m11s  n2:3000  refused",
        "dev3  dead      gone                 n3:4000",
        ""
      ].join("\n"))
      assert.strictEqual(yield* shown("cluster members", false), [
        "dev1\tjoined\tn1:2001\tn1:2002\tn1:2000\tn1:2003\tself",
        "dev2\tdraining\tn2:3001\tn2:3002\tn2:3000\tn2:3003\t",
        "dev3\tdead\tn3:4001\tn3:4002\tn3:4000\tn3:4003\t",
        ""
      ].join("\n"))
    }))

  scenario("a replica, key by key", () =>
    Effect.gen(function*() {
      const text = yield* shown("vr replica orders::r1::dev1", false)
      assert.include(text, "state\tprimary\n")
      assert.include(text, "acked r2::dev2\t12\n")
      assert.include(text, "detail\tnone\n")
    }))

  scenario("what a script wants of a change", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* shown("vr create tenant", false), `${id}\n`)
      assert.strictEqual(yield* shown("vr rename orders bills", false), `${id}\n`)
      assert.strictEqual(yield* shown("cluster leave dev2", false), "dev2\n")
    }))

  scenario("what a person wants of it: who does not know yet", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* shown("vr rename orders bills", true), "tenant orders is called bills now\n")
      assert.strictEqual(yield* shown("cluster leave dev2", true), "node dev2 has left the cluster: stop it\n")
      assert.strictEqual(
        yield* shown("cluster remove dev2 --dead", true),
        "node dev2 is removed from the cluster as dead; not heard yet by dev3, which will once reached\n"
      )
    }))

  scenario("the primary in full", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* shown("vr primary orders", false), `${id}::r1::dev1\n`)
    }))
})

describe("deleting a tenant asks for its name again", () => {
  const deleting = (line: string, situation: Situation) =>
    Effect.gen(function*() {
      const seen = yield* adminServer("n1:2001", allAnswers)
      const ran = yield* admin(line === "" ? [] : line.split(" "), situation)
      return { ...ran, asked: seen.map(({ command }) => command) }
    }).pipe(Effect.scoped)

  const done = "tenant orders is deleted; not heard yet by dev2, dev3, which will once reached\n"

  scenario("on a terminal", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* deleting("vr delete tenant orders", { terminal: true, typing: ["orders"] }), {
        exit: 0, stdout: done, stderr: "", asked: ["vr.delete"]
      })
    }))

  scenario("and does nothing if it is another one, or none", () =>
    Effect.gen(function*() {
      const wrong = yield* deleting("vr delete tenant orders", { terminal: true, typing: ["order"] })
      assert.deepInclude(wrong, { exit: 1, stdout: "", asked: [] })
      assert.include(wrong.stderr, `error: vr delete tenant orders: "order" is not "orders"; nothing was done`)
      for (const typing of [[], [{ _tag: "Interrupt", empty: true } as const]]) {
        const none = yield* deleting("vr delete tenant orders", { terminal: true, typing })
        assert.deepInclude(none, { exit: 1, asked: [] })
        assert.include(none.stderr, "not confirmed; nothing was done")
      }
      assert.deepInclude(yield* deleting("vr delete tenant orders --confirm order", {}), { exit: 1, asked: [] })
    }))

  scenario("in the shell, whose own editor asks", () =>
    Effect.gen(function*() {
      const ran = yield* deleting("", { terminal: true, typing: ["vr delete tenant orders", "orders", "vr stats"] })
      assert.deepStrictEqual(ran.asked, ["vr.delete", "vr.stats"])
      assert.isTrue(ran.stdout.startsWith(done), ran.stdout)
    }))

  it.effect.each<readonly [string, Situation]>([
    ["vr delete tenant orders", {}],
    ["vr delete tenant orders --json", { terminal: true, typing: ["orders"] }],
    ["-", { stdin: "vr delete tenant orders\norders\n" }]
  ])("%s in %j needs --confirm: there is nobody to ask", ([line, situation]) =>
    Effect.scoped(Effect.gen(function*() {
      const ran = yield* deleting(line, situation)
      assert.deepInclude(ran, { exit: 2, stdout: "", asked: [] })
      assert.include(ran.stderr, "add --confirm orders")
    })).pipe(Effect.provide(Network.layerMemory)))
})

describe("errors and exit codes", () => {
  const codes: ReadonlyArray<readonly [AdminErrorCode, number]> = [
    ["usage", 2], ["not_found", 3], ["conflict", 4], ["denied", 5], ["unavailable", 6], ["timeout", 124], ["internal", 1]
  ]
  it.effect.each(codes)("a node's %s is %i", ([code, exit]) =>
    Effect.scoped(Effect.gen(function*() {
      yield* adminServer("n1:2001", { "vr.primary": () => Effect.fail(new AdminError({ code, message: "because of \u001b[31mthis" })) })
      const ran = yield* admin(["vr", "primary", "orders"])
      assert.deepInclude(ran, { exit, stdout: "" })
      assert.include(ran.stderr, "error: vr primary orders: because of \\u001b[31mthis")
    })).pipe(Effect.provide(Network.layerMemory)))

  it.effect.each<readonly [string, string]>([
    ["cluster join nowhere", "expected host:port"],
    ["vr create tenant r1", "expected <replica>::<node>"],
    ["vr create tenant --name -x-", "--name needs a value"],
    ["vr create tenant --name a/b", "has \"/\""],
    ["vr replica orders::r1", "expected <tenant>::<replica>::<node>"],
    ["vr primary a::b", "a name has only letters"],
    ["cluster leave a/b", "has \"/\""],
    ["cluster remove dev2", "if that is so: cluster remove dev2 --dead"],
    ["vr rename orders", "<name> is missing"],
    ["vr rename orders a/b", "has \"/\""],
    ["vr delete tenant a/b --confirm a/b", "has \"/\""],
    ["vr delete", "see: help vr delete"],
    ["vr", "\"vr\" needs a command after it, such as: vr tenants"],
    ["vr create", "see: help vr create"],
    ["vr tenents", "did you mean tenants?"],
    ["config set a", "<value> is missing"],
    ["help clusterr", "did you mean cluster?"]
  ])("%s is a usage error: %s", ([line, message]) =>
    Effect.scoped(Effect.gen(function*() {
      const seen = yield* adminServer("n1:2001", allAnswers)
      const ran = yield* admin(line.split(" "))
      assert.deepInclude(ran, { exit: 2, stdout: "" })
      assert.include(ran.stderr, message)
      assert.deepStrictEqual(seen, [])
    })).pipe(Effect.provide(Network.layerMemory)))

  scenario("no node: 6", () =>
    Effect.gen(function*() {
      const ran = yield* admin(["status"])
      assert.strictEqual(ran.exit, 6)
      assert.include(ran.stderr, "n1:2001: refused")
    }))

  scenario("a change without an answer: 7", () =>
    Effect.gen(function*() {
      yield* adminServer("n1:2001", { "vr.create": () => Effect.fail("hang up" as const) })
      const ran = yield* admin(["vr", "create", "tenant"])
      assert.strictEqual(ran.exit, 7)
      assert.include(ran.stderr, "may or may not have done this")
    }))

  const verdicts: ReadonlyArray<readonly [Ok<"status">["verdict"], number]> = [["OK", 0], ["DEGRADED", 1], ["DOWN", 6]]
  it.effect.each(verdicts)("status of %s is %i", ([verdict, exit]) =>
    Effect.scoped(Effect.gen(function*() {
      yield* adminServer("n1:2001", { status: () => Effect.succeed({ ...values.status, verdict }) })
      assert.deepInclude(yield* admin(["status", "--json"]), { exit, stderr: "" })
      assert.deepInclude(yield* admin(["-e", "status", "-e", "help"]), { exit, stderr: "" })
    })).pipe(Effect.provide(Network.layerMemory)))

  scenario("--timeout ends a command that takes longer: 124", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      yield* adminServer("n1:2001", { status: () => Effect.andThen(Deferred.succeed(asked, undefined), Effect.never) })
      const fiber = yield* Effect.forkChild(admin(["status", "--timeout", "2s"]))
      yield* Deferred.await(asked)
      yield* TestClock.adjust("3 seconds")
      const ran = yield* Fiber.join(fiber)
      assert.strictEqual(ran.exit, 124)
      assert.include(ran.stderr, "error: status: not finished within 2s")
    }))
})

describe("the shell", () => {
  scenario("completes keys, tenants and replicas", () =>
    Effect.gen(function*() {
      yield* adminServer("n1:2001", allAnswers)
      const seen: Array<ReadonlyArray<string>> = []
      const tab = (line: string) => tabKey(line, ({ hits }) => seen.push(hits))
      yield* admin([], {
        terminal: true,
        typing: [
          tab("config set h"), tab("vr primary "), tab("vr replica orders::r2"), tab("cluster j"), tab("vr create t"),
          tab("cluster leave dev2")
        ]
      })
      assert.deepStrictEqual(seen, [["heartbeat_ms "], ["orders "], ["orders::r2::dev2 "], ["join "], ["tenant "], ["dev2 "]])
    }))
})

it("the schemas of the tests are those of the protocol", () => {
  assert.deepStrictEqual(Schema.decodeUnknownSync(ClusterStatus)(values.status), values.status)
  assert.deepStrictEqual(Schema.decodeUnknownSync(ReplicaStatus)(values["vr.replica"]), values["vr.replica"])
})
