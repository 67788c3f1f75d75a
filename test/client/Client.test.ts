/**
 * The client and the cluster's ordinary life: finding the primary, many calls at once, typed answers, clean ends.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Limits } from "../../src/base/Limits.ts"
import { V2R2 } from "../../src/client/index.ts"
import type { ClientMessage } from "../../src/wire/ClientProtocol.ts"
import { FakeCluster } from "./FakeServer.ts"
import { bytes, client, pass, scenario, story, timeFlows, until } from "./Scenario.ts"

const writes = (messages: ReadonlyArray<ClientMessage>) =>
  messages.filter((message) => message._tag === "Write")

describe("operations", () => {
  scenario("create, get, put, stat, list and delete", (_, tenant) =>
    Effect.gen(function*() {
      const { version } = yield* tenant.create("/a/b", bytes("1"), { parents: true })
      assert.deepStrictEqual(yield* tenant.get("/a/b"), { data: bytes("1"), version })
      const second = yield* tenant.put("/a/b", bytes("22"), { version })
      assert.isAbove(second.version, version)
      assert.deepStrictEqual(yield* tenant.stat("/a/b"), {
        type: "blob", version: second.version, created_version: version, size: 2, children: 0
      })
      assert.deepStrictEqual(yield* tenant.list("/"), {
        entries: [{ name: "a", type: "directory", version: second.version, size: 0, children: 1 }],
        next: null
      })
      yield* tenant.delete("/a", { recursive: true })
      assert.strictEqual((yield* tenant.list("/")).entries.length, 0)
    }))

  scenario("every error of the store is typed, and has a message for people", (_, tenant) =>
    Effect.gen(function*() {
      const { version } = yield* tenant.create("/a", bytes("1"))
      yield* tenant.create("/d/e", bytes(""), { parents: true })
      const failures = [
        tenant.get("/x"), tenant.create("/x/y"), tenant.create("/a"), tenant.put("/a", bytes("2"), { version: 99 }),
        tenant.get("/d"), tenant.delete("/d"), tenant.get("a"), tenant.put("/a", new Uint8Array(Limits.value_bytes_max + 1))
      ]
      const messages = yield* Effect.forEach(failures, (failure) =>
        Effect.map(Effect.flip<unknown, { readonly _tag: string; readonly message: string }, never>(failure), (error) =>
          `${error._tag}: ${error.message}`))
      assert.deepStrictEqual(messages, [
        "NotFound: /x: not found",
        "ParentNotFound: /x/y: its directory /x does not exist",
        "AlreadyExists: /a: already exists",
        `CasFailed: /a: expected version 99, it has version ${version}`,
        "WrongType: /d: expected a blob, it is a directory",
        "NotEmpty: /d: the directory is not empty (1 inside)",
        "Invalid: a: a path starts with \"/\"",
        "LimitExceeded: /a: 1048577 is more than value_bytes_max allows (1048576)"
      ])
    }))

  scenario("what can be refused here is not sent", (cluster, tenant) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(tenant.delete("/"))
      assert.strictEqual(error._tag, "Invalid")
      const untyped: { readonly put: (path: string, data: unknown) => Effect.Effect<unknown, unknown> } = tenant as never
      assert.include(String(yield* Effect.flip(untyped.put("/a", "text"))), "the data is not a Uint8Array")
      assert.strictEqual(cluster.node("n1").count("Write"), 0)
    }))

  scenario("a page's token leads to the next page, and listAll to all of them", (_, tenant) =>
    Effect.gen(function*() {
      const names = Array.from({ length: 1_050 }, (_, i) => `e${String(i).padStart(4, "0")}`)
      yield* Effect.forEach(names, (name) => tenant.create(`/${name}`), { concurrency: "unbounded" })
      const first = yield* tenant.list("/", { limit: 2 })
      const second = yield* tenant.list("/", { limit: 2, after: first.next ?? "" })
      assert.deepStrictEqual([...first.entries, ...second.entries].map(({ name }) => name), names.slice(0, 4))
      const all = yield* Stream.runCollect(tenant.listAll("/"))
      assert.deepStrictEqual(all.map(({ name }) => name), names)
    }))

  scenario("the general form gives the store's answer as it is", (_, tenant) =>
    Effect.gen(function*() {
      const written = yield* tenant.write({ _tag: "Create", path: "/a", type: "blob", data: bytes("1"), parents: false })
      assert.strictEqual(written._tag, "Written")
      const read = yield* tenant.read({ _tag: "Get", path: "/b" })
      assert.deepStrictEqual(read, { _tag: "Error", code: "NotFound", path: "/b" })
    }))

  scenario("data that came back is the caller's own", (_, tenant) =>
    Effect.gen(function*() {
      yield* tenant.create("/a", bytes("1"))
      const { data } = yield* tenant.get("/a")
      assert.strictEqual(data.buffer.byteLength, 1)
    }))

  scenario("a request that the node refuses is invalid", (cluster, tenant) =>
    Effect.gen(function*() {
      cluster.node("n1").intercept = (message) =>
        message._tag === "Write"
          ? [{ _tag: "Written", channel: message.channel, request: message.request,
            outcome: { _tag: "Refused", message: "not today" } }]
          : undefined
      const error = yield* Effect.flip(tenant.create("/a"))
      assert.strictEqual(`${error._tag}: ${error.message}`, "Invalid: /a: not today")
    }))
})

describe("many calls at once", () => {
  scenario("10,000 go through a window of 1,024, in batches", (cluster, tenant) =>
    Effect.gen(function*() {
      const node = cluster.node("n1")
      node.held = []
      const all = yield* Effect.forkChild(Effect.forEach(
        Array.from({ length: 10_000 }, (_, i) => i),
        (i) => tenant.create(`/${i}`),
        { concurrency: "unbounded" }
      ))
      yield* until("the window is full", () => node.count("Write") === Limits.session_window_max)
      const batches = node.batches
      yield* Effect.yieldNow
      assert.strictEqual(node.count("Write"), Limits.session_window_max)
      assert.isBelow(batches, 40)
      yield* cluster.release(node)
      yield* Fiber.join(all)
      assert.strictEqual(cluster.dev.executed.length, 10_000)
      assert.strictEqual(new Set(cluster.dev.executed).size, 10_000)
      assert.isBelow(node.batches, 500)
    }))

  scenario("the next writes say which answers have come", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* tenant.create("/a")
      yield* Effect.all([tenant.put("/a", bytes("1")), tenant.put("/a", bytes("2"))], { concurrency: 2 })
      yield* tenant.put("/a", bytes("3"))
      const numbers = writes(cluster.node("n1").received).map(({ request, answered }) => [request, answered])
      assert.deepStrictEqual(numbers, [[1, 0], [2, 1], [3, 1], [4, 3]])
    }))

  scenario("an interrupted call is forgotten: its number counts as answered", (cluster, tenant) =>
    Effect.gen(function*() {
      const node = cluster.node("n1")
      yield* tenant.create("/a")
      node.held = []
      const fiber = yield* Effect.forkChild(tenant.put("/a", bytes("1")))
      yield* until("it was sent", () => node.count("Write") === 2)
      yield* Fiber.interrupt(fiber)
      yield* cluster.release(node)
      yield* tenant.put("/a", bytes("2"))
      assert.deepStrictEqual((yield* tenant.get("/a")).data, bytes("2"))
      const last = writes(node.received).at(-1)
      assert.deepStrictEqual([last?.request, last?.answered], [3, 2])
    }))

  scenario("an interrupted call that was not sent is never sent", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* cluster.stop(cluster.node("n1"))
      const fiber = yield* Effect.forkChild(tenant.create("/a"))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      yield* cluster.start(cluster.node("n1"))
      yield* timeFlows
      yield* tenant.create("/b")
      assert.deepStrictEqual((yield* tenant.list("/")).entries.map(({ name }) => name), ["b"])
    }))
})

describe("tenants", () => {
  story("are listed with their replicas", Effect.gen(function*() {
    const cluster = new FakeCluster(2, ["dev", "prod"])
    yield* cluster.startAll
    const tenants = yield* Effect.flatMap(V2R2, ({ tenants }) => tenants).pipe(
      Effect.provide(V2R2.layer({ endpoints: ["host2:2"] }))
    )
    assert.deepStrictEqual(tenants.map(({ id, name }) => [id, name]), cluster.tenants.map(({ id, name }) => [id, name]))
    assert.deepStrictEqual(tenants[0]?.replicas[1], { name: "r2", node: "n2", address: "host2:2" })
  }))

  story("share one connection, and have a session each", Effect.gen(function*() {
    const cluster = new FakeCluster(3, ["dev", "prod"])
    yield* cluster.startAll
    yield* Effect.gen(function*() {
      const v2r2 = yield* V2R2
      const dev = yield* v2r2.tenant("dev")
      const prod = yield* v2r2.tenant(cluster.tenants[1]!.id)
      assert.deepStrictEqual([dev.name, prod.name, prod.id], ["dev", "prod", cluster.tenants[1]!.id])
      yield* Effect.all([dev.create("/a", bytes("dev")), prod.create("/a", bytes("prod"))], { concurrency: 2 })
      assert.deepStrictEqual((yield* prod.get("/a")).data, bytes("prod"))
      assert.deepStrictEqual((yield* dev.get("/a")).data, bytes("dev"))
    }).pipe(Effect.provide(V2R2.layer({ endpoints: ["host1:2"] })))
    assert.deepStrictEqual(cluster.nodes.map(({ connections }) => connections), [1, 0, 0])
    assert.deepStrictEqual(cluster.tenants.map(({ sessions }) => sessions.size), [1, 1])
  }))

  story("that no node knows do not exist", Effect.gen(function*() {
    const cluster = new FakeCluster(3)
    yield* cluster.startAll
    const v2r2 = yield* client(cluster, { endpoints: ["host1:2", "host2:2"] })
    const error = yield* Effect.flip(v2r2.tenant("nope"))
    assert.strictEqual(`${error._tag}: ${error.message}`, "NoSuchTenant: no tenant \"nope\": nope is unknown here")
    const asked = () => cluster.nodes.map((node) => node.count("Open"))
    assert.deepStrictEqual(asked(), [1, 1, 1])
    yield* pass(2_000)
    assert.deepStrictEqual(asked(), [1, 1, 1])
  }))

  story("with impossible names are not asked for", Effect.gen(function*() {
    const error = yield* Effect.flatMap(V2R2, (v2r2) => v2r2.tenant("no/pe")).pipe(
      Effect.flip,
      Effect.provide(V2R2.layer({ endpoints: [] }))
    )
    assert.strictEqual(error._tag, "NoSuchTenant")
  }))
})

describe("the end", () => {
  story("closes the channel, and ends the calls: sent writes in doubt, everything else undone", Effect.gen(function*() {
    const cluster = new FakeCluster(1)
    yield* cluster.startAll
    const node = cluster.node("n1")
    const scope = yield* Scope.make()
    const v2r2 = yield* client(cluster)
    const tenant = yield* Scope.provide(v2r2.tenant("dev"), scope)
    node.held = []
    const write = yield* Effect.forkChild(Effect.flip(tenant.create("/a")))
    const read = yield* Effect.forkChild(Effect.flip(tenant.get("/a")))
    yield* until("both were sent", () => node.count("Write") + node.count("Read") === 2)
    yield* Scope.close(scope, Exit.void)
    const indeterminate = yield* Fiber.join(write)
    assert.strictEqual(`${indeterminate._tag}: ${indeterminate.message}`,
      "Indeterminate: /a: it is unknown whether the write was executed (the client was closed). Read before writing again.")
    assert.strictEqual((yield* Fiber.join(read))._tag, "Unavailable")
    yield* until("the node was told", () => node.count("Close") === 1)
    const later = yield* Effect.flip(tenant.get("/a"))
    assert.include(later.message, "The client was closed.")
    assert.strictEqual((yield* Effect.flip(tenant.sessionLost)).reason, "the client was closed")
  }))

  story("leaves no connection", Effect.gen(function*() {
    const cluster = new FakeCluster(2)
    yield* cluster.startAll
    yield* Effect.flatMap(V2R2, (v2r2) => v2r2.tenant("dev")).pipe(
      Effect.flatMap((tenant) => tenant.create("/a")),
      Effect.scoped,
      Effect.provide(V2R2.layer({ endpoints: ["host2:2"] }))
    )
    yield* until("all are closed", () => cluster.nodes.every(({ open }) => open.size === 0))
  }))

  story("of the client is the end of everything", Effect.gen(function*() {
    const cluster = new FakeCluster(1)
    yield* cluster.startAll
    const scope = yield* Scope.make()
    const v2r2 = yield* Scope.provide(client(cluster), scope)
    const tenant = yield* v2r2.tenant("dev")
    cluster.primary = null
    const opening = yield* Effect.forkChild(Effect.flip(v2r2.tenant("dev")))
    yield* until("it has begun", () => cluster.node("n1").count("Open") === 2)
    yield* Scope.close(scope, Exit.void)
    const errors = [
      yield* Fiber.join(opening), yield* Effect.flip(tenant.get("/a")),
      yield* Effect.flip(v2r2.tenant("dev")), yield* Effect.flip(v2r2.tenants)
    ]
    for (const error of errors) assert.include(error.message, "The client was closed.")
  }))

  story("an idle connection is closed after a while", Effect.gen(function*() {
    const cluster = new FakeCluster(1)
    yield* cluster.startAll
    const v2r2 = yield* client(cluster)
    yield* v2r2.tenants
    assert.strictEqual(cluster.node("n1").open.size, 1)
    yield* timeFlows
    yield* until("it is closed", () => cluster.node("n1").open.size === 0)
    yield* v2r2.tenants
    assert.strictEqual(cluster.node("n1").connections, 2)
  }))
})
