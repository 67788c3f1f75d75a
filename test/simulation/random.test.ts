/**
 * Random runs: fixed seeds, and fresh ones at every test run. Each draws a group of 1 to 7 replicas, faults and load;
 * every invariant is checked at every step; then the faults end, the group must converge and serve, and what its
 * clients were told must be linearizable. A failure prints the command that replays it.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import type { MessageTag } from "../../src/vr/Message.ts"
import type { StateTag } from "../../src/vr/Replica.ts"
import { messageTags, stateTags } from "./Coverage.ts"
import { type RunReport, SimulationFailure } from "./Execution.ts"
import { faultNames } from "./faults/all.ts"
import { announce, explain } from "./Found.ts"
import { run } from "./Run.ts"
import { Totals } from "./Totals.ts"

/** How long fresh seeds are tried. */
const fresh_ms = 60_000
const fixed_seeds = 150

/** Where messages that are rare are met in any number of runs; elsewhere it takes luck. */
const met: Partial<Record<MessageTag, ReadonlyArray<StateTag>>> = {
  GetCommitted: ["ViewChange"],
  Committed: ["ViewChange"],
  GetSnapshot: ["Primary"],
  SnapshotPart: ["StateTransfer", "Recovery"],
  EpochStarted: ["Primary", "Backup", "ViewChange", "Leaving"],
  RecoveryResponse: ["Backup", "Recovery"]
}

const trySomethingOfEverything = (totals: Totals, reports: ReadonlyArray<RunReport>): void => {
  for (let size = 1; size <= Limits.replicas_max; size++) {
    assert.isTrue(reports.some(({ replicas }) => replicas === size), `a group of ${size} was tried`)
  }
  for (const kind of ["disk", "memory"]) {
    assert.isTrue(reports.some(({ durability }) => durability === kind), `${kind} durability was tried`)
  }
  for (const fault of faultNames) assert.isAbove(totals.faults[fault] ?? 0, 0, `${fault} has struck`)
  for (const state of ["Primary", "Backup", "ViewChange", "Recovery"] as const) {
    assert.isAbove(totals.coverage.restarts[state] ?? 0, 0, `a restart went on in ${state}`)
  }
  for (const message of messageTags) {
    for (const state of met[message] ?? stateTags) {
      assert.isAbove(totals.coverage.counts[state][message], 0, `${message} has met ${state}`)
    }
  }
  assert.isAbove(totals.views, fixed_seeds)
  assert.isAbove(totals.committed, 50 * fixed_seeds)
  // One of them has 161 calls of unknown outcome among 399.
  assert.isAtMost(totals.undecided, 1)
}

/** What fails is made smaller and saved, as `npm run simulate` does. */
const runOrExplain = (seed: number): RunReport => {
  try {
    return run(seed)
  } catch (failure) {
    const { cause } = failure as Error
    if (cause instanceof SimulationFailure) announce(explain(seed, cause), console.log)
    throw failure
  }
}

describe("random runs", () => {
  it("hold every invariant and converge, for fixed seeds", { timeout: 120_000 }, () => {
    const totals = new Totals()
    const reports = Array.from({ length: fixed_seeds }, (_, i) => run(i + 1))
    for (const report of reports) totals.add(report)
    trySomethingOfEverything(totals, reports)
  })

  it("hold every invariant and converge, for fresh seeds", { timeout: 180_000 }, () => {
    const first = Math.floor(Math.random() * 2 ** 31)
    const end = Date.now() + fresh_ms
    const totals = new Totals()
    console.log(`random runs: seeds from ${first}`)
    while (Date.now() < end) totals.add(runOrExplain(first + totals.runs))
    console.log(`random runs: ${totals.runs} fresh seeds, ${totals.steps} steps`)
  })

  it("are the same for the same seed", () => {
    for (const seed of [4, 5, 7]) assert.deepStrictEqual(run(seed), run(seed))
  })
})
