/**
 * Hunts the mutation that this process was started with (Mutation.ts) by random runs: seeds 1, 2, 3, … until one fails.
 * Prints one line of JSON, a {@link Catch}: `node [--import hook.ts] hunt.ts [runs]`, started by Catch.ts.
 *
 * @module
 */
import { InvariantViolation } from "../../../src/base/Invariant.ts"
import { Violation } from "../checkers/Check.ts"
import { run } from "../Run.ts"
import type { Catch } from "./Catch.ts"
import { mutatedLoads } from "./hook.ts"
import { runningMutation } from "./Mutation.ts"

/** Rules that a run may break. Any other error would be a fault of the harness or of the table, and no catch. */
const isRule = (cause: unknown): cause is Error =>
  cause instanceof Violation || cause instanceof InvariantViolation ||
  (cause instanceof Error && cause.message.startsWith("not reached"))

/** Names, numbers and particulars differ from run to run. */
const ruleOf = ({ message }: Error): string => {
  const [line] = message.split("\n")
  if (line!.startsWith("not reached")) return "it does not converge"
  return line!.replace(/^[\w.-]+: /, "").replace(/ (?:\(.*\)|\{.*\})$/, "")
}

const hunt = (runs: number): Omit<Catch, "name" | "seconds"> => {
  for (let seed = 1; seed <= runs; seed++) {
    try {
      run(seed)
    } catch (failure) {
      const cause = failure instanceof Error ? failure.cause : undefined
      if (!isRule(cause)) throw failure
      return { caughtAfter: seed, rule: ruleOf(cause) }
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
