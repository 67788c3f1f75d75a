/**
 * Starts hunts, each in a process of its own with the bug in it (hunt.ts), and gives what came of them.
 *
 * @module
 */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { commandWith } from "./Mutation.ts"

/** What came of a hunt. */
export interface Catch {
  /** null: of the core as it is. */
  readonly name: string | null
  readonly by: "random runs" | "search"
  /** Runs until one failed, the failed one included, or states until one broke a rule; null: none did. */
  readonly caughtAfter: number | null
  /** What was broken, without its particulars; null: nothing. */
  readonly rule: string | null
  readonly seconds: number
}

/** A bug may make a run endless; that is no catch. */
const timeout_ms = 300_000

/** Dozens of processes load the same modules. The cache knows them by their text, so it does not mix bugs up. */
const cache = fileURLToPath(new URL("../../../node_modules/.cache/v2r2", import.meta.url))

/** Runs seeds 1, 2, 3, … with that bug, or searches, up to `budget`, until it shows. Rejects if the hunt itself fails. */
export const hunt = async (mutation: string | null, budget: number): Promise<Catch> => {
  const { args, command, env } = commandWith(mutation, new URL("./hunt.ts", import.meta.url), [`${budget}`])
  const options = { env: { NODE_COMPILE_CACHE: cache, ...env }, timeout: timeout_ms }
  const { stdout } = await promisify(execFile)(command, args, options)
  return JSON.parse(stdout)
}
