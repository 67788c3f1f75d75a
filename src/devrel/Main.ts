/**
 * Devrel as a program: command line in, exit code out.
 *
 * @module
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Control from "./Control.ts"
import { type Place, run } from "./Devrel.ts"
import { parse } from "./Options.ts"
import { ExitCode, textOf, type Trouble } from "./Trouble.ts"

const interrupted = 130

const ask = ({ folder, screen }: Place) => (request: Control.Request): Effect.Effect<void, Trouble> =>
  Effect.flatMap(Control.ask(folder, request), ({ exit, text }) =>
    Effect.sync(() => {
      if (exit === ExitCode.ok) screen.out(text)
      else screen.err(`devrel: ${text}`)
      process.exitCode = exit
    }))

/** Runs the command line of this process; `place` says with what. Ctrl-C, SIGTERM and SIGHUP end a cluster with 0. */
export const main = (place: Place): void => {
  let serving = false
  const actions = {
    run: (options: Parameters<ReturnType<typeof run>>[0]) =>
      Effect.suspend(() => {
        serving = true
        return run(place)(options)
      }),
    ask: ask(place)
  }
  // The terminal was closed: as Ctrl-C.
  process.once("SIGHUP", () => process.kill(process.pid, "SIGTERM"))
  parse(actions, process.argv.slice(2), process.env).pipe(
    Effect.catchTag("Trouble", (trouble) =>
      Effect.sync(() => {
        place.screen.err(`devrel: ${textOf(trouble)}`)
        process.exitCode = ExitCode[trouble.exit]
      })),
    Effect.provide(NodeServices.layer),
    NodeRuntime.runMain({
      teardown: (exit, end) => {
        if (Exit.isSuccess(exit)) return end(Number(process.exitCode ?? ExitCode.ok))
        if (Exit.hasInterrupts(exit)) return end(serving ? ExitCode.ok : interrupted)
        end(ExitCode.failed)
      }
    })
  )
}
