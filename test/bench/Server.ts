/**
 * A process of a cluster that is measured: it can be killed and started again, and is gone with its Scope.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Process from "../../src/devrel/Process.ts"
import { Trouble } from "../../src/devrel/Trouble.ts"

const stop_within_ms = 5_000
const poll_ms = 20
const patience_s = 60

/** A child process of this one, for as long as the Scope lasts; `words` are a command and its parameters. */
export const child = (
  words: ReadonlyArray<string>,
  line: (text: string) => void,
  input: "ignore" | "pipe" = "ignore"
): Effect.Effect<Process.Process, Trouble, Scope.Scope> =>
  Effect.acquireRelease(
    Process.startCommand(words, line, input),
    ({ ended, signal }) =>
      Effect.andThen(signal("SIGTERM"), ended).pipe(Effect.timeoutOrElse({
        duration: stop_within_ms,
        orElse: () => Effect.andThen(signal("SIGKILL"), ended)
      }))
  )

export interface Server {
  /** Of the process that runs, or ran last. */
  readonly pid: () => number
  /** SIGKILL; it is gone then. */
  readonly kill: Effect.Effect<void>
  /** Another process with the same words. Fails if it ends before it is `ready`. */
  readonly start: (ready: Effect.Effect<unknown, Trouble>) => Effect.Effect<void, Trouble>
}

/** Not started yet. `line`: what it writes. */
export const makeServer = Effect.fnUntraced(function*(
  name: string,
  words: ReadonlyArray<string>,
  line: (text: string) => void
): Effect.fn.Return<Server, never, Scope.Scope> {
  const scope = yield* Effect.scope
  let current: Process.Process | null = null
  const start = Effect.fnUntraced(function*(ready: Effect.Effect<unknown, Trouble>) {
    const process = yield* Effect.provideService(child(words, line), Scope.Scope, scope)
    current = process
    yield* Effect.raceFirst(
      ready,
      Effect.flatMap(process.ended, (end) => new Trouble({ exit: "failed", message: `${name} ended: ${end}` }))
    )
  })
  return {
    pid: () => current?.pid ?? 0,
    kill: Effect.suspend(() => current === null ? Effect.void : Effect.andThen(current.signal("SIGKILL"), current.ended)),
    start
  }
})

/** Asks again and again until the answer is yes; a failure is a no. */
export const until = (what: string, probe: Effect.Effect<boolean, unknown>): Effect.Effect<void, Trouble> =>
  probe.pipe(
    Effect.catch(() => Effect.succeed(false)),
    Effect.tap((yes) => yes ? Effect.void : Effect.sleep(poll_ms)),
    Effect.repeat({ until: (yes) => yes }),
    Effect.timeoutOrElse({
      duration: `${patience_s} seconds`,
      orElse: () => new Trouble({ exit: "failed", message: `not within ${patience_s} s: ${what}` })
    }),
    Effect.asVoid
  )

/** A folder for the data of a cluster, gone with the Scope. */
export const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "v2r2-bench-"))),
  (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true, force: true }))
)
