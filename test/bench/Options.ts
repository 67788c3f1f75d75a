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
  readonly tenants: number
  readonly durability: Durability
  readonly json: boolean
  /** A folder for processor profiles, or null. */
  readonly profile: string | null
}

export const help = `npm run bench -- [options]

Writes, linearizable reads, and nine reads to a write, of 256 bytes over 1,000 keys, against a fresh cluster of three processes.

  --seconds N        how long each measurement takes (default 3); a third of it is warm-up before
  --repetitions N    how often all is done, each time with a fresh cluster (default 3)
  --operations L     of ${operations.join(", ")}, separated by commas (default: all)
  --outstanding L    calls under way, separated by commas (default 1,16,64,256)
  --connections L    that these share: one, each (one for each call), or one,each (default)
  --tenants N        in the end, writes once more, spread over so many tenants (default 16; 1: not)
  --durability D     of the tenant: disk (default) or memory
  --json             every sample and the medians as JSON, instead of tables
  --profile FOLDER   write processor profiles of all four processes there (.cpuprofile)
  --help             this text`

/** What was wrong with the command line. */
export class UsageError extends Error {}

const outstanding_max = 1_024
const tenants_max = 256

const wholeNumber = (name: string, text: string, max: number): number => {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= max) return value
  throw new UsageError(`--${name}: expected a whole number from 1 to ${max}, got "${text}"`)
}

const oneOf = <const A extends string>(name: string, text: string, choices: ReadonlyArray<A>): A => {
  const choice = choices.find((choice) => choice === text)
  if (choice !== undefined) return choice
  throw new UsageError(`--${name}: expected ${choices.join(" or ")}, got "${text}"`)
}

const list = <A>(text: string, each: (item: string) => A): ReadonlyArray<A> => [...new Set(text.split(",").map(each))]

/** Throws a {@link UsageError}. Null: only the help is wanted. */
export const parse = (args: ReadonlyArray<string>): Options | null => {
  const values = parsed(args)
  if (values.help) return null
  const seconds = Number(values.seconds)
  if (!(seconds > 0 && seconds <= 3_600)) {
    throw new UsageError(`--seconds: expected a number above 0, up to 3600, got "${values.seconds}"`)
  }
  return {
    seconds,
    durability: oneOf("durability", values.durability, ["disk", "memory"]),
    repetitions: wholeNumber("repetitions", values.repetitions, 1_000),
    operations: list(values.operations, (text) => oneOf("operations", text, operations)),
    outstanding: list(values.outstanding, (text) => wholeNumber("outstanding", text, outstanding_max)),
    tenants: wholeNumber("tenants", values.tenants, tenants_max),
    connections: list(values.connections, (text) => oneOf("connections", text, connectionChoices)),
    json: values.json,
    profile: values.profile ?? null
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
        tenants: { type: "string", default: "16" },
        connections: { type: "string", default: connectionChoices.join() },
        durability: { type: "string", default: "disk" },
        json: { type: "boolean", default: false },
        profile: { type: "string" },
        help: { type: "boolean", default: false }
      }
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
