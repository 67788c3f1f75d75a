/**
 * What snapshots cost, with three real processes and durability `disk`: `node test/bench/snapshots.ts [pauses] [restart]
 * [transfer] [--elements N]`, all three if none is named: how long event loops stand still while snapshots are written,
 * with nothing but that changed; how long a restart takes; what a transfer of the whole state does to writes meanwhile.
 * `--soak MINUTES`: nothing but writes at full speed, and what disk and memory do.
 *
 * @module
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { Limits } from "../../src/base/Limits.ts"
import { connect, type PromiseTenant } from "../../src/client/index.ts"
import { boundedBy, Cluster, tenant_name, type TestNode, until } from "../e2e/Cluster.ts"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    elements: { type: "string", default: "1000000" },
    seconds: { type: "string", default: "60" },
    soak: { type: "string" }
  }
})
const works = ["pauses", "restart", "transfer"]
const unknown = positionals.find((work) => !works.includes(work))
if (unknown !== undefined) throw new Error(`"${unknown}" is none of ${works.join(", ")}`)
const wants = (work: string): boolean => positionals.length === 0 || positionals.includes(work)
const elements = Number(values.elements)
const seconds = Number(values.seconds)
const value_bytes = 256
const outstanding = 64
const soak_keys = 1_000
const transfer_repetitions = 5
/** About a quarter of what two cores can do: there is room for what is done beside. */
const offered_moderate = 4_000
const value = new Uint8Array(value_bytes).fill(7)
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const pathOf = (n: number): string => `/d/${String(n).padStart(9, "0")}`

const delay = fileURLToPath(new URL("./Delay.ts", import.meta.url))

const withCluster = async (
  { limits = {}, nodes = 3 }: { readonly nodes?: number; readonly limits?: Parameters<typeof boundedBy>[0] },
  body: (cluster: Cluster, tenant: PromiseTenant) => Promise<void>
): Promise<void> => {
  const flags = [...boundedBy(limits), "--import", delay, "--max-old-space-size=4096"]
  const cluster = await Cluster.start({ nodes, durability: "disk", flags })
  const tenant = await connect({ endpoints: cluster.endpoints, tenant: tenant_name, deadline: "120 seconds" })
  try {
    await body(cluster, tenant)
  } finally {
    await tenant.close()
    await cluster.close()
  }
}

/** Runs `once` so many times at once, until `goesOn` says no. Gives how often it ran. */
const repeat = async (goesOn: () => boolean, once: () => Promise<unknown>): Promise<number> => {
  let count = 0
  await Promise.all(Array.from({ length: outstanding * 4 }, async () => {
    while (goesOn()) {
      await once()
      count++
    }
  }))
  return count
}

const fill = async (tenant: PromiseTenant, count: number): Promise<void> => {
  await tenant.create("/d", undefined, { type: "directory" })
  let next = 0
  await repeat(() => next < count, () => tenant.create(pathOf(next++), value))
}

class Writer {
  count = 0
  private begun = 0
  private running = true
  private readonly done: Promise<unknown>

  /** `offered`: as many writes a second as are tried; without it, as many as can be done. */
  constructor(tenant: PromiseTenant, keys: number, offered = Infinity) {
    const begin = performance.now()
    const done = Promise.all(Array.from({ length: outstanding }, async () => {
      while (this.running) {
        const early_ms = this.begun++ / offered * 1_000 - (performance.now() - begin)
        if (early_ms > 0) await sleep(early_ms)
        await tenant.put(pathOf(Math.floor(Math.random() * keys)), value)
        this.count++
      }
    }))
    // Whoever stops it hears of what went wrong.
    done.catch(() => {})
    this.done = done
  }

  /** Writes a second, over so many seconds. */
  async rate(duration_s: number): Promise<number> {
    const [count, begin] = [this.count, performance.now()]
    await sleep(duration_s * 1_000)
    return (this.count - count) / (performance.now() - begin) * 1_000
  }

  async stop(): Promise<void> {
    this.running = false
    await this.done
  }
}

/** Of each second: the longest standstill, and the longest that was of the process's own doing. */
const delaysOf = ({ lines }: TestNode, from: number): ReadonlyArray<readonly [whole: number, own: number]> =>
  lines.slice(from).flatMap((line) => {
    const [, whole, own] = /^delay ([\d.]+) ([\d.]+)/.exec(line) ?? []
    return whole === undefined || own === undefined ? [] : [[Number(whole), Number(own)] as const]
  })

const spread = (numbers: ReadonlyArray<number>): string => {
  const sorted = [...numbers].sort((a, b) => a - b)
  const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1)
  return `min ${at(0)}, median ${at(0.5)}, p90 ${at(0.9)}, max ${at(1)}`
}

const snapshotsOf = async (cluster: Cluster): Promise<number> => {
  const stats = await Promise.all(cluster.nodes.map((node) => node.admin("vr.stats", {})))
  return stats.reduce((sum, { counters }) => sum + (counters["snapshots_written"] ?? 0), 0)
}

const folderBytes = (folder: string): number =>
  Fs.readdirSync(folder, { recursive: true, encoding: "utf8" }).reduce((sum, name) => {
    const stat = Fs.statSync(Path.join(folder, name), { throwIfNoEntry: false })
    return sum + (stat?.isFile() === true ? stat.size : 0)
  }, 0)

const MiB = 1024 * 1024
const diskOf = ({ layout }: TestNode): number => folderBytes(Path.join(layout.folder, "data")) / MiB

const standstills = async (name: string, cluster: Cluster, tenant: PromiseTenant, offered?: number): Promise<void> => {
  const writer = new Writer(tenant, elements, offered)
  await sleep(5_000)
  const before = await snapshotsOf(cluster)
  const from = cluster.nodes.map(({ lines }) => lines.length)
  const rate = await writer.rate(seconds)
  await writer.stop()
  const written = await snapshotsOf(cluster) - before
  const delays = cluster.nodes.flatMap((node, i) => delaysOf(node, from[i]!))
  say(`${name}: ${written} snapshots written, ${Math.round(rate)} writes/s; longest standstill in a second, ms: ` +
    `${spread(delays.map(([whole]) => whole))}; of its own doing: ${spread(delays.map(([, own]) => own))}`)
}

const pauses = async (): Promise<void> => {
  for (const nodes of [1, 3]) {
    // None at all, or more of them than there would be.
    for (const [name, limits] of [
      ["without snapshots", { snapshot_log_bytes_min: 1e12, log_bytes_max: 1e12 }],
      ["with snapshots", { snapshot_log_bytes_max: Limits.snapshot_log_bytes_min }]
    ] as const) {
      await withCluster({ nodes, limits }, async (cluster, tenant) => {
        await fill(tenant, elements)
        await standstills(`${nodes} node${nodes > 1 ? "s" : ""}, ${name}, ${offered_moderate}/s offered`, cluster, tenant, offered_moderate)
        await standstills(`${nodes} node${nodes > 1 ? "s" : ""}, ${name}, full load`, cluster, tenant)
      })
    }
  }
}

const isServing = ({ state }: { readonly state: string }): boolean => state === "primary" || state === "backup"

const backup = async (cluster: Cluster): Promise<TestNode> => {
  const primary = await cluster.primary()
  return cluster.nodes.find((node) => node !== primary)!
}

const serves = (cluster: Cluster, node: TestNode, commit: number): Promise<unknown> =>
  until(`${node.name} serves`, async () => {
    const replica = await cluster.replica(node)
    return isServing(replica) && replica.commit >= commit
  }, 300_000)

const restart = async (cluster: Cluster): Promise<void> => {
  const node = await backup(cluster)
  const { commit } = await cluster.replica(node)
  await node.kill()
  const begin = performance.now()
  await node.start()
  await serves(cluster, node, commit)
  say(`restart of a replica of ${elements} elements: ${((performance.now() - begin) / 1_000).toFixed(1)} s to serving`)
}

/** A replica loses all but its head file, and gets the whole state while writes go on. */
const transfer = async (cluster: Cluster, tenant: PromiseTenant, offered?: number): Promise<number> => {
  const node = await backup(cluster)
  const writer = new Writer(tenant, elements, offered)
  await sleep(5_000)
  const before = await writer.rate(20)
  await node.kill()
  const tenants = Path.join(node.layout.folder, "data", "tenants")
  const [tenantFolder] = Fs.readdirSync(tenants).map((name) => Path.join(tenants, name))
  for (const name of Fs.readdirSync(tenantFolder!)) {
    if (/\.(?:log|snapshots)$/.test(name)) Fs.rmSync(Path.join(tenantFolder!, name), { recursive: true })
  }
  const without = await writer.rate(20)
  const { commit } = await cluster.replica(await cluster.primary())
  const [count, begin] = [writer.count, performance.now()]
  await node.start()
  await serves(cluster, node, commit)
  const took_s = (performance.now() - begin) / 1_000
  const during = (writer.count - count) / took_s
  const after = await writer.rate(20)
  await writer.stop()
  const load = offered === undefined ? "" : ` at ${offered} writes/s offered`
  say(`transfer of ${elements} elements${load}: ${took_s.toFixed(1)} s; writes/s before ${Math.round(before)}, without the node ` +
    `${Math.round(without)}, during ${Math.round(during)} (${Math.round(100 * during / before)} % of before, ` +
    `${Math.round(100 * during / without)} % of without), after ${Math.round(after)}`)
  return during / before
}

const transfers = async (cluster: Cluster, tenant: PromiseTenant): Promise<void> => {
  const shares: Array<number> = []
  for (let i = 0; i < transfer_repetitions; i++) shares.push(100 * await transfer(cluster, tenant))
  say(`${transfer_repetitions} transfers at full load: % of the writes that go on: ${spread(shares)}`)
  await transfer(cluster, tenant, offered_moderate)
}

const soak = async (cluster: Cluster, tenant: PromiseTenant, minutes: number): Promise<void> => {
  await fill(tenant, soak_keys)
  const writer = new Writer(tenant, soak_keys)
  let [disk, memory] = [0, 0]
  for (let minute = 1; minute <= minutes; minute++) {
    for (let i = 0; i < 12; i++) {
      await sleep(5_000)
      disk = Math.max(disk, ...cluster.nodes.map(diskOf))
      memory = Math.max(memory, ...cluster.nodes.map((node) => node.memory_mib()))
    }
    const now = cluster.nodes.map((node) => `${Math.round(diskOf(node))}/${Math.round(node.memory_mib())}`).join(" ")
    say(`minute ${minute}: ${writer.count} writes, ${await snapshotsOf(cluster)} snapshots; disk/memory of each node, MiB: ${now}`)
  }
  await writer.stop()
  say(`soak: ${writer.count} writes (${Math.round(writer.count * (value_bytes + 64) / MiB)} MiB of log) in ${minutes} minutes; ` +
    `at most ${Math.round(disk)} MiB on a node's disk, ${Math.round(memory)} MiB in its memory`)
}

if (values.soak !== undefined) {
  await withCluster({}, (cluster, tenant) => soak(cluster, tenant, Number(values.soak)))
} else {
  if (wants("pauses")) await pauses()
  if (wants("restart") || wants("transfer")) {
    await withCluster({}, async (cluster, tenant) => {
      await fill(tenant, elements)
      if (wants("restart")) await restart(cluster)
      if (wants("transfer")) await transfers(cluster, tenant)
    })
  }
}
