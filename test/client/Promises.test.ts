/**
 * The library over TCP, and without Effect.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { CasFailed, connect, Indeterminate, NoSuchTenant, Tenant, Unavailable } from "../../src/client/index.ts"
import * as TcpNetwork from "../../src/network/TcpNetwork.ts"
import { FakeCluster } from "./FakeServer.ts"
import { bytes } from "./Scenario.ts"

/** One node on a free port. */
const overTcp = (name: string, test: (endpoint: string, cluster: FakeCluster) => Promise<void>) =>
  it.live(name, () =>
    Effect.gen(function*() {
      const cluster = new FakeCluster(1)
      const node = cluster.node("n1")
      node.address = "127.0.0.1:0"
      yield* cluster.start(node)
      yield* Effect.promise(() => test(node.address, cluster))
    }).pipe(Effect.scoped, Effect.provide(TcpNetwork.layer)))

const rejection = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => null, (error: unknown) => error)

describe("promises", () => {
  overTcp("do what the Effects do", async (endpoint) => {
    const tenant = await connect({ endpoints: [endpoint], tenant: "dev" })
    const { version } = await tenant.create("/d/a", bytes("1"), { parents: true })
    assert.deepStrictEqual(await tenant.get("/d/a"), { data: bytes("1"), version })
    const next = await tenant.put("/d/a", bytes("22"), { version })
    assert.strictEqual((await tenant.stat("/d/a")).size, 2)
    assert.strictEqual((await tenant.list("/d")).entries[0]?.version, next.version)
    const names: Array<string> = []
    for await (const entry of tenant.listAll("/")) names.push(entry.name)
    assert.deepStrictEqual(names, ["d"])
    await tenant.delete("/d", { recursive: true })
    await tenant.close()
  })

  overTcp("end with what is true of each call when the client is closed, and are refused after that", async (endpoint, cluster) => {
    const tenant = await connect({ endpoints: [endpoint], tenant: "dev" })
    cluster.node("n1").intercept = (message) => message._tag === "Write" ? "ignore" : undefined
    const write = rejection(tenant.create("/a"))
    while (cluster.node("n1").count("Write") === 0) await new Promise((resolve) => setImmediate(resolve))
    await tenant.close()
    assert.instanceOf(await write, Indeterminate)
    assert.instanceOf(await rejection(tenant.get("/a")), Unavailable)
    assert.instanceOf(await rejection(tenant.create("/b")), Unavailable)
    await tenant.close()
  })

  overTcp("reject with the same errors", async (endpoint) => {
    const tenant = await connect({ endpoints: [endpoint], tenant: "dev" })
    await tenant.create("/a")
    const error = await rejection(tenant.put("/a", bytes("1"), { version: 77 }))
    assert.isTrue(error instanceof CasFailed && error.expected === 77)
    await tenant.close()
    assert.instanceOf(await rejection(connect({ endpoints: [endpoint], tenant: "nope" })), NoSuchTenant)
    const late = await rejection(connect({ endpoints: ["127.0.0.1:1"], tenant: "dev", deadline: 50 }))
    assert.isTrue(late instanceof Unavailable && late.message.includes("127.0.0.1:1: refused"))
  })

  overTcp("thousands at once", async (endpoint, cluster) => {
    const tenant = await connect({ endpoints: [endpoint], tenant: "dev" })
    await Promise.all(Array.from({ length: 3_000 }, (_, i) => tenant.create(`/${i}`, new Uint8Array(256))))
    assert.strictEqual(cluster.dev.executed.length, 3_000)
    assert.strictEqual(cluster.node("n1").connections, 1)
    await tenant.close()
  })

  overTcp("not needed: the layer over TCP", async (endpoint) => {
    const data = await Effect.runPromise(
      Effect.flatMap(Tenant, (tenant) => Effect.andThen(tenant.create("/a", bytes("1")), tenant.get("/a"))).pipe(
        Effect.provide(Tenant.layerTcp({ endpoints: [endpoint], tenant: "dev", cluster: "test" }))
      )
    )
    assert.deepStrictEqual(data.data, bytes("1"))
  })
})
