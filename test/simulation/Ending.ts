/**
 * The faults end: all of them, or only those of a quorum, while the others stay broken for good. What is left must be
 * able to serve.
 *
 * @module
 */
import { diceOf } from "./faults/Fault.ts"
import type { Process } from "./Process.ts"
import type { Schedule } from "./Schedule.ts"
import type { Simulation } from "./Simulation.ts"

/** Faults that stay, of replicas that a quorum has to do without. */
const lasting: ReadonlyArray<(sim: Simulation, victim: Process) => void> = [
  (sim, { id }) => sim.isolate(id),
  // Deaf: it sends, and does not hear.
  (sim, { id }) => sim.processes.forEach((other) => other.id === id || sim.network.cut(other.id, id)),
  // Mute: it hears, and cannot send.
  (sim, { id }) => sim.processes.forEach((other) => other.id === id || sim.network.cut(id, other.id)),
  (_sim, victim) => victim.pause(),
  (_sim, victim) => victim.crash()
]

/**
 * Some networks stay so slow that no answer comes within `view_change_ms`: only a back-off that grows, and is kept, lets
 * a view last in one. Not with the smallest inboxes, which clients fill that ask again before they are answered.
 */
export const isSlow = ({ ending, inbox_max }: Schedule): boolean => ending.how % 5 === 4 && inbox_max >= 1_000

/** Gives those that must be able to go on. */
export const relent = (sim: Simulation, schedule: Schedule): ReadonlyArray<Process> => {
  const { ending, timers: { view_change_ms } } = schedule
  const healthy = healthyOnes(sim, ending)
  endFaults(sim, isSlow(schedule) ? [1.2 * view_change_ms, 1.4 * view_change_ms] : [1, 5])
  const random = diceOf({ who: 0, how: ending.how, long: 0 })
  for (const process of sim.processes) {
    if (!healthy.includes(process)) lasting[Math.floor(random.next() * lasting.length)]!(sim, process)
  }
  return healthy
}

/**
 * A quorum with its memory, or more; half of the time with those that have to get theirs back from it. All that are left,
 * if too few have theirs.
 */
const healthyOnes = (sim: Simulation, { broken, who }: Schedule["ending"]): ReadonlyArray<Process> => {
  const left = sim.processes.filter(({ isGone }) => !isGone)
  const holders = left.filter((process) => !process.isLost)
  const spare = holders.length - sim.configuration.quorum
  // Which of several groups are needed is not known yet.
  if (broken === 0 || spare < 0 || sim.needed.length > 1 || sim.configuration.epoch > 0) return left
  for (let i = Math.min(broken, spare); i > 0; i--) holders.splice((who + i) % holders.length, 1)
  return who % 2 === 0 ? holders : [...holders, ...left.filter(({ isLost }) => isLost)]
}

const endFaults = (sim: Simulation, delay_ms: readonly [number, number]): void => {
  sim.trace.note(sim.events.now, "nemesis", "relents")
  sim.isCalm = true
  sim.heal()
  // All connections are new: what was clogged for seconds would be a fault that goes on.
  sim.network.loseAll()
  sim.network.weather = { loss: 0, duplication: 0, straggling: 0, delay_ms, inOrder: true, straggler_ms: 0 }
  for (const process of sim.processes) {
    process.loseMessages()
    process.crashAt = null
    process.slowedBy_ms = 0
    process.goOn()
    process.stall_ms = 0
    process.resume()
    process.restart()
  }
}
