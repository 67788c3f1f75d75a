/**
 * V2R2's load generator: a process of its own that uses the public client library, and is told what to do over which
 * connections (`Generator.ts`).
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { setTimeout as sleep } from "node:timers/promises"
import { type TenantService, V2R2 } from "../../src/client/index.ts"
import { ask } from "../../src/devrel/Asking.ts"
import type { Durability } from "../../src/wire/AdminProtocol.ts"
import { Latencies } from "./Latencies.ts"
import { Outage } from "./Outage.ts"
import { directory, elementOf, keys, type Operation, pathOf, value_bytes } from "./Plan.ts"
import { isWrite, loadOrder, measured, obey, say } from "./Telling.ts"

/** The cluster that it loads. */
export interface Target {
  readonly endpoints: ReadonlyArray<string>
  /** The nodes' admin addresses, to ask for their counters, and for more tenants. */
  readonly admins: ReadonlyArray<string>
  /** By name, in the order of `admins`. */
  readonly names: ReadonlyArray<string>
  readonly durability: Durability
  /** The first tenant, on all nodes. Others are created once a work needs them. */
  readonly tenant: string
}

const target: Target = JSON.parse(process.argv[2] ?? "")
const value = new Uint8Array(value_bytes).fill(7)
/** High, so that even a million elements are there soon; below what a session may have under way. */
const fill_concurrency = 512

let elements = keys
let turns = 0
const nextPath = (): string => pathOf(elementOf(turns++, elements))

const once = (tenant: TenantService, operation: Operation) =>
  isWrite(operation) ? tenant.put(nextPath(), value) : tenant.get(nextPath())

/** One call after the other, until `goesOn` says no. */
const worker = (
  tenant: TenantService,
  operation: Operation,
  goesOn: () => boolean,
  answered: (begun_ms: number, now_ms: number) => void
) =>
  Effect.suspend(() => {
    // A call begins when the one before it was answered: one look at the clock for each.
    let begun_ms = performance.now()
    return Effect.whileLoop({
      while: goesOn,
      body: () => once(tenant, operation),
      step: () => {
        const now_ms = performance.now()
        answered(begun_ms, now_ms)
        begun_ms = now_ms
      }
    })
  })

/** What all journals together have written since the nodes started. */
const journals = Effect.map(
  Effect.forEach(target.admins, (admin) => ask(admin, "vr.stats", {}), { concurrency: "unbounded" }),
  (answers) => ({
    writes: answers.reduce((sum, { counters }) => sum + (counters["journal_writes"] ?? 0), 0),
    entries: answers.reduce((sum, { counters }) => sum + (counters["entries_appended"] ?? 0), 0)
  })
)

const ratio = (before: Effect.Success<typeof journals>, after: Effect.Success<typeof journals>): number =>
  (after.writes - before.writes) / (after.entries - before.entries)

/** Another client with connections of its own, for as long as the Scope lasts: a session with each of these tenants. */
const connect = (tenants: ReadonlyArray<string>) =>
  Effect.flatMap(Layer.build(Layer.fresh(V2R2.layerTcp({ endpoints: target.endpoints }))), (context) =>
    Effect.forEach(tenants, (tenant) => Context.get(context, V2R2).tenant(tenant)))

const fill = Effect.fnUntraced(function*(name: string, count: number) {
  const [tenant] = yield* connect([name])
  yield* tenant!.create(directory, undefined, { type: "directory" })
  let next = 0
  const filling = Effect.whileLoop({ while: () => next < count, body: () => tenant!.create(pathOf(next++), value), step: () => {} })
  yield* Effect.all(Array.from({ length: fill_concurrency }, () => filling), { concurrency: "unbounded", discard: true })
}, Effect.scoped)

const tenants: Array<string> = []

/** Creates those that are missing. The first replica of a new tenant is its primary: each has its own on another node. */
const ensureTenants = Effect.fnUntraced(function*(count: number) {
  while (tenants.length < count) {
    const index = tenants.length
    const name = index === 0 ? target.tenant : `${target.tenant}-${index}`
    const turned = target.names.map((_, i) => target.names[(index + i) % target.names.length]!)
    const replicas = turned.map((node, i) => ({ name: `r${i + 1}`, node }))
    if (index > 0) yield* ask(target.admins[0]!, "vr.create", { name, replicas, durability: target.durability })
    yield* fill(name, elements)
    tenants.push(name)
  }
})

const load = Effect.fnUntraced(function*(words: ReadonlyArray<string>) {
  const { measure_ms, warm_ms, work: { connections, operation, outstanding, tenants: spread } } = loadOrder(words)
  yield* ensureTenants(spread)
  const clients = yield* Effect.all(Array.from({ length: connections }, () => connect(tenants.slice(0, spread))), {
    concurrency: 16
  })
  const sessions = Array.from({ length: spread }, (_, tenant) => clients.map((client) => client[tenant]!)).flat()
  const latencies = new Latencies()
  let running = true
  const workers = yield* Effect.forEach(
    Array.from({ length: outstanding }, (_, i) => sessions[i % sessions.length]!),
    (tenant) =>
      Effect.forkChild(worker(tenant, operation, () => running, (begun_ms, now_ms) => latencies.add(now_ms - begun_ms)))
  )
  yield* Effect.sleep(warm_ms)
  const counted = yield* journals
  const took = yield* Effect.promise(() =>
    measured(async () => {
      latencies.recording = true
      await sleep(measure_ms)
      latencies.recording = false
    })
  )
  const journal_writes = operation === "read" ? null : ratio(counted, yield* journals)
  running = false
  yield* Fiber.joinAll(workers)
  say({ event: "sample", ...took, operations: latencies.count, ...latencies.percentiles(), failed: 0, journal_writes })
}, Effect.scoped)

let outage: Outage
let rest: () => Promise<void>

const startWriters = async (count: number): Promise<void> => {
  const scope = await Effect.runPromise(Scope.make())
  const [tenant] = await Effect.runPromise(Effect.provideService(connect([target.tenant]), Scope.Scope, scope))
  outage = new Outage(count, performance.now())
  let running = true
  const writers = Array.from({ length: count }, (_, index) =>
    worker(tenant!, "write", () => running, (begun_ms, now_ms) => {
      const gaps = outage.acknowledged(index, begun_ms, now_ms)
      if (gaps !== null) say({ event: "outage", ...gaps })
    }))
  const done = Effect.runPromise(Effect.all(writers, { concurrency: "unbounded", discard: true }))
  rest = async () => {
    running = false
    await done
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

await obey({
  fill: async ([count]) => {
    elements = Number(count)
    await Effect.runPromise(ensureTenants(1))
    say({ event: "filled" })
  },
  load: (words) => Effect.runPromise(load(words)),
  writers: async ([count]) => {
    await startWriters(Number(count))
    say({ event: "writing" })
  },
  watch: async () => {
    outage.watch()
    say({ event: "watching" })
  },
  killed: async () => outage.killed(performance.now()),
  rest: async () => {
    await rest()
    say({ event: "resting" })
  }
})
