/**
 * A cluster of real processes for tests: `v2r2 start` on ports of its own, with state in a temporary folder. Nodes can
 * be killed, paused and started again; whatever happens, they are gone when the cluster is closed.
 *
 * Knows nothing of vitest, so that programs can use it too; `TestCluster.ts` is for tests.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import type { Limits } from "../../src/base/Limits.ts"
import { ask } from "../../src/devrel/Asking.ts"
import type { Layout } from "../../src/devrel/Layout.ts"
import { untilAccepting } from "../../src/devrel/Ports.ts"
import * as Process from "../../src/devrel/Process.ts"
import type { Args, CommandName, Durability, Ok, ReplicaStatus } from "../../src/wire/AdminProtocol.ts"

export const root = fileURLToPath(new URL("../../", import.meta.url))
const program = Path.join(root, "bin/v2r2.mjs")

const poll_ms = 20
const patience_ms = 30_000
const log_lines_max = 50_000
/** Of each node's log, when a test fails. */
const shown_lines_max = 1_000

/** Asks until the answer is neither undefined nor false. An error counts as "not yet", and is told when time is up. */
export const until = async <A>(
  what: string,
  probe: () => Promise<A | undefined | false>,
  within_ms: number = patience_ms
): Promise<A> => {
  const end = performance.now() + within_ms
  let last = ""
  while (performance.now() < end) {
    try {
      const answer = await probe()
      if (answer !== undefined && answer !== false) return answer
      last = ""
    } catch (error) {
      last = `: ${error instanceof Error ? error.message : String(error)}`
    }
    await sleep(poll_ms)
  }
  throw new Error(`not within ${within_ms} ms: ${what}${last}`)
}

/** The refusal of an admin command. */
export class Refused extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** Where a node runs. */
export interface Host {
  readonly address: string
  /** The command that starts others there, with its parameters; none: they are started as they are. */
  readonly within: ReadonlyArray<string>
}

const loopback: Host = { address: "127.0.0.1", within: [] }

/** One node: its place, its process while there is one, and all that it has said. */
export class TestNode {
  readonly layout: Layout
  readonly lines: Array<string> = []
  private readonly flags: ReadonlyArray<string>
  private readonly host: Host
  private process: Process.Process | null = null
  private paused = false

  /** `flags`: for Node.js itself. */
  constructor(layout: Layout, flags: ReadonlyArray<string> = [], host: Host = loopback) {
    this.layout = layout
    this.flags = flags
    this.host = host
  }

  get name(): string {
    return this.layout.name
  }

  get pid(): number | null {
    return this.process?.pid ?? null
  }

  /** Returns once all four ports accept. */
  async start(): Promise<void> {
    const process = await this.spawn()
    await Promise.race([
      Effect.runPromise(untilAccepting(this.layout)),
      this.end(process).then((end) => Promise.reject(new Error(`${this.name} ended: ${end}\n${this.lines.join("\n")}`)))
    ])
  }

  /** Returns once the process runs. */
  async spawn(): Promise<Process.Process> {
    if (this.process !== null) throw new Error(`${this.name} runs already`)
    this.note("--- started")
    const process = await Effect.runPromise(Process.start(
      [...this.flags, program, "start", "--config", this.layout.config],
      (line) => this.note(line),
      this.host.within
    ))
    this.process = process
    this.end(process).then((end) => {
      this.note(`--- ended: ${end}`)
      if (this.process === process) this.process = null
    }, () => {})
    return process
  }

  /** SIGKILL; returns once the process is gone. */
  async kill(): Promise<void> {
    await this.signalAndWait("SIGKILL")
  }

  /** SIGTERM, or another signal that ends it; returns how it ended and how long that took. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<{ readonly end: string; readonly took_ms: number }> {
    const begin = performance.now()
    const end = await this.signalAndWait(signal)
    return { end, took_ms: performance.now() - begin }
  }

  pause(): void {
    this.paused = true
    this.signal("SIGSTOP")
  }

  resume(): void {
    this.paused = false
    this.signal("SIGCONT")
  }

  async admin<C extends CommandName>(command: C, args: Args<C>): Promise<Ok<C>> {
    const answer = await Effect.runPromise(Effect.match(ask(this.layout.admin, command, args), {
      onFailure: ({ code, message }) => new Refused(code, message),
      onSuccess: (ok) => ({ ok })
    }))
    if (answer instanceof Refused) throw answer
    return answer.ok
  }

  /** Resident memory, in MiB. */
  memory_mib(): number {
    const match = /VmRSS:\s+(\d+) kB/.exec(Fs.readFileSync(`/proc/${this.pid}/status`, "utf8"))
    return Number(match?.[1]) / 1024
  }

  /** Waits for a line that matches, from line `from` on. */
  async says(pattern: RegExp, from = 0): Promise<string> {
    return until(`${this.name} says ${pattern}`, async () => this.lines.slice(from).find((line) => pattern.test(line)))
  }

  private signal(signal: NodeJS.Signals): void {
    if (this.process === null) throw new Error(`${this.name} does not run`)
    process.kill(this.process.pid, signal)
    this.note(`--- ${signal}`)
  }

  private async signalAndWait(signal: NodeJS.Signals): Promise<string> {
    const process = this.process
    if (process === null) return "not running"
    this.signal(signal)
    if (this.paused) this.resume()
    const end = await this.end(process)
    this.process = null
    return end
  }

  private end(process: Process.Process): Promise<string> {
    return Effect.runPromise(process.ended)
  }

  private note(line: string): void {
    this.lines.push(line)
    if (this.lines.length > log_lines_max) this.lines.splice(1, 1)
  }
}

export interface ClusterOptions {
  readonly nodes: number
  /** Keys for every node's config.json, beside names and addresses. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Of the tenant; left out: the node's default. */
  readonly durability?: Durability
  /** For Node.js itself. */
  readonly flags?: ReadonlyArray<string>
  /** Of each node; left out: all of them are on this machine's loopback. */
  readonly hosts?: ReadonlyArray<Host>
}

/** Flags for nodes with other bounds. */
export const boundedBy = (limits: Partial<Record<keyof typeof Limits, number>>): ReadonlyArray<string> =>
  ["--import", `${new URL("./Bounds.ts", import.meta.url).href}?${encodeURIComponent(JSON.stringify(limits))}`]

export const tenant_name = "t"

export class Cluster {
  readonly nodes: ReadonlyArray<TestNode>
  readonly folder: string

  private constructor(folder: string, nodes: ReadonlyArray<TestNode>) {
    this.folder = folder
    this.nodes = nodes
  }

  /** Processes that do not know each other yet, nor any tenant. */
  static async apart({ config = {}, flags = [], hosts = [], nodes }: ClusterOptions): Promise<Cluster> {
    const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "v2r2-e2e-"))
    const ports = await freePorts(nodes * 4)
    const layouts = Array.from({ length: nodes }, (_, index) =>
      makeLayout(folder, `n${index + 1}`, ports.slice(index * 4, index * 4 + 4), hosts[index]?.address))
    for (const layout of layouts) writeConfig(layout, config)
    const cluster = new Cluster(folder, layouts.map((layout, index) => new TestNode(layout, flags, hosts[index])))
    try {
      await Promise.all(cluster.nodes.map((node) => node.start()))
    } catch (error) {
      await cluster.close()
      throw error
    }
    return cluster
  }

  /** Joined, with one tenant ("t") on up to seven of the nodes, that has a primary. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = await Cluster.apart(options)
    try {
      await cluster.join()
      await cluster.create(tenant_name, options.durability)
    } catch (error) {
      console.error(cluster.logs())
      await cluster.close()
      throw error
    }
    return cluster
  }

  get endpoints(): ReadonlyArray<string> {
    return this.nodes.map(({ layout }) => layout.client)
  }

  node(name: string): TestNode {
    const node = this.nodes.find((node) => node.name === name)
    if (node === undefined) throw new Error(`no node ${name}`)
    return node
  }

  async join(): Promise<void> {
    const [first, ...others] = this.nodes
    for (const other of others) await first?.admin("cluster.join", { address: other.layout.cluster })
    await until("every node is connected to every other", async () => {
      const statuses = await Promise.all(this.nodes.map((node) => node.admin("cluster.status", {})))
      return statuses.every((status) =>
        status.length === this.nodes.length && status.every(({ state }) => state !== "disconnected"))
    })
  }

  /** A tenant with a replica on each node. */
  async create(name: string, durability: Durability | null = null): Promise<void> {
    const replicas = this.nodes.slice(0, 7).map((node, index) => ({ name: `r${index + 1}`, node: node.name }))
    await this.nodes[0]?.admin("vr.create", { name, replicas, durability })
    await this.primary(name)
  }

  /** The node of the primary, as a node that runs and is not excluded sees it. */
  async primary(tenant = tenant_name, except?: TestNode): Promise<TestNode> {
    const witness = this.nodes.find((node) => node !== except && node.pid !== null)
    return until(`tenant ${tenant} has a primary`, async () => {
      const found = await witness?.admin("vr.primary", { tenant })
      const name = found?.primary?.split("::")[1]
      return name !== undefined && name !== except?.name && this.node(name)
    })
  }

  /** The state of a node's replica, by the node itself. */
  async replica(node: TestNode, tenant = tenant_name): Promise<ReplicaStatus> {
    const tenants = await node.admin("vr.tenants", {})
    const known = tenants.find(({ id, name }) => id === tenant || name === tenant)
    const own = known?.replicas.find((replica) => replica.node === node.name)
    if (own === undefined) throw new Error(`${node.name} knows no replica of ${tenant} on itself`)
    return node.admin("vr.replica", { tenant, replica: own.name, node: node.name })
  }

  /** What all nodes have said, for the report of a test that failed. */
  logs(): string {
    return this.nodes.flatMap(({ lines, name }) => lines.slice(-shown_lines_max).map((line) => `${name} | ${line}`)).join("\n")
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()))
    Fs.rmSync(this.folder, { recursive: true, force: true })
  }
}

export const makeLayout = (
  folder: string,
  name: string,
  ports: ReadonlyArray<number>,
  address: string = loopback.address
): Layout => {
  const [cluster, admin, client, peer] = ports.map((port) => `${address}:${port}`)
  const own = Path.join(folder, name)
  return {
    name,
    folder: own,
    config: Path.join(own, "config.json"),
    cluster: cluster!,
    admin: admin!,
    client: client!,
    peer: peer!
  }
}

/** `more` may replace what is written by itself. */
export const writeConfig = (layout: Layout, more: Readonly<Record<string, unknown>> = {}): void => {
  Fs.mkdirSync(layout.folder, { recursive: true })
  Fs.writeFileSync(layout.config, JSON.stringify({
    node_name: layout.name,
    cluster_name: "e2e",
    admin_host: layout.admin,
    client_host: layout.client,
    cluster_host: layout.cluster,
    peer_host: layout.peer,
    data_dir: "data",
    ...more
  }))
}

const first_port = 10_000
const last_port = 32_000
let nextPort = first_port + (process.pid * 97) % (last_port - first_port)

/**
 * Ports that nobody uses, below those that the system gives away by itself: a node that is killed finds its own again,
 * and no outgoing connection has taken it.
 */
export const freePorts = async (count: number): Promise<ReadonlyArray<number>> => {
  const ports: Array<number> = []
  while (ports.length < count) {
    const port = nextPort
    nextPort = port >= last_port ? first_port : port + 1
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = Net.createServer().once("error", () => resolve(false))
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)))
  })
