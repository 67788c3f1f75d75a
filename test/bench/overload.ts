/**
 * What a cluster does under more load than it can serve: `node test/bench/overload.ts --help`. Real processes: three nodes,
 * and generators (`flood.ts`). First the most that it serves, then many times as many callers, then many times as many
 * requests from clients that heed no answer.
 *
 * @module
 */
import { type ChildProcess, fork, spawn } from "node:child_process"
import { cpus } from "node:os"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { connect } from "../../src/client/index.ts"
import { boundedBy, Cluster, tenant_name } from "../e2e/Cluster.ts"
import type { FloodPlan, FloodReport, ToGenerator } from "./flood.ts"
import { Histogram } from "./Histogram.ts"
import { directory, keys, type Operation, operations, pathOf, value_bytes } from "./Plan.ts"
import { table } from "./Tables.ts"
import { processCpu } from "./Usage.ts"

const help = `node test/bench/overload.ts [options]

Three nodes on this machine, one tenant, values of 256 bytes over 1,000 keys. For each kind of operation: the most that is served
to 64 and to 256 callers over one connection ("peak"); then --times as many callers ("callers"); then --times as many requests a
second from clients that do not wait, nor come again later ("flood").

  --seconds N        how long each measurement takes (default 5), after half of that to warm up
  --times N          the overload (default 10)
  --operations L     of ${operations.join(", ")}, separated by commas (default: all)
  --durability D     disk (default) or memory
  --connections N    that the overload comes over (default 32)
  --generators N     processes that make it (default 2)
  --pipeline N       a primary takes in so many writes at once: its limit is not the processor, then
  --pin              the nodes share one core, the generators have the others: neither takes from the other (Linux)
  --delays           say for how long at most the nodes' event loops stood still: takes some of the throughput
  --help             this text`

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    times: { type: "string", default: "10" },
    operations: { type: "string", default: operations.join() },
    durability: { type: "string", default: "disk" },
    connections: { type: "string", default: "32" },
    generators: { type: "string", default: "2" },
    pipeline: { type: "string" },
    pin: { type: "boolean", default: false },
    delays: { type: "boolean", default: false },
    help: { type: "boolean", default: false }
  }
})

const number = (name: "seconds" | "times" | "connections" | "generators"): number => {
  const value = Number(values[name])
  if (value > 0) return value
  throw new Error(`--${name}: expected a number above 0, got "${values[name]}"`)
}

const durability = values.durability === "memory" ? "memory" : "disk"
const wanted = operations.filter((operation) => values.operations.split(",").includes(operation))
/** Cores, as `taskset` has them. */
const first = "0"
const others = `1-${cpus().length - 1}`
const peak_callers = [64, 256]
const say = (line: string): void => void process.stderr.write(`${line}\n`)

interface Measured {
  readonly name: string
  readonly per_second: number
  readonly begun_per_second: number
  readonly latency: Histogram
  readonly failures: Readonly<Record<string, number>>
  /** Answers that told a client to wait, a second. */
  readonly turned_away: number
  readonly state_changes: number
  readonly generators: ReadonlyArray<number>
  readonly nodes: ReadonlyArray<number>
  readonly memory_mib: number
  readonly standstill_ms: number | null
}

/** Runs generators, and looks at them and at the nodes for a while in the middle. */
const measure = async (cluster: Cluster, name: string, plans: ReadonlyArray<FloodPlan>): Promise<Measured> => {
  say(name)
  const generators = await Promise.all(plans.map(generator))
  const calm = await counters(cluster)
  const lines = cluster.nodes.map((node) => node.lines.length)
  for (const one of generators) tell(one, "begin")
  await sleep(number("seconds") * 500)
  const before = await counters(cluster)
  const cpu = cluster.nodes.map((node) => processCpu(node.pid!) ?? 0)
  const begin = performance.now()
  for (const one of generators) tell(one, "count")
  let memory_mib = 0
  while (performance.now() - begin < number("seconds") * 1_000) {
    await sleep(200)
    memory_mib = Math.max(memory_mib, ...cluster.nodes.map((node) => node.memory_mib()))
  }
  const reports = await Promise.all(generators.map((one) => {
    tell(one, "report")
    return heard(one) as Promise<FloodReport>
  }))
  const elapsed_s = (performance.now() - begin) / 1_000
  const nodes = cluster.nodes.map((node, i) => ((processCpu(node.pid!) ?? 0) - cpu[i]!) / elapsed_s)
  const after = await counters(cluster)
  await Promise.all(generators.map(async (one) => {
    tell(one, "end")
    await new Promise((resolve) => one.once("exit", resolve))
  }))
  const latency = new Histogram()
  const failures: Record<string, number> = {}
  for (const report of reports) {
    latency.merge(report.latency)
    for (const [tag, count] of Object.entries(report.failures)) failures[tag] = (failures[tag] ?? 0) + count
  }
  if (latency.count === 0) throw new Error(`${name}: nothing was served: ${JSON.stringify(failures)}`)
  const delays = cluster.nodes.flatMap((node, i) => node.lines.slice(lines[i]).flatMap((line) => {
    const delay = /^delay ([\d.]+)/.exec(line)?.[1]
    if (delay === undefined) say(`  ${node.name}: ${line}`)
    return delay === undefined ? [] : [Number(delay)]
  }))
  return {
    name,
    per_second: latency.count / elapsed_s,
    begun_per_second: reports.reduce((sum, { begun }) => sum + begun, 0) / elapsed_s,
    latency,
    failures,
    turned_away: (after.turned_away - before.turned_away) / elapsed_s,
    state_changes: after.state_changes - calm.state_changes,
    generators: reports.map(({ cpu_s }) => cpu_s / elapsed_s),
    nodes,
    memory_mib,
    standstill_ms: delays.length === 0 ? null : Math.max(...delays)
  }
}

const generator = async (plan: FloodPlan): Promise<ChildProcess> => {
  const program = fileURLToPath(new URL("./flood.ts", import.meta.url))
  const child = values.pin
    ? spawn("taskset", ["-c", others, process.execPath, program, JSON.stringify(plan)], { stdio: ["ignore", "inherit", "inherit", "ipc"] })
    : fork(program, [JSON.stringify(plan)])
  await heard(child)
  return child
}

const heard = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve, reject) => {
    child.once("message", resolve)
    child.once("exit", (code) => reject(new Error(`a generator ended with exit code ${code}`)))
  })

const tell = (child: ChildProcess, message: ToGenerator): void => void child.send(message)

const counters = async (cluster: Cluster): Promise<{ readonly turned_away: number; readonly state_changes: number }> => {
  const stats = await Promise.all(cluster.nodes.map((node) => node.admin("vr.stats", {})))
  const sum = (name: string): number => stats.reduce((all, { counters }) => all + (counters[name] ?? 0), 0)
  return { turned_away: sum("client_retries") + sum("client_overloaded"), state_changes: sum("state_changes") }
}

const fill = async (endpoints: ReadonlyArray<string>): Promise<void> => {
  const tenant = await connect({ endpoints, tenant: tenant_name })
  await tenant.create(directory, undefined, { type: "directory" })
  await Promise.all(Array.from({ length: keys }, (_, n) => tenant.create(pathOf(n), new Uint8Array(value_bytes))))
  await tenant.close()
}

const overload = async (cluster: Cluster, endpoints: ReadonlyArray<string>, operation: Operation) => {
  const base = { endpoints, tenant: tenant_name, operation }
  const peaks: Array<Measured> = []
  for (const callers of peak_callers) {
    peaks.push(await measure(cluster, `${operation}, ${callers} callers`, [{ ...base, connections: 1, load: { callers } }]))
  }
  const peak = Math.max(...peaks.map(({ per_second }) => per_second))
  const times = number("times")
  const generators = number("generators")
  const spread = (load: (share: number) => FloodPlan["load"]): ReadonlyArray<FloodPlan> =>
    Array.from({ length: generators }, () => (
      { ...base, connections: Math.ceil(number("connections") / generators), load: load(1 / generators) }))
  const callers = times * peak_callers.at(-1)!
  const many = await measure(cluster, `${operation}, ${callers} callers`, spread((share) => ({ callers: callers * share })))
  const offered = Math.round(times * peak / 1_000) * 1_000
  const flood = await measure(cluster, `${operation}, flood of ${offered}/s`, spread((share) => ({ per_second: offered * share })))
  return { peak, rows: [...peaks, many, flood] }
}

const percent = (share: number): string => `${Math.round(share * 100)} %`
const whole = (value: number): string => Math.round(value).toLocaleString("en-US")

const rowOf = (peak: number, measured: Measured): ReadonlyArray<string> => [
  measured.name,
  whole(measured.begun_per_second),
  whole(measured.per_second),
  percent(measured.per_second / peak),
  measured.latency.at(0.5).toFixed(1),
  measured.latency.at(0.99).toFixed(1),
  measured.latency.max_ms.toFixed(0),
  whole(measured.turned_away),
  Object.entries(measured.failures).map(([tag, count]) => `${tag} ${count}`).join(", ") || "none",
  String(measured.state_changes),
  measured.nodes.map(percent).join(" "),
  measured.generators.map(percent).join(" "),
  whole(measured.memory_mib),
  measured.standstill_ms?.toFixed(0) ?? "–"
]

const columns = [
  "load", "sent/s", "served/s", "of peak", "p50 ms", "p99 ms", "max ms", "told to wait/s", "failures", "state changes", "nodes' CPU",
  "generators' CPU", "memory MiB", "standstill ms"
]

const main = async (): Promise<void> => {
  const flags = [
    ...values.pipeline === undefined ? [] : boundedBy({ pipeline_ops_max: Number(values.pipeline) }),
    ...values.delays ? ["--import", fileURLToPath(new URL("./Delay.ts", import.meta.url))] : []
  ]
  const hosts = values.pin ? Array.from({ length: 3 }, () => ({ address: "127.0.0.1", within: ["taskset", "-c", first] })) : []
  const cluster = await Cluster.start({ nodes: 3, durability, flags, hosts })
  try {
    const primary = await cluster.primary()
    const endpoints = [primary, ...cluster.nodes.filter((node) => node !== primary)].map(({ layout }) => layout.client)
    await fill(endpoints)
    const rows: Array<ReadonlyArray<string>> = []
    for (const operation of wanted) {
      const { peak, rows: measured } = await overload(cluster, endpoints, operation)
      rows.push(...measured.map((one) => rowOf(peak, one)))
    }
    process.stdout.write(`durability ${durability}\n\n${table(columns, rows)}\n`)
  } finally {
    await cluster.close()
  }
}

// Nodes and generators end with this process, however it ends.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))

if (values.help) process.stdout.write(`${help}\n`)
else await main()
