/**
 * How a program is started with a bug in it: with a hook (hook.ts), and the mutation's name in its environment. Modules
 * that are loaded already cannot be changed any more, so it takes a process of its own.
 *
 * @module
 */
import { fileURLToPath } from "node:url"
import { mutationOf } from "./Table.ts"

const variable = "V2R2_MUTATION"

export interface Command {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: NodeJS.ProcessEnv
}

/**
 * To be given to `spawn`: `program` (a path or file URL) over a core with that bug, or over the core as it is for null.
 * Throws if there is no such mutation.
 */
export const commandWith = (
  mutation: string | null,
  program: string | URL,
  args: ReadonlyArray<string> = []
): Command => {
  const path = program instanceof URL ? fileURLToPath(program) : program
  const { [variable]: _, ...env } = process.env
  if (mutation === null) return { command: process.execPath, args: [path, ...args], env }
  return {
    command: process.execPath,
    args: ["--import", new URL("./hook.ts", import.meta.url).href, path, ...args],
    env: { ...env, [variable]: mutationOf(mutation).name }
  }
}

/** The mutation that this process was started with. */
export const runningMutation = (): string | null => process.env[variable] ?? null
