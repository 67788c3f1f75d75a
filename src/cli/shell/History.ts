/**
 * The lines that were typed into a shell, kept from run to run in the user's state directory: bounded, and private.
 *
 * @module
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import { Limits } from "../../base/Limits.ts"

export interface History {
  /** The oldest first. */
  readonly lines: ReadonlyArray<string>
  /** A line that begins with a blank is not kept, nor one that repeats the last. Never fails. */
  readonly add: (line: string) => Effect.Effect<void>
}

const directory = Effect.gen(function*() {
  const state = yield* Config.option(Config.String("XDG_STATE_HOME"))
  const home = yield* Config.option(Config.String("HOME"))
  return Option.orElse(
    Option.filter(state, (path) => path.startsWith("/")),
    () => Option.map(home, (path) => `${path}/.local/state`)
  ).pipe(Option.map((path) => `${path}/v2r2`))
}).pipe(Effect.orElseSucceed(() => Option.none<string>()))

/** The history in the file `<state>/v2r2/<name>_history`; in memory only if there is no place for it. */
export const openHistory = Effect.fnUntraced(function*(name: string) {
  const files = yield* FileSystem.FileSystem
  const folder = yield* directory
  if (Option.isNone(folder)) return { lines: [], add: () => Effect.void } satisfies History
  const path = `${folder.value}/${name}_history`
  const text = yield* files.readFileString(path).pipe(Effect.orElseSucceed(() => ""))
  const all = text.split("\n").filter((line) => line !== "")
  const lines = all.slice(-Limits.history_lines_max)
  yield* Effect.ignore(files.makeDirectory(folder.value, { recursive: true, mode: 0o700 }))
  // Several shells append to the file at the same time: it is shortened only here, and as a whole.
  if (all.length > 2 * Limits.history_lines_max) {
    yield* files.writeFileString(`${path}.new`, lines.map((line) => `${line}\n`).join(""), { mode: 0o600 }).pipe(
      Effect.andThen(files.rename(`${path}.new`, path)),
      Effect.ignore
    )
  }
  let last = lines.at(-1)
  const add = (line: string): Effect.Effect<void> => {
    if (/^( |\s*$)/.test(line) || line === last || line.length > Limits.history_line_max) return Effect.void
    last = line
    return Effect.ignore(files.writeFileString(path, `${line}\n`, { flag: "a", mode: 0o600 }))
  }
  return { lines, add } satisfies History
})
