/**
 * `v2r2 start` as a command: what it says and how it ends if it cannot start, and how it ends when it is told to.
 *
 * @module
 */
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { connect } from "../../src/client/index.ts"
import type { Layout } from "../../src/devrel/Layout.ts"
import { encodeOperation } from "../../src/store/Operation.ts"
import { encodeClientMessage } from "../../src/wire/ClientProtocol.ts"
import { freePorts, makeLayout, root, tenant_name, until, writeConfig } from "./Cluster.ts"
import { RawSocket } from "./RawSocket.ts"
import { nodesApart, testCluster } from "./TestCluster.ts"
import { Workload } from "./Workload.ts"

const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "v2r2-start-"))
afterAll(() => Fs.rmSync(folder, { recursive: true, force: true }))

interface End {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const run = (file: string, parameters: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}): Promise<End> =>
  new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [Path.join(root, "bin", file), ...parameters],
      { cwd: folder, timeout: 15_000, killSignal: "SIGKILL", env: { ...process.env, ...env } },
      (_, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr })
    )
  })
const v2r2 = (...parameters: ReadonlyArray<string>): Promise<End> => run("v2r2.mjs", parameters)

/** Exit code 2 and exactly this one line. */
const refuses = async (parameters: ReadonlyArray<string>, line: string | RegExp): Promise<void> => {
  const { code, stderr, stdout } = await v2r2(...parameters)
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" })
  const [first, ...rest] = stderr.split("\n")
  expect(first).toMatch(line)
  expect(rest).toEqual([""])
}

let files = 0
/** A configuration file of its own for each call. */
const configured = async (changes: Readonly<Record<string, unknown>> = {}): Promise<Layout> => {
  const layout = makeLayout(folder, `s${++files}`, await freePorts(4))
  writeConfig(layout, changes)
  return layout
}

const written = (text: string): string => {
  const file = Path.join(folder, `config-${++files}.json`)
  Fs.writeFileSync(file, text)
  return file
}

const listening = (address: string): Promise<Net.Server> =>
  new Promise((resolve, reject) => {
    const server = Net.createServer().once("error", reject)
    server.listen({ host: "127.0.0.1", port: Number(address.split(":")[1]) }, () => resolve(server))
  })

describe("a node that cannot start says so in one line, with exit code 2", { timeout: 30_000 }, () => {
  it("no file, and no file of that name by default", async () => {
    await refuses(["start", "--config", "nowhere.json"], /^v2r2: nowhere\.json: there is no such file; expected a conf/)
    await refuses(["start"], /^v2r2: config\.json: there is no such file; expected a configuration in JSON$/)
  })

  it("a file that is no configuration", async () => {
    await refuses(["start", "-c", folder], /: expected a file, got something else$/)
    const bad = written("{ node_name: ")
    await refuses(["start", "-c", bad], new RegExp(`^v2r2: ${bad}: .*line 1`))
    const list = written("[]")
    await refuses(["start", "-c", list], new RegExp(`^v2r2: ${list}: expected an object, .* got a list$`))
  })

  it("the file, the key and what was expected", async () => {
    const mistakes: ReadonlyArray<readonly [Readonly<Record<string, unknown>>, RegExp]> = [
      [{ nod_name: "x" }, /nod_name"?: unknown key; did you mean node_name\?/],
      [{ client_host: "nowhere" }, /client_host: expected host:port/],
      [{ heartbeat_ms: "fast" }, /heartbeat_ms: expected a whole number of milliseconds from 10 to 10000, got "fast"/],
      [{ peer_host: undefined }, /peer_host: missing; expected host:port/]
    ]
    await Promise.all(mistakes.map(async ([changes, reason]) => {
      const { config } = await configured(changes)
      await refuses(["start", "-c", config], new RegExp(`^v2r2: ${config}: .*${reason.source}`))
    }))
  })

  it("a port in use", async () => {
    await Promise.all((["client", "admin", "cluster", "peer"] as const).map(async (port) => {
      const layout = await configured()
      const server = await listening(layout[port])
      await refuses(
        ["start", "-c", layout.config],
        `v2r2: ${layout.config}: ${port}_host: cannot listen on ${layout[port]}: port in use; ` +
          "expected a free address of this machine"
      )
      server.close()
    }))
  })

  it("an address of another machine", async () => {
    const { config } = await configured({ client_host: "192.0.2.1:4000" })
    await refuses(["start", "-c", config], /client_host: cannot listen on 192\.0\.2\.1:4000: not an address of this machine/)
  })

  it("a folder that another process uses, that belongs to another node, or that cannot be written", async () => {
    const { nodes: [node] } = await nodesApart({ nodes: 1 })
    const data_dir = Path.join(node!.layout.folder, "data")
    const twin = await configured({ node_name: "n1", data_dir })
    await refuses(["start", "-c", twin.config], new RegExp(`${data_dir}.* in use by .*${node!.pid}`))
    await node!.stop()
    const other = await configured({ data_dir })
    await refuses(["start", "-c", other.config], /belongs to node "n1" of cluster "e2e", not to node "s\d+"/)
    const file = written("")
    const unwritable = await configured({ data_dir: file })
    await refuses(["start", "-c", unwritable.config], new RegExp(`${file}`))
  })

  it("a command line that makes no sense", async () => {
    for (const parameters of [["begin"], ["start", "--confg", "x"], ["start", "--log-level", "loud"]]) {
      const { code, stderr, stdout } = await v2r2(...parameters)
      expect({ parameters, code }).toEqual({ parameters, code: 2 })
      expect(`${stdout}${stderr}`).not.toMatch(/^\s+at /m)
      expect(stderr).not.toBe("")
    }
  })
})

describe("the command", () => {
  it("loads Effect so that fibers take no async contexts along, as they would otherwise", { timeout: 30_000 }, async () => {
    const counting = Path.join(folder, "counting.mjs")
    Fs.writeFileSync(counting, `
      import { createHook } from "node:async_hooks"
      let contexts = 0
      createHook({ init: (id, type) => { if (type === "effect/Fiber") contexts++ } }).enable()
      process.on("exit", () => console.log(contexts, typeof process.getBuiltinModule))
    `)
    const counted = async (file: string) =>
      (await run(file, ["start", "-c", "nowhere.json"], { NODE_OPTIONS: `--import=${counting}` })).stdout.trim()
    expect(await counted("v2r2.mjs")).toBe("0 function")
    expect(await counted("v2r2.ts")).toMatch(/^[1-9]\d* function$/)
  })
})

describe("logs", () => {
  it("are JSON if asked for, one object a line, from the level that was asked for", { timeout: 30_000 }, async () => {
    const cluster = await nodesApart({ nodes: 1, config: { log_format: "json", log_level: "debug" } })
    const node = cluster.nodes[0]!
    const socket = await RawSocket.open(node.layout.client)
    socket.write(new Uint8Array(4))
    await socket.closed
    const line = await node.says(/no hello/)
    expect(JSON.parse(line)).toMatchObject({ level: "WARN", message: expect.stringContaining("a frame of length 0") })
    await node.admin("config.set", { key: "log_level", value: "error" })
    const before = node.lines.length
    const another = await RawSocket.open(node.layout.client)
    another.write(new Uint8Array(4))
    await another.closed
    await node.stop()
    expect(node.lines.slice(before).filter((line) => line.startsWith("{"))).toEqual([])
  })
})

describe("a node that is told to stop ends with exit code 0 within 5 s", { timeout: 60_000 }, () => {
  it("with nothing to do, and while it starts", async () => {
    const { nodes } = await nodesApart({ nodes: 2 })
    const ends = await Promise.all([nodes[0]!.stop("SIGTERM"), nodes[1]!.stop("SIGINT")])
    for (const { end, took_ms } of ends) {
      expect(end).toBe("exit code 0")
      expect(took_ms).toBeLessThan(5_000)
    }
    await nodes[0]!.spawn()
    // Before its handlers are there, the signal itself ends it.
    expect((await nodes[0]!.stop()).end).toMatch(/^(exit code 0|signal SIGTERM)$/)
  })

  it("SIGTERM and SIGINT to the primary, under load: writes go on, none is lost, none is executed twice", async () => {
    const cluster = await testCluster({ nodes: 3 })
    const tenant = await connect({ endpoints: cluster.endpoints, tenant: tenant_name, deadline: "30 seconds" })
    const workload = await Workload.start(tenant, 32)
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const primary = await cluster.primary()
      const count = workload.count
      await until("writes flow", async () => workload.count > count + 100)
      workload.takeGap()
      const { end, took_ms } = await primary.stop(signal)
      await until("writes go on", async () => workload.count > count + 300)
      console.log(`${signal}: ended after ${Math.round(took_ms)} ms, ${Math.round(workload.takeGap())} ms without a write`)
      expect([signal, end]).toEqual([signal, "exit code 0"])
      expect(took_ms).toBeLessThan(5_000)
      await primary.start()
      await until("it takes part again", async () => (await cluster.replica(primary)).state === "backup")
    }
    expect((await workload.finish()).problems).toEqual([])
    await tenant.close()
  })

  it("with clients that do not read, and half of its group gone", async () => {
    const cluster = await testCluster({ nodes: 3 })
    const [primary, ...others] = cluster.nodes
    const socket = await RawSocket.greeted(primary!.layout.client, "v2r2-client")
    const nonce = new Uint8Array(Limits.session_nonce_bytes)
    socket.write(encodeClientMessage({ _tag: "Open", channel: 1, tenant: tenant_name, nonce }))
    await socket.next()
    socket.stopReading()
    const operation = encodeOperation({ _tag: "List", path: "/", limit: 10, after: null })
    const reads = Array.from({ length: 50_000 }, (_, id) => encodeClientMessage({ _tag: "Read", channel: 1, id, operation }))
    socket.write(Buffer.concat(reads))
    for (const other of others) other.pause()
    const put = encodeOperation({ _tag: "Create", path: "/x", type: "blob", data: new Uint8Array(9), parents: false })
    socket.write(encodeClientMessage({ _tag: "Write", channel: 1, request: 1, answered: 0, operation: put }))
    const { end, took_ms } = await primary!.stop()
    expect(end).toBe("exit code 0")
    expect(took_ms).toBeLessThan(5_000)
    socket.destroy()
  })
})
