/**
 * A command line program as a process: signals, standard streams, exit code.
 *
 * @module
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Runtime from "effect/Runtime"
import * as Terminal from "effect/Terminal"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeStdio from "@effect/platform-node/NodeStdio"
import type { Environment } from "effect/cli/Command"
import { ExitCode } from "./Failure.ts"
import { LineEditorLive } from "./shell/LineEditorLive.ts"

const unused = Effect.die("commands ask no questions and start no processes")

/** Effect's command line module asks for more of the platform than our commands use; a quick start is worth more. */
export const platform: Layer.Layer<Environment | FileSystem.FileSystem> = Layer.mergeAll(
  NodeStdio.layer,
  NodeFileSystem.layer,
  Path.layer,
  Layer.succeed(Terminal.Terminal, Terminal.make({
    columns: Effect.sync(() => process.stdout.columns),
    rows: Effect.sync(() => process.stdout.rows),
    size: unused,
    readInput: unused,
    readLine: unused,
    display: () => unused
  })),
  Layer.succeed(ChildProcessSpawner.ChildProcessSpawner, ChildProcessSpawner.make(() => unused))
)

/** All of the platform that a program needs. */
export const layer = Layer.merge(platform, LineEditorLive)

/** Runs `program`, which gives the exit code, as this process. Ctrl-C interrupts it; the second one does not wait. */
export const runProcess = Runtime.makeRunMain(({ fiber, teardown }) => {
  const stop = () => {
    if (stopping) process.exit(ExitCode.interrupted)
    stopping = true
    fiber.interruptUnsafe()
  }
  let stopping = false
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop)
  // A reader that goes away is reported by the write; the event alone must not kill us.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {})
  fiber.addObserver((exit) => teardown(exit, (code) => process.exit(code)))
})

/** The exit code of a program that ended. */
export const teardown: Runtime.Teardown = (exit, onExit) => {
  if (Exit.isSuccess(exit)) return onExit(typeof exit.value === "number" ? exit.value : ExitCode.ok)
  if (Cause.hasInterruptsOnly(exit.cause)) {
    process.stderr.write("interrupted; if it was a write, it may have been done\n")
    return onExit(ExitCode.interrupted)
  }
  process.stderr.write(`error: this is a bug in this program: ${String(Cause.squash(exit.cause))}\n`)
  onExit(ExitCode.failed)
}
