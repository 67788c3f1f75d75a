/**
 * What a node answers to clients that came to the wrong place, or at the wrong time: who to ask, or when. And what a
 * primary that lost the others must not answer.
 *
 * @module
 */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { connectFramed } from "../../src/network/Framed.ts"
import { Network } from "../../src/network/Network.ts"
import { decodeResult } from "../../src/store/Operation.ts"
import type { ClientMessage, Outcome, ServerMessage } from "../../src/wire/ClientProtocol.ts"
import { decodeHello, type Hello, makeHello } from "../../src/wire/Hello.ts"
import { create, enter, get, open, put, type RawClient, rawClient } from "./RawClient.ts"
import { bytes, story, text } from "./World.ts"

const outcomeOf = (message: { readonly _tag: string } | ServerMessage): Outcome => {
  if (!("outcome" in message)) throw new Error(`no outcome in ${message._tag}`)
  return message.outcome
}

/** The value that was read, or what there was instead. */
const valueIn = (outcome: Outcome): string => {
  if (outcome._tag !== "Ok") return outcome._tag
  const result = decodeResult(outcome.result)
  return result._tag === "Value" ? text(result.data) : result._tag
}

/** Sends one message and waits for the next one. */
const ask = (client: RawClient, message: ClientMessage) =>
  Effect.map(Effect.andThen(client.send(message), client.next), outcomeOf)

describe("who to ask instead", () => {
  story("a node without a replica names one that has one", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(4)
      yield* world.tenant("t", nodes.slice(1))
      const client = yield* rawClient(world, nodes[0]!)
      assert.deepStrictEqual(yield* ask(client, open("t")), { _tag: "Redirect", address: "n2:2002", node: "n2" })
    }))

  story("a backup names the primary: to a newcomer, to a writer, to a reader", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      yield* world.tenant("t", nodes)
      const primary = yield* rawClient(world, nodes[0]!)
      const { session } = yield* enter(primary, "t")
      const client = yield* rawClient(world, nodes[2]!)
      const redirect = { _tag: "Redirect", address: "n1:2002", node: "n1" } as const
      assert.deepStrictEqual(yield* ask(client, open("t", 2)), redirect)
      yield* client.send({ _tag: "Attach", channel: 1, tenant: "t", session })
      assert.deepStrictEqual(yield* ask(client, create(1, "/a")), redirect)
      assert.deepStrictEqual(yield* ask(client, get(1, "/a")), redirect)
      // Nothing was done: the same request, at the right place, is executed now.
      assert.strictEqual((yield* ask(primary, create(1, "/a")))._tag, "Ok")
    }))

  story("a node whose replica has stopped sends everybody on, those too that it served", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const id = yield* world.tenant("t", nodes)
      const client = yield* rawClient(world, nodes[0]!)
      yield* enter(client, "t")
      nodes[0]!.brokenJournals.set(id, "broken")
      yield* client.send(create(1, "/a"))
      const failed = yield* client.next
      assert.deepInclude(failed, { _tag: "Failed", channel: 1 })
      assert.strictEqual(outcomeOf(failed)._tag, "Redirect")
      assert.strictEqual((yield* ask(client, open("t", 2)))._tag, "Redirect")
    }))

  story("all tenants, with the addresses of their nodes", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(2)
      const id = yield* world.tenant("t", nodes)
      const client = yield* rawClient(world, nodes[1]!)
      yield* client.send({ _tag: "Tenants", id: 7 })
      assert.deepStrictEqual(yield* client.next, {
        _tag: "Tenants",
        id: 7,
        tenants: [{
          id,
          name: "t",
          replicas: [{ name: "r1", node: "n1", address: "n1:2002" }, { name: "r2", node: "n2", address: "n2:2002" }]
        }]
      })
    }))
})

describe("when to ask again", () => {
  story("a node that has just started knows its tenants, and says retry until its replica serves", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(1)
      yield* world.tenant("t", nodes, "memory")
      yield* world.stop(nodes[0]!)
      nodes[0]!.save_ms = 500
      yield* world.start(nodes[0]!)
      const client = yield* rawClient(world, nodes[0]!)
      assert.strictEqual((yield* ask(client, open("t")))._tag, "Retry")
      // A group of one that lost its memory stays in recovery.
      yield* Effect.sleep(1_000)
      assert.deepStrictEqual(yield* ask(client, open("t")), {
        _tag: "Retry", ms: 50, reason: "no primary is known at this moment"
      })
    }))
})

describe("a primary that does not hear the others", () => {
  story("acknowledges nothing, answers no read, and steps down", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const [old, two, three] = nodes
      yield* world.tenant("t", nodes)
      const raw = yield* rawClient(world, old!)
      yield* enter(raw, "t")
      assert.strictEqual((yield* ask(raw, create(1, "/x", "before")))._tag, "Ok")
      assert.strictEqual(valueIn(yield* ask(raw, get(1, "/x"))), "before")

      world.hold(old!, two!)
      world.hold(old!, three!)
      const heard: Array<Outcome> = []
      yield* Effect.forkChild(Effect.forever(Effect.map(raw.next, (message) => heard.push(outcomeOf(message)))))
      // While it still believes that it is the primary, and after others have written behind its back.
      yield* raw.send(get(2, "/x"), put(2, "/x", "never"))
      const tenant = yield* Effect.flatMap(world.client([two!, three!]), (client) => client.tenant("t"))
      yield* tenant.put("/x", bytes("after"))
      for (let id = 3; id <= 50; id++) {
        yield* raw.send(get(id, "/x"))
        yield* Effect.sleep(20)
      }
      world.release(old!, two!)
      world.release(old!, three!)
      yield* world.until("it has stepped down", Effect.map(world.replica(old!, "t"), ({ state, view }) =>
        state === "backup" && view > 0))
      yield* raw.send(get(51, "/x"))
      yield* world.until("the last read has an answer", Effect.sync(() => heard.length === 51))
      const answers = new Set(heard.map(valueIn))
      assert.isFalse(answers.has("before"), "a stale read")
      assert.isFalse(answers.has("Written"), "an acknowledged write")
      assert.isTrue(answers.has("Redirect"))
      assert.strictEqual(text((yield* tenant.get("/x")).data), "after")
    }))

  story("hears the others again in time: it goes on, and what waited is answered", (world) =>
    Effect.gen(function*() {
      const nodes = yield* world.cluster(3)
      const [old, two, three] = nodes
      yield* world.tenant("t", nodes)
      const raw = yield* rawClient(world, old!)
      yield* enter(raw, "t")
      world.hold(old!, two!)
      world.hold(old!, three!)
      yield* raw.send(create(1, "/x", "1"), get(1, "/x"))
      const answers = yield* Effect.forkChild(Effect.all([raw.next, raw.next]))
      yield* Effect.sleep(100)
      world.release(old!, two!)
      const outcomes = (yield* Fiber.join(answers)).map(outcomeOf)
      assert.deepStrictEqual(outcomes.map(({ _tag }) => _tag), ["Ok", "Ok"])
      assert.strictEqual((yield* world.replica(old!, "t")).view, 0)
    }))
})

describe("a hello", () => {
  story("that never comes ends the connection after 5 s, on all four ports", (world) =>
    Effect.gen(function*() {
      const [node] = yield* world.cluster(1)
      const { admin_host, client_host, cluster_host, peer_host } = node!.config
      const network = world.networkOf("silent")
      for (const address of [admin_host, client_host, cluster_host, peer_host]) {
        const duplex = yield* network.connect(address)
        const waiting = yield* Effect.forkChild(duplex.pull)
        yield* Effect.sleep(4_990)
        assert.isUndefined(waiting.pollUnsafe())
        const [frame] = yield* Fiber.join(waiting)
        assert.deepInclude(decodeHello(frame!.subarray(4)), {
          _tag: "Reject", code: "timeout", message: "no hello within 5000 ms"
        })
        assert.strictEqual((yield* Effect.flip(duplex.pull)).reason, "closed by the other side")
      }
      assert.strictEqual(node!.log.filter((line) => /^Warn (admin|client|cluster|peer) connection refused/.test(line)).length, 4)
    }))

  story("says what fits: no port takes the protocol of another", (world) =>
    Effect.gen(function*() {
      const [node] = yield* world.cluster(1)
      const { admin_host, client_host, cluster_host, peer_host } = node!.config
      const addresses = {
        "v2r2-admin": admin_host, "v2r2-client": client_host, "v2r2-cluster": cluster_host, "v2r2-peer": peer_host
      }
      const protocols = ["v2r2-admin", "v2r2-client", "v2r2-cluster", "v2r2-peer"] as const
      for (const spoken of protocols) {
        for (const understood of protocols) {
          const hello: Hello = makeHello(spoken, { cluster: "test", node: "n2", limits: { frame_bytes_max: 1_000 } })
          const dialled = Effect.scoped(connectFramed(addresses[understood], hello)).pipe(
            Effect.provideService(Network, world.networkOf("dialler")),
            Effect.as("welcome"),
            Effect.catch((error) => Effect.succeed("code" in error ? error.code : error.reason))
          )
          assert.strictEqual(yield* dialled, spoken === understood ? "welcome" : "protocol")
        }
      }
    }))
})
