/**
 * The rows of the table: which works are measured, and how long each system is warmed up before.
 *
 * @module
 */
import type { Options } from "./Options.ts"
import type { Work } from "./Plan.ts"
import type { System } from "./System.ts"

/** Under way over all tenants, if that is among what is measured; else the most that is. */
const outstanding_of_tenants = 64
/** Under way while systems are warmed up. */
const outstanding_warm = 64
/** Java compiles what runs often, for several seconds; whoever is compared gets as long. */
const warm_up_s_min = 10

const single = (options: Options): ReadonlyArray<Work> =>
  options.operations.flatMap((operation) =>
    options.outstanding.flatMap((outstanding) =>
      options.connections
        // One call at a time has one connection either way.
        .filter((_, i) => outstanding > 1 || i === 0)
        .map((choice): Work => ({ operation, outstanding, connections: choice === "one" ? 1 : outstanding, tenants: 1 }))
    )
  )

/** Last, as the tenants stay, and have something to do without any load. */
const overTenants = ({ outstanding, tenants }: Options): ReadonlyArray<Work> => {
  const whole = outstanding.includes(outstanding_of_tenants) ? outstanding_of_tenants : Math.max(...outstanding)
  return [whole, whole * tenants].map((outstanding) => ({ operation: "write", outstanding, connections: 1, tenants }))
}

export const worksOf = (options: Options): ReadonlyArray<Work> =>
  options.tenants === 1 ? single(options) : [...single(options), ...overTenants(options)]

/** The works of a system, each once, though it may do two of them in one way. */
export const worksFor = ({ shape }: System, options: Options): ReadonlyArray<Work> => {
  const works = worksOf(options).flatMap((work) => shape(work) ?? [])
  return [...new Map(works.map((work) => [JSON.stringify(work), work])).values()]
}

export interface WarmUp {
  readonly works: ReadonlyArray<Work>
  /** For each of them. */
  readonly each_ms: number
}

export const warmUpFor = ({ shape }: System, { operations, peers, seconds }: Options): WarmUp => {
  // A mix has nothing that its parts have not.
  const parts = operations.includes("mix") ? (["write", "read"] as const) : operations
  const works = parts.flatMap((operation) =>
    shape({ operation, outstanding: outstanding_warm, connections: 1, tenants: 1 }) ?? [])
  const whole_s = peers ? Math.max(warm_up_s_min, 3 * seconds) : 2 * seconds
  return { works, each_ms: whole_s * 1_000 / works.length }
}
