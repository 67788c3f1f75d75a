/**
 * Schedules: plain data, valid however they are shrunk, and small once they are.
 *
 * @module
 */
import * as fc from "fast-check"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { faultNames } from "./faults/all.ts"
import { failureOf, runSchedule } from "./Run.ts"
import { type FaultEvent, scheduleOf, schedules } from "./Schedule.ts"
import { readSchedule, ScheduleFileError, writeSchedule } from "./ScheduleFile.ts"

describe("a schedule", () => {
  it("is the same for the same seed, and survives JSON", () => {
    fc.assert(fc.property(fc.nat(), (seed) => {
      assert.deepStrictEqual(scheduleOf(seed), scheduleOf(seed))
      assert.deepStrictEqual(JSON.parse(JSON.stringify(scheduleOf(seed))), scheduleOf(seed))
    }), { numRuns: 20 })
  })

  it("draws every fault", () => {
    const drawn = new Set(fc.sample(schedules, { seed: 1, numRuns: 50 }).flatMap(({ faults }) => faults.map(({ fault }) => fault)))
    assert.sameMembers([...drawn], [...faultNames])
  })

  it("stays valid whatever is left out of it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), fc.array(fc.boolean(), { minLength: 120, maxLength: 120 }), (seed, kept) => {
        const whole = scheduleOf(seed)
        const schedule = { ...whole, faults: whole.faults.filter((_, i) => kept[i]), replicas: 3 }
        assert.isNull(failureOf(schedule))
      }),
      { seed: 1, numRuns: 20 }
    )
  })

  it("leaves the rest of a run as it is when its last fault is left out", () => {
    const whole = { ...scheduleOf(3), faults_ms: 6_000 }
    const event: FaultEvent = { fault: "heal", after: 1_000, who: 0, how: 0, long: 0 }
    // A heal of what is whole changes nothing, so nobody's luck changes either.
    const calm = runSchedule({ ...whole, faults: [] })
    assert.deepStrictEqual({ ...runSchedule({ ...whole, faults: [event] }), faults: {} }, { ...calm, faults: {} })
  })
})

describe("a schedule's file", () => {
  it("gives back what was saved", () => {
    const folder = mkdtempSync(join(tmpdir(), "v2r2-schedule-"))
    try {
      const path = join(folder, "one.json")
      const saved = { found: { seed: 9, rule: "r", message: "m" }, mutation: null, schedule: scheduleOf(9) }
      writeSchedule(path, saved)
      assert.deepStrictEqual(readSchedule(path), { format: "v2r2-schedule", version: 1, ...saved })
      const broken = (change: object): string => {
        writeFileSync(path, JSON.stringify({ format: "v2r2-schedule", version: 1, ...saved, ...change }))
        try {
          readSchedule(path)
          return "nothing is wrong"
        } catch (cause) {
          assert.instanceOf(cause, ScheduleFileError)
          return (cause as Error).message
        }
      }
      assert.include(broken({ format: "x" }), "it is not a schedule")
      assert.include(broken({ version: 2 }), "its version is 2")
      assert.include(broken({ schedule: null }), "it has no \"schedule\"")
      assert.include(broken({ schedule: { ...saved.schedule, replicas: "3" } }), "\"replicas\" is no number")
      assert.include(broken({ schedule: { ...saved.schedule, faults: [{ fault: "flood" }] } }), "unknown fault, \"flood\"")
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
