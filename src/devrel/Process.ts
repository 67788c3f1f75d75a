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
}

/** Should devrel itself crash, its nodes go with it. */
const children = new Set<ChildProcess>()
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL")
})

const eachLine = (stream: Readable, line: (text: string) => void): void => {
  createInterface({ input: stream }).on("line", line)
}

/**
 * Starts Node on a program. In a process group of its own: Ctrl-C is for devrel, which stops its nodes in order.
 * `within`: a command that becomes the one which follows it, such as `ip netns exec NAME`.
 */
export const start = (
  parameters: ReadonlyArray<string>,
  line: (text: string) => void,
  within: ReadonlyArray<string> = []
): Effect.Effect<Process, Trouble> =>
  Effect.callback((resume) => {
    const [command = process.execPath, ...rest] = [...within, process.execPath, ...parameters]
    const child = spawn(command, rest, { detached: true, stdio: ["ignore", "pipe", "pipe"] })
    const end = Deferred.makeUnsafe<string>()
    eachLine(child.stdout, line)
    eachLine(child.stderr, line)
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
        signal: (signal) => Effect.sync(() => child.kill(signal))
      }))
    })
  })
