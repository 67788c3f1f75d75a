/**
 * V2R2 compared with another system.
 *
 * @module
 */
import { describe, expect, it } from "vitest"
import { compare, comparisonTable, limitTable } from "./Ratios.ts"
import { spreadOf, summaryWith } from "./SomeSummary.ts"

const ours = summaryWith("V2R2", [["write", 1, 1_000], ["write", 64, 60_000], ["read", 64, 80_000]], {
  largest_node_mib: spreadOf(300),
  first_write_ms: spreadOf(900),
  failover: { gap_ms: spreadOf(100), writer_gap_ms: spreadOf(110) }
})
const theirs = summaryWith("etcd", [["write", 1, 500], ["write", 64, 15_000]], {
  largest_node_mib: spreadOf(600),
  first_write_ms: spreadOf(450)
})

describe("a comparison", () => {
  const comparison = compare(ours, theirs)

  it("has what both have measured", () => {
    expect(comparison.works.map(({ outstanding }) => outstanding)).toEqual([1, 64])
    expect(comparison.works[1]!.per_second).toEqual({ ours: 60_000, theirs: 15_000, ratio: 4 })
    expect(comparison.works[1]!.node_cpu_us_per_operation!.ratio).toBeCloseTo(0.25)
    expect(comparison.whole).toMatchObject({ largest_node_mib: { ratio: 0.5 }, first_write_ms: { ratio: 2 }, gap_ms: null })
  })

  it("is shown with both figures, and without what nobody measured", () => {
    const text = comparisonTable(comparison)
    expect(text).toContain("4.00 (60,000 : 15,000)")
    expect(text).toContain("0.50 (300 : 600)")
    expect(text).not.toContain("failover")
    expect(text).not.toContain("read")
  })

  it("is a share where the other is an upper bound", () => {
    expect(limitTable(compare(theirs, ours))).toContain("25 %")
  })
})
