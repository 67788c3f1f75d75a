/**
 * The load generator: a process of its own that does what its plan says through the public client library, over
 * as many connections as that says, and reports each measurement as a line. Started by `run.ts`.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { type TenantService, V2R2 } from "../../src/client/index.ts"
import { ask } from "../../src/devrel/Asking.ts"
import { directory, keys, type Operation, operations, pathOf, type Plan, type Report, type Sample, value_bytes, type Work } from "./Plan.ts"
import { machineCpu, processCpu } from "./Usage.ts"

const plan: Plan = JSON.parse(process.argv[2] ?? "")
const report = (line: Report): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
const value = new Uint8Array(value_bytes).fill(7)

/** Latencies while they are recorded: a plain array would cost the collector more than the client does. */
class Recorder {
  recording = false
  count = 0
  private latencies_ms = new Float64Array(1 << 16)

  add(latency_ms: number): void {
    if (!this.recording) return
    if (this.count === this.latencies_ms.length) {
      const grown = new Float64Array(2 * this.count)
      grown.set(this.latencies_ms)
      this.latencies_ms = grown
    }
    this.latencies_ms[this.count++] = latency_ms
  }

  sorted(): Float64Array {
    return this.latencies_ms.slice(0, this.count).sort()
  }
}

const at = (sorted: Float64Array, share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN

/** Spreads over the keys in no order: the factor has no divisor in common with their number. */
let turns = 0
const nextPath = (): string => pathOf(turns++ * 617)

let mixed = 0
const isWrite = (operation: Operation): boolean => operation === "write" || (operation === "mix" && mixed++ % 10 === 0)

const once = (tenant: TenantService, operation: Operation) =>
  isWrite(operation) ? tenant.put(nextPath(), value) : tenant.get(nextPath())

/** One call after the other, until `goesOn` says no. */
const worker = (tenant: TenantService, operation: Operation, recorder: Recorder, goesOn: () => boolean) =>
  Effect.suspend(() => {
    let begin_ms = 0
    return Effect.whileLoop({
      while: goesOn,
      body: () => {
        begin_ms = performance.now()
        return once(tenant, operation)
      },
      step: () => recorder.add(performance.now() - begin_ms)
    })
  })

const usage = () => ({
  at_ms: performance.now(),
  generator_us: process.cpuUsage(),
  nodes_s: plan.nodes.map(processCpu),
  machine_s: machineCpu()
})

const sampleOf = (
  work: Work,
  before: ReturnType<typeof usage>,
  after: ReturnType<typeof usage>,
  recorder: Recorder
): Omit<Sample, "journal_writes"> => {
  const sorted = recorder.sorted()
  const node_cpu_s = after.nodes_s.map((seconds, i) => (seconds ?? Number.NaN) - (before.nodes_s[i] ?? Number.NaN))
  const { system, user } = after.generator_us
  return {
    ...work,
    elapsed_s: (after.at_ms - before.at_ms) / 1000,
    operations: sorted.length,
    p50_ms: at(sorted, 0.5),
    p99_ms: at(sorted, 0.99),
    p999_ms: at(sorted, 0.999),
    generator_cpu_s: (user + system - before.generator_us.user - before.generator_us.system) / 1e6,
    node_cpu_s: node_cpu_s.some(Number.isNaN) ? null : node_cpu_s,
    machine_cpu_s: after.machine_s - before.machine_s
  }
}

/** What all journals together have written since the nodes started. */
const journals = Effect.map(
  Effect.forEach(plan.admins, (admin) => ask(admin, "vr.stats", {}), { concurrency: "unbounded" }),
  (answers) => ({
    writes: answers.reduce((sum, { counters }) => sum + (counters["journal_writes"] ?? 0), 0),
    entries: answers.reduce((sum, { counters }) => sum + (counters["entries_appended"] ?? 0), 0)
  })
)

const ratio = (before: Effect.Success<typeof journals>, after: Effect.Success<typeof journals>): number =>
  (after.writes - before.writes) / (after.entries - before.entries)

const tenants: Array<string> = []

/** Creates those that are missing. The first replica of a new tenant is its primary: each has its own on another node. */
const ensureTenants = Effect.fnUntraced(function*(count: number) {
  while (tenants.length < count) {
    const index = tenants.length
    const name = index === 0 ? plan.tenant : `${plan.tenant}-${index}`
    const turned = plan.names.map((_, i) => plan.names[(index + i) % plan.names.length]!)
    const replicas = turned.map((node, i) => ({ name: `r${i + 1}`, node }))
    if (index > 0) yield* ask(plan.admins[0]!, "vr.create", { name, replicas, durability: plan.durability })
    yield* Effect.scoped(Effect.flatMap(connect([name]), ([tenant]) => fill(tenant!)))
    tenants.push(name)
  }
})

const fill = Effect.fnUntraced(function*(tenant: TenantService) {
  yield* tenant.create(directory, undefined, { type: "directory" })
  yield* Effect.forEach(Array.from({ length: keys }, (_, n) => pathOf(n)), (path) => tenant.create(path, value), {
    concurrency: 64,
    discard: true
  })
})

/** Another client with connections of its own, for as long as the Scope lasts: a session with each of these tenants. */
const connect = (tenants: ReadonlyArray<string>) =>
  Effect.flatMap(Layer.build(Layer.fresh(V2R2.layerTcp({ endpoints: plan.endpoints }))), (context) =>
    Effect.forEach(tenants, (tenant) => Context.get(context, V2R2).tenant(tenant)))

const measure = Effect.fnUntraced(function*(work: Work) {
  yield* ensureTenants(work.tenants)
  const clients = yield* Effect.all(Array.from({ length: work.connections }, () => connect(tenants.slice(0, work.tenants))), {
    concurrency: 16
  })
  const sessions = Array.from({ length: work.tenants }, (_, tenant) => clients.map((client) => client[tenant]!)).flat()
  report({ _tag: "Begin", work })
  const recorder = new Recorder()
  let running = true
  const workers = yield* Effect.forEach(
    Array.from({ length: work.outstanding }, (_, i) => sessions[i % sessions.length]!),
    (tenant) => Effect.forkChild(worker(tenant, work.operation, recorder, () => running))
  )
  yield* Effect.sleep(plan.warm_ms)
  const counted = yield* journals
  const before = usage()
  recorder.recording = true
  yield* Effect.sleep(plan.measure_ms)
  recorder.recording = false
  const after = usage()
  const journal_writes = work.operation !== "read" ? ratio(counted, yield* journals) : null
  running = false
  yield* Fiber.joinAll(workers)
  report({ _tag: "Sample", sample: { ...sampleOf(work, before, after, recorder), journal_writes } })
})

const program = Effect.gen(function*() {
  yield* ensureTenants(1)
  const [tenant] = yield* connect(tenants)
  // What the compilers need to see, in the nodes and here, before anything is measured.
  for (const operation of operations) {
    const until_ms = performance.now() + 2 * plan.warm_ms
    const warming = worker(tenant!, operation, new Recorder(), () => performance.now() < until_ms)
    yield* Effect.all(Array.from({ length: 64 }, () => warming), { concurrency: "unbounded", discard: true })
  }
  for (const work of plan.works) yield* Effect.scoped(measure(work))
})

await Effect.runPromise(Effect.scoped(program))
