/**
 * All that was measured of one system, summed up.
 *
 * @module
 */
import type { Gaps } from "./Outage.ts"
import type { Round } from "./Rounds.ts"
import { type Row, rowOf, type Spread, spread } from "./Tables.ts"

export interface Summary {
  readonly name: string
  readonly rows: ReadonlyArray<Row>
  readonly first_write_ms: Spread | null
  /** By node; null where the system does not say. */
  readonly peak_memory_mib: ReadonlyArray<Spread> | null
  /** The largest node of each round. */
  readonly largest_node_mib: Spread | null
  readonly failover: Failover | null
}

export interface Failover {
  /** Without an acknowledgement to anybody. */
  readonly gap_ms: Spread
  /** Without an acknowledgement to one of the writers. */
  readonly writer_gap_ms: Spread
}

/** Null if one is missing. */
const all = <A>(values: ReadonlyArray<A | null>): ReadonlyArray<A> | null => {
  const there = values.filter((value) => value !== null)
  return there.length === values.length ? there : null
}

export const summaryOf = (
  name: string,
  rounds: ReadonlyArray<Round>,
  gaps: ReadonlyArray<Gaps>,
  cores: number
): Summary => {
  const starts = all(rounds.map(({ first_write_ms }) => first_write_ms))
  const peaks = all(rounds.map(({ peak_memory_mib }) => peak_memory_mib))
  const works = rounds[0]?.samples ?? []
  return {
    name,
    rows: works.map((_, i) => rowOf(rounds.map(({ samples }) => samples[i]!), cores)),
    first_write_ms: starts === null ? null : spread(starts),
    peak_memory_mib: peaks === null ? null : peaks[0]!.map((_, node) => spread(peaks.map((peak) => peak[node]!))),
    largest_node_mib: peaks === null ? null : spread(peaks.map((peak) => Math.max(...peak))),
    failover: gaps.length === 0 ? null : {
      gap_ms: spread(gaps.map(({ gap_ms }) => gap_ms)),
      writer_gap_ms: spread(gaps.map(({ writer_gap_ms }) => writer_gap_ms))
    }
  }
}
