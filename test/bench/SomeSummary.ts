/**
 * Summaries for tests, of figures that are made up.
 *
 * @module
 */
import type { Operation } from "./Plan.ts"
import type { Summary } from "./Summary.ts"
import type { Row, Spread } from "./Tables.ts"

export const spreadOf = (median: number): Spread => ({ median, min: median * 0.9, max: median * 1.1 })

const rowOf = (operation: Operation, outstanding: number, per_second: number): Row => ({
  operation,
  outstanding,
  connections: 1,
  tenants: 1,
  per_second: spreadOf(per_second),
  p50_ms: spreadOf(1_000 / per_second),
  p99_ms: spreadOf(5_000 / per_second),
  p999_ms: spreadOf(9_000 / per_second),
  node_cpu_us_per_operation: spreadOf(1e6 / per_second),
  busiest_node: spreadOf(0.5),
  generator: spreadOf(0.3),
  machine: spreadOf(0.9),
  journal_writes: null,
  others: spreadOf(0.01)
})

/** `rows`: operation, calls under way, calls a second. */
export const summaryWith = (
  name: string,
  rows: ReadonlyArray<readonly [Operation, outstanding: number, per_second: number]>,
  more: Partial<Summary> = {}
): Summary => ({
  name,
  rows: rows.map((row) => rowOf(...row)),
  first_write_ms: null,
  peak_memory_mib: null,
  largest_node_mib: null,
  failover: null,
  ...more
})
