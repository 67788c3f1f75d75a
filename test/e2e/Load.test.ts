/**
 * Many clients at once, and one that does not wait for its answers.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { expect, it } from "vitest"
import { connect, Tenant, V2R2 } from "../../src/client/index.ts"
import { tenant_name } from "./Cluster.ts"
import { testCluster } from "./TestCluster.ts"
import { bytes, text } from "./Workload.ts"

const clients = 1_000
const pipelined = 10_000
const deadline = "60 seconds"

it("1,000 clients at once, each with its own connection and session", { timeout: 120_000 }, async () => {
  const cluster = await testCluster({ nodes: 3 })
  const primary = await cluster.primary()
  const options = { endpoints: [primary.layout.client], tenant: tenant_name, deadline } as const
  const begin = performance.now()
  let together = 0
  const all = Latch.makeUnsafe()

  /** Writes, reads back, replaces, reads what another one wrote; stays connected until all are there. */
  const client = (index: number) =>
    Effect.gen(function*() {
      const tenant = yield* Tenant
      if (++together === clients) all.openUnsafe()
      const path = `/clients/${index}`
      const { version } = yield* tenant.create(path, bytes(index))
      expect(yield* tenant.get(path)).toEqual({ data: bytes(index), version })
      yield* tenant.put(path, bytes(-index), { version })
      yield* all.await
      expect(text((yield* tenant.get(path)).data)).toBe(String(-index))
    }).pipe(Effect.provide(Tenant.layerTcp(options)))

  const first = await connect(options)
  await first.create("/clients", undefined, { type: "directory" })
  const before = await cluster.replica(primary)
  await Effect.runPromise(Effect.forEach(Array.from({ length: clients }, (_, index) => index + 1), client, {
    concurrency: "unbounded",
    discard: true
  }))
  const { children } = await first.stat("/clients")
  expect(children).toBe(clients)
  // A session each, a write and a second write each: no write was executed twice, none in vain.
  const after = await cluster.replica(primary)
  expect(after.sessions - before.sessions).toBe(clients)
  expect(after.op - before.op).toBe(3 * clients)
  await first.close()
  console.log(`${clients} clients: ${Math.round(performance.now() - begin)} ms, the node has ${Math.round(primary.memory_mib())} MiB`)
})

it("10,000 writes and 10,000 reads pipelined by one client", { timeout: 120_000 }, async () => {
  const cluster = await testCluster({ nodes: 3 })
  const numbers = Array.from({ length: pipelined }, (_, index) => index)
  await Effect.runPromise(
    Effect.gen(function*() {
      const tenant = yield* Effect.flatMap(V2R2, (v2r2) => v2r2.tenant(tenant_name))
      yield* tenant.create("/p", undefined, { type: "directory" })
      const begin = performance.now()
      const versions = yield* Effect.forEach(numbers, (n) =>
        Effect.map(tenant.create(`/p/${n}`, bytes(n)), ({ version }) => version), { concurrency: "unbounded" })
      const written = performance.now()
      // One client's writes enter the log in the order in which it made them.
      expect(versions.every((version, index) => index === 0 || version > versions[index - 1]!)).toBe(true)
      const values = yield* Effect.forEach(numbers, (n) => tenant.get(`/p/${n}`), { concurrency: "unbounded" })
      expect(values.map(({ data }) => text(data))).toEqual(numbers.map(String))
      expect(values.map(({ version }) => version)).toEqual(versions)
      const ms = [written - begin, performance.now() - written].map(Math.round)
      console.log(`${pipelined} writes in ${ms[0]} ms, ${pipelined} reads in ${ms[1]} ms`)
    }).pipe(Effect.scoped, Effect.provide(V2R2.layerTcp({ endpoints: cluster.endpoints, deadline })))
  )
})
