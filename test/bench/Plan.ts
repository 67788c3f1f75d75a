/**
 * What is measured, and what a measurement says.
 *
 * @module
 */

/** `mix`: of ten calls nine are reads. */
export const operations = ["write", "read", "mix"] as const
export type Operation = (typeof operations)[number]

/** One cell of the table. */
export interface Work {
  readonly operation: Operation
  /** Calls under way at any time: each is followed by another as soon as it is answered. */
  readonly outstanding: number
  /** Clients, each with a session and a connection of its own, that share these calls. */
  readonly connections: number
  /** That these calls are spread over: each has its primary on another node than the one before. */
  readonly tenants: number
}

/** One measurement. Processor times are seconds of one core. */
export interface Sample extends Work {
  readonly elapsed_s: number
  readonly operations: number
  readonly p50_ms: number
  readonly p99_ms: number
  readonly p999_ms: number
  readonly generator_cpu_s: number
  /** By node; null where the system does not say. */
  readonly node_cpu_s: ReadonlyArray<number> | null
  /** Of all processes on this machine. */
  readonly machine_cpu_s: number
  /**
   * How many writes of its journal a replica took for one write of a client: on disk each is a flush. Null: only reads, or
   * a system that does not say.
   */
  readonly journal_writes: number | null
}

/** How many elements there are, unless the work is about that. */
export const keys = 1_000
export const value_bytes = 256
/** Where the n-th element is. */
export const directory = "/bench"
export const pathOf = (n: number): string => `${directory}/key-${String(n).padStart(7, "0")}`

/** A prime that divides no number of elements here: with it as the step, all of them are visited, in no order. */
const stride = 7_368_787

/** The element of the n-th call, of `count`. The generators in other languages do the same. */
export const elementOf = (n: number, count: number): number => (n * stride) % count
