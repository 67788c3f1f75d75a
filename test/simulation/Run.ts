/**
 * Whole runs: of a seed, of a schedule; and the shrinking of what fails.
 *
 * @module
 */
import * as fc from "fast-check"
import { Execution, type Failure, type RunReport, SimulationFailure } from "./Execution.ts"
import { type Schedule, scheduleOf, schedules } from "./Schedule.ts"

export const runSchedule = (schedule: Schedule): RunReport => {
  const execution = new Execution(schedule)
  try {
    return execution.finish()
  } finally {
    execution.close()
  }
}

/** The schedule of that seed. What it throws names the seed. */
export const run = (seed: number): RunReport => {
  try {
    return runSchedule(scheduleOf(seed))
  } catch (cause) {
    if (!(cause instanceof SimulationFailure)) throw cause
    throw new Error(`seed ${seed} fails: ${cause.message}\nnpm run simulate -- --seed ${seed}`, { cause })
  }
}

/** Why a schedule fails; null if it does not. */
export const failureOf = (schedule: Schedule): Failure | null => {
  try {
    runSchedule(schedule)
    return null
  } catch (cause) {
    if (cause instanceof SimulationFailure) return cause.failure
    throw cause
  }
}

export interface Shrunk {
  readonly schedule: Schedule
  readonly failure: Failure
}

/**
 * A smaller schedule that breaks the same rule as that of `seed` does, as small as `isEnough` lets it become: once that
 * holds, nothing more is tried.
 */
export const shrink = (seed: number, isEnough: () => boolean): Shrunk | null => {
  const first = failureOf(scheduleOf(seed))
  if (first === null) return null
  let smallest: Shrunk = { schedule: scheduleOf(seed), failure: first }
  const holds = (schedule: Schedule): boolean => {
    if (isEnough()) return true
    const failure = failureOf(schedule)
    if (failure === null || failure.rule !== first.rule) return true
    smallest = { schedule, failure }
    return false
  }
  fc.check(fc.property(schedules, holds), { seed, numRuns: 1 })
  return smallest
}
