/**
 * Backup and restore as an operator does it: real nodes, real command lines, files on a disk.
 *
 * @module
 */
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { expect, it } from "vitest"
import { connect, type PromiseTenant } from "../../src/client/index.ts"
import type { Durability } from "../../src/wire/AdminProtocol.ts"
import { type Cluster, root, tenant_name, until } from "./Cluster.ts"
import { testCluster } from "./TestCluster.ts"
import { bytes, text } from "./Workload.ts"

interface End {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const v2r2Admin = (...parameters: ReadonlyArray<string>): Promise<End> =>
  new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [Path.join(root, "bin/v2r2-admin.ts"), ...parameters],
      { timeout: 120_000, killSignal: "SIGKILL" },
      (_, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr })
    )
  })

/** The one line of JSON that it prints. */
const asked = async (...parameters: ReadonlyArray<string>): Promise<Readonly<Record<string, unknown>>> => {
  const { code, stderr, stdout } = await v2r2Admin(...parameters, "--json")
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
  return JSON.parse(stdout) as Readonly<Record<string, unknown>>
}

type State = Map<string, { readonly data: string; readonly version: number }>

/** Directories of small values, a few large ones, and some that were replaced. */
const fill = async (tenant: PromiseTenant): Promise<void> => {
  for (let folder = 0; folder < 4; folder++) {
    await tenant.create(`/d${folder}`, undefined, { type: "directory" })
    await Promise.all(Array.from({ length: 200 }, (_, index) => tenant.create(`/d${folder}/${index}`, bytes(`${folder}:${index}`))))
    await tenant.create(`/d${folder}/large`, bytes("x".repeat(900_000)))
  }
  await Promise.all(Array.from({ length: 100 }, (_, index) => tenant.put(`/d1/${index}`, bytes(`again ${index}`))))
  await tenant.delete("/d3", { recursive: true })
}

/** All that is below the folders of {@link fill}. */
const readAll = async (tenant: PromiseTenant): Promise<State> => {
  const state: State = new Map()
  for (const folder of ["/d0", "/d1", "/d2"]) {
    state.set(folder, { data: "", version: (await tenant.stat(folder)).version })
    for await (const { name } of tenant.listAll(folder)) {
      const { data, version } = await tenant.get(`${folder}/${name}`)
      state.set(`${folder}/${name}`, { data: text(data), version })
    }
  }
  return state
}

/** Replaces a few elements, again and again, until told to stop; gives all that was acknowledged. */
const writing = (tenant: PromiseTenant) => {
  const done: Array<{ readonly path: string; readonly data: string; readonly version: number }> = []
  let stopped = false
  const run = async (who: string): Promise<void> => {
    for (let count = 0; !stopped; count++) {
      const path = `/${who}${count % 5}`
      const data = `${who} ${count}`
      const { version } = await (count < 5 ? tenant.create(path, bytes(data)) : tenant.put(path, bytes(data)))
      done.push({ path, data, version })
      await sleep(2)
    }
  }
  const writers = ["a", "b", "c"].map(run)
  return {
    count: () => done.length,
    stop: async () => {
      stopped = true
      await Promise.all(writers)
      return done
    }
  }
}

const open = (cluster: Cluster, tenant: string) => connect({ endpoints: cluster.endpoints, tenant, deadline: "60 seconds" })

/** All as it was at that op, and as it is to go on from there. */
const isRestored = async (
  cluster: Cluster,
  name: string,
  before: State,
  written: Awaited<ReturnType<ReturnType<typeof writing>["stop"]>>,
  op: number
): Promise<void> => {
  const tenant = await open(cluster, name)
  try {
    expect(await readAll(tenant)).toEqual(before)
    const expected: State = new Map()
    for (const { data, path, version } of written.toSorted((a, b) => a.version - b.version)) {
      if (version <= op) expected.set(path, { data, version })
    }
    expect(expected.size).toBe(15)
    for (const [path, value] of expected) {
      const { data, version } = await tenant.get(path)
      expect([path, text(data), version]).toEqual([path, value.data, value.version])
    }
    const { version } = await tenant.create("/after", bytes("after"))
    expect(version).toBeGreaterThan(op)
    await tenant.put("/d0/0", bytes("new"), { version: before.get("/d0/0")!.version })
  } finally {
    await tenant.close()
  }
}

const isStillThere = async (cluster: Cluster, name: string): Promise<void> => {
  const tenant = await open(cluster, name)
  try {
    expect([text((await tenant.get("/after")).data), text((await tenant.get("/d0/0")).data)]).toEqual(["after", "new"])
    expect(text((await tenant.get("/d2/large")).data)).toBe("x".repeat(900_000))
  } finally {
    await tenant.close()
  }
}

it("saved while writes go on, verified, restored, written on, and there after kill -9", { timeout: 300_000 }, async () => {
  const cluster = await testCluster({ nodes: 3 })
  const [one, two, three] = cluster.nodes
  const file = Path.join(cluster.folder, "t.snapshot")
  const tenant = await open(cluster, tenant_name)
  await fill(tenant)
  const before = await readAll(tenant)
  const writers = writing(tenant)
  await until("writes flow", async () => writers.count() > 60)
  const saved = await asked(two!.layout.admin, "snapshot", "save", tenant_name, file)
  await until("writes went on", async () => writers.count() > 120)
  const written = await writers.stop()
  await tenant.close()

  const verified = await asked("snapshot", "verify", file)
  for (const key of ["tenant", "op", "elements", "bytes", "digest"]) expect([key, verified[key]]).toEqual([key, saved[key]])
  expect(saved["bytes"]).toBe(Fs.statSync(file).size)
  expect(await v2r2Admin(one!.layout.admin, "snapshot", "save", tenant_name, file)).toMatchObject({ code: 4 })
  const bad = Path.join(cluster.folder, "bad.snapshot")
  const content = Fs.readFileSync(file)
  content[1_000_000]! ^= 1
  Fs.writeFileSync(bad, content)
  const refused = await v2r2Admin("snapshot", "verify", bad)
  expect(refused).toMatchObject({ code: 1, stdout: "" })
  expect(refused.stderr).toMatch(/the file is damaged: part \d+ is not as it was written/)
  expect(await v2r2Admin(one!.layout.admin, "snapshot", "restore", bad, "--tenant", "bad")).toMatchObject({ code: 1 })
  expect(await v2r2Admin(one!.layout.admin, "snapshot", "restore", file, "--tenant", tenant_name)).toMatchObject({ code: 4 })

  const op = Number(saved["op"])
  for (const durability of ["disk", "memory"] satisfies ReadonlyArray<Durability>) {
    const restored = await asked(three!.layout.admin, "snapshot", "restore", file, "--tenant", durability, "--durability", durability)
    expect(restored).toMatchObject({ name: durability, durability, op, elements: saved["elements"] })
    expect(restored["id"]).not.toBe(saved["tenant"])
    await isRestored(cluster, durability, before, written, op)
  }
  for (const node of cluster.nodes) expect(Fs.readdirSync(Path.join(node.layout.folder, "data", "uploads"))).toEqual([])

  // In memory it survives the loss of one at a time.
  for (const node of cluster.nodes) {
    await node.kill()
    await node.start()
    await until("it takes part again", async () => ["backup", "primary"].includes((await cluster.replica(node, "memory")).state))
  }
  await isStillThere(cluster, "memory")
  await Promise.all(cluster.nodes.map((node) => node.kill()))
  await Promise.all(cluster.nodes.map((node) => node.start()))
  await isStillThere(cluster, "disk")
})

it("interrupted by Ctrl-C, save and restore leave nothing behind", { timeout: 180_000 }, async () => {
  const cluster = await testCluster({ nodes: 3 })
  const [one] = cluster.nodes
  const tenant = await open(cluster, tenant_name)
  for (let index = 0; index < 60; index++) await tenant.create(`/${index}`, bytes("x".repeat(1_000_000)))
  await tenant.close()
  const folder = Path.join(cluster.folder, "backups")
  Fs.mkdirSync(folder)
  const file = Path.join(folder, "t.snapshot")

  /** Runs it until `begun`, then stops it as a terminal does. */
  const interrupted = async (begun: () => boolean, ...parameters: ReadonlyArray<string>): Promise<number | null> => {
    const child = execFile(process.execPath, [Path.join(root, "bin/v2r2-admin.ts"), one!.layout.admin, ...parameters])
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve))
    await until("it has begun", async () => begun())
    child.kill("SIGINT")
    return ended
  }
  const sizeOf = (path: string): number => Fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0
  const uploads = (): ReadonlyArray<string> => cluster.nodes.flatMap(({ layout }) => {
    const path = Path.join(layout.folder, "data", "uploads")
    return Fs.existsSync(path) ? Fs.readdirSync(path).map((name) => Path.join(path, name)) : []
  })

  expect(await interrupted(() => sizeOf(`${file}.tmp`) > 1_000_000, "snapshot", "save", tenant_name, file)).toBe(130)
  expect(Fs.readdirSync(folder)).toEqual([])
  await asked(one!.layout.admin, "snapshot", "save", tenant_name, file)
  const begun = () => uploads().some((path) => sizeOf(path) > 1_000_000)
  expect(await interrupted(begun, "snapshot", "restore", file, "--tenant", "again")).toBe(130)
  expect(uploads()).toEqual([])
  const whole = () => uploads().some((path) => sizeOf(path) === sizeOf(file))
  expect(await interrupted(whole, "snapshot", "restore", file, "--tenant", "again")).toBe(130)
  await until("nothing is left", async () => uploads().length === 0)
  await sleep(1_000)
  const names = (await one!.admin("vr.tenants", {})).map(({ name }) => name)
  expect(names).toEqual([tenant_name])
})
