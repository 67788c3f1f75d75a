/**
 * Runs one command line that has been cut into words, reports how it ended, and says with which exit code.
 * One-shot calls, `-e`, scripts and the shell all come through here.
 *
 * @module
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as CliConfig from "effect/cli/CliConfig"
import type * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import type { HelpDoc } from "effect/cli/HelpDoc"
import { type CommandError, Endpoints } from "./Definition.ts"
import { ExitCode, type Failure, failureJson, failureText, usage } from "./Failure.ts"
import { printableLines } from "./Format.ts"
import { helpText, usageLine } from "./Help.ts"
import { Defaults } from "./Options.ts"
import { Output } from "./Output.ts"

/** How a command line ended. */
export interface Outcome {
  readonly exit: number
  /** Nothing more is to be run: the user has left, or nobody reads the output any more. */
  readonly leave: boolean
}

/** Where a command line comes from. */
export const Mode = Context.Reference<"start" | "script" | "shell">("v2r2/cli/Mode", { defaultValue: () => "start" })

export class Runner extends Context.Service<Runner, {
  readonly name: string
  /** Every command, for help, completion and "did you mean". */
  readonly tree: Command.Command.Any
  /** Never fails: what goes wrong is reported and becomes an exit code. */
  readonly run: (words: ReadonlyArray<string>) => Effect.Effect<Outcome>
}>()("v2r2/cli/Runner") {}

export const version = "0.1.0"

type Services = Output | Command.Environment

/** Makes the runner of a tree of commands. What the commands need is taken from the context once, here. */
export const makeRunner = <Name extends string, Input, ContextInput, R>(
  tree: Command.Command<Name, Input, ContextInput, CommandError, R>,
  synopsis: string
): Effect.Effect<Runner["Service"], never, Exclude<R, Runner> | Services> =>
  Effect.gen(function*() {
    const output = yield* Output
    const context = yield* Effect.context<Exclude<R, Runner> | Services>()
    const parse = Command.runWith(tree, { version })
    const runner: Runner["Service"] = {
      name: tree.name,
      tree,
      run: Effect.fnUntraced(function*(words) {
        const addressed = (yield* Endpoints).length > 0
        const prefix = (yield* Mode) === "start" ? synopsis : ""
        const json = (yield* Defaults).json || words.includes("--json")
        return yield* parse(words).pipe(
          Effect.as({ exit: ExitCode.ok, leave: false }),
          Effect.catch((error) => report(error, output)),
          Effect.provideService(CliOutput.Presenter, presenter(output, prefix, { json, addressed })),
          Effect.provideService(CliConfig.CliConfig, builtIns),
          Effect.provideService(Runner, runner),
          // What holds for this line (mode, defaults) goes before what held when the program began.
          Effect.updateContext((line: Context.Context<never>) => Context.merge(context, line)),
          Effect.catchCause((cause) => Cause.hasInterruptsOnly(cause) ? Effect.interrupt : reportDefect(cause, output))
        )
      })
    }
    return runner
  })

/** Wizard and log level make no sense here; the completion scripts do not know that addresses come first. */
const builtIns = CliConfig.make({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] })

/** Says what went wrong, and ends the line with its exit code. */
export const reportFailure = Effect.fnUntraced(function*(failure: Failure, json: boolean, output: Output["Service"]) {
  yield* output.say(json ? failureJson(failure) : failureText(failure, output.paintError.red))
  return { exit: ExitCode[failure.exit], leave: false }
})

const report = Effect.fnUntraced(function*(error: CommandError | CliError.CliError, output: Output["Service"]) {
  switch (error._tag) {
    case "CommandFailed":
      return yield* reportFailure(error.failure, error.json, output)
    case "Stop":
      return { exit: ExitCode[error.exit], leave: error.leave }
    case "OutputClosed":
      if (error.brokenPipe) return { exit: ExitCode.ok, leave: true }
      yield* output.say(`error: cannot write to standard output: ${error.reason}`)
      return { exit: ExitCode.failed, leave: true }
    default:
      // The presenter has said it.
      return { exit: ExitCode.usage, leave: false }
  }
})

const reportDefect = Effect.fnUntraced(function*(cause: Cause.Cause<never>, output: Output["Service"]) {
  const defect = Cause.squash(cause)
  const message = defect instanceof Error ? defect.message : String(defect)
  yield* output.say(`error: this is a bug in this program: ${printableLines(message)}`)
  if ((yield* Defaults).verbose) yield* output.say(Cause.pretty(cause))
  return { exit: ExitCode.failed, leave: false }
})

/** Effect's own output: help and version on stdout; a command line that makes no sense in two lines on stderr. */
const presenter = (
  output: Output["Service"],
  prefix: string,
  { addressed, json }: { readonly addressed: boolean; readonly json: boolean }
): CliOutput.Presenter => ({
  present: (event) => {
    switch (event._tag) {
      case "Help":
        return Effect.ignore(output.write(`${helpText(event.helpDoc, prefix, output.paint)}\n`))
      case "Version":
        return Effect.ignore(output.write(`${event.name} ${event.version}\n`))
      case "InvalidInvocation":
        return Effect.asVoid(reportFailure(invalid(event.errors, event.helpDoc, prefix, addressed), json, output))
    }
  }
})

const invalid = (
  errors: ReadonlyArray<CliError.NonShowHelpErrors>,
  doc: HelpDoc,
  prefix: string,
  addressed: boolean
): Failure => {
  const error = errors[0]
  const command = (doc.commandPath ?? []).slice(1).join(" ")
  const help = `usage: ${usageLine(doc, prefix)}`
  if (error === undefined) return usage("this is no command", help)
  switch (error._tag) {
    case "UnknownSubcommand":
      return usage(
        `there is no command "${[command, error.subcommand].join(" ").trim()}"`,
        didYouMean(error.suggestions) ??
          (addressed ? `see: help ${command}`.trimEnd() : "an address is host:port; for the commands see: help")
      )
    case "UnrecognizedOption":
      return usage(
        `there is no flag ${error.option}`,
        didYouMean(error.suggestions) ?? `${help}; text that begins with a dash comes after --`,
        command
      )
    case "MissingArgument":
      return usage(`<${error.argument}> is missing`, help, command)
    case "UnexpectedArgument":
      return usage(
        `too many arguments: ${error.arguments.map((text) => JSON.stringify(text)).join(" ")}`,
        `${help}; text with blanks goes in quotes`,
        command
      )
    case "InvalidValue":
      return usage(invalidValue(error), help, command)
    default:
      return usage(error.message, help, command)
  }
}

const invalidValue = ({ expected, kind, option, value }: CliError.InvalidValue): string => {
  const name = kind === "flag" ? `--${option}` : `<${option}>`
  return value === "" ? `${name} needs a value` : `${name}: ${expected}, got "${value}"`
}

const didYouMean = (suggestions: ReadonlyArray<string>): string | null =>
  suggestions.length === 0 ? null : `did you mean ${suggestions.map((text) => text.replace(/\n.*/s, "")).join(" or ")}?`
