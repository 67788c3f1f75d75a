/**
 * The client when there is no way back: sessions that are forgotten, time that runs out, nodes that talk nonsense.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Network } from "../../src/network/Network.ts"
import { encodeServerMessage, type ServerMessage } from "../../src/wire/ClientProtocol.ts"
import { encodeOperation } from "../../src/store/Operation.ts"
import { FakeCluster, FakeTenant } from "./FakeServer.ts"
import { bytes, client, once, pass, scenario, story, timeFlows, until, written } from "./Scenario.ts"

/** The cluster knows no session any more, and has another primary, as the node of the old one has gone. */
const forgottenAndGone = (cluster: FakeCluster): Effect.Effect<void> =>
  Effect.suspend(() => {
    cluster.dev.sessions.clear()
    cluster.primary = "n2"
    return cluster.stop(cluster.node("n1"))
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
      const nonces = cluster.node("n1").received.flatMap((message) => message._tag === "Open" ? [message.nonce.join()] : [])
      assert.strictEqual(new Set(nonces).size, 2)
      const loss = yield* Fiber.join(watcher)
      assert.strictEqual(loss.message, "session 1 of tenant dev is lost: the session was evicted")
    }))

  scenario("found when it is taken to another node: nothing was sent, so nothing is in doubt", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* tenant.create("/a")
      yield* forgottenAndGone(cluster)
      yield* Effect.yieldNow
      yield* tenant.put("/a", bytes("1"))
      assert.deepStrictEqual(cluster.dev.executed, ["1/1", "3/1"])
    }))

  scenario("with a write that was asked for in the turn of the last answer: it was sent to a node that had just gone", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* tenant.create("/a")
      yield* forgottenAndGone(cluster)
      const error = yield* Effect.flip(tenant.put("/a", bytes("1")))
      assert.strictEqual(error._tag, "Indeterminate")
      assert.deepStrictEqual(cluster.dev.executed, ["1/1"])
    }))

  scenario("with its tenant: a new one of the same name is not taken for it", (cluster, tenant) =>
    Effect.gen(function*() {
      yield* tenant.create("/a")
      const impostor = new FakeTenant("00000000-0000-4000-8000-00000000000f", cluster.dev.name)
      impostor.open(new Uint8Array(16))
      impostor.write(1, 2, 0, encodeOperation({ _tag: "Create", path: "/b", type: "directory", data: new Uint8Array(0), parents: false }))
      cluster.tenants.splice(0, 1, impostor)
      cluster.primary = "n2"
      yield* cluster.stop(cluster.node("n1"))
      const write = yield* Effect.forkChild(Effect.flip(tenant.create("/c")))
      yield* timeFlows
      yield* Fiber.join(write)
      assert.deepStrictEqual(impostor.executed, ["1/2"])
    }))

  scenario("found at another node with a write in doubt: nobody waits for an answer that cannot come", (cluster, tenant) =>
    Effect.gen(function*() {
      const node = cluster.node("n1")
      node.intercept = (message) => message._tag === "Write" ? "ignore" : undefined
      const write = yield* Effect.forkChild(Effect.flip(tenant.create("/a")))
      yield* until("it was sent", () => node.count("Write") === 1)
      cluster.dev.sessions.clear()
      cluster.primary = "n2"
      yield* cluster.cut(node)
      assert.strictEqual((yield* Fiber.join(write))._tag, "Indeterminate")
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

  scenario("with answers still to come, and then the connection too: the others are in doubt at once", (cluster, tenant) =>
    Effect.gen(function*() {
      const node = cluster.node("n1")
      yield* tenant.create("/a")
      node.intercept = (message) => {
        if (message._tag !== "Write") return undefined
        if (message.request === 2) return "ignore"
        node.intercept = () => undefined
        return written(message, { _tag: "NoSession", message: "evicted" })
      }
      const doubtful = yield* Effect.forkChild(Effect.flip(tenant.create("/b")))
      const fine = yield* Effect.forkChild(tenant.create("/c"))
      yield* until("both were sent", () => node.count("Write") === 3)
      cluster.dev.sessions.clear()
      yield* Effect.yieldNow
      yield* cluster.cut(node)
      cluster.primary = "n2"
      assert.strictEqual((yield* Fiber.join(doubtful))._tag, "Indeterminate")
      yield* Fiber.join(fine)
    }))

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
    for (const error of [yield* Fiber.join(tenant), yield* Fiber.join(tenants)]) {
      assert.strictEqual(error._tag, "Unavailable")
      assert.include(error.message, "host1:2: refused; host2:2: timed out")
    }
  }))

  story("for a tenant that one node knows, and others do not yet", Effect.gen(function*() {
    const cluster = new FakeCluster(3)
    yield* cluster.startAll
    for (const node of cluster.nodes) {
      node.intercept = (message) =>
        message._tag !== "Open" ? undefined : [{
          _tag: "Failed",
          channel: message.channel,
          outcome: node.name === "n1" ? { _tag: "Retry", ms: 100, reason: "no primary yet" }
            : { _tag: "NoTenant", message: "never heard of it" }
        }]
    }
    yield* timeFlows
    const error = yield* Effect.flatMap(client(cluster), (v2r2) => Effect.flip(v2r2.tenant("dev")))
    assert.strictEqual(error._tag, "Unavailable")
    assert.include(error.message, "host1:2: no primary yet; host2:2: never heard of it")
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

  story("also for who enters a tenant through a node that reads nothing, though a last word cannot be said", Effect.gen(function*() {
    const cluster = new FakeCluster(1)
    yield* cluster.startAll
    const network = yield* Network
    let hello = true
    const deaf = Network.of({
      listen: network.listen,
      connect: (address) => Effect.map(network.connect(address), ({ write, ...rest }) => ({
        ...rest,
        write: (chunks) => {
          const written = hello ? write(chunks) : Effect.never
          hello = false
          return written
        }
      }))
    })
    const v2r2 = yield* Effect.provideService(client(cluster, { deadline: 1_000 }), Network, deaf)
    const entering = yield* Effect.forkChild(Effect.flip(v2r2.tenant("dev")))
    yield* pass(1_000)
    assert.isFalse(hello)
    assert.isDefined(entering.pollUnsafe(), "it has ended")
    assert.strictEqual((yield* Fiber.join(entering))._tag, "Unavailable")
    // Or the end of this test would wait for it.
    yield* pass(600)
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
