/**
 * What the benchmark tells its load generator, and what that reports: two processes, one JSON line a message.
 *
 * @module
 */

import type { Durability } from "../../src/wire/AdminProtocol.ts"

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

export interface Plan {
  readonly endpoints: ReadonlyArray<string>
  /** The nodes' admin addresses, to ask for their counters. */
  readonly admins: ReadonlyArray<string>
  /** By name, in the order of `admins`. */
  readonly names: ReadonlyArray<string>
  readonly durability: Durability
  /** The first tenant, on all nodes. Others are created once a work needs them. */
  readonly tenant: string
  /** Process ids, whose processor time is taken at the beginning and the end of each measurement. */
  readonly nodes: ReadonlyArray<number>
  readonly works: ReadonlyArray<Work>
  readonly warm_ms: number
  readonly measure_ms: number
}

/** One measurement. Processor times are seconds of one core. */
export interface Sample extends Work {
  readonly elapsed_s: number
  readonly operations: number
  readonly p50_ms: number
  readonly p99_ms: number
  readonly p999_ms: number
  readonly generator_cpu_s: number
  /** By node, in the order of the plan; null where the system does not say. */
  readonly node_cpu_s: ReadonlyArray<number> | null
  /** Of all processes on this machine. */
  readonly machine_cpu_s: number
  /** How many writes of its journal a replica took for one write of a client: on disk each is a flush. Null: only reads. */
  readonly journal_writes: number | null
}

export type Report =
  | { readonly _tag: "Begin"; readonly work: Work }
  | { readonly _tag: "Sample"; readonly sample: Sample }

export const keys = 1_000
export const value_bytes = 256
/** Where the n-th key is. */
export const directory = "/bench"
export const pathOf = (n: number): string => `${directory}/key-${String(n % keys).padStart(4, "0")}`
