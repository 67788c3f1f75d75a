/**
 * Everything that decides a run, as plain data: a group, its load, its weather, and the faults that strike it one after
 * the other. fast-check draws schedules and shrinks those that fail; simplest choices stand first.
 *
 * @module
 */
import * as fc from "fast-check"
import type { Durability } from "../../src/storage/Journal.ts"
import { type Choice } from "./faults/Fault.ts"
import { type FaultName, faultNames, faults } from "./faults/all.ts"
import type { Weather } from "./Network.ts"
import { weathers } from "./Weather.ts"
import { type Tight, tightLimits } from "./Squeeze.ts"

export interface FaultEvent extends Choice {
  readonly fault: FaultName
  /** Per mille of twice the schedule's `pace_ms`, since the fault before. */
  readonly after: number
}

export interface Schedule {
  /** Of all chance that is not spelled out below: the network's luck, the replicas' patience, what clients ask. */
  readonly seed: number
  readonly replicas: number
  readonly durability: Durability
  readonly timers: { readonly heartbeat_ms: number; readonly view_change_ms: number }
  /** Parts of `view_change_ms`; 0: there are none. */
  readonly lease: number
  readonly tick_ms: number
  readonly disk_ms: number
  readonly turn_ms: number
  readonly retry_ms: number
  readonly sessions_max: number
  readonly inbox_max: number
  readonly limits: Tight
  readonly clients: number
  /** Outstanding requests of a client. */
  readonly window: number
  /** A client asks about so often. */
  readonly every_ms: number
  /** Clients read the root too, which every write changes. */
  readonly reads_root: boolean
  readonly weather: Weather
  readonly pace_ms: number
  /** How long faults strike; those that would come later do not. */
  readonly faults_ms: number
  readonly faults: ReadonlyArray<FaultEvent>
  /** Which replicas stay broken for good when the faults end, and how: relative choices. `broken` 0: none does. */
  readonly ending: { readonly broken: number; readonly who: number; readonly how: number }
}

const any = fc.integer({ min: 0, max: 2 ** 31 - 1 })

const faultEvent: fc.Arbitrary<FaultEvent> = fc.record({
  fault: fc.oneof(...faultNames.map((name) => ({
    weight: Math.round(faults[name].weight * 10),
    arbitrary: fc.constant(name)
  }))),
  after: fc.integer({ min: 0, max: 1_000 }),
  who: fc.integer({ min: 0, max: 5_039 }),
  how: any,
  long: fc.integer({ min: 0, max: 1_000 })
})

/** As many replicas as there are in most groups, most often. */
const replicas = fc.constantFrom(3, 3, 3, 3, 1, 2, 4, 5, 5, 5, 6, 7)

export const schedules: fc.Arbitrary<Schedule> = fc.noBias(fc.record({
  seed: fc.noShrink(any),
  replicas,
  durability: fc.constantFrom("disk", "memory"),
  timers: fc.constantFrom(
    { heartbeat_ms: 100, view_change_ms: 500 },
    { heartbeat_ms: 100, view_change_ms: 500 },
    { heartbeat_ms: 20, view_change_ms: 100 },
    { heartbeat_ms: 50, view_change_ms: 1_000 }
  ),
  lease: fc.constantFrom(0, 0.6, 1, 0),
  tick_ms: fc.constantFrom(20, 5),
  disk_ms: fc.constantFrom(0, 2, 30),
  turn_ms: fc.constantFrom(0, 1, 5),
  retry_ms: fc.constantFrom(300, 1_000, 50),
  sessions_max: fc.constantFrom(1_000, 1_000, 3, 2),
  inbox_max: fc.constantFrom(1_000, 20),
  limits: tightLimits,
  clients: fc.constantFrom(1, 2, 4),
  window: fc.constantFrom(1, 4, 16),
  every_ms: fc.constantFrom(150, 30, 5),
  reads_root: fc.constantFrom(false, false, false, true),
  weather: weathers,
  pace_ms: fc.constantFrom(800, 200, 50),
  faults_ms: fc.integer({ min: 2_000, max: 12_000 }),
  faults: fc.array(faultEvent, { maxLength: 120, size: "max" }),
  ending: fc.record({ broken: fc.constantFrom(0, 0, 0, 1, 2, 3), who: any, how: any })
}))

/** The same seed draws the same schedule, until the choices above change. */
export const scheduleOf = (seed: number): Schedule => fc.sample(schedules, { seed, numRuns: 1 })[0]!
