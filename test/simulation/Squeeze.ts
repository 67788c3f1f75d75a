/**
 * Bounds so tight that small runs meet them: logs that take many chunks, pipelines that are full, windows that close.
 *
 * @module
 */
import { Limits } from "../../src/base/Limits.ts"
import type { Random } from "../../src/base/Random.ts"
import { pick } from "./Nemesis.ts"

type Tight = Partial<Record<keyof typeof Limits, number>>

/** Half of the time a bound stays as it is. An append is about 100 bytes of log. */
export const drawLimits = (random: Random): Tight => ({
  transfer_chunk_bytes_max: pick(random, [300, 1_000, Limits.transfer_chunk_bytes_max, Limits.transfer_chunk_bytes_max]),
  prepare_bytes_max: pick(random, [100, 500, Limits.prepare_bytes_max, Limits.prepare_bytes_max]),
  pipeline_ops_max: pick(random, [2, 8, Limits.pipeline_ops_max, Limits.pipeline_ops_max]),
  pipeline_bytes_max: pick(random, [300, 1_000, Limits.pipeline_bytes_max, Limits.pipeline_bytes_max]),
  operation_bytes_max: 200,
  pending_reads_max: pick(random, [2, Limits.pending_reads_max]),
  session_window_max: pick(random, [16, Limits.session_window_max])
})

/** Runs `body` under other bounds. They are global: nothing else may run meanwhile. */
export const squeezed = <A>(tight: Tight, body: () => A): A => {
  const before = { ...Limits }
  Object.assign(Limits, tight)
  try {
    return body()
  } finally {
    Object.assign(Limits, before)
  }
}
