/**
 * V2R2 compared with another system: ratios of medians.
 *
 * @module
 */
import type { Work } from "./Plan.ts"
import type { Summary } from "./Summary.ts"
import { ms, nameOf, type Row, type Spread, table, whole } from "./Tables.ts"

export interface Ratio {
  readonly ours: number
  readonly theirs: number
  readonly ratio: number
}

/** One work. The connections are ours: others have those that are best for them. */
export interface WorkRatios extends Work {
  readonly per_second: Ratio
  readonly p50_ms: Ratio
  readonly p99_ms: Ratio
  readonly node_cpu_us_per_operation: Ratio | null
}

/** What belongs to no single work. */
export interface WholeRatios {
  readonly largest_node_mib: Ratio | null
  readonly first_write_ms: Ratio | null
  readonly gap_ms: Ratio | null
  readonly writer_gap_ms: Ratio | null
}

export interface Comparison {
  readonly with: string
  readonly works: ReadonlyArray<WorkRatios>
  readonly whole: WholeRatios
}

const ratioOf = (ours: Spread, theirs: Spread): Ratio => ({
  ours: ours.median,
  theirs: theirs.median,
  ratio: ours.median / theirs.median
})

const maybe = (ours: Spread | null | undefined, theirs: Spread | null | undefined): Ratio | null =>
  ours === null || ours === undefined || theirs === null || theirs === undefined ? null : ratioOf(ours, theirs)

const isSame = (ours: Work, theirs: Work): boolean =>
  ours.operation === theirs.operation && ours.outstanding === theirs.outstanding && ours.tenants === theirs.tenants

export const compare = (ours: Summary, theirs: Summary): Comparison => ({
  with: theirs.name,
  works: ours.rows.flatMap((row) => {
    const other = theirs.rows.find((candidate) => isSame(row, candidate))
    return other === undefined ? [] : [worksRatios(row, other)]
  }),
  whole: {
    largest_node_mib: maybe(ours.largest_node_mib, theirs.largest_node_mib),
    first_write_ms: maybe(ours.first_write_ms, theirs.first_write_ms),
    gap_ms: maybe(ours.failover?.gap_ms, theirs.failover?.gap_ms),
    writer_gap_ms: maybe(ours.failover?.writer_gap_ms, theirs.failover?.writer_gap_ms)
  }
})

const worksRatios = (ours: Row, theirs: Row): WorkRatios => ({
  operation: ours.operation,
  outstanding: ours.outstanding,
  connections: ours.connections,
  tenants: ours.tenants,
  per_second: ratioOf(ours.per_second, theirs.per_second),
  p50_ms: ratioOf(ours.p50_ms, theirs.p50_ms),
  p99_ms: ratioOf(ours.p99_ms, theirs.p99_ms),
  node_cpu_us_per_operation: maybe(ours.node_cpu_us_per_operation, theirs.node_cpu_us_per_operation)
})

/** As "4.28 (61,337 : 14,315)". */
const cell = (ratio: Ratio | null, show: (value: number) => string): string =>
  ratio === null ? "–" : `${ratio.ratio.toFixed(2)} (${show(ratio.ours)} : ${show(ratio.theirs)})`

/** Above 1, throughput is better; below 1, everything else is. */
export const comparisonTable = ({ with: other, works, whole: all }: Comparison): string => {
  const measures = [
    ["peak memory of the largest node, MiB", all.largest_node_mib],
    ["start to first write, ms", all.first_write_ms],
    ["failover, ms without an acknowledged write", all.gap_ms],
    ["failover, ms that one writer waited at most", all.writer_gap_ms]
  ] as const
  return [
    table(
      [`V2R2 : ${other}`, "throughput", "p50 ms", "p99 ms", "nodes, µs CPU each"],
      works.map((work) => [
        nameOf(work),
        cell(work.per_second, whole),
        cell(work.p50_ms, ms),
        cell(work.p99_ms, ms),
        cell(work.node_cpu_us_per_operation, whole)
      ])
    ),
    "",
    table([`V2R2 : ${other}`, "ratio"], measures.flatMap(([name, ratio]) => ratio === null ? [] : [[name, cell(ratio, whole)]]))
  ].join("\n")
}

/** V2R2 as a share of the upper bound. */
export const limitTable = ({ works }: Comparison): string =>
  table(
    ["work", "V2R2 per second", "bare Node.js per second", "share"],
    works.map((work) => [
      nameOf(work),
      whole(work.per_second.ours),
      whole(work.per_second.theirs),
      `${Math.round(work.per_second.ratio * 100)} %`
    ])
  )
