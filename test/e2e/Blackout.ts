/**
 * Rounds of `kill -9` of all nodes at once, under a client that writes without a pause: they start again, serve, and have
 * all that was acknowledged. On demand one byte of one node's logs and snapshots is flipped while they are away.
 *
 * A test (`Blackout.test.ts`), and a program for users (`npm run chaos -- --all`).
 *
 * @module
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { connect } from "../../src/client/index.ts"
import type { ReplicaStatus } from "../../src/wire/AdminProtocol.ts"
import { boundedBy, type Cluster, tenant_name, type TestNode, until } from "./Cluster.ts"
import { Workload } from "./Workload.ts"

export interface BlackoutOptions {
  readonly rounds: number
  /** Flips a byte in each round, of another node each time. */
  readonly flip: boolean
  /** From 0 to 1: which byte. */
  readonly random: () => number
  readonly say: (line: string) => void
}

export interface BlackoutReport {
  readonly acknowledged: number
  /** Of each round: from when the last node was there again to the first acknowledged write, in ms. */
  readonly served_ms: ReadonlyArray<number>
  readonly problems: ReadonlyArray<string>
}

/** Nodes that write a snapshot, and shorten their logs, every few hundred writes. */
export const snapshotsOften = boundedBy({
  snapshot_log_bytes_min: 4 * 1024,
  snapshot_part_bytes_max: 1024,
  journal_segment_bytes_max: 16 * 1024,
  journal_step_bytes: 8 * 1024
})

const creators = 8
/** Writes that have to be acknowledged before the lights go out. */
const progress = 100
/** Longer than any blackout: an error of the client would be one of the cluster. */
const deadline = "60 seconds"

export const runBlackouts = async (cluster: Cluster, options: BlackoutOptions): Promise<BlackoutReport> => {
  const tenant = await connect({ endpoints: cluster.endpoints, tenant: tenant_name, deadline })
  const workload = await Workload.start(tenant, creators)
  const served_ms: Array<number> = []
  try {
    for (let round = 1; round <= options.rounds && workload.trouble.length === 0; round++) {
      const victim = options.flip ? cluster.nodes[round % cluster.nodes.length]! : null
      const { line, took_ms } = await runRound(cluster, workload, victim, options.random)
      served_ms.push(took_ms)
      options.say(`round ${String(round).padStart(2)}: ${line}`)
    }
    const { acknowledged, problems } = await workload.finish()
    return { acknowledged, problems, served_ms }
  } finally {
    await tenant.close()
  }
}

const runRound = async (
  cluster: Cluster,
  workload: Workload,
  victim: TestNode | null,
  random: () => number
): Promise<{ readonly line: string; readonly took_ms: number }> => {
  const wanted = workload.count + progress
  await until(`${progress} writes before the blackout`, async () => workload.trouble.length > 0 || workload.count >= wanted)
  await Promise.all(cluster.nodes.map((node) => node.kill()))
  const flipped = victim === null ? null : flipByte(victim, random)
  const count = workload.count
  await Promise.all(cluster.nodes.map((node) => node.start()))
  const begin = performance.now()
  await until("a write is acknowledged again", async () => workload.trouble.length > 0 || workload.count > count)
  const took_ms = Math.round(performance.now() - begin)
  const after = victim === null || flipped === null ? "" : `; ${flipped} of ${victim.name}: ${await repaired(cluster, victim)}`
  await until("all replicas serve", async () => {
    const replicas = await Promise.all(cluster.nodes.map((node) => cluster.replica(node)))
    return replicas.every(isServing)
  })
  const line = `all killed at ${count} writes, ${took_ms} ms from the last start to the first write${after}`
  return { line, took_ms }
}

const isServing = ({ state }: ReplicaStatus): boolean => state === "backup" || state === "primary"

/** Of what is reserved behind the end of a log. */
const reserve_bytes = 1_024

/** Flips one bit of a byte anywhere in the node's logs and snapshots, or a little behind; says where. Null: it has none. */
const flipByte = (node: TestNode, random: () => number): string | null => {
  const folder = Path.join(node.layout.folder, "data", "tenants")
  const files = Fs.readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => Path.join(folder, file))
    .filter((file) => Fs.statSync(file).isFile() && Fs.statSync(file).size > 0 && !file.includes(".damaged"))
    .sort()
  const sizes = files.map((file) => {
    const bytes = Fs.readFileSync(file)
    return Math.min(bytes.length, bytes.findLastIndex((byte) => byte !== 0) + 1 + reserve_bytes)
  })
  let at = Math.floor(random() * sizes.reduce((sum, size) => sum + size, 0))
  for (const [index, file] of files.entries()) {
    const size = sizes[index]!
    if (at >= size) {
      at -= size
      continue
    }
    const bytes = Fs.readFileSync(file)
    bytes[at] = bytes[at]! ^ (1 << Math.floor(random() * 8))
    Fs.writeFileSync(file, bytes)
    return `byte ${at} of ${size} in ${Path.basename(file)}`
  }
  return null
}

/** Waits until the replica has repaired its log. One that refuses says why; it then gets a new disk, as an operator would. */
const repaired = async (cluster: Cluster, node: TestNode): Promise<string> => {
  const others = cluster.nodes.filter((other) => other !== node)
  const commit = await until("the others say how far they are", async () =>
    Math.max(...await Promise.all(others.map(async (other) => (await cluster.replica(other)).commit))))
  const end = await until(`${node.name} has repaired its log, or refused it`, async () => {
    const replica = await cluster.replica(node)
    return (replica.state === "failed" || (isServing(replica) && replica.commit >= commit)) && replica
  })
  const from = node.lines.findLastIndex((line) => line === "--- started")
  const doubt = node.lines.slice(from).find((line) => /does not trust its own log/.test(line))
  if (end.state !== "failed") return doubt === undefined ? "no harm" : "repaired from the others"
  if (!/damaged|remove|put back/i.test(end.detail ?? "")) throw new Error(`refused without clear words: ${end.detail}`)
  await node.kill()
  Fs.rmSync(Path.join(node.layout.folder, "data", "tenants", end.tenant), { recursive: true })
  await node.start()
  return `refused (${end.detail})`
}
