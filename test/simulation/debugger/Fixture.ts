/**
 * A small run for the tests of the debugger: three replicas in bad weather, one that crashes, a pause, a partition. All of
 * it is spelled out, so it stays as it is when the choices of random schedules change.
 *
 * @module
 */
import { Violation } from "../checkers/Check.ts"
import type { Checker } from "../checkers/Checker.ts"
import { plain } from "../../../src/cli/Output.ts"
import { Execution } from "../Execution.ts"
import type { Schedule } from "../Schedule.ts"
import { Complaint } from "./Command.ts"
import { runLine } from "./Commands.ts"
import { record, type Recording } from "./Recording.ts"
import { Session, type Source } from "./Session.ts"

export const schedule: Schedule = {
  seed: 7,
  replicas: 3,
  durability: "memory",
  timers: { heartbeat_ms: 50, view_change_ms: 200 },
  lease: 0,
  tick_ms: 20,
  disk_ms: 2,
  turn_ms: 1,
  retry_ms: 300,
  sessions_max: 1_000,
  inbox_max: 1_000,
  limits: { pipeline_ops_max: 8 },
  clients: 2,
  window: 2,
  every_ms: 30,
  reads_root: false,
  weather: { loss: 0.05, duplication: 0.1, straggling: 0, delay_ms: [1, 5], inOrder: false, straggler_ms: 300 },
  pace_ms: 200,
  faults_ms: 2_000,
  faults: [
    { fault: "crash", after: 1_000, who: 0, how: 1, long: 800 },
    { fault: "pause", after: 1_000, who: 1, how: 1, long: 500 },
    { fault: "halves", after: 500, who: 1, how: 3, long: 500 },
    { fault: "heal", after: 1_000, who: 0, how: 0, long: 0 }
  ],
  ending: { broken: 0, who: 0, how: 0 }
}

/** A rule that the real checkers have, so that its place is found; here it breaks at a step that the test chooses. */
export const broken_rule = "a view is started once"

const breaking = (step: number): Checker => ({
  onStep: (world, { id }) => {
    if ("steps" in world && world.steps === step) throw new Violation(id, broken_rule, "<b>this</b> & that")
  }
})

/** An execution that breaks a rule at that step. */
const failing = (step: number): Execution => {
  const execution = new Execution(schedule, { keepTrace: true })
  const checkers = execution.sim["checkers"] as Array<Checker>
  checkers.push(breaking(step))
  return execution
}

/** The run; with `failAt`, one that fails there. */
export const sourceOf = (failAt?: number): Source => ({
  name: "fixture",
  seed: schedule.seed,
  mutation: null,
  start: () => failAt === undefined ? new Execution(schedule, { keepTrace: true }) : failing(failAt)
})

const recordings = new Map<number | undefined, Recording>()

/** Recorded once, as it is the same each time. */
export const recordingOf = (failAt?: number): Recording => {
  const recording = recordings.get(failAt) ?? record(sourceOf(failAt).start())
  recordings.set(failAt, recording)
  return recording
}

/** The bounds of the simulation are global while a session is open. */
export const withSession = (failAt: number | undefined, body: (session: Session) => void): void => {
  const session = Session.open(sourceOf(failAt), recordingOf(failAt))
  try {
    body(session)
  } finally {
    session.close()
  }
}

/** What a command says, or complains of. */
export const say = (session: Session, line: string): string => {
  try {
    return runLine({ session, paint: plain }, line) ?? "(leaves)"
  } catch (error) {
    if (error instanceof Complaint) return `error: ${error.message}`
    throw error
  }
}
