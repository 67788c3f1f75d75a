/**
 * A tenant that moves through a cluster while a client writes without a pause: it grows from one replica to three and to five, each
 * of the first three nodes is replaced, leaves and is shut down, and it shrinks to three. The client knows the first
 * node only.
 *
 * A test (`Moves.test.ts`), and a program for users (`npm run chaos -- --moves`).
 *
 * @module
 */
import { connect } from "../../src/client/index.ts"
import type { ChangeWish } from "../../src/wire/Changes.ts"
import type { ChaosReport } from "./Chaos.ts"
import type { Durability } from "../../src/wire/AdminProtocol.ts"
import { Cluster, tenant_name, type TestNode, until } from "./Cluster.ts"
import { Workload } from "./Workload.ts"

export const moves_nodes = 8
const creators = 8
/** Writes that have to be acknowledged between two steps. */
const progress = 100
const deadline = "30 seconds"

/** Asked for through `via` until it is done, as the command does. */
export const changeGroup = async (via: TestNode, wish: Omit<ChangeWish, "tenant">): Promise<ReadonlyArray<string>> => {
  const { epoch, next, tenant } = await via.admin("vr.group.plan", { tenant: tenant_name, ...wish })
  await until(`the group is ${next.join(", ")}`, async () => (await via.admin("vr.group.ask", { tenant, epoch, replicas: next })).done)
  return next
}

/** A replica that is to join there, and the one that is there: as a wish names them. */
export const on = (node: TestNode) => ({ name: null, node: node.name })
export const replicaOn = (group: ReadonlyArray<string>, node: TestNode) =>
  ({ name: group.find((id) => id.endsWith(`::${node.name}`))!.split("::")[0]!, node: node.name })

/** Eight nodes, with the tenant on the first one only. */
export const movable = async (durability: Durability): Promise<Cluster> => {
  const cluster = await Cluster.apart({ nodes: moves_nodes })
  try {
    await cluster.join()
    await cluster.nodes[0]!.admin("vr.create", { name: tenant_name, replicas: [{ name: "r1", node: "n1" }], durability })
    return cluster
  } catch (error) {
    await cluster.close()
    throw error
  }
}

/** `cluster`: as {@link movable} gives it. */
export const runMoves = async (cluster: Cluster, say: (line: string) => void): Promise<ChaosReport> => {
  const { nodes } = cluster
  const [n1, n2, n3, n4, n5, n6, n7, n8] = nodes as ReadonlyArray<TestNode> & { readonly length: 8 }
  const tenant = await connect({ endpoints: [n1!.layout.client], tenant: tenant_name, deadline })
  const workload = await Workload.start(tenant, creators)
  const gaps_ms: Array<number> = []
  let group: ReadonlyArray<string> = []
  const step = async (what: string, run: () => Promise<ReadonlyArray<string>>): Promise<void> => {
    if (workload.trouble.length > 0) return
    await progressOf(workload)
    workload.takeGap()
    const begin = performance.now()
    group = await run()
    const took_ms = Math.round(performance.now() - begin)
    await progressOf(workload)
    const gap_ms = Math.round(workload.takeGap())
    gaps_ms.push(gap_ms)
    say(`${what}: ${took_ms} ms, ${gap_ms} ms without a write; ${group.join(", ")} (${workload.count} writes so far)`)
  }
  try {
    await step("grown to 3", () => changeGroup(n1!, { add: [on(n2!), on(n3!)] }))
    await step("grown to 5", () => changeGroup(n1!, { add: [on(n4!), on(n5!)] }))
    for (const [old, fresh] of [[n1!, n6!], [n2!, n7!], [n3!, n8!]] as const) {
      await step(`${old.name} replaced`, () => changeGroup(n5!, { remove: [replicaOn(group, old)], add: [on(fresh)] }))
      await step(`${old.name} left`, async () => {
        await leave(n5!, old)
        return group
      })
    }
    await step("shrunk to 3", () => changeGroup(n5!, { remove: [replicaOn(group, n6!), replicaOn(group, n7!)] }))
    const { acknowledged, problems } = await workload.finish()
    return { acknowledged, problems, gaps_ms }
  } finally {
    await tenant.close()
  }
}

/** The lead goes from one replica to the next. */
export const runHandOffs = async (cluster: Cluster, rounds: number, say: (line: string) => void): Promise<ChaosReport> => {
  const tenant = await connect({ endpoints: cluster.endpoints, tenant: tenant_name, deadline })
  const workload = await Workload.start(tenant, creators)
  const gaps_ms: Array<number> = []
  try {
    for (let round = 1; round <= rounds && workload.trouble.length === 0; round++) {
      await progressOf(workload)
      workload.takeGap()
      const { from, to } = await cluster.nodes[0]!.admin("vr.handoff", { tenant: tenant_name })
      await until(`${to} leads`, async () => (await cluster.nodes[0]!.admin("vr.primary", { tenant: tenant_name })).primary === to)
      await progressOf(workload)
      const gap_ms = Math.round(workload.takeGap())
      gaps_ms.push(gap_ms)
      say(`round ${String(round).padStart(2)}: ${from} → ${to}, ${gap_ms} ms without a write (${workload.count} writes so far)`)
    }
    const { acknowledged, problems } = await workload.finish()
    return { acknowledged, problems, gaps_ms }
  } finally {
    await tenant.close()
  }
}

/** Out of the cluster, once it is needed no more, and shut down. */
export const leave = async (via: TestNode, node: TestNode): Promise<void> => {
  await until(`${node.name} may leave`, async () => {
    await via.admin("cluster.leave", { node: node.name })
    return true
  })
  await node.stop()
}

/** Waits for writes that are acknowledged from now on. */
export const progressOf = async (workload: Workload): Promise<void> => {
  const wanted = workload.count + progress
  await until(`${progress} writes`, async () => workload.trouble.length > 0 || workload.count >= wanted)
}
