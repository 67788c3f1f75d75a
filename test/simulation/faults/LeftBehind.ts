/**
 * A primary that others have left behind, and clients that read there while others write elsewhere: nothing old may be read, by
 * a lease or without one.
 *
 * @module
 */
import type { Random } from "../../../src/base/Random.ts"
import type { ReplicaId } from "../../../src/vr/Message.ts"
import { between, pick } from "../Dice.ts"
import type { Simulation } from "../Simulation.ts"
import { crashable } from "./Crashes.ts"
import { diceOf, durationOf, type Fault, later } from "./Fault.ts"

/** Too few to be a quorum, with the primary. */
const sideOf = (sim: Simulation, first: ReplicaId, random: Random): ReadonlySet<ReplicaId> => {
  const { quorum, replicas } = sim.configuration
  const others = replicas.filter((id) => id !== first)
  return new Set([first, ...others.filter(() => random.next() < 0.5)].slice(0, quorum - 1))
}

/** Those that have promised something come back at once, have forgotten it, and do not reach the primary. */
const restartSome = (sim: Simulation, ids: ReadonlyArray<ReplicaId>, first: ReplicaId, random: Random): void => {
  const share = pick(random, [0, 0, 0.5, 1])
  for (const victim of crashable(sim).filter(({ id }) => ids.includes(id))) {
    if (random.next() >= share || !crashable(sim).includes(victim)) continue
    victim.crash()
    later(sim, between(random, 1, 30), () => {
      victim.restart()
      victim.input({ _tag: "PeerLost", replica: first })
    })
  }
}

/** The two sides notice at once. The old primary's clock may be slow; it may stand still between its look at that and its step. */
export const leftBehind: Fault = {
  weight: 2,
  strike: (sim, choice) => {
    const first = sim.primary
    if (first === undefined) return false
    const random = diceOf(choice)
    const side = sideOf(sim, first, random)
    const others = sim.processes.map(({ id }) => id).filter((id) => !side.has(id))
    if (!side.has(first) || others.length === 0) return false
    if (random.next() < 0.3) for (const process of sim.processes) process.drift(side.has(process.id) ? 0.9 : 1.1)
    for (const a of side) {
      for (const b of others) {
        sim.link(a, b).cut()
        sim.link(a, b).breaks()
      }
    }
    restartSome(sim, others, first, random)
    const pace_ms = between(random, 5, 50)
    if (random.next() < 0.3) {
      later(sim, pace_ms * 20 * random.next(), () => {
        sim.replica(first).stall_ms = 2_000 * random.next()
      })
    }
    for (let i = 1; i <= 20; i++) {
      later(sim, pace_ms * i, () => {
        sim.burst(pick(random, others), 1)
        sim.glance(first)
      })
    }
    later(sim, pace_ms * 20 + durationOf(choice, 1_000), () => sim.heal())
    return true
  }
}
