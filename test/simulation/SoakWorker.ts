/**
 * One thread of a soak: its share of the seeds, one after the other, until time is up or one fails.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads"
import { runSchedule } from "./Run.ts"
import { type RunReport, SimulationFailure } from "./Execution.ts"
import { explain } from "./Found.ts"
import { scheduleOf } from "./Schedule.ts"
import type { Share, Word } from "./Soak.ts"

const report_ms = 200

const say = (word: Word): void => parentPort?.postMessage(word)

const attempt = (seed: number): RunReport | SimulationFailure => {
  try {
    return runSchedule(scheduleOf(seed))
  } catch (failure) {
    if (failure instanceof SimulationFailure) return failure
    throw failure
  }
}

const { first, stride, until_ms } = workerData as Share
let reports = new Array<RunReport>()
let saidAt = Date.now()
for (let seed = first; Date.now() < until_ms; seed += stride) {
  const outcome = attempt(seed)
  if (outcome instanceof SimulationFailure) {
    say({ kind: "failing", seed, rule: outcome.failure.rule })
    say({ kind: "found", found: explain(seed, outcome) })
    break
  }
  reports.push(outcome)
  if (Date.now() - saidAt < report_ms) continue
  say({ kind: "reports", reports })
  reports = []
  saidAt = Date.now()
}
say({ kind: "reports", reports })
