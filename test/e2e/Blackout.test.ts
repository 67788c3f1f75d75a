/**
 * `kill -9` of all nodes at once, under a client that does not stop writing; the same with damaged files.
 *
 * @module
 */
import { describe, expect, it } from "vitest"
import { seeded } from "../../src/base/Random.ts"
import { runBlackouts, snapshotsOften } from "./Blackout.ts"
import { testCluster } from "./TestCluster.ts"

const rounds = 3

describe("all nodes killed at once", () => {
  it.each([
    ["no acknowledged write is lost, none is applied twice", false],
    ["with a byte of one node's log or snapshots flipped: it is repaired or refused, and never served", true]
  ])("%s", { timeout: 180_000 }, async (_, flip) => {
    const cluster = await testCluster({ nodes: 3, flags: snapshotsOften })
    const lines: Array<string> = []
    const seed = Date.now() % 2 ** 31
    const { next } = seeded(seed)
    const report = await runBlackouts(cluster, { rounds, flip, random: next, say: (line) => lines.push(line) })
    // The promise is 5 s. A machine that is busy with other tests may need more, so they are shown and hardly judged.
    console.log([`seed ${seed}`, ...lines].join("\n"))
    expect(report.problems).toEqual([])
    expect(report.served_ms).toHaveLength(rounds)
    expect(Math.max(...report.served_ms)).toBeLessThan(15_000)
    expect(report.acknowledged).toBeGreaterThan(rounds * 100)
  })
})
