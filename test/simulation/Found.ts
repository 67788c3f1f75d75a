/**
 * What to do about a failure: make its schedule small, save it, and say how to see it again.
 *
 * @module
 */
import { type SimulationFailure } from "./Execution.ts"
import { runningMutation } from "./mutations/Mutation.ts"
import { shrink } from "./Run.ts"
import { writeSchedule } from "./ScheduleFile.ts"

/** Plain data: it crosses threads. */
export interface Found {
  readonly seed: number
  readonly message: string
  /** Of the shrunk schedule, which may show the same in another place. */
  readonly shrunk: string
  readonly faults: number
  readonly file: string
}

/** How long a schedule is made smaller. */
const shrink_ms = 30_000

export const explain = (seed: number, { message }: SimulationFailure): Found => {
  const end = Date.now() + shrink_ms
  const shrunk = shrink(seed, () => Date.now() > end)
  if (shrunk === null) throw new Error(`seed ${seed} failed once and not again: the simulator is not deterministic`)
  const { failure, schedule } = shrunk
  const file = `failure-${seed}.json`
  writeSchedule(file, {
    found: { seed, rule: failure.rule, message: failure.message },
    mutation: runningMutation(),
    schedule
  })
  return { seed, message, shrunk: failure.message, faults: schedule.faults.length, file }
}

export const announce = ({ faults, file, message, seed, shrunk }: Found, print: (line: string) => void): void => {
  const mutation = runningMutation()
  print(`seed ${seed} fails: ${message}`)
  print(`  again:      npm run simulate -- --seed ${seed}${mutation === null ? "" : `   (with the mutation "${mutation}")`}`)
  print(`  shrunk to ${faults} fault${faults === 1 ? "" : "s"}: ${shrunk}`)
  print(`  again:      npm run simulate -- --replay ${file}`)
  print(`  step by step: npx v2r2-debugger ${file}`)
}
