/**
 * The group changes: replicas join, leave and take each other's places, while everything else goes wrong.
 *
 * @module
 */
import { isMember } from "../../../src/vr/Configuration.ts"
import { tolerates } from "../../../src/vr/Quorum.ts"
import type { Simulation } from "../Simulation.ts"
import { between } from "../Dice.ts"
import { diceOf, durationOf, type Fault, oneOf, victimOf } from "./Fault.ts"

/** In all, those that have left included: each of them goes on taking part, in its way. */
const processes_max = 12

/** Some of the present group, in any number, and some that are new: at least one, and never those whose disks are lost. */
const drawGroup = (sim: Simulation, choice: Parameters<Fault["strike"]>[1]): ReadonlyArray<string> => {
  const random = diceOf(choice)
  const size = oneOf([3, 3, 3, 1, 2, 4, 5], choice)
  const room = processes_max - sim.processes.length
  const present = sim.processes.filter(({ id, isGone }) => !isGone && isMember(sim.configuration, id))
  const kept = present.filter(() => random.next() < 0.6).slice(0, size).map(({ id }) => id)
  const joining = Math.min(size - kept.length, room, Math.floor(between(random, 0, 4)))
  for (let i = 0; i < joining; i++) kept.push(`R${sim.processes.length + i}`)
  return kept
}

/** A primary is to make place for another one. */
export const handOff: Fault = {
  weight: 1,
  strike: (sim, choice) => {
    const { primary } = sim
    const others = sim.processes.filter(({ id }) => id !== primary && isMember(sim.configuration, id))
    const to = victimOf(others, choice)
    if (primary === undefined || to === undefined) return false
    sim.replica(primary).input({ _tag: "HandOff", to: to.id })
    return true
  }
}

export const reconfigure: Fault = {
  weight: 2,
  strike: (sim, choice) => {
    // One change at a time is asked for, whatever became of others.
    if (sim.asked.length > 2) return false
    const group = drawGroup(sim, choice)
    if (group.length === 0 || group.join() === sim.configuration.replicas.join()) return false
    const lost = sim.processes.filter(({ id, isLost }) => isLost && group.includes(id)).length
    if (lost > tolerates(group.length)) return false
    sim.reconfigure(group, durationOf(choice, 5_000))
    return true
  }
}
