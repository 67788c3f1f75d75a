/**
 * The client against a cluster that misbehaves on demand: redirects, retries, lost connections, lost sessions, silence.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Tenant } from "../../src/client/index.ts"
import { Network } from "../../src/network/Network.ts"
import { FakeCluster } from "./FakeServer.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

describe("client", () => {
  it.effect("writes and reads", () =>
    Effect.gen(function*() {
      const cluster = new FakeCluster(3)
      yield* cluster.startAll
      const program = Effect.gen(function*() {
        const tenant = yield* Tenant
        const { version } = yield* tenant.create("/a", bytes("1"))
        const value = yield* tenant.get("/a")
        assert.deepStrictEqual(value, { data: bytes("1"), version })
        const error = yield* Effect.flip(tenant.get("/b"))
        assert.strictEqual(error.message, "/b: not found")
      })
      yield* Effect.provide(program, Tenant.layer({ endpoints: ["host2:2"], tenant: "dev" }))
    }).pipe(Effect.scoped, Effect.provide(Network.layerMemory)))
})
