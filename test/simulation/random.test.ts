/**
 * Random runs: fixed seeds, and fresh ones at every test run. Each draws a group of 1 to 7 replicas, faults and load;
 * every invariant is checked at every step; then all heals, and the group must converge and serve.
 *
 * A failure prints its seed. `V2R2_SEED=<seed> npx vitest run test/simulation/random.test.ts` runs that one again, and
 * `node test/simulation/soak.ts --seed <seed>` also prints its last steps.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { run, type RunReport } from "./Run.ts"

const replayed = process.env["V2R2_SEED"]

/** How long fresh seeds are tried, and fixed ones at most. */
const fresh_ms = 10_000
const fixed_seeds = 60

const everySizeIn = (reports: ReadonlyArray<RunReport>): void => {
  const sizes = new Set(reports.map(({ replicas }) => replicas))
  for (let size = 1; size <= Limits.replicas_max; size++) assert.isTrue(sizes.has(size), `a group of ${size} was tried`)
}

describe.skipIf(replayed !== undefined)("random runs", () => {
  it("hold every invariant and converge, for fixed seeds", { timeout: 60_000 }, () => {
    const reports = Array.from({ length: fixed_seeds }, (_, i) => run(i + 1))
    everySizeIn(reports)
    // The runs are worth something: views change, and much is committed.
    assert.isAbove(reports.filter(({ views }) => views > 0).length, fixed_seeds / 2)
    assert.isAbove(reports.reduce((sum, { committed }) => sum + committed, 0), 100 * fixed_seeds)
  })

  it("hold every invariant and converge, for fresh seeds", { timeout: 60_000 }, () => {
    const first = Math.floor(Math.random() * 2 ** 31)
    const end = Date.now() + fresh_ms
    let runs = 0
    let steps = 0
    console.log(`random runs: seeds from ${first}`)
    while (Date.now() < end) steps += run(first + runs++).steps
    console.log(`random runs: ${runs} fresh seeds, ${steps} steps`)
  })

  it("are the same for the same seed", () => {
    for (const seed of [4, 5, 7]) assert.deepStrictEqual(run(seed), run(seed))
  })
})

describe.runIf(replayed !== undefined)("the seed that was asked for", () => {
  it(`${replayed} holds every invariant and converges`, { timeout: 60_000 }, () => {
    console.log(run(Number(replayed)))
  })
})
