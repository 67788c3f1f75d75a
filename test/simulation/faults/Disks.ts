/**
 * Disks: slow for a while, or hung; a flush that fails; a log or a snapshot that is damaged; or lost with the replica on it. A write that a
 * crash cuts short belongs to the crash: it is found whole, or not at all.
 *
 * @module
 */
import type { ReplicaId } from "../../../src/vr/Message.ts"
import type { Process } from "../Process.ts"
import type { Simulation } from "../Simulation.ts"
import { crashSoon, expendable, oftenThePrimary } from "./Crashes.ts"
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

/** No write ends, and none fails, until it goes on: or until somebody has had enough, and starts the process again. */
export const hungDisk: Fault = {
  weight: 1,
  strike: (sim, choice) => {
    const victim = sim.keepsLogs ? oftenThePrimary(sim, choice) : undefined
    if (victim === undefined || victim.hangs) return false
    victim.hang()
    later(sim, durationOf(choice, 8_000), () => {
      if (!victim.hangs) return
      if (oneOf([true, false], choice)) victim.goOn()
      else {
        victim.crash()
        victim.restart()
      }
    })
    return true
  }
}

/** Nothing that waits for the flush may leave. What it was about may be found after the restart, or not. */
export const failedFlush: Fault = {
  weight: 1,
  strike: (sim, choice) => {
    const victim = oftenThePrimary(sim, choice)
    if (victim === undefined) return false
    crashSoon(sim, victim, "flush failed", durationOf(choice, 1_000))
    return true
  }
}

/**
 * Something acknowledged can no longer be read, which the next restart finds: now, or whenever that comes. It costs the
 * replica its memory, so no more than f at once. (One that has nothing yet may be counted on by the time it is found.)
 */
export const damage: Fault = {
  weight: 1,
  strike: (sim, choice) => {
    if (!sim.keepsLogs) return false
    const victim = victimOf(expendable(sim).filter(({ isLost }) => !isLost), choice)
    if (victim === undefined) return false
    victim.journal.isDamaged = true
    if (oneOf([true, true, false], choice)) {
      victim.crash()
      later(sim, durationOf(choice, 1_000), () => victim.restart())
    }
    return true
  }
}

/**
 * A snapshot can no longer be read. The one before, and the log from there, will do, if it is there: that costs nothing.
 */
export const damagedSnapshot: Fault = {
  weight: 1,
  strike: (sim, choice) => {
    const isKept = ({ journal }: Process): boolean => journal.isTrusted && journal.newest !== null
    const victim = victimOf(sim.processes.filter((one) => isKept(one) && (canDoWithout(one) || expendable(sim).includes(one))), choice)
    if (victim === undefined) return false
    victim.journal.newest!.isDamaged = true
    if (oneOf([true, true, false], choice)) {
      victim.crash()
      later(sim, durationOf(choice, 1_000), () => victim.restart())
    }
    return true
  }
}

/** Would it start from its own disk without its newest snapshot? */
const canDoWithout = ({ journal }: Process): boolean => {
  const newest = journal.newest!
  newest.isDamaged = true
  const can = journal.isTrusted
  newest.isDamaged = false
  return can
}

/** Whoever loses its disk has lost its promises, and may not come back under its name. */
export const lostDisk: Fault = {
  weight: 0.2,
  strike: (sim, choice) => {
    const victim = victimOf(expendable(sim).filter(({ id }) => canGo(sim, id)), choice)
    if (victim === undefined) return false
    victim.isGone = true
    victim.crash()
    return true
  }
}

/** For good: no group that is needed would have more to do without than it can. */
const canGo = ({ needed, processes }: Simulation, id: ReplicaId): boolean =>
  needed.every(({ replicas, tolerates }) =>
    !replicas.includes(id) ||
    processes.filter((one) => replicas.includes(one.id) && (one.isLost || one.id === id)).length <= tolerates)
