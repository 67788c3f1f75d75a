/**
 * Hunts the mutation that this process was started with (Mutation.ts) by random runs: seeds 1, 2, 3, … until one fails.
 * Prints one line of JSON, a {@link Catch}: `node [--import hook.ts] hunt.ts [runs]`, started by Catch.ts.
 *
 * @module
 */
import { SimulationFailure } from "../Execution.ts"
import { run } from "../Run.ts"
import type { Catch } from "./Catch.ts"
import { mutatedLoads } from "./hook.ts"
import { runningMutation } from "./Mutation.ts"

const unexpected = "an error that nobody expected"

const hunt = (runs: number): Omit<Catch, "name" | "seconds"> => {
  for (let seed = 1; seed <= runs; seed++) {
    try {
      run(seed)
    } catch (failure) {
      const cause = failure instanceof Error ? failure.cause : undefined
      // An error that is no rule's would be a fault of the harness, or of the table, and no catch.
      if (!(cause instanceof SimulationFailure) || cause.failure.rule === unexpected) throw failure
      return { caughtAfter: seed, rule: cause.failure.rule }
    }
  }
  return { caughtAfter: null, rule: null }
}

const name = runningMutation()
const startedAt = performance.now()
const caught = hunt(Number(process.argv[2] ?? 100))
// A hunt for what is not there would look like a harness that is blind.
if (name !== null && mutatedLoads() === 0) throw new Error(`"${name}": its module was never loaded`)
const seconds = Math.round((performance.now() - startedAt) / 100) / 10
const report: Catch = { name, ...caught, seconds }
console.log(JSON.stringify(report))
