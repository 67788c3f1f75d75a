/**
 * Networks that fall apart: halves, one alone, random holes, a mesh with two links missing; in both directions or in
 * one; connections that break, and links that clog.
 *
 * @module
 */
import { between } from "../Dice.ts"
import type { Simulation } from "../Simulation.ts"
import { diceOf, durationOf, type Fault, later, oneOf, victimOf } from "./Fault.ts"

/** Each goes to one side or the other. */
export const halves: Fault = {
  weight: 1,
  strike: (sim, choice) => {
    const random = diceOf(choice)
    const side = new Set(sim.processes.filter(() => random.next() < 0.5))
    const oneWay = random.next() < 0.3
    for (const a of side) {
      for (const b of sim.processes) {
        if (side.has(b)) continue
        sim.network.cut(a.id, b.id)
        if (!oneWay) sim.network.cut(b.id, a.id)
      }
    }
    return true
  }
}

/** From the others, or from clients too. Wholly, or deaf (it sends and does not hear), or mute. */
export const alone: Fault = {
  weight: 2,
  strike: (sim, choice) => {
    const victim = victimOf(sim.processes, choice)!
    const [hears, speaks] = oneOf([[false, false], [false, true], [true, false]] as const, choice)
    const clients = choice.who % 2 === 0 ? [] : sim.clients.map(({ name }) => name)
    for (const id of [...sim.processes.map((process) => process.id), ...clients]) {
      if (!hears) sim.network.cut(id, victim.id)
      if (!speaks) sim.network.cut(victim.id, id)
    }
    return true
  }
}

export const holes: Fault = {
  weight: 1,
  strike: (sim, choice) => {
    const random = diceOf(choice)
    const bothWays = random.next() < 0.5
    for (const { id: a } of sim.processes) {
      for (const { id: b } of sim.processes) {
        if (a === b || random.next() >= 0.2) continue
        sim.network.cut(a, b)
        if (bothWays) sim.network.cut(b, a)
      }
    }
    return true
  }
}

/** The primary is cut off with a burst of writes; soon after the next one is, and the first is back with its own log. */
export const handOver: Fault = {
  weight: 2,
  strike: (sim, choice) => {
    const first = sim.primary
    if (first === undefined) return false
    const random = diceOf(choice)
    sim.isolate(first)
    sim.burst(first, 4)
    later(sim, between(random, 200, 2_000), () => {
      sim.heal()
      const next = sim.primary
      if (next !== undefined && next !== first) sim.isolate(next)
    })
    return true
  }
}

export const breakLink: Fault = {
  weight: 2,
  strike: (sim, choice) => {
    const a = victimOf(sim.processes, choice)!
    const b = oneOf(sim.processes, choice)
    if (a === b) return false
    sim.link(a.id, b.id).breaks()
    return true
  }
}

/** What is sent in some directions is not lost, but comes late, behind much else. */
export const clog: Fault = {
  weight: 2,
  strike: (sim, choice) => {
    const random = diceOf(choice)
    const victim = victimOf(sim.processes, choice)!
    const for_ms = durationOf(choice, 3_000)
    for (const { id } of sim.processes) {
      if (id === victim.id) continue
      if (random.next() < 0.5) sim.network.clog(victim.id, id, for_ms)
      if (random.next() < 0.5) sim.network.clog(id, victim.id, for_ms)
    }
    return true
  }
}

export const heal: Fault = {
  weight: 3,
  strike: (sim: Simulation) => {
    sim.heal()
    return true
  }
}
