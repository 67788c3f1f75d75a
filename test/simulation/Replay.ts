/**
 * One run again: of a seed, or of a schedule that was saved.
 *
 * @module
 */
import { spawnSync } from "node:child_process"
import { lineText } from "./debugger/Words.ts"
import { Execution, type RunReport, SimulationFailure } from "./Execution.ts"
import { announce, explain } from "./Found.ts"
import { commandWith, runningMutation } from "./mutations/Mutation.ts"
import { type Schedule, scheduleOf } from "./Schedule.ts"
import { readSchedule } from "./ScheduleFile.ts"
import { Totals } from "./Totals.ts"

type Print = (line: string) => void

/** With `trace`, every line of what happened is printed. */
const execute = (schedule: Schedule, trace: boolean, print: Print): RunReport | SimulationFailure => {
  const execution = new Execution(schedule, { keepTrace: trace })
  try {
    return execution.finish()
  } catch (failure) {
    if (failure instanceof SimulationFailure) return failure
    throw failure
  } finally {
    if (trace) for (const line of execution.sim.trace.lines) print(lineText(line))
    execution.close()
  }
}

const conclude = (report: RunReport, print: Print): void => {
  const totals = new Totals()
  totals.add(report)
  print(totals.summary(null))
  print("it holds")
}

/** True: it holds. */
export const replaySeed = (seed: number, trace: boolean, print: Print): boolean => {
  const outcome = execute(scheduleOf(seed), trace, print)
  if (!(outcome instanceof SimulationFailure)) {
    conclude(outcome, print)
    return true
  }
  announce(explain(seed, outcome), print)
  return false
}

/** True: it holds (now). */
export const replay = (file: string, trace: boolean, print: Print): boolean => {
  const saved = readSchedule(file)
  if (saved.mutation !== null && saved.mutation !== runningMutation()) return replayMutated(saved.mutation, file, trace, print)
  const outcome = execute(saved.schedule, trace, print)
  if (!(outcome instanceof SimulationFailure)) {
    conclude(outcome, print)
    return true
  }
  print(outcome.message)
  print(`step by step: npx v2r2-debugger ${file}`)
  return false
}

/** A deliberate bug cannot be put into modules that are loaded already. */
const replayMutated = (mutation: string, file: string, trace: boolean, print: Print): boolean => {
  print(`with the mutation "${mutation}"`)
  const program = new URL("./simulate.ts", import.meta.url)
  const { args, command, env } = commandWith(mutation, program, ["--replay", file, ...(trace ? ["--trace"] : [])])
  return spawnSync(command, args, { stdio: "inherit", env }).status === 0
}
