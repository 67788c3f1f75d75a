/**
 * Processes that crash and come back without their memory (never more than f at once: memory durability bears no more),
 * crash at the most spiteful moments of a turn, or stand still.
 *
 * @module
 */
import type { Process } from "../Process.ts"
import type { Simulation } from "../Simulation.ts"
import { durationOf, type Fault, later, oneOf, victimOf } from "./Fault.ts"

/** Lost, or about to be. */
const isLoss = (process: Process): boolean => !process.remembers || process.crashAt !== null

const mayBeLost = (sim: Simulation, victim: Process): boolean =>
  isLoss(victim) || sim.processes.filter(isLoss).length < sim.configuration.tolerates

/** Those whose memory the group can do without now. */
export const expendable = (sim: Simulation): ReadonlyArray<Process> =>
  sim.processes.filter((process) => process.isUp && mayBeLost(sim, process))

/** Everybody else notices that its connections broke. */
const tellPeers = (sim: Simulation, gone: Process): void => {
  for (const process of sim.processes) if (process !== gone) process.input({ _tag: "PeerLost", replica: gone.id })
}

export const crash: Fault = {
  weight: 3,
  strike: (sim, choice) => {
    const candidates = expendable(sim)
    // Half of the time the primary, if it may be.
    const primary = candidates.filter(({ id }) => id === sim.primary)
    const victim = victimOf(choice.how % 2 === 1 && primary.length > 0 ? primary : candidates, choice)
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
    const victim = victimOf(expendable(sim), choice)
    if (victim === undefined) return false
    victim.crashAt = oneOf(["early sent", "written"] as const, choice)
    later(sim, 200, () => {
      victim.crashAt = null
      victim.restart()
    })
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
