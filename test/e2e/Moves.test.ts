/**
 * A tenant moves to other nodes, all of them, under a client that does not stop writing.
 *
 * @module
 */
import { expect, it } from "vitest"
import { runHandOffs, runMoves } from "./Moves.ts"
import { movableCluster, testCluster } from "./TestCluster.ts"

it("from 1 to 3 to 5 replicas, off the first three nodes, to 3: no write lost, none applied twice", { timeout: 240_000 }, async () => {
  const cluster = await movableCluster()
  const lines: Array<string> = []
  const { acknowledged, gaps_ms, problems } = await runMoves(cluster, (line) => lines.push(line))
  // The promise is 1 s. A machine that is busy with other tests may need more, so the gaps are shown and hardly judged.
  console.log([...lines, `longest gap: ${Math.max(...gaps_ms)} ms`].join("\n"))
  expect(problems).toEqual([])
  expect(gaps_ms).toHaveLength(9)
  expect(Math.max(...gaps_ms)).toBeLessThan(10_000)
  expect(acknowledged).toBeGreaterThan(1_000)
})

it("twelve hand-offs of the primary: no write is lost, none is applied twice", { timeout: 120_000 }, async () => {
  const cluster = await testCluster({ nodes: 3 })
  const lines: Array<string> = []
  const { gaps_ms, problems } = await runHandOffs(cluster, 12, (line) => lines.push(line))
  // The promise is 100 ms: as above.
  console.log([...lines, `longest gap: ${Math.max(...gaps_ms)} ms`].join("\n"))
  expect(problems).toEqual([])
  expect(gaps_ms).toHaveLength(12)
  expect(Math.max(...gaps_ms)).toBeLessThan(5_000)
})
