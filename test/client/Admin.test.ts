/**
 * The admin client against a fake node: answers, errors, nodes that are away, connections that break.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { AdminError, makeAdmin } from "../../src/client/Admin.ts"
import { Network } from "../../src/network/Network.ts"
import { adminServer } from "../cli/FakeAdminServer.ts"

const run = <A, E>(name: string, test: () => Effect.Effect<A, E, Network | Scope.Scope>) =>
  it.effect(name, () => Effect.scoped(test()).pipe(Effect.provide(Network.layerMemory)))

describe("the admin client", () => {
  run("gives the value of an answer", () =>
    Effect.gen(function*() {
      const seen = yield* adminServer("n1:1", { "config.get": ({ key }) => Effect.succeed({ [key ?? "all"]: 100 }) })
      const admin = yield* makeAdmin({ endpoints: ["n1:1"] })
      assert.deepStrictEqual(yield* admin.call("config.get", { key: "heartbeat_ms" }), { heartbeat_ms: 100 })
      assert.deepStrictEqual(seen, [{ command: "config.get", args: { key: "heartbeat_ms" } }])
    }))

  run("fails with the error of an answer", () =>
    Effect.gen(function*() {
      yield* adminServer("n1:1", {
        "vr.primary": ({ tenant }) => Effect.fail(new AdminError({ code: "not_found", message: `no tenant ${tenant}` }))
      })
      const admin = yield* makeAdmin({ endpoints: ["n1:1"] })
      const error = yield* Effect.flip(admin.call("vr.primary", { tenant: "x" }))
      assert.deepInclude(error, { _tag: "AdminError", code: "not_found", message: "no tenant x" })
    }))

  run("takes the first endpoint that answers", () =>
    Effect.gen(function*() {
      yield* adminServer("n2:1", { "vr.stats": () => Effect.succeed({ counters: { a: 2 } }) })
      const admin = yield* makeAdmin({ endpoints: ["n1:1", "n2:1"] })
      assert.deepStrictEqual(yield* admin.call("vr.stats", {}), { counters: { a: 2 } })
    }))

  run("names every endpoint and why, when none answers", () =>
    Effect.gen(function*() {
      yield* adminServer("n2:1", {})
      const admin = yield* makeAdmin({ endpoints: ["n1:1", "n2:1"], cluster: "other" })
      const error = yield* Effect.flip(admin.call("status", {}))
      assert(error._tag === "Unavailable")
      assert.deepStrictEqual(error.attempts.map(({ endpoint }) => endpoint), ["n1:1", "n2:1"])
      assert.strictEqual(error.attempts[0]!.reason, "refused")
      assert.include(error.attempts[1]!.reason, "expected \"test\"")
    }))

  run("gives answers to those who asked, in whatever order they come", () =>
    Effect.gen(function*() {
      yield* adminServer("n1:1", {
        "config.get": ({ key }) => Effect.succeed({ key: key ?? null })
      })
      const admin = yield* makeAdmin({ endpoints: ["n1:1"] })
      const values = yield* Effect.forEach(["a", "b", "c"], (key) => admin.call("config.get", { key }), { concurrency: 3 })
      assert.deepStrictEqual(values, [{ key: "a" }, { key: "b" }, { key: "c" }])
    }))

  run("reads again over a new connection when the old one breaks", () =>
    Effect.gen(function*() {
      let calls = 0
      yield* adminServer("n1:1", {
        "vr.stats": () => ++calls === 1 ? Effect.fail("hang up" as const) : Effect.succeed({ counters: { calls } })
      })
      const admin = yield* makeAdmin({ endpoints: ["n1:1"] })
      assert.deepStrictEqual(yield* admin.call("vr.stats", {}), { counters: { calls: 2 } })
    }))

  run("does not repeat a change whose answer is lost, and says that it is in doubt", () =>
    Effect.gen(function*() {
      const seen = yield* adminServer("n1:1", { "vr.create": () => Effect.fail("hang up" as const) })
      const admin = yield* makeAdmin({ endpoints: ["n1:1"] })
      const error = yield* Effect.flip(admin.call("vr.create", { name: "a" }))
      assert.deepInclude(error, { _tag: "AdminIndeterminate", endpoint: "n1:1", command: "vr.create" })
      assert.strictEqual(seen.length, 1)
      // The next call finds a new connection.
      const again = yield* Effect.flip(admin.call("config.set", { key: "a", value: "b" }))
      assert.deepInclude(again, { _tag: "AdminError", message: "the test has no answer" })
    }))

  run("gives up on a node that does not answer", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      yield* adminServer("n1:1", { status: () => Effect.andThen(Deferred.succeed(asked, undefined), Effect.never) })
      const admin = yield* makeAdmin({ endpoints: ["n1:1"], deadline: "3 seconds" })
      const fiber = yield* Effect.forkChild(Effect.flip(admin.call("status", {})))
      yield* Deferred.await(asked)
      yield* TestClock.adjust("3 seconds")
      const error = yield* Fiber.join(fiber)
      assert(error._tag === "Unavailable")
      assert.deepStrictEqual(error.attempts, [{ endpoint: "n1:1", reason: "no answer within 3s" }])
    }))

  run("closes its connection with its scope", () =>
    Effect.gen(function*() {
      const network = yield* Network
      const closed = yield* Deferred.make<string>()
      yield* network.listen("n1:1", (duplex) =>
        duplex.pull.pipe(
          Effect.forever,
          Effect.catch(({ reason }) => Deferred.succeed(closed, reason))
        ))
      yield* Effect.scoped(Effect.gen(function*() {
        const admin = yield* makeAdmin({ endpoints: ["n1:1"] })
        yield* Effect.forkScoped(admin.call("status", {}), { startImmediately: true })
        yield* Effect.yieldNow
      }))
      assert.strictEqual(yield* Deferred.await(closed), "closed by the other side")
    }))
})
