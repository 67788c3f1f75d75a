/**
 * Clocks: the wall clock is off, or jumps; the monotonic one runs too fast or too slowly, or jumps ahead, as on a
 * machine that slept. Leases bear all but the last of these.
 *
 * @module
 */
import { between } from "../Dice.ts"
import { diceOf, type Fault, oneOf, victimOf } from "./Fault.ts"

export const wallClock: Fault = {
  weight: 1,
  strike: (sim, choice) => {
    const reach_ms = oneOf([1_000, 60_000, 86_400_000], choice)
    victimOf(sim.processes, choice)!.wallOffset_ms = between(diceOf(choice), -reach_ms, reach_ms)
    return true
  }
}

export const drift: Fault = {
  weight: 1,
  strike: (sim, choice) => {
    victimOf(sim.processes, choice)!.drift(between(diceOf(choice), 0.9, 1.1))
    return true
  }
}

/** Leases rest on clocks that do not: whoever has promised one would take it for over. */
export const jump: Fault = {
  weight: 1,
  strike: (sim, choice) => {
    if (sim.hasLeases) return false
    victimOf(sim.processes, choice)!.drift(1, oneOf([100, 600, 5_000, 60_000], choice))
    return true
  }
}
