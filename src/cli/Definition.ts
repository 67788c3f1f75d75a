/**
 * One way to define a command, for both programs: the definition serves one-shot calls, `-e`, scripts, the shell, its
 * completion, and the help.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Command from "effect/cli/Command"
import { explain, type Explainable } from "./Explain.ts"
import { type ExitCode, type ExitName, Failure, usage } from "./Failure.ts"
import { currentOptions, formatDuration, type Options } from "./Options.ts"
import type { OutputClosed } from "./Output.ts"
import { show, type View } from "./View.ts"

/** The addresses that the program was given. */
export const Endpoints = Context.Reference<ReadonlyArray<string>>("v2r2/cli/Endpoints", { defaultValue: () => [] })

/** What help tells beyond what Effect's own help knows. */
export const Documentation = Context.Reference<{
  /** Paragraphs after the summary. */
  readonly details: string
  /** What `--json` prints: one value, or with `lines` one on each line. */
  readonly json: { readonly schema: Schema.Top; readonly lines: boolean } | null
  /** It needs no address. */
  readonly offline: boolean
}>("v2r2/cli/Documentation", { defaultValue: () => ({ details: "", json: null, offline: false }) })

/** A command that did not work, as it has to be reported. */
export class CommandFailed extends Data.TaggedError("CommandFailed")<{
  readonly failure: Failure
  readonly json: boolean
}> {}

/** The command worked and said all that there is to say. `leave`: the shell or script ends here, too. */
export class Stop extends Data.TaggedError("Stop")<{ readonly exit: keyof typeof ExitCode; readonly leave: boolean }> {}

export interface Definition<Name extends string, Config extends Command.Command.Config, S extends Schema.Top, R> {
  readonly name: Name
  readonly alias?: string
  /** Positional arguments and flags. */
  readonly config: Config
  /** One line, in the imperative. */
  readonly summary: string
  readonly details?: string
  /** Without the program's name and addresses: as one would type them in the shell. The first is the simplest. */
  readonly examples: ReadonlyArray<{ readonly command: string; readonly description: string }>
  /** The shape of its JSON. */
  readonly json: S
  readonly lines?: boolean
  /** It does not talk to the cluster, and needs no address. */
  readonly offline?: boolean
  /** What it tries, for error messages: `get /a`. The default is its name. */
  readonly attempt?: (input: Command.Command.Config.Infer<Config>) => string
  readonly run: (
    input: Command.Command.Config.Infer<Config>,
    options: Options
  ) => Effect.Effect<View<S["Type"], Explainable, R> & Ending, Explainable, R | Scope.Scope>
}

/** How a command ends that did what it should, and does not end with `ok`; a function is asked once all was shown. */
export interface Ending {
  readonly exit?: ExitName | (() => ExitName | null)
}

/** A library call gets all of the time; the command a little more, so that it can say what the library found out. */
const grace_ms = 250

/** A command; it talks to the cluster, unless it is `offline`. */
export const define = <
  const Name extends string,
  const Config extends Command.Command.Config,
  S extends Schema.Top,
  R = never
>(definition: Definition<Name, Config, S, R>) => {
  const { config, name, run } = definition
  const command = Command.make(name, config, (input) => {
    const attempt = definition.attempt?.(input) ?? name
    return Effect.gen(function*() {
      const options = yield* currentOptions
      yield* Effect.gen(function*() {
        if (definition.offline !== true) yield* needEndpoints
        const view = yield* run(input, options)
        yield* show(view, options)
        const exit = typeof view.exit === "function" ? view.exit() : view.exit ?? null
        if (exit !== null) yield* new Stop({ exit, leave: false })
      }).pipe(
        Effect.scoped,
        withinTimeout(options.timeout_ms),
        Effect.mapError((error) =>
          error._tag === "Stop" || error._tag === "OutputClosed"
            ? error
            : new CommandFailed({ failure: explain(error, attempt), json: options.json })
        )
      )
    })
  }).pipe(
    Command.withDescription(definition.summary),
    Command.withExamples(definition.examples),
    Command.annotate(Documentation, {
      details: definition.details ?? "",
      json: { schema: definition.json, lines: definition.lines ?? false },
      offline: definition.offline ?? false
    })
  )
  return definition.alias === undefined ? command : Command.withAlias(command, definition.alias)
}

/** A name that only groups commands; `example` is a whole command of it. */
export const group = <const Name extends string>(name: Name, summary: string, example: string) => {
  const path = example.slice(0, example.indexOf(name) + name.length)
  const failure = usage(`"${path}" needs a command after it, such as: ${example}`, `see: help ${path}`)
  return Command.make(
    name,
    {},
    () => Effect.flatMap(currentOptions, ({ json }) => new CommandFailed({ failure, json }))
  ).pipe(Command.withDescription(summary))
}

const needEndpoints = Effect.gen(function*() {
  if ((yield* Endpoints).length > 0) return
  return yield* usage(
    "no address was given: where is the cluster?",
    "put one or more host:port before the command, such as 127.0.0.1:2002"
  )
})

const withinTimeout = (timeout_ms: number | null) =>
<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | Failure, R> =>
  timeout_ms === null ? self : Effect.timeoutOrElse(self, {
    duration: timeout_ms + grace_ms,
    orElse: () =>
      new Failure({
        exit: "timeout",
        code: "timeout",
        attempt: "",
        message: `not finished within ${formatDuration(timeout_ms)}`,
        hint: "give it longer with --timeout; if it was a write, look whether it happened before you repeat it",
        detail: { timeout_ms }
      })
  })

/** What a command can end with. */
export type CommandError = CommandFailed | Stop | OutputClosed
