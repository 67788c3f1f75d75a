/**
 * Two of three disks lost: an operator begins the tenant anew from the third, and lets it grow again. Real nodes, real files.
 *
 * @module
 */
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { expect, it } from "vitest"
import { connect } from "../../src/client/index.ts"
import { root, tenant_name, until } from "./Cluster.ts"
import { nodesApart } from "./TestCluster.ts"
import { bytes } from "./Workload.ts"

const v2r2Admin = (...parameters: ReadonlyArray<string>): Promise<string> =>
  new Promise((resolve) => {
    execFile(process.execPath, [Path.join(root, "bin/v2r2-admin.ts"), ...parameters], { timeout: 60_000, killSignal: "SIGKILL" },
      (error, stdout, stderr) => resolve(`${error?.code ?? 0}\n${stdout}${stderr}`))
  })

it("a quorum lost for good: recovered from the third, served, and grown again", { timeout: 180_000 }, async () => {
  const cluster = await nodesApart({ nodes: 5 })
  const [one, two, three, four, five] = cluster.nodes
  await cluster.join()
  const replicas = [one!, two!, three!].map(({ name }, index) => ({ name: `r${index + 1}`, node: name }))
  await one!.admin("vr.create", { name: tenant_name, replicas, durability: "disk" })
  const tenant = await connect({ endpoints: cluster.endpoints, tenant: tenant_name, deadline: "60 seconds" })
  let count = 0
  const write = () => Promise.all(Array.from({ length: 50 }, () => tenant.create(`/${count++}`, bytes("x"))))
  try {
    await write()
    const { op } = await cluster.replica(await cluster.primary())
    await until("the third has it all", async () => (await cluster.replica(three!)).op === op)
    await Promise.all([one!, two!, three!].map((node) => node.kill()))
    for (const { layout } of [one!, two!]) Fs.rmSync(Path.join(layout.folder, "data"), { recursive: true })
    const folder = Path.join(three!.layout.folder, "data")

    expect(await v2r2Admin("recover", tenant_name, folder)).toMatch(/^2\n[^]*add --confirm t\n/)
    expect(await v2r2Admin("recover", tenant_name, folder, "--confirm", tenant_name)).toMatch(/^0\n[^]*recovered\tr3::n3\t1002\t\d+\n$/)
    expect(await v2r2Admin("data", "check", folder)).toMatch(/^0\n/)
    expect(await v2r2Admin("recover", tenant_name, folder, "--confirm", tenant_name)).toMatch(/^4\n[^]*they serve by themselves/)

    await three!.start()
    expect((await tenant.stat("/")).children).toBe(count)
    await write()
    const { epoch, next } = await four!.admin("vr.group.plan", {
      tenant: tenant_name, add: [four!, five!].map(({ name }) => ({ name: null, node: name }))
    })
    await until("it has three replicas again", async () =>
      (await four!.admin("vr.group.ask", { tenant: tenant_name, epoch, replicas: next, force: false })).done)
    await three!.kill()
    expect((await tenant.stat("/")).children).toBe(count)
    await write()
    expect((await tenant.stat("/")).children).toBe(count)
  } finally {
    await tenant.close()
  }
})
