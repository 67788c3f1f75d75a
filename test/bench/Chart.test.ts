/**
 * The chart is well-formed, and shows every bar once.
 *
 * @module
 */
import { describe, expect, it } from "vitest"
import { chartOf, short, tickOf } from "./Chart.ts"
import { type Options, parse } from "./Options.ts"
import { summaryWith } from "./SomeSummary.ts"

const options = (...args: ReadonlyArray<string>): Options => parse(args)!
const count = (svg: string, pattern: RegExp): number => svg.match(pattern)?.length ?? 0

describe("the chart", () => {
  it("has ticks of 1, 2 or 5 times a power of ten, and shortens figures", () => {
    expect([3, 8, 41, 70_000, 109_411].map(tickOf)).toEqual([1, 2, 20, 20_000, 50_000])
    expect([883, 1_200, 61_337, 999_700, 1_240_000].map(short)).toEqual(["883", "1.2k", "61.3k", "1M", "1.2M"])
  })

  it("has a panel for each operation, and a bar for each system and number of calls", () => {
    const svg = chartOf(options("--peers", "--operations", "write,read", "--outstanding", "1,64"), [
      summaryWith("V2R2", [["write", 1, 1_000], ["write", 64, 9_000], ["read", 1, 2_000], ["read", 64, 90_000]]),
      summaryWith("a < b", [["write", 1, 500], ["write", 64, 4_000]])
    ])
    expect(svg.startsWith("<svg ")).toBe(true)
    expect(svg).toContain("Writes, per second")
    expect(svg).toContain("Linearizable reads, per second")
    expect(svg).toContain("a &#60; b")
    expect(svg).not.toContain("NaN")
    // Six bars, two entries in the legend, and the ground.
    expect(count(svg, /<rect /g)).toBe(6 + 2 + 1)
    expect(count(svg, /outstanding<\/text>/g)).toBe(4)
  })
})
