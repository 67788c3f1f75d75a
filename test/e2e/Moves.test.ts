/**
 * A tenant moves to other nodes, all of them, under a client that does not stop writing.
 *
 * @module
 */
import { expect, it } from "vitest"
import { tenant_name } from "./Cluster.ts"
import { moves_nodes, runMoves } from "./Moves.ts"
import { nodesApart } from "./TestCluster.ts"

it("from 1 to 3 to 5 replicas, off the first three nodes, to 3: no write is lost, none is applied twice", { timeout: 240_000 }, async () => {
  const cluster = await nodesApart({ nodes: moves_nodes })
  await cluster.join()
  await cluster.nodes[0]!.admin("vr.create", { name: tenant_name, replicas: [{ name: "r1", node: "n1" }] })
  const lines: Array<string> = []
  const { acknowledged, gaps_ms, problems } = await runMoves(cluster, (line) => lines.push(line))
  // The promise is 1 s. A machine that is busy with other tests may need more, so the gaps are shown and hardly judged.
  console.log([...lines, `longest gap: ${Math.max(...gaps_ms)} ms`].join("\n"))
  expect(problems).toEqual([])
  expect(gaps_ms).toHaveLength(9)
  expect(Math.max(...gaps_ms)).toBeLessThan(10_000)
  expect(acknowledged).toBeGreaterThan(1_000)
})
