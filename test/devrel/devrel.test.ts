/**
 * Devrel as its user meets it: real processes, with fake nodes.
 *
 * @module
 */
import * as Fs from "node:fs"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { alive, freeBasePort, listening, Running, temporaryFolder } from "./Running.ts"

const started: Array<Running> = []

const devrel = (folder: string, parameters: ReadonlyArray<string>, environment?: Record<string, string>): Running => {
  const running = new Running(folder, parameters, environment)
  started.push(running)
  return running
}

/** A whole run of a command, such as `status`, from another terminal. */
const run = async (folder: string, parameters: ReadonlyArray<string>, environment?: Record<string, string>) => {
  const running = devrel(folder, parameters, environment)
  return { exit: await running.ended, output: running.output }
}

const cluster = async (folder: string, nodes: number, ...more: ReadonlyArray<string>) => {
  const base_port = await freeBasePort(nodes)
  const running = devrel(folder, ["--nodes", String(nodes), "--base-port", String(base_port), ...more])
  await running.writes(/Ctrl-C stops all nodes/)
  return { running, base_port }
}

const pidOf = (running: Running, name: string): number => {
  const pid = new RegExp(`^${name} +(\\d+) `, "m").exec(running.output)?.[1]
  return Number(pid)
}

const configure = (folder: string, name: string, config: object): void => {
  Fs.mkdirSync(join(folder, name), { recursive: true })
  Fs.writeFileSync(join(folder, name, "config.json"), JSON.stringify(config))
}

afterEach(async () => {
  const ours = started.splice(0)
  for (const { child } of ours) child.kill("SIGTERM")
  await Promise.all(ours.map(({ ended }) => ended))
})

describe("a cluster from one command", () => {
  it("starts, joins, creates the tenant, prints the table, and stops on Ctrl-C with exit code 0", async () => {
    const folder = temporaryFolder()
    const { running, base_port } = await cluster(folder, 3)
    expect(running.output).toContain("3 nodes are ready")
    expect(running.output).toContain("tenant dev: r1::dev1, r2::dev2, r3::dev3")
    expect(running.output).toMatch(/^dev2 │ dev2 says hello$/m)
    const second = base_port + 1000
    expect(running.output).toMatch(new RegExp(`^dev2 +\\d+ +127.0.0.1:${second} +127.0.0.1:${second + 1} `, "m"))
    const shared = JSON.parse(Fs.readFileSync(join(folder, "dev1", "shared.json"), "utf8"))
    expect(shared.members).toEqual(["dev1", "dev2", "dev3"])
    expect(shared.tenant.replicas).toHaveLength(3)
    const pids = ["dev1", "dev2", "dev3"].map((name) => pidOf(running, name))
    expect(pids.map(alive)).toEqual([true, true, true])

    running.child.kill("SIGINT")
    // npm passes on what the terminal has sent already.
    running.child.kill("SIGINT")
    expect(await running.ended).toBe(0)
    expect(running.output).toContain("all nodes are stopped")
    expect(pids.map(alive)).toEqual([false, false, false])
    expect(Fs.readdirSync(folder).sort()).toEqual(["dev1", "dev2", "dev3"])
  })

  it("puts replicas of the tenant on three nodes of more, and does with one", async () => {
    const { running } = await cluster(temporaryFolder(), 4)
    expect(running.output).toContain("tenant dev: r1::dev1, r2::dev2, r3::dev3\n")
    const single = await cluster(temporaryFolder(), 1)
    expect(single.running.output).toContain("tenant dev: r1::dev1\n")
  })

  it("kills a node that does not heed SIGTERM within 5 s", async () => {
    const folder = temporaryFolder()
    configure(folder, "dev1", { fake: "ignores SIGTERM" })
    const { running } = await cluster(folder, 1)
    running.child.kill("SIGTERM")
    await running.writes(/dev1 │ not yet/)
    expect(await running.ended).toBe(0)
    expect(alive(pidOf(running, "dev1"))).toBe(false)
  })

  it("ends with a reason when a node cannot start, and stops the others", async () => {
    const folder = temporaryFolder()
    configure(folder, "dev2", { fake: "dies at once" })
    const running = devrel(folder, ["--base-port", String(await freeBasePort(3))])
    expect(await running.ended).toBe(1)
    expect(running.output).toContain("dev2 │ cannot go on")
    expect(running.output).toContain("devrel: dev2 ended before it was ready: exit code 3")
    expect(running.output).toContain("all nodes are stopped")
  })
})

describe("before anything starts", () => {
  it("a second devrel is refused", async () => {
    const folder = temporaryFolder()
    const { running } = await cluster(folder, 1)
    const second = await run(folder, ["--base-port", String(await freeBasePort(3))])
    expect(second.exit).toBe(4)
    expect(second.output).toContain(`a devrel is already running here (pid ${running.child.pid})`)
    expect((await run(folder, ["status"])).exit).toBe(0)
  })

  it("ports in use are named, with the node and another choice", async () => {
    const folder = temporaryFolder()
    const base_port = await freeBasePort(2)
    const server = await listening(base_port + 1001)
    const { exit, output } = await run(folder, ["--nodes", "2", "--base-port", String(base_port)])
    await new Promise((resolve) => server.close(resolve))
    expect(exit).toBe(4)
    expect(output).toContain(`devrel: port ${base_port + 1001} (dev2, admin) is in use`)
    expect(output).toContain(`--base-port ${base_port + 100}`)
    expect(Fs.readdirSync(folder)).toEqual([])
  })

  it("nodes that outlived a killed devrel are named", async () => {
    const folder = temporaryFolder()
    const { running, base_port } = await cluster(folder, 1)
    const pid = pidOf(running, "dev1")
    running.child.kill("SIGKILL")
    await running.ended
    const next = await run(folder, ["--nodes", "1", "--base-port", String(base_port)])
    process.kill(pid, "SIGKILL")
    expect(next.exit).toBe(4)
    expect(next.output).toContain(`nodes have outlived a devrel that was killed: dev1 (pid ${pid})`)
    expect(next.output).toContain(`kill ${pid}`)
  })

  it("what the same nodes left is kept, unless it is not wanted", async () => {
    const folder = temporaryFolder()
    const first = await cluster(folder, 2)
    first.running.child.kill("SIGTERM")
    expect(await first.running.ended).toBe(0)
    const kept = join(folder, "dev1", "data", "members")
    Fs.writeFileSync(kept, "old")
    const again = async (line: RegExp, ...flags: ReadonlyArray<string>) => {
      const running = devrel(folder, ["--base-port", String(first.base_port), ...flags])
      await running.writes(line)
      await running.writes(/Ctrl-C stops all nodes/)
      running.child.kill("SIGTERM")
      await running.ended
      return Fs.existsSync(kept)
    }
    expect(await again(/going on with what the last run left; to begin with nothing: .*--clean/, "--nodes", "2")).toBe(true)
    // A group of which a node does not run any more may never serve again.
    expect(await again(/starting clean: what the last run left is of other nodes or ports/, "--nodes", "1")).toBe(false)
    await again(/starting clean/, "--nodes", "2")
    Fs.writeFileSync(kept, "old")
    expect(await again(/starting clean: .* is emptied/, "--nodes", "2", "--clean")).toBe(false)
  })

  it("what the last run left is removed if they are others, but a configuration's own keys stay", async () => {
    const folder = temporaryFolder()
    configure(folder, "dev1", { heartbeat_ms: 250, node_name: "other" })
    const first = await cluster(folder, 2)
    expect(first.running.output).not.toContain("starting clean")
    first.running.child.kill("SIGTERM")
    expect(await first.running.ended).toBe(0)
    Fs.writeFileSync(join(folder, "dev1", "data", "members"), "old")

    const second = await cluster(folder, 1)
    expect(second.running.output).toContain("starting clean: what the last run left is of other nodes or ports")
    expect(Fs.existsSync(join(folder, "dev1", "data", "members"))).toBe(false)
    const config = JSON.parse(Fs.readFileSync(join(folder, "dev1", "config.json"), "utf8"))
    expect(config).toMatchObject({ heartbeat_ms: 250, node_name: "dev1", cluster_host: `127.0.0.1:${second.base_port}` })
    second.running.child.kill("SIGTERM")
    await second.running.ended

    await cluster(folder, 1, "--clean")
    expect(Fs.readFileSync(join(folder, "dev1", "config.json"), "utf8")).not.toContain("heartbeat_ms")
  })

  it("a configuration that is no JSON is named", async () => {
    const folder = temporaryFolder()
    Fs.mkdirSync(join(folder, "dev1"), { recursive: true })
    Fs.writeFileSync(join(folder, "dev1", "config.json"), "{")
    const { exit, output } = await run(folder, ["--nodes", "1", "--base-port", String(await freeBasePort(1))])
    expect(exit).toBe(2)
    expect(output).toMatch(/dev1\/config.json is not a JSON object\n {2}correct it, or .* --clean/)
  })
})

describe("from another terminal", () => {
  it("kill, start, stop and status", async () => {
    const folder = temporaryFolder()
    const { running } = await cluster(folder, 2)
    const before = pidOf(running, "dev2")
    expect((await run(folder, ["kill", "dev2"])).output).toContain("dev2 ended: signal SIGKILL")
    expect(alive(before)).toBe(false)
    expect((await run(folder, ["status"])).output).toMatch(/^dev2 +killed +\d+s +- /m)
    expect((await run(folder, ["kill", "dev2"])).output).toContain("dev2 did not run")

    const start = await run(folder, ["start", "dev2"])
    expect(start).toMatchObject({ exit: 0, output: expect.stringMatching(/^dev2 runs: pid \d+, ready after/) })
    expect(await run(folder, ["start", "dev2"])).toMatchObject({ exit: 4, output: expect.stringContaining("dev2 is up") })
    expect((await run(folder, ["stop", "dev2"])).output).toContain("dev2 ended: exit code 0")
    const status = await run(folder, ["status"])
    expect(status.output).toMatch(/^dev1 +up +\d+s +\d+ /m)
    expect(status.output).toMatch(/^dev2 +stopped +\d+s +- /m)
    expect(running.output).toContain("devrel: dev2 ended: signal SIGKILL")
  })

  it("says what a majority that is gone means", async () => {
    const folder = temporaryFolder()
    await cluster(folder, 3)
    expect((await run(folder, ["kill", "dev1"])).output).not.toContain("majority")
    expect((await run(folder, ["kill", "dev2"])).output).toContain("only 1 of the 3 nodes with tenant dev run")
  })

  it("a node that dies is reported, with how to start it again", async () => {
    const folder = temporaryFolder()
    const { running } = await cluster(folder, 3)
    process.kill(pidOf(running, "dev3"), "SIGKILL")
    await running.writes(/devrel: dev3 died: signal SIGKILL; start it again: npm run devrel -- start dev3/)
    expect((await run(folder, ["status"])).output).toMatch(/^dev3 +died: signal SIGKILL /m)
  })

  it("an unknown node, and no devrel, are said", async () => {
    const folder = temporaryFolder()
    const status = await run(folder, ["status"])
    expect(status).toEqual({ exit: 6, output: "devrel: no devrel is running here\n  start one: npm run devrel\n" })
    await cluster(folder, 1)
    const kill = await run(folder, ["kill", "dev7"])
    expect(kill).toEqual({ exit: 3, output: "devrel: there is no node dev7\n  the nodes are dev1\n" })
  })
})

describe("a wrong command line", () => {
  it.each([
    [["--nodes", "0"], "expected a whole number from 1 to"],
    [["--nodes", "many"], "many"],
    [["--node", "3"], "--node"],
    [["--base-port", "80"], "expected a whole number from 1024"],
    [["--nodes", "60", "--base-port", "8000"], "60 nodes from port 8000 on need ports up to 67003"],
    [["restart", "dev1"], "restart"],
    [["kill"], "node"]
  ])("%j", async (parameters, complaint) => {
    const { exit, output } = await run(temporaryFolder(), parameters)
    expect(exit).toBe(2)
    expect(output).toContain(complaint)
    expect(output.split("\n").length).toBeLessThan(4)
    expect(output).not.toMatch(/ {4}at /)
  })

  it("a flag that npm kept to itself", async () => {
    const { exit, output } = await run(temporaryFolder(), [], { npm_config_clean: "true" })
    expect(exit).toBe(2)
    expect(output).toContain("npm took --clean for itself: flags go behind --")
  })

  it("help is no error", async () => {
    const { exit, output } = await run(temporaryFolder(), ["--help"])
    expect(exit).toBe(0)
    expect(output).toContain("--base-port")
    expect(output).toContain("status")
  })
})
