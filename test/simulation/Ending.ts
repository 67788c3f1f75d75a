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

/** Gives those that must be able to go on. */
export const relent = (sim: Simulation, ending: Schedule["ending"]): ReadonlyArray<Process> => {
  const healthy = healthyOnes(sim, ending)
  endFaults(sim)
  const random = diceOf({ who: 0, how: ending.how, long: 0 })
  for (const process of sim.processes) {
    if (!healthy.includes(process)) lasting[Math.floor(random.next() * lasting.length)]!(sim, process)
  }
  return healthy
}

/** A quorum with its memory, or more; all that are left, if so many do not have it. */
const healthyOnes = (sim: Simulation, { broken, who }: Schedule["ending"]): ReadonlyArray<Process> => {
  const left = sim.processes.filter(({ isGone }) => !isGone)
  const holders = left.filter((process) => !process.isLost)
  const spare = holders.length - sim.configuration.quorum
  if (broken === 0 || spare < 0) return left
  for (let i = Math.min(broken, spare); i > 0; i--) holders.splice((who + i) % holders.length, 1)
  return holders
}

const endFaults = (sim: Simulation): void => {
  sim.trace.note(sim.events.now, "nemesis", "relents")
  sim.isCalm = true
  sim.heal()
  sim.network.weather = { loss: 0, duplication: 0, straggling: 0, delay_ms: [1, 5], inOrder: true, straggler_ms: 0 }
  for (const process of sim.processes) {
    process.crashAt = null
    process.slowedBy_ms = 0
    process.resume()
    process.restart()
  }
}
