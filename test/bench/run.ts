/**
 * `npm run bench`: what a cluster of three real processes does, as a client sees it. Each repetition starts a fresh
 * cluster and a load generator (`load.ts`), so that neither depends on what came before.
 *
 * @module
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Os from "node:os"
import * as Path from "node:path"
import { Tenant } from "../../src/client/index.ts"
import { ExitCode, textOf, Trouble } from "../../src/devrel/Trouble.ts"
import { child, type Cluster, root, startCluster } from "./Cluster.ts"
import { help, type Options, parse, UsageError } from "./Options.ts"
import type { Plan, Report, Sample, Work } from "./Plan.ts"
import { peakMemory } from "./Usage.ts"
import { nameOf, remarks, type Row, rowOf, rowsTable, type Spread, spread } from "./Tables.ts"

const nodes = 3

interface Repetition {
  readonly samples: ReadonlyArray<Sample>
  /** From the start of the processes, with empty disks, over joining and the tenant's creation to a client's first write. */
  readonly first_write_ms: number
  /** By node, in MiB; null where the system does not say. */
  readonly peak_memory_mib: ReadonlyArray<number> | null
}

/** One line that is written over and over; only for somebody who watches. */
const progress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

const say = (text: string): void => {
  progress("")
  process.stderr.write(`${text}\n`)
}

const worksOf = (options: Options): ReadonlyArray<Work> => {
  const works = options.operations.flatMap((operation) =>
    options.outstanding.flatMap((outstanding) =>
      options.connections
        // One call at a time has one connection either way.
        .filter((_, i) => outstanding > 1 || i === 0)
        .map((choice): Work => ({ operation, outstanding, connections: choice === "one" ? 1 : outstanding, tenants: 1 }))
    )
  )
  // Last, as its tenants stay, and have something to do without any load.
  const most = Math.max(...options.outstanding)
  return options.tenants === 1 ? works : [...works, { operation: "write", outstanding: most, connections: 1, tenants: options.tenants }]
}

const profiling = ({ profile }: Options): ReadonlyArray<string> =>
  profile === null ? [] : ["--cpu-prof", "--cpu-prof-interval", "500", "--cpu-prof-dir", Path.resolve(profile)]

const repeat = (options: Options, repetition: number): Effect.Effect<Repetition, Trouble> =>
  Effect.scoped(Effect.gen(function*() {
    const where = `repetition ${repetition} of ${options.repetitions}`
    progress(`${where}: starting a cluster`)
    const flags = profiling(options)
    // What a node has to say while it is measured is news, such as a view change: the numbers are not of a quiet cluster.
    let measuring = false
    const line = (node: string, text: string): void => measuring ? say(`${node}: ${text}`) : undefined
    const begin_ms = performance.now()
    const cluster = yield* startCluster({ durability: options.durability, flags, nodes, line })
    yield* writeFirst(cluster)
    const first_write_ms = performance.now() - begin_ms
    const plan: Plan = {
      endpoints: cluster.endpoints,
      admins: cluster.admins,
      names: cluster.names,
      durability: options.durability,
      tenant: cluster.tenant,
      nodes: cluster.pids,
      works: worksOf(options),
      warm_ms: options.seconds * 1000 / 3,
      measure_ms: options.seconds * 1000
    }
    progress(`${where}: warming up`)
    const samples = yield* generate(plan, flags, (report, done) => {
      measuring = report._tag === "Begin"
      if (report._tag === "Begin") progress(`${where}: ${nameOf(report.work)} (${done + 1} of ${plan.works.length})`)
    })
    const peaks = cluster.pids.map(peakMemory)
    return { samples, first_write_ms, peak_memory_mib: peaks.every((peak) => peak !== null) ? peaks : null }
  }))

const writeFirst = ({ endpoints, tenant }: Cluster): Effect.Effect<unknown, Trouble> =>
  Effect.flatMap(Tenant, (service) => service.create("/first")).pipe(
    Effect.provide(Tenant.layerTcp({ endpoints, tenant })),
    Effect.mapError(({ message }) => new Trouble({ exit: "failed", message: `the first write failed: ${message}` }))
  )

/** Runs the generator to its end. What it writes beside its reports is shown. */
const generate = (
  plan: Plan,
  flags: ReadonlyArray<string>,
  onReport: (report: Report, done: number) => void
): Effect.Effect<ReadonlyArray<Sample>, Trouble> =>
  Effect.scoped(Effect.gen(function*() {
    const samples: Array<Sample> = []
    const complete = Deferred.makeUnsafe<void>()
    const generator = yield* child([...flags, Path.join(root, "test/bench/load.ts"), JSON.stringify(plan)], (text) => {
      if (!text.startsWith("{")) return say(text)
      const report: Report = JSON.parse(text)
      onReport(report, samples.length)
      if (report._tag === "Sample") samples.push(report.sample)
      if (samples.length === plan.works.length) Deferred.doneUnsafe(complete, Exit.void)
    })
    const end = yield* Effect.raceFirst(
      Effect.map(Deferred.await(complete), () => null),
      generator.ended
    )
    if (end !== null) return yield* new Trouble({ exit: "failed", message: `the load generator ended early: ${end}` })
    yield* generator.ended
    return samples
  }))

const memoryLine = (peaks: ReadonlyArray<Spread>): string =>
  `Peak memory of the nodes, MiB: ${peaks.map(({ max, median, min }) =>
    `${Math.round(median)} (${Math.round(min)}–${Math.round(max)})`).join(", ")}.`

const startLine = ({ max, median, min }: Spread): string =>
  `From the start of the processes to the first write: ${Math.round(median)} ms (${Math.round(min)}–${Math.round(max)}).`

const show = (options: Options, rows: ReadonlyArray<Row>, repetitions: ReadonlyArray<Repetition>): void => {
  const counted = repetitions.flatMap(({ peak_memory_mib }) => peak_memory_mib === null ? [] : [peak_memory_mib])
  const peaks = Array.from({ length: nodes }, (_, i) => counted.map((memory) => memory[i]!)).filter((all) => all.length > 0)
    .map(spread)
  const first_write_ms = spread(repetitions.map(({ first_write_ms }) => first_write_ms))
  const cpus = Os.cpus()
  const machine = { cores: cpus.length, processor: cpus[0]?.model ?? "unknown", node: process.version }
  progress("")
  if (options.json) {
    return console.log(JSON.stringify({ ...options, machine, rows, first_write_ms, peak_memory_mib: peaks, repetitions }, null, 2))
  }
  const { durability, repetitions: count, seconds } = options
  const { cores, node } = machine
  console.log(`durability ${durability}; medians of ${count}, ${seconds} s each; ${cores} cores, Node.js ${node}\n`)
  console.log(rowsTable(rows))
  console.log(["", startLine(first_write_ms), ...peaks.length > 0 ? [memoryLine(peaks)] : [], ...remarks(rows)].join("\n"))
}

const bench = Effect.fnUntraced(function*(options: Options) {
  const repetitions = yield* Effect.forEach(
    Array.from({ length: options.repetitions }, (_, i) => i + 1),
    (repetition) => repeat(options, repetition)
  )
  const rows = worksOf(options).map((_, i) => rowOf(repetitions.map(({ samples }) => samples[i]!), Os.cpus().length))
  show(options, rows, repetitions)
})

const main = (): void => {
  let options: Options | null
  try {
    options = parse(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`bench: ${error.message}\n\n${help}`)
    process.exitCode = ExitCode.usage
    return
  }
  if (options === null) return console.log(help)
  NodeRuntime.runMain(bench(options).pipe(
    Effect.catchTag("Trouble", (trouble) =>
      Effect.sync(() => {
        progress("")
        console.error(`bench: ${textOf(trouble)}`)
        process.exitCode = ExitCode[trouble.exit]
      }))
  ))
}

main()
