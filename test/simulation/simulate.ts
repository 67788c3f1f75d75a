/**
 * `npm run simulate`: looks for bugs, on all processors, for as long as it is told.
 *
 * @module
 */
import { parseArgs } from "node:util"
import { replay, replaySeed } from "./Replay.ts"
import { ScheduleFileError } from "./ScheduleFile.ts"
import { soak } from "./Soak.ts"

const usage = `Looks for bugs in the protocol with simulated groups: random faults from seeds, every invariant at every step.

  npm run simulate -- [--minutes M] [--first SEED] [--workers N]   fresh seeds, 1 minute unless said otherwise
  npm run simulate -- --seed SEED [--trace]                        one seed; what happened, line by line
  npm run simulate -- --replay FILE [--trace]                      a schedule that was saved
  npm run simulate -- --exhaustive                                 every order of events within small bounds
  npm run simulate -- --mutations                                  deliberate bugs, and what catches them; minutes
  npm run simulate -- --nodes [--minutes M] [--seed SEED]          whole nodes, with servers, sockets and clients
`

const options = {
  help: { type: "boolean", short: "h" },
  seed: { type: "string" },
  first: { type: "string" },
  minutes: { type: "string" },
  workers: { type: "string" },
  replay: { type: "string" },
  trace: { type: "boolean", default: false },
  exhaustive: { type: "boolean", default: false },
  nodes: { type: "boolean", default: false },
  mutations: { type: "boolean", default: false }
} as const

class UsageError extends Error {}

const print = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

const numberOf = (name: string, text: string | undefined, least: number): number | undefined => {
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() === "" || !Number.isFinite(value) || value < least) {
    throw new UsageError(`--${name} is a number from ${least} up, not "${text}"`)
  }
  return value
}

const wholeOf = (name: string, text: string | undefined, least: number): number | undefined => {
  const value = numberOf(name, text, least)
  if (value === undefined || Number.isSafeInteger(value)) return value
  throw new UsageError(`--${name} is a whole number, not "${text}"`)
}

const parse = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({ args: [...args], options, strict: true }).values
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause))
  }
}

/** What may stand beside each way to run; without any of them: fresh seeds. */
const companions: Readonly<Record<string, ReadonlyArray<string>>> = {
  nodes: ["minutes", "seed"],
  exhaustive: [],
  mutations: [],
  replay: ["trace"],
  seed: ["trace"],
  "": ["minutes", "first", "workers"]
}

const refuseNonsense = (values: object): void => {
  const given = Object.entries(values).filter(([, value]) => value !== false && value !== undefined).map(([name]) => name)
  const way = Object.keys(companions).find((name) => given.includes(name)) ?? ""
  const stranger = given.find((name) => name !== way && !companions[way]!.includes(name))
  if (stranger === undefined) return
  throw new UsageError(way === "" ? `--${stranger} goes with --seed or --replay` : `--${stranger} does not go with --${way}`)
}

/** True: nothing was found. */
const main = async (args: ReadonlyArray<string>): Promise<boolean> => {
  const values = parse(args)
  if (values.help === true) {
    process.stdout.write(usage)
    return true
  }
  refuseNonsense(values)
  const minutes = numberOf("minutes", values.minutes, 0) ?? 1
  const seed = wholeOf("seed", values.seed, 0)
  if (values.exhaustive) return (await import("./exhaustive/main.ts")).exhaustive(print)
  if (values.mutations) return (await import("./mutations/Report.ts")).report(print)
  if (values.nodes) return (await import("./nodes/Nodes.ts")).nodes({ minutes, seed: seed ?? null, print })
  if (values.replay !== undefined) return replay(values.replay, values.trace, print)
  if (seed !== undefined) return replaySeed(seed, values.trace, print)
  const first = wholeOf("first", values.first, 0)
  return soak({ minutes, first, workers: wholeOf("workers", values.workers, 1), print })
}

// Whoever reads, as `head`, may have enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error
  process.exit()
})
try {
  process.exitCode = await main(process.argv.slice(2)) ? 0 : 1
} catch (cause) {
  if (!(cause instanceof UsageError || cause instanceof ScheduleFileError)) throw cause
  process.stderr.write(`simulate: ${cause.message}\n${cause instanceof UsageError ? `\n${usage}` : ""}`)
  process.exitCode = 2
}
