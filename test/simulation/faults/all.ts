/**
 * Every fault that a schedule draws from, by name.
 *
 * @module
 */
import { weatherOf } from "../Weather.ts"
import { drift, jump, wallClock } from "./Clocks.ts"
import { crash, crashSeveral, crashWithinTurn, pause, pauseWithinTurn, powerLoss } from "./Crashes.ts"
import { damage, damagedSnapshot, failedFlush, hungDisk, lostDisk, slowDisk } from "./Disks.ts"
import type { Fault } from "./Fault.ts"
import { handOff, reconfigure } from "./Groups.ts"
import { leftBehind } from "./LeftBehind.ts"
import { alone, breakLink, clog, halves, handOver, heal, holes } from "./Partitions.ts"

const weather: Fault = {
  weight: 1,
  strike: (sim, choice) => {
    sim.network.weather = weatherOf(choice.how)
    return true
  }
}

export const faults = {
  heal, crash, crashWithinTurn, pause, pauseWithinTurn, alone, halves, holes, handOver, leftBehind, breakLink, clog, weather,
  wallClock, drift, jump,
  slowDisk, hungDisk, lostDisk, powerLoss, crashSeveral, failedFlush, damage, damagedSnapshot,
  reconfigure, handOff
} as const satisfies Record<string, Fault>

export type FaultName = keyof typeof faults

export const faultNames = Object.keys(faults) as ReadonlyArray<FaultName>
