/**
 * A disk that takes no more, with real processes: the file size limit of the operating system stands for it.
 *
 * @module
 */
import { execFileSync, spawnSync } from "node:child_process"
import { expect, it } from "vitest"
import { connect } from "../../src/client/index.ts"
import { tenant_name, until } from "./Cluster.ts"
import { testCluster } from "./TestCluster.ts"
import { bytes } from "./Workload.ts"

const hasLimits = spawnSync("prlimit", ["--version"]).status === 0
/** A log grows in steps of 1 MiB: it gets so far, and no further. */
const file_bytes_max = 2 * 1024 * 1024
const value = new Uint8Array(64 * 1024).fill(7)
const deadline = "30 seconds"

it.skipIf(!hasLimits)("a full disk stops that replica, not its node; mended, it has all again", { timeout: 120_000 }, async () => {
  const cluster = await testCluster({ nodes: 3 })
  await cluster.create("cache", "memory")
  const victim = await cluster.primary()
  const tenant = await connect({ endpoints: cluster.endpoints, tenant: tenant_name, deadline })
  const cache = await connect({ endpoints: cluster.endpoints, tenant: "cache", deadline })
  try {
    execFileSync("prlimit", ["--pid", String(victim.pid), `--fsize=${file_bytes_max}`])
    // Nothing that was acknowledged is lost, nothing has to be said twice, and nobody has to help.
    for (let n = 0; n < 64; n++) await tenant.create(`/${n}`, value)
    const failed = await cluster.replica(victim)
    expect(failed.state).toBe("failed")
    expect(failed.detail).toMatch(/00000001\.log: /)
    await cache.create("/x", bytes(1))
    expect((await cluster.replica(victim, "cache")).state).toMatch(/primary|backup/)
    const { problems, verdict } = await victim.admin("status", {})
    expect(verdict).toBe("DEGRADED")
    expect(problems.map(({ message }) => message).join("\n")).toContain(`::${victim.name} is in failed: `)
    // More room, and started again.
    await victim.kill()
    await victim.start()
    const { commit } = await cluster.replica(await cluster.primary())
    await until("it has all again", async () => {
      const replica = await cluster.replica(victim)
      return (replica.state === "backup" || replica.state === "primary") && replica.commit >= commit
    })
    expect((await tenant.stat("/")).children).toBe(64)
    console.log(`the replica on ${victim.name} stopped: ${failed.detail}`)
  } finally {
    await tenant.close()
    await cache.close()
  }
})
