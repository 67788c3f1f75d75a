/**
 * Gaps as writers see them, on a made-up clock.
 *
 * @module
 */
import { describe, expect, it } from "vitest"
import { Outage } from "./Outage.ts"

describe("an outage", () => {
  it("ends once every writer has had an answer to a write that it began after the kill", () => {
    const outage = new Outage(2, 0)
    outage.acknowledged(0, 0, 500)
    outage.acknowledged(1, 0, 510)
    outage.watch()
    expect(outage.acknowledged(0, 500, 520)).toBeNull()
    outage.killed(530)
    // It was under way when the node was killed, and answered all the same.
    expect(outage.acknowledged(1, 510, 540)).toBeNull()
    expect(outage.acknowledged(0, 540, 640)).toBeNull()
    expect(outage.acknowledged(1, 640, 700)).toEqual({ gap_ms: 100, writer_gap_ms: 160 })
    expect(outage.acknowledged(1, 700, 710)).toBeNull()
  })

  it("can be watched again, without what was before", () => {
    const outage = new Outage(1, 0)
    outage.killed(0)
    expect(outage.acknowledged(0, 10, 900)).toEqual({ gap_ms: 900, writer_gap_ms: 900 })
    outage.watch()
    expect(outage.acknowledged(0, 900, 950)).toBeNull()
    outage.killed(960)
    expect(outage.acknowledged(0, 960, 1_000)).toEqual({ gap_ms: 50, writer_gap_ms: 50 })
  })
})
