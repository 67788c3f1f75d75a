/**
 * The report: as text for people, or as JSON for programs.
 *
 * @module
 */
import * as Os from "node:os"
import { writers } from "./Failovers.ts"
import { limit } from "./limit/Limit.ts"
import type { Options } from "./Options.ts"
import type { Gaps } from "./Outage.ts"
import { keys } from "./Plan.ts"
import { type Comparison, compare, comparisonTable, limitTable } from "./Ratios.ts"
import type { Round } from "./Rounds.ts"
import type { Sizes } from "./Sizes.ts"
import { type Summary, summaryOf } from "./Summary.ts"
import { ms, range, remarks, rowOf, rowsTable, type Spread, table, whole } from "./Tables.ts"

/** All that was measured. */
export interface Measured {
  readonly systems: ReadonlyArray<{
    readonly name: string
    readonly rounds: ReadonlyArray<Round>
    readonly gaps: ReadonlyArray<Gaps>
  }>
  readonly sizes: Sizes | null
  /** Of each peer that is not installed: what, and how to. */
  readonly missing: ReadonlyArray<string>
}

const cores = Os.cpus().length

export const summariesOf = ({ systems }: Measured): ReadonlyArray<Summary> =>
  systems.map(({ gaps, name, rounds }) => summaryOf(name, rounds, gaps, cores))

/** V2R2 with each of the others. */
const comparisons = ([ours, ...others]: ReadonlyArray<Summary>): ReadonlyArray<Comparison> =>
  ours === undefined ? [] : others.map((theirs) => compare(ours, theirs))

const memoryLine = (peaks: ReadonlyArray<Spread>): string =>
  `Peak memory of the nodes, MiB: ${peaks.map((peak) => `${whole(peak.median)} (${range(peak)})`).join(", ")}.`

const startLine = (first: Spread): string =>
  `From the start of the processes to the first write: ${whole(first.median)} ms (${range(first)}).`

const summaryText = ({ first_write_ms, name, peak_memory_mib, rows }: Summary): string =>
  [
    `${name}\n`,
    rowsTable(rows),
    "",
    ...first_write_ms === null ? [] : [startLine(first_write_ms)],
    ...peak_memory_mib === null ? [] : [memoryLine(peak_memory_mib)],
    ...remarks(rows)
  ].join("\n")

const failoverText = (summaries: ReadonlyArray<Summary>, { failovers }: Options): string =>
  [
    `The leader's node killed (kill -9) ${failovers} times under ${writers} writers without pause:\n`,
    table(
      ["failover", "ms without a write", "(min–max)", "one writer waited, ms", "(min–max)"],
      summaries.flatMap(({ failover, name }) =>
        failover === null ? [] : [[
          name,
          whole(failover.gap_ms.median),
          range(failover.gap_ms),
          whole(failover.writer_gap_ms.median),
          range(failover.writer_gap_ms)
        ]])
    )
  ].join("\n")

const sizesOf = ({ few, many }: Sizes) => {
  const [small, large] = [rowOf(few, cores), rowOf(many, cores)]
  const [small_us, large_us] = [small.node_cpu_us_per_operation, large.node_cpu_us_per_operation]
  return {
    few: small,
    many: large,
    throughput_ratio: large.per_second.median / small.per_second.median,
    cpu_ratio: small_us === null || large_us === null ? null : large_us.median / small_us.median
  }
}

const sizesText = (sizes: Sizes): string => {
  const { cpu_ratio, few, many, throughput_ratio } = sizesOf(sizes)
  const row = (elements: number, { node_cpu_us_per_operation: cpu, p50_ms, p99_ms, per_second }: typeof few) => [
    whole(elements),
    whole(per_second.median),
    range(per_second),
    ms(p50_ms.median),
    ms(p99_ms.median),
    cpu === null ? "–" : cpu.median.toFixed(1)
  ]
  return [
    `Writes over all of so many elements, ${few.outstanding} outstanding; the many were created in ${sizes.fill_s.toFixed(1)} s:\n`,
    table(["elements", "per second", "(min–max)", "p50 ms", "p99 ms", "nodes, µs CPU each"], [row(keys, few), row(sizes.elements, many)]),
    "",
    `With ${whole(sizes.elements)} elements: ${throughput_ratio.toFixed(2)} times the throughput` +
    `${cpu_ratio === null ? "" : `, ${cpu_ratio.toFixed(2)} times the processor time`}.`
  ].join("\n")
}

export const textOf = (options: Options, measured: Measured): string => {
  const summaries = summariesOf(measured)
  const { durability, failovers, repetitions, seconds } = options
  return [
    `durability ${durability}; medians of ${repetitions}, ${seconds} s each; ${cores} cores, Node.js ${process.version}`,
    ...summaries.map(summaryText),
    ...comparisons(summaries).filter(({ works }) => works.length > 0).map((comparison) =>
      comparison.with === limit.name ? limitTable(comparison) : comparisonTable(comparison)),
    ...failovers === 0 ? [] : [failoverText(summaries, options)],
    ...measured.sizes === null ? [] : [sizesText(measured.sizes)],
    ...measured.missing
  ].join("\n\n")
}

export const jsonOf = (options: Options, measured: Measured): string => {
  const { missing, sizes, systems } = measured
  const summaries = summariesOf(measured)
  const machine = { cores, processor: Os.cpus()[0]?.model ?? "unknown", node: process.version }
  const of = (index: number) => ({ ...summaries[index], repetitions: systems[index]!.rounds, outages: systems[index]!.gaps })
  return JSON.stringify({
    options,
    machine,
    systems: systems.map((_, index) => of(index)),
    missing,
    comparisons: comparisons(summaries),
    elements: sizes === null ? null : {
      elements: sizes.elements,
      fill_s: sizes.fill_s,
      ...sizesOf(sizes),
      samples: { few: sizes.few, many: sizes.many }
    }
  }, null, 2)
}

