/**
 * All nodes killed at once, and files of one of them lost, emptied or swapped: real processes on a real disk.
 *
 * @module
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { expect, it } from "vitest"
import { connect } from "../../src/client/index.ts"
import { type Cluster, tenant_name, type TestNode, until } from "./Cluster.ts"
import { testCluster } from "./TestCluster.ts"
import { bytes } from "./Workload.ts"

/** Where a node keeps its replica of the tenant. */
interface Files {
  readonly folder: string
  readonly head: string
  readonly segment: string
}

const filesOf = ({ layout }: TestNode, tenant: string): Files => {
  const folder = Path.join(layout.folder, "data", "tenants", tenant)
  const names = Fs.readdirSync(folder)
  const named = (end: string): string => Path.join(folder, names.find((name) => name.endsWith(end)) ?? `no ${end}`)
  return { folder, head: named(".head.json"), segment: Path.join(named(".log"), "00000001.log") }
}

/** What happens to a node's files, given another node's; and what it says then. */
const harms: ReadonlyArray<readonly [what: string, harm: (own: Files, other: Files) => void, says: RegExp, end: RegExp]> = [
  ["all lost", ({ folder }) => Fs.rmSync(folder, { recursive: true }), /its journal is not there: the disk was lost/, /backup|primary/],
  ["its head lost", ({ head }) => Fs.rmSync(head), /is missing, though there is a log/, /backup|primary/],
  ["its log emptied", ({ segment }) => Fs.truncateSync(segment, 0), /does not trust its own log: .*00000001\.log/, /backup|primary/],
  ["another's log", (own, other) => Fs.copyFileSync(other.segment, own.segment), /belongs to .*put it back/, /failed/]
]

const writes = 20

it("files lost, emptied and swapped: repaired from the others or refused, and never served", { timeout: 180_000 }, async () => {
  const cluster = await testCluster({ nodes: 3 })
  const tenant = await connect({ endpoints: cluster.endpoints, tenant: tenant_name, deadline: "60 seconds" })
  const { tenant: id } = await cluster.replica(cluster.nodes[0]!)
  let count = 0
  const create = () => tenant.create(`/${count++}`, bytes("x"))
  try {
    for (const [index, [what, harm, says, end]] of harms.entries()) {
      await Promise.all(Array.from({ length: writes }, create))
      await Promise.all(cluster.nodes.map((node) => node.kill()))
      const [victim, other] = [cluster.nodes[index % 3]!, cluster.nodes[(index + 1) % 3]!]
      const from = victim.lines.length
      harm(filesOf(victim, id), filesOf(other, id))
      await Promise.all(cluster.nodes.map((node) => node.start()))
      await create()
      const state = await settled(cluster, victim, count)
      expect([what, await victim.says(says, from), state]).toEqual([what, expect.anything(), expect.stringMatching(end)])
      expect((await tenant.stat("/")).children).toBe(count)
    }
  } finally {
    await tenant.close()
  }
})

/** Its state, once it has failed, or serves and has all that was created. */
const settled = (cluster: Cluster, node: TestNode, count: number): Promise<string> =>
  until(`${node.name} has repaired its log, or refused it`, async () => {
    const { commit, state } = await cluster.replica(node)
    return (state === "failed" || ((state === "backup" || state === "primary") && commit >= count)) && state
  })
