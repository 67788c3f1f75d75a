/**
 * Bounds so tight that small runs meet them: logs that take many chunks, pipelines that are full, windows that close.
 *
 * @module
 */
import * as fc from "fast-check"
import { Limits } from "../../src/base/Limits.ts"

/** What is not named stays as it is. */
export type Tight = Partial<Record<keyof typeof Limits, number>>

const half = (...tight: ReadonlyArray<number>): fc.Arbitrary<number | undefined> =>
  fc.constantFrom(...tight.map(() => undefined), ...tight)

/** Half of the time a bound stays as it is. An entry is about 100 bytes of log. */
export const tightLimits: fc.Arbitrary<Tight> = fc.record({
  transfer_chunk_bytes_max: half(300, 1_000),
  prepare_bytes_max: half(100, 500),
  pipeline_ops_max: half(2, 8),
  pipeline_bytes_max: half(300, 1_000),
  operation_bytes_max: fc.constant(200),
  pending_reads_max: half(2),
  session_window_max: half(16),
  snapshot_log_bytes_min: fc.constantFrom(undefined, 300, 1_000, 4_000),
  snapshot_part_bytes_max: half(60, 300),
  log_unpacked_max: half(1, 4),
  prefetch_entries_max: half(1, 3),
  prefetch_elements_min: half(0),
  log_piece_bytes: half(400)
}).map((drawn) => Object.fromEntries(Object.entries(drawn).filter(([, value]) => value !== undefined)))

/** Other bounds, until what it returns is called. They are global: nothing else may run meanwhile. */
export const squeeze = (tight: Tight): () => void => {
  const before = { ...Limits }
  Object.assign(Limits, tight)
  return () => {
    Object.assign(Limits, before)
  }
}
