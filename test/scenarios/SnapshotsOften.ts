/**
 * What the scenarios of snapshots share: a group that takes one every five operations or so, of many small parts.
 *
 * @module
 */
import { afterEach, beforeEach } from "vitest"
import type { MessageTag, ReplicaId } from "../../src/vr/Message.ts"
import type { Client } from "../simulation/Client.ts"
import { appendResult } from "../simulation/Register.ts"
import { Simulation, type SimulationOptions } from "../simulation/Simulation.ts"
import { squeeze } from "../simulation/Squeeze.ts"

/** For all tests of the file that calls it. */
export const snapshotsOften = (): void => {
  let release = (): void => {}
  beforeEach(() => {
    release = squeeze({ snapshot_log_bytes_min: 400, snapshot_part_bytes_max: 40 })
  })
  afterEach(() => release())
}

export const start = (options: Partial<SimulationOptions> = {}): Simulation =>
  Simulation.start({ replicas: 3, seed: 1, durability: "disk", ...options })

export const appendTimes = (sim: Simulation, times: number, client?: Client): void => {
  for (let i = 0; i < times; i++) sim.append("k", client)
}

/** How many appends there have been. */
export const count = (sim: Simulation): number => appendResult(sim.append("k").reply!.result!).length

export const cutOff = (sim: Simulation, id: ReplicaId): void => {
  sim.isolate(id)
  sim.network.loseAll()
}

/** Counts messages of a kind that are sent from now on. */
export const counting = (sim: Simulation, tag: MessageTag): () => number => {
  let seen = 0
  sim.hold((message) => {
    if (message._tag === tag) seen++
    return false
  })
  return () => seen
}
