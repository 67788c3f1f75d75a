/**
 * Whole runs: of a seed, of a schedule; and the shrinking of what fails.
 *
 * @module
 */
import * as fc from "fast-check"
import { Execution, type Failure, type RunReport, SimulationFailure } from "./Execution.ts"
import { type FaultEvent, type Schedule, scheduleOf, schedules } from "./Schedule.ts"

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
 * holds, nothing more is tried. First faults are left out, many at a time; then fast-check makes all other choices
 * simpler; then those of the faults that are left.
 */
export const shrink = (seed: number, isEnough: () => boolean): Shrunk | null => {
  const schedule = scheduleOf(seed)
  const first = failureOf(schedule)
  if (first === null) return null
  let smallest: Shrunk = { schedule, failure: first }
  const stillFails = (candidate: Schedule): boolean => {
    if (isEnough()) return false
    if (textOf(candidate) === textOf(smallest.schedule)) return true
    const failure = failureOf(candidate)
    if (failure === null || failure.rule !== first.rule) return false
    smallest = { schedule: candidate, failure }
    return true
  }
  const needed = leaveOut(schedule.faults, (faults) => stillFails({ ...schedule, faults }))
  const known = new Set(needed.map(textOf))
  const simpler = schedules.map((drawn) => ({ ...drawn, faults: drawn.faults.filter((event) => known.has(textOf(event))) }))
  fc.check(fc.property(simpler, (candidate) => !stillFails(candidate)), { seed, numRuns: 1 })
  for (const plain of [{ who: 0 }, { how: 0 }, { long: 0 }, { after: 0 }]) {
    for (const [i, event] of smallest.schedule.faults.entries()) {
      stillFails({ ...smallest.schedule, faults: smallest.schedule.faults.with(i, { ...event, ...plain }) })
    }
  }
  return smallest
}

const textOf = (value: Schedule | FaultEvent): string => JSON.stringify(value)

/** As few as still will do, in order: halves are left out, then quarters, and at last single ones. */
const leaveOut = <A>(all: ReadonlyArray<A>, willDo: (some: ReadonlyArray<A>) => boolean): ReadonlyArray<A> => {
  let kept = all
  for (let size = Math.ceil(all.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < kept.length;) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + size)]
      if (willDo(fewer)) kept = fewer
      else at += size
    }
  }
  return kept
}
