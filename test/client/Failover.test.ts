/**
 * The client and everything that goes wrong: primaries that move, connections that die with answers on them, nodes that
 * say nothing or nonsense, sessions that are forgotten, and time that runs out.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { type ClientMessage, encodeServerMessage, type Outcome, type ServerMessage } from "../../src/wire/ClientProtocol.ts"
import { FakeCluster, type FakeNode, type Reaction } from "./FakeServer.ts"
import { bytes, client, pass, scenario, story, timeFlows, until } from "./Scenario.ts"

const written = (message: ClientMessage, outcome: Outcome): Reaction =>
  message._tag === "Write" ? [{ _tag: "Written", channel: message.channel, request: message.request, outcome }] : undefined

/** Lets the node answer the next write in this way, and the others as usual. */
const once = (node: FakeNode, react: (message: ClientMessage) => Reaction): void => {
  node.intercept = (message) => {
    if (message._tag !== "Write") return undefined
    node.intercept = () => undefined
    return react(message)
  }
}

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
      once(cluster.node("n2"), (message) => {
        cluster.primary = "n1"
        return written(message, { _tag: "Redirect", address: "behind.a.nat:2", node: "n1" })
      })
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

describe("a session is lost", () => {
  scenario("while nobody calls: a write goes on in a new one, and whoever watches hears of it", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* tenant.create("/a")
      const watcher = yield* Effect.forkChild(Effect.flip(tenant.sessionLost))
      yield* Effect.yieldNow
      cluster.dev.sessions.clear()
      yield* tenant.put("/a", bytes("1"))
      assert.strictEqual((yield* tenant.get("/a")).data.length, 1)
      assert.deepStrictEqual(cluster.dev.executed, ["1/1", "3/1"])
      const loss = yield* Fiber.join(watcher)
      assert.strictEqual(loss.message, "session 1 of tenant dev is lost: the session was evicted")
    }))

  scenario("found when it is taken to another node: nothing was sent, so nothing is in doubt", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* tenant.create("/a")
      cluster.dev.sessions.clear()
      cluster.primary = "n2"
      yield* cluster.stop(cluster.node("n1"))
      yield* tenant.put("/a", bytes("1"))
      assert.deepStrictEqual(cluster.dev.executed, ["1/1", "3/1"])
    }))

  scenario("a write that had been sent before is in doubt; reads and later writes go on", (cluster, tenant) =>
    Effect.gen(function*() {
      const node = cluster.node("n1")
      yield* tenant.create("/a")
      node.intercept = () => "ignore"
      const write = yield* Effect.forkChild(Effect.flip(tenant.put("/a", bytes("1"))))
      const read = yield* Effect.forkChild(tenant.get("/a"))
      yield* timeFlows
      yield* until("both were sent", () => node.count("Write") + node.count("Read") === 3)
      cluster.dev.sessions.clear()
      node.intercept = () => undefined
      yield* cluster.cut(node)
      const later = yield* tenant.put("/a", bytes("2"))
      assert.strictEqual((yield* Fiber.join(read)).data.length <= 1, true)
      const error = yield* Fiber.join(write)
      assert.strictEqual(error._tag, "Indeterminate")
      assert.include(error.message, "the cluster has forgotten the session")
      assert.strictEqual((yield* tenant.stat("/a")).version, later.version)
    }), { nodes: 1 })

  scenario("with a window full of writes under way: each answer says which of them were not executed", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* tenant.create("/a")
      cluster.dev.sessions.clear()
      const paths = Array.from({ length: 300 }, (_, i) => `/${i}`)
      yield* Effect.forEach(paths, (path) => tenant.create(path), { concurrency: "unbounded" })
      assert.strictEqual(new Set(cluster.dev.executed).size, 301)
      assert.strictEqual(cluster.dev.sessions.size, 1)
    }))
})

describe("time runs out", () => {
  scenario("a sent write is in doubt, a read is not", (cluster, tenant) =>
    Effect.gen(function*() {
      const node = cluster.node("n1")
      node.held = []
      const write = yield* Effect.forkChild(Effect.flip(tenant.create("/a")))
      const read = yield* Effect.forkChild(Effect.flip(tenant.get("/a")))
      yield* pass(4_990)
      assert.strictEqual(write.pollUnsafe(), undefined)
      yield* pass(20)
      assert.include((yield* Fiber.join(write)).message, "(no answer within 5000 ms)")
      const unavailable = yield* Fiber.join(read)
      assert.strictEqual(unavailable._tag, "Unavailable")
      assert.include(unavailable.message, "host1:2: connected, but it does not answer")
      // The session is not harmed: what comes late is nobody's.
      yield* cluster.release(node)
      yield* tenant.create("/b")
    }), { nodes: 1 })

  scenario("a write that was never sent is not in doubt; every node and its reason is listed", (cluster, tenant) =>
    Effect.gen(function*() {
      for (const node of cluster.nodes) yield* cluster.stop(node)
      const write = yield* Effect.forkChild(Effect.flip(tenant.create("/a")))
      yield* pass(5_010)
      const error = yield* Fiber.join(write)
      assert.strictEqual(`${error._tag}: ${error.message}`,
        "Unavailable: unavailable (host1:2: refused; host2:2: refused; host3:2: refused). " +
          "Is a node running there? Check the addresses, or start the nodes.")
    }))

  scenario("but not if a node comes back before", (cluster, tenant) =>
    Effect.gen(function*() {
      for (const node of cluster.nodes) yield* cluster.stop(node)
      const write = yield* Effect.forkChild(tenant.create("/a"))
      yield* pass(4_000)
      yield* cluster.start(cluster.node("n1"))
      yield* pass(700)
      yield* Fiber.join(write)
    }))

  story("for whoever wants to enter a tenant", Effect.gen(function*() {
    const cluster = new FakeCluster(2)
    yield* cluster.start(cluster.node("n2"))
    cluster.node("n2").running.closeUnsafe()
    const v2r2 = yield* client(cluster, { deadline: "3 seconds" })
    const tenant = yield* Effect.forkChild(Effect.flip(v2r2.tenant("dev")))
    const tenants = yield* Effect.forkChild(Effect.flip(v2r2.tenants))
    yield* pass(3_010)
    for (const fiber of [tenant, tenants]) {
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag, "Unavailable")
      assert.include(error.message, "host1:2: refused; host2:2: timed out")
    }
  }))

  story("in the wrong cluster, or without an endpoint", Effect.gen(function*() {
    const cluster = new FakeCluster(1)
    yield* cluster.startAll
    yield* timeFlows
    const wrong = yield* Effect.flatMap(client(cluster, { cluster: "prod" }), (v2r2) => Effect.flip(v2r2.tenants))
    assert.include(wrong.message, "host1:2: wrong cluster: got \"prod\", expected \"test\"")
    const none = yield* Effect.flatMap(client(cluster, { endpoints: [] }), (v2r2) => Effect.flip(v2r2.tenants))
    assert.include(none.message, "give the client address of at least one node")
  }))
})

describe("a node talks nonsense", () => {
  const frame = (...content: ReadonlyArray<number>) => Uint8Array.of(0, 0, 0, content.length, ...content)

  for (const [what, garbage] of [
    ["bytes that are no message", frame(0xc1, 2, 3)],
    ["a frame that is too long", Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
    ["half a message", frame(0x95, 3, 1)]
  ] as const) {
    scenario(`${what}: the connection is given up, others are asked`, (cluster, tenant) =>
      Effect.gen(function*() {
        once(cluster.node("n1"), () => {
          cluster.primary = "n2"
          return garbage
        })
        yield* tenant.create("/a")
        assert.deepStrictEqual(cluster.dev.executed, ["1/1"])
      }))
  }

  scenario("messages of a type from the future, complaints and answers to nobody are passed over", (cluster, tenant) =>
    Effect.gen(function*() {
      const node = cluster.node("n1")
      const odd: ReadonlyArray<ServerMessage> = [
        { _tag: "Unknown", type: 42 },
        { _tag: "Error", message: "what was that?" },
        { _tag: "Pong", id: 999 },
        { _tag: "Written", channel: 999, request: 1, outcome: { _tag: "Ok", result: bytes("") } },
        { _tag: "Written", channel: 1, request: 999, outcome: { _tag: "Stale", message: "" } },
        { _tag: "Opened", channel: 1, session: 77, tenant: "x" }
      ]
      once(node, () => {
        const frames = odd.map(encodeServerMessage)
        return Uint8Array.from(frames.flatMap((frame) => [...frame]))
      })
      const write = yield* Effect.forkChild(tenant.create("/a"))
      yield* until("it was sent", () => node.count("Write") === 1)
      yield* cluster.cut(node)
      yield* timeFlows
      yield* Fiber.join(write)
      assert.deepStrictEqual(cluster.dev.executed, ["1/1"])
    }), { nodes: 1 })

  scenario("a result that cannot be read leaves a write in doubt", (cluster, tenant) =>
    Effect.gen(function*() {
      cluster.node("n1").intercept = (message) => written(message, { _tag: "Ok", result: bytes("?") })
      const error = yield* Effect.flip(tenant.create("/a"))
      assert.strictEqual(error._tag, "Indeterminate")
      assert.include(error.message, "not a result")
    }))
})
