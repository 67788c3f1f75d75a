/**
 * The client when the cluster changes under it: primaries that move, nodes that ask to wait, connections that die with
 * answers on them.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import { encodeServerMessage } from "../../src/wire/ClientProtocol.ts"
import { FakeCluster, FakeNode } from "./FakeServer.ts"
import { bytes, client, once, pass, scenario, story, timeFlows, until, written } from "./Scenario.ts"

/** The write is executed, and its answer lost with the connection. */
const executeAndHangUp = (cluster: FakeCluster, node: FakeNode): void =>
  once(node, (message) => {
    if (message._tag === "Write") cluster.dev.write(1, message.request, message.answered, message.operation)
    return "hang up"
  })

describe("the primary moves", () => {
  story("a redirect leads to it, over one connection for each node in use", Effect.gen(function*() {
    const cluster = new FakeCluster(3)
    yield* cluster.startAll
    cluster.primary = "n3"
    const tenant = yield* Effect.flatMap(client(cluster), (v2r2) => v2r2.tenant("dev"))
    yield* tenant.create("/a")
    assert.deepStrictEqual(cluster.nodes.map(({ connections }) => connections), [1, 0, 1])
  }))

  story("of a tenant that is younger than the only connection, whose node dies then", Effect.gen(function*() {
    const cluster = new FakeCluster(2)
    yield* cluster.startAll
    const v2r2 = yield* client(cluster, { endpoints: ["host1:2"] })
    const node = cluster.node("n1")
    node.intercept = (message) => message._tag === "Tenants" ? [{ _tag: "Tenants", id: message.id, tenants: [] }] : undefined
    yield* timeFlows
    assert.deepStrictEqual(yield* v2r2.tenants, [])
    node.intercept = () => undefined
    const tenant = yield* v2r2.tenant("dev")
    yield* tenant.create("/a")
    cluster.primary = "n2"
    yield* cluster.stop(cluster.node("n1"))
    yield* tenant.put("/a", bytes("1"))
  }))

  scenario("between two calls", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* tenant.create("/a")
      cluster.primary = "n2"
      yield* Effect.forEach(["1", "2", "3"], (text) => tenant.put("/a", bytes(text)), { concurrency: 3 })
      assert.deepStrictEqual((yield* tenant.get("/a")).data, bytes("3"))
      assert.deepStrictEqual(cluster.dev.executed, ["1/1", "1/2", "1/3", "1/4"])
      assert.strictEqual(cluster.node("n2").count("Open"), 0)
      assert.strictEqual(cluster.node("n1").count("Close"), 1)
    }))

  scenario("to a node that is found by one request, not by a window full", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* tenant.create("/a")
      cluster.primary = "n3"
      cluster.node("n2").intercept = (message) =>
        written(message, { _tag: "Redirect", address: "host3:2", node: "n3" })
      cluster.node("n1").intercept = (message) =>
        written(message, { _tag: "Redirect", address: "host2:2", node: "n2" })
      // n2 takes the session without a word, as a backup does.
      const bind = cluster.node("n2").intercept
      cluster.node("n2").intercept = (message) => message._tag === "Attach" ? [] : bind(message)
      const paths = Array.from({ length: 200 }, (_, i) => `/${i}`)
      yield* Effect.forEach(paths, (path) => tenant.create(path), { concurrency: "unbounded" })
      assert.strictEqual(cluster.node("n2").count("Write"), 1)
      assert.strictEqual(new Set(cluster.dev.executed).size, cluster.dev.executed.length)
    }))

  scenario("and nobody is it for a while", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* tenant.create("/a")
      cluster.primary = null
      yield* cluster.stop(cluster.node("n1"))
      const write = yield* Effect.forkChild(tenant.put("/a", bytes("1")))
      yield* pass(700)
      cluster.primary = "n3"
      yield* pass(700)
      yield* Fiber.join(write)
      assert.deepStrictEqual(cluster.dev.executed, ["1/1", "1/2"])
    }))

  scenario("and a redirect leads to a node that is gone: the others are asked", (cluster, tenant) =>
    Effect.gen(function*() {
      once(cluster.node("n1"), (message) => {
        cluster.primary = "n3"
        return written(message, { _tag: "Redirect", address: "nowhere:2", node: "n9" })
      })
      yield* timeFlows
      yield* tenant.create("/a")
      assert.deepStrictEqual(cluster.dev.executed, ["1/1"])
    }))

  scenario("a known node is called at the address that worked, whatever it advertises", (cluster, tenant) =>
    Effect.gen(function*() {
      cluster.primary = "n2"
      yield* tenant.create("/a")
      const there = new FakeNode("n1", "behind.a.nat:2")
      yield* cluster.start(there)
      once(cluster.node("n2"), (message) => {
        cluster.primary = "n1"
        return written(message, { _tag: "Redirect", address: there.address, node: "n1" })
      })
      yield* tenant.put("/a", bytes("1"))
      assert.strictEqual(there.connections, 0)
      assert.deepStrictEqual(cluster.dev.executed, ["1/1", "1/2"])
    }))
})

describe("a node moves", () => {
  scenario("to another address: it is found where it says that it is, once it is gone from where it was", (cluster, tenant) =>
    Effect.gen(function*() {
      const node = cluster.node("n1")
      yield* tenant.create("/a")
      yield* cluster.stop(node)
      node.address = "moved1:2"
      yield* cluster.start(node)
      yield* timeFlows
      yield* tenant.put("/a", bytes("1"))
      assert.deepStrictEqual(cluster.dev.executed, ["1/1", "1/2"])
    }))
})

describe("a node asks to wait", () => {
  scenario("with one request: it is sent again with its number, and the others go on", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* tenant.create("/a")
      once(cluster.node("n1"), (message) => written(message, { _tag: "Retry", ms: 40, reason: "overloaded" }))
      yield* timeFlows
      yield* Effect.forEach(["/b", "/c", "/d"], (path) => tenant.create(path), { concurrency: 3 })
      assert.deepStrictEqual([...cluster.dev.executed].sort(), ["1/1", "1/2", "1/3", "1/4"])
      assert.strictEqual(cluster.node("n1").connections, 1)
      assert.strictEqual(cluster.node("n1").count("Attach"), 0)
    }))

  scenario("again and again: others are asked", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* tenant.create("/a")
      cluster.node("n1").intercept = (message) => written(message, { _tag: "Retry", ms: 40, reason: "no primary known" })
      cluster.primary = "n2"
      yield* timeFlows
      yield* tenant.put("/a", bytes("1"))
      assert.isAtMost(cluster.node("n1").count("Write"), 5)
    }))

  scenario("until the deadline: nothing was done, and the error says why", (cluster, tenant) =>
    Effect.gen(function*() {
      cluster.primary = null
      const error = yield* Effect.forkChild(Effect.flip(tenant.create("/a")))
      yield* pass(5_000)
      const { _tag, message } = yield* Fiber.join(error)
      assert.strictEqual(_tag, "Unavailable")
      assert.include(message, "host2:2: no primary known")
      assert.include(message, "majority")
    }))
})

describe("a connection is lost", () => {
  scenario("with the answer to a write: it is sent again, and executed once", (cluster, tenant) =>
    Effect.gen(function*() {
      const node = cluster.node("n1")
      executeAndHangUp(cluster, node)
      yield* timeFlows
      const { version } = yield* tenant.create("/a")
      assert.strictEqual((yield* tenant.stat("/a")).version, version)
      assert.deepStrictEqual(cluster.dev.executed, ["1/1"])
      const tags = node.received.map(({ _tag }) => _tag).filter((tag) => tag !== "Tenants")
      assert.deepStrictEqual(tags, ["Open", "Write", "Attach", "Ping", "Write", "Read"])
    }), { nodes: 1 })

  scenario("for ever: the write goes on at the next primary, with its number", (cluster, tenant) =>
    Effect.gen(function*() {
      once(cluster.node("n1"), (message) => {
        if (message._tag === "Write") cluster.dev.write(1, message.request, message.answered, message.operation)
        cluster.primary = "n3"
        Effect.runFork(cluster.stop(cluster.node("n1")))
        return "ignore"
      })
      const { version } = yield* tenant.create("/a")
      assert.strictEqual((yield* tenant.stat("/a")).version, version)
      assert.deepStrictEqual(cluster.dev.executed, ["1/1"])
    }))

  scenario("with 200 calls under way: each is executed once, and all are answered", (cluster, tenant) =>
    Effect.gen(function*() {
      const node = cluster.node("n1")
      node.held = []
      const paths = Array.from({ length: 200 }, (_, i) => `/${i}`)
      const all = yield* Effect.forkChild(Effect.forEach(paths, (path) => tenant.create(path), { concurrency: "unbounded" }))
      yield* until("all are sent", () => node.count("Write") === 200)
      node.held = null
      cluster.primary = "n2"
      yield* cluster.cut(node)
      yield* Fiber.join(all)
      assert.strictEqual(cluster.dev.executed.length, 200)
      assert.deepStrictEqual((yield* tenant.list("/")).entries.length, 200)
    }))

  scenario("by a node that has stopped: silence for two seconds is enough", (cluster, tenant) =>
    Effect.gen(function*() {
      const node = cluster.node("n1")
      yield* tenant.create("/a")
      node.running.closeUnsafe()
      cluster.primary = "n2"
      const write = yield* Effect.forkChild(tenant.put("/a", bytes("1")))
      yield* until("it was sent", () => node.open.size > 0)
      yield* pass(1_990)
      assert.strictEqual(write.pollUnsafe(), undefined)
      yield* pass(300)
      yield* Fiber.join(write)
      assert.deepStrictEqual(cluster.dev.executed, ["1/1", "1/2"])
    }))

  scenario("by a node that stops at the first request, though no call waits for so long: others are asked", (cluster, tenant) =>
    Effect.gen(function*() {
      const node = cluster.node("n2")
      cluster.primary = "n2"
      once(node, () => {
        node.running.closeUnsafe()
        cluster.primary = "n3"
        return "ignore"
      })
      yield* timeFlows
      assert.strictEqual((yield* Effect.flip(tenant.create("/a")))._tag, "Indeterminate")
      // What waits behind that request has no number, so nobody seems to owe it an answer.
      yield* tenant.create("/b").pipe(Effect.retry({ times: 10 }))
    }), { deadline: "500 millis" })

  scenario("by a node that has stopped, though calls wait for less, with pauses: others are asked", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* tenant.create("/a")
      cluster.node("n1").running.closeUnsafe()
      cluster.primary = "n2"
      yield* timeFlows
      const again = Schedule.spaced("600 millis")
      yield* tenant.create("/b").pipe(Effect.retry({ times: 10, schedule: again }))
    }), { deadline: "500 millis" })

  scenario("never by a node that is only slow: it answers pings, and the others say that it is the primary", (cluster, tenant) =>
    Effect.gen(function*() {
      const node = cluster.node("n1")
      node.held = []
      const write = yield* Effect.forkChild(tenant.create("/a"))
      yield* pass(4_700)
      assert.isAtLeast(node.count("Ping"), 2)
      yield* cluster.release(node)
      yield* Fiber.join(write)
      assert.strictEqual(node.connections, 1)
      assert.deepStrictEqual(cluster.dev.executed, ["1/1"])
    }))

  scenario("not, but its node takes requests and answers none: another is the primary", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* tenant.create("/a")
      const node = cluster.node("n1")
      node.intercept = (message) => message._tag === "Write" ? "ignore" : undefined
      const write = yield* Effect.forkChild(tenant.put("/a", bytes("1")))
      yield* until("it was sent", () => node.count("Write") === 2)
      cluster.primary = "n2"
      yield* pass(1_900)
      assert.strictEqual(write.pollUnsafe(), undefined)
      yield* pass(500)
      yield* Fiber.join(write)
    }))

  story("by a node that stops before it opens a session", Effect.gen(function*() {
    const cluster = new FakeCluster(2, ["dev", "prod"])
    yield* cluster.startAll
    const v2r2 = yield* client(cluster)
    yield* v2r2.tenant("dev")
    cluster.node("n1").running.closeUnsafe()
    cluster.primary = "n2"
    yield* timeFlows
    const prod = yield* v2r2.tenant("prod")
    yield* prod.create("/a")
  }))

  story("never by a node that takes its time to list tenants", Effect.gen(function*() {
    const cluster = new FakeCluster(1)
    yield* cluster.startAll
    const node = cluster.node("n1")
    const v2r2 = yield* client(cluster)
    const ids: Array<number> = []
    node.intercept = (message) => {
      if (message._tag !== "Tenants") return undefined
      ids.push(message.id)
      return "ignore"
    }
    const tenants = yield* Effect.forkChild(v2r2.tenants)
    yield* pass(4_000)
    for (const id of ids) yield* node.newest!.send([encodeServerMessage({ _tag: "Tenants", id, tenants: [] })])
    assert.deepStrictEqual(yield* Fiber.join(tenants), [])
    assert.strictEqual(node.connections, 1)
  }))

  scenario("while nobody calls: the next call finds another way", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* cluster.stop(cluster.node("n1"))
      cluster.primary = "n3"
      yield* pass(60_000)
      assert.strictEqual(cluster.node("n2").connections, 0)
      yield* tenant.create("/a")
    }))

  story("and the other nodes are known from the first one", Effect.gen(function*() {
    const cluster = new FakeCluster(3)
    yield* cluster.startAll
    const v2r2 = yield* client(cluster, { endpoints: ["host1:2"] })
    const tenant = yield* v2r2.tenant("dev")
    yield* tenant.create("/a")
    yield* cluster.stop(cluster.node("n1"))
    cluster.primary = "n3"
    yield* tenant.create("/b")
    assert.strictEqual((yield* v2r2.tenants).length, 1)
  }))
})
