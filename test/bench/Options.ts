/**
 * The command line of the benchmark.
 *
 * @module
 */
import { parseArgs } from "node:util"
import type { Durability } from "../../src/wire/AdminProtocol.ts"
import { type Operation, operations } from "./Plan.ts"

/** How many connections the calls under way share: one, or as many as there are calls. */
const connectionChoices = ["one", "each"] as const
export type Connections = (typeof connectionChoices)[number]

export interface Options {
  readonly seconds: number
  readonly repetitions: number
  readonly operations: ReadonlyArray<Operation>
  readonly outstanding: ReadonlyArray<number>
  readonly connections: ReadonlyArray<Connections>
  /** One: no work over several. */
  readonly tenants: number
  /** How often the primary's node is killed. */
  readonly failovers: number
  /** How many of them are compared with the usual few; 0: not. */
  readonly elements: number
  readonly durability: Durability
  readonly lease_ms: number
  readonly peers: boolean
  readonly limit: boolean
  readonly json: boolean
  /** A file for the chart, or null. */
  readonly svg: string | null
  /** A folder for processor profiles, or null. */
  readonly profile: string | null
}

export const help = `npm run bench -- [options]

Writes, linearizable reads, and nine reads to a write, of 256 bytes over 1,000 keys, against a fresh cluster of three processes; then
failovers, and a million elements.

  --seconds N        how long each measurement takes (default 3); a third of it is warm-up before
  --repetitions N    how often all is done, each time with a fresh cluster (default 3)
  --operations L     of ${operations.join(", ")}, separated by commas (default: all)
  --outstanding L    calls under way, separated by commas (default 1,16,64,256)
  --connections L    that these share: one, each (one for each call), or one,each (default; with --peers or --limit: one)
  --tenants N        writes once more, spread over so many tenants: as many under way as for one tenant, and as many for
                     each (default 16; with --peers or --limit 1: not)
  --failovers N      kill -9 of the primary's node under writers without pause, so many times (default 5; 0: not)
  --elements N       writes over so many elements, compared with 1,000 (default 1000000; with --peers or --limit 0: not)
  --durability D     disk (default) or memory; of peers: with fsync, or without
  --lease MS         V2R2 reads by leases that last so long (default 0: by rounds)
  --peers            the same work by etcd and ZooKeeper, in turn with V2R2, and how V2R2 compares
  --limit            the same writes by three bare Node.js processes, in turn with V2R2, as an upper bound
  --json             every sample and the medians as JSON, instead of tables
  --svg FILE         a chart of the throughput, beside the tables or the JSON
  --profile FOLDER   write processor profiles of V2R2's nodes and its generator there (.cpuprofile)
  --help             this text`

/** What was wrong with the command line. */
export class UsageError extends Error {}

const outstanding_max = 1_024
const tenants_max = 256
const failovers_max = 1_000
const elements_max = 10_000_000
/** As nodes bear them, with their usual timers. */
const lease_ms_min = 200
const lease_ms_max = 500

const wholeNumber = (name: string, text: string, min: number, max: number): number => {
  const value = Number(text)
  if (text.trim() !== "" && Number.isInteger(value) && value >= min && value <= max) return value
  throw new UsageError(`--${name}: expected a whole number from ${min} to ${max}, got "${text}"`)
}

const oneOf = <const A extends string>(name: string, text: string, choices: ReadonlyArray<A>): A => {
  const choice = choices.find((choice) => choice === text)
  if (choice !== undefined) return choice
  throw new UsageError(`--${name}: expected ${choices.join(" or ")}, got "${text}"`)
}

const list = <A>(text: string, each: (item: string) => A): ReadonlyArray<A> => [...new Set(text.split(",").map(each))]

/** A folder or a file to write: an empty one would be found missing only after minutes. */
const path = (name: string, text: string | undefined): string | null => {
  if (text === "") throw new UsageError(`--${name}: expected a path`)
  return text ?? null
}

/** Throws a {@link UsageError}. Null: only the help is wanted. */
export const parse = (args: ReadonlyArray<string>): Options | null => {
  const values = parsed(args)
  if (values.help) return null
  const seconds = Number(values.seconds)
  if (!(seconds > 0 && seconds <= 3_600)) {
    throw new UsageError(`--seconds: expected a number above 0, up to 3600, got "${values.seconds}"`)
  }
  const { json, limit, peers } = values
  // Beside others it is the work that all of them do that matters, and it takes three times as long.
  const isAlone = !peers && !limit
  const { connections = isAlone ? "one,each" : "one", elements = isAlone ? "1000000" : "0", tenants = isAlone ? "16" : "1" } = values
  return {
    seconds,
    durability: oneOf("durability", values.durability, ["disk", "memory"]),
    repetitions: wholeNumber("repetitions", values.repetitions, 1, 1_000),
    operations: list(values.operations, (text) => oneOf("operations", text, operations)),
    outstanding: list(values.outstanding, (text) => wholeNumber("outstanding", text, 1, outstanding_max)),
    connections: list(connections, (text) => oneOf("connections", text, connectionChoices)),
    tenants: wholeNumber("tenants", tenants, 1, tenants_max),
    failovers: wholeNumber("failovers", values.failovers, 0, failovers_max),
    elements: wholeNumber("elements", elements, 0, elements_max),
    lease_ms: values.lease === "0" ? 0 : wholeNumber("lease", values.lease, lease_ms_min, lease_ms_max),
    peers,
    limit,
    json,
    svg: path("svg", values.svg),
    profile: path("profile", values.profile)
  }
}

const parsed = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seconds: { type: "string", default: "3" },
        repetitions: { type: "string", default: "3" },
        operations: { type: "string", default: operations.join() },
        outstanding: { type: "string", default: "1,16,64,256" },
        connections: { type: "string" },
        tenants: { type: "string" },
        failovers: { type: "string", default: "5" },
        elements: { type: "string" },
        durability: { type: "string", default: "disk" },
        lease: { type: "string", default: "0" },
        peers: { type: "boolean", default: false },
        limit: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        svg: { type: "string" },
        profile: { type: "string" },
        help: { type: "boolean", default: false }
      }
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
