/**
 * Disks: slow for a while, or lost with the replica on it. Torn writes, bit rot and failed flushes belong here, once
 * there is a log on disk for them to strike.
 *
 * @module
 */
import { expendable } from "./Crashes.ts"
import { durationOf, type Fault, later, oneOf, victimOf } from "./Fault.ts"

export const slowDisk: Fault = {
  weight: 1,
  strike: (sim, choice) => {
    const victim = victimOf(sim.processes, choice)!
    victim.slowedBy_ms = oneOf([50, 300, 2_000], choice)
    later(sim, durationOf(choice, 3_000), () => {
      victim.slowedBy_ms = 0
    })
    return true
  }
}

/** Whoever loses its disk has lost its promises, and may not come back under its name. */
export const lostDisk: Fault = {
  weight: 0.2,
  strike: (sim, choice) => {
    const victim = victimOf(expendable(sim), choice)
    if (victim === undefined) return false
    victim.isGone = true
    victim.crash()
    return true
  }
}
