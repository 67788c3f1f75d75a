/**
 * Processes that crash, also at the most spiteful moments of a turn, or stand still. In memory mode they come back
 * without their memory, so never more than f at once: it bears no more. In disk mode any number may crash, and all.
 *
 * @module
 */
import { isMember } from "../../../src/vr/Configuration.ts"
import { between } from "../Dice.ts"
import type { Process } from "../Process.ts"
import type { Simulation } from "../Simulation.ts"
import { type Choice, diceOf, durationOf, type Fault, later, oneOf, victimOf } from "./Fault.ts"

/** Those whose memory the group can do without now. */
export const expendable = (sim: Simulation): ReadonlyArray<Process> => {
  const lost = new Set(sim.processes.filter(({ isLost }) => isLost).map(({ id }) => id))
  const full = sim.needed.filter(({ replicas, tolerates }) => replicas.filter((id) => lost.has(id)).length >= tolerates)
  return sim.processes.filter(({ id, isLost, isUp }) => isUp && (isLost || !full.some((group) => isMember(group, id))))
}

/** Those whose process the group can do without. */
export const crashable = (sim: Simulation): ReadonlyArray<Process> =>
  sim.keepsLogs ? sim.processes.filter(({ isUp }) => isUp) : expendable(sim)

/** Of those that may crash: half of the time the primary, if it may. */
export const oftenThePrimary = (sim: Simulation, choice: Choice): Process | undefined => {
  const candidates = crashable(sim)
  const primary = candidates.filter(({ id }) => id === sim.primary)
  return victimOf(choice.how % 2 === 1 && primary.length > 0 ? primary : candidates, choice)
}

/** Everybody else notices that its connections broke. */
const tellPeers = (sim: Simulation, gone: Process): void => {
  for (const process of sim.processes) if (process !== gone) process.input({ _tag: "PeerLost", replica: gone.id })
}

export const crash: Fault = {
  weight: 3,
  strike: (sim, choice) => {
    const victim = oftenThePrimary(sim, choice)
    if (victim === undefined) return false
    victim.crash()
    if (oneOf([true, true, false, false], choice)) tellPeers(sim, victim)
    const longest_ms = oneOf([1, 50, 400, 3_000], { ...choice, how: choice.how >> 2 })
    later(sim, durationOf(choice, longest_ms), () => victim.restart())
    return true
  }
}

export const crashWithinTurn: Fault = {
  weight: 2,
  strike: (sim, choice) => {
    const victim = oftenThePrimary(sim, choice)
    if (victim === undefined) return false
    crashSoon(sim, victim, oneOf(["early sent", "written"] as const, { ...choice, how: choice.how >> 1 }), 200)
    return true
  }
}

/** In a turn within that time, if there is one. It is over then. */
export const crashSoon = (sim: Simulation, victim: Process, at: NonNullable<Process["crashAt"]>, within_ms: number): void => {
  victim.crashAt = at
  later(sim, within_ms, () => {
    victim.crashAt = null
    victim.restart()
  })
}

/** They come back one by one. */
const crashAll = (sim: Simulation, victims: ReadonlyArray<Process>, choice: Choice): void => {
  const random = diceOf(choice)
  const longest_ms = durationOf(choice, 1_000)
  for (const victim of victims) {
    victim.crash()
    later(sim, between(random, 0, longest_ms), () => victim.restart())
  }
}

/** Everybody at once: nothing is left of the group but what is on its disks. */
export const powerLoss: Fault = {
  weight: 1,
  strike: (sim, choice) => {
    if (!sim.keepsLogs) return false
    crashAll(sim, crashable(sim), choice)
    return true
  }
}

/** Some, perhaps more than f. */
export const crashSeveral: Fault = {
  weight: 1,
  strike: (sim, choice) => {
    if (!sim.keepsLogs) return false
    const random = diceOf(choice)
    crashAll(sim, crashable(sim).filter(() => random.next() < 0.5), choice)
    return true
  }
}

/** Between a look at the clock and the step that goes by it. */
export const pauseWithinTurn: Fault = {
  weight: 1,
  strike: (sim, choice) => {
    const victim = victimOf(sim.processes.filter(({ isUp, paused }) => isUp && !paused), choice)
    if (victim === undefined) return false
    victim.stall_ms = 1 + durationOf(choice, oneOf([50, 400, 1_500], choice))
    return true
  }
}

export const pause: Fault = {
  weight: 2,
  strike: (sim, choice) => {
    const victim = victimOf(sim.processes.filter(({ isUp, paused }) => isUp && !paused), choice)
    if (victim === undefined) return false
    victim.pause()
    later(sim, durationOf(choice, oneOf([50, 400, 1_500, 5_000], choice)), () => victim.resume())
    return true
  }
}
