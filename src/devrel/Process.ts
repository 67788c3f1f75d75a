/**
 * One child process: its lines, its signals, its end.
 *
 * @module
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { Trouble } from "./Trouble.ts"

export interface Process {
  readonly pid: number
  /** How it ended, in words: "exit code 2", "signal SIGKILL". Everything that it wrote has been seen then. */
  readonly ended: Effect.Effect<string>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** A line to its standard input, if that is a pipe. */
  readonly send: (line: string) => Effect.Effect<void>
}

/** Should devrel itself crash, its nodes go with it. */
const children = new Set<ChildProcess>()
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL")
})

const eachLine = (stream: Readable | null, line: (text: string) => void): void => {
  if (stream !== null) createInterface({ input: stream }).on("line", line)
}

/**
 * Starts Node on a program. `within`: a command that becomes the one which follows it, such as `ip netns exec NAME`.
 */
export const start = (
  parameters: ReadonlyArray<string>,
  line: (text: string) => void,
  within: ReadonlyArray<string> = []
): Effect.Effect<Process, Trouble> => startCommand([...within, process.execPath, ...parameters], line, "ignore")

/** Starts any program. In a process group of its own: Ctrl-C is for us, who stop our children in order. */
export const startCommand = (
  [command = "", ...parameters]: ReadonlyArray<string>,
  line: (text: string) => void,
  input: "ignore" | "pipe"
): Effect.Effect<Process, Trouble> =>
  Effect.callback((resume) => {
    const child = spawn(command, parameters, { detached: true, stdio: [input, "pipe", "pipe"] })
    const end = Deferred.makeUnsafe<string>()
    eachLine(child.stdout, line)
    eachLine(child.stderr, line)
    // Whoever writes to a child that is gone hears of it by its end.
    child.stdin?.on("error", () => {})
    child.once("error", (error) => resume(new Trouble({ exit: "failed", message: `cannot start: ${error.message}` })))
    child.once("close", (code, signal) => {
      children.delete(child)
      Deferred.doneUnsafe(end, Effect.succeed(signal === null ? `exit code ${code}` : `signal ${signal}`))
    })
    child.once("spawn", () => {
      children.add(child)
      resume(Effect.succeed({
        pid: child.pid ?? 0,
        ended: Deferred.await(end),
        signal: (signal) => Effect.sync(() => child.kill(signal)),
        send: (line) => Effect.sync(() => child.stdin?.write(`${line}\n`))
      }))
    })
  })
