/**
 * Hunts the mutation that this process was started with (Mutation.ts), by what the table says: random runs of seeds
 * 1, 2, 3, … until one fails, or the exhaustive search. Prints one line of JSON, a {@link Catch}:
 * `node [--import hook.ts] hunt.ts [budget]`, started by Catch.ts.
 *
 * @module
 */
import { small } from "../exhaustive/Bounds.ts"
import { search } from "../exhaustive/Search.ts"
import { SimulationFailure } from "../Execution.ts"
import { run } from "../Run.ts"
import type { Catch } from "./Catch.ts"
import { mutatedLoads } from "./hook.ts"
import { runningMutation } from "./Mutation.ts"
import { mutationOf } from "./Table.ts"

type Caught = Pick<Catch, "by" | "caughtAfter" | "rule">

const unexpected = "an error that nobody expected"

const byRuns = (runs: number): Caught => {
  const by = "random runs"
  for (let seed = 1; seed <= runs; seed++) {
    try {
      run(seed)
    } catch (failure) {
      const cause = failure instanceof Error ? failure.cause : undefined
      // An error that is no rule's would be a fault of the harness, or of the table, and no catch.
      if (!(cause instanceof SimulationFailure) || cause.failure.rule === unexpected) throw failure
      return { by, caughtAfter: seed, rule: cause.failure.rule }
    }
  }
  return { by, caughtAfter: null, rule: null }
}

const bySearch = (states_max: number): Caught => {
  const by = "search"
  let before = 0
  for (const bounds of Object.values(small)) {
    const { states, violation } = search(bounds, { states_max: states_max - before })
    before += states
    if (violation !== null) return { by, caughtAfter: before, rule: violation.rule.replace(/^\w+: | [({].*$/gs, "") }
  }
  return { by, caughtAfter: null, rule: null }
}

const name = runningMutation()
const startedAt = performance.now()
const budget = Number(process.argv[2] ?? 100)
const caught = name !== null && mutationOf(name).by === "search" ? bySearch(budget) : byRuns(budget)
// A hunt for what is not there would look like a harness that is blind.
if (name !== null && mutatedLoads() === 0) throw new Error(`"${name}": its module was never loaded`)
const seconds = Math.round((performance.now() - startedAt) / 100) / 10
const report: Catch = { name, ...caught, seconds }
console.log(JSON.stringify(report))
