/**
 * The program itself as a command, and the commands that both programs have: what runs when no command is given, `-`,
 * `help` and `exit`.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { dataHelp } from "./DataArgument.ts"
import { CommandFailed, Documentation, Endpoints, Stop } from "./Definition.ts"
import { ExitCode, usage } from "./Failure.ts"
import { closest } from "./Format.ts"
import { currentOptions } from "./Options.ts"
import { Output } from "./Output.ts"
import { Mode, type Outcome, Runner } from "./Runner.ts"
import { runLines, runStdin } from "./Script.ts"
import { shell } from "./shell/Shell.ts"

const fail = (message: string, hint: string) =>
  Effect.flatMap(currentOptions, ({ json }) => new CommandFailed({ failure: usage(message, hint), json }))

const endWith = ({ exit }: Outcome) => {
  const name = exitNames.find((name) => ExitCode[name] === exit) ?? "failed"
  return name === "ok" ? Effect.void : new Stop({ exit: name, leave: true })
}
const exitNames = Object.keys(ExitCode) as ReadonlyArray<keyof typeof ExitCode>

const needEndpoints = Effect.gen(function*() {
  if ((yield* Endpoints).length === 0) yield* fail("no address was given: where is the cluster?", "see: --help")
})

/** Without a command: `-e`, or the shell. */
export const root = <const Name extends string>(
  name: Name,
  about: {
    readonly summary: string
    readonly details: string
    readonly examples: ReadonlyArray<{ readonly command: string; readonly description: string }>
  }
) =>
  Command.make(name, {
    execute: Flag.String("execute").pipe(
      Flag.withAlias("e"),
      Flag.withMetavar("<command>"),
      Flag.withDescription("Run this command, then the next -e, until one fails"),
      Flag.atLeast(0)
    )
  }, Effect.fnUntraced(function*({ execute }) {
    if ((yield* Mode) !== "start") return yield* fail("there is no command in this line", "see: help")
    yield* needEndpoints
    if (execute.length > 0) return yield* Effect.flatMap(runLines(execute), endWith)
    const stdio = yield* Stdio.Stdio
    if ((yield* stdio.stdinIsTerminal) && (yield* stdio.stdoutIsTerminal)) return yield* Effect.flatMap(shell, endWith)
    return yield* fail(
      "no command was given, and this is no terminal for a shell",
      "give a command, -e '<command>', or - to read commands from standard input"
    )
  })).pipe(
    Command.withDescription(about.summary),
    Command.withExamples(about.examples),
    Command.annotate(Documentation, { details: about.details, json: null, offline: false })
  )

/** `-`: the commands come on standard input. */
const stdin = Command.make("-", {}, Effect.fnUntraced(function*() {
  if ((yield* Mode) !== "start") {
    return yield* fail("commands are being read already", "- is for the command line of your system shell")
  }
  yield* needEndpoints
  return yield* Effect.flatMap(runStdin, endWith)
})).pipe(Command.withDescription("Run the commands that come on standard input, one a line, until one fails"))

const exit = Command.make("exit", {}, () => new Stop({ exit: "ok", leave: true })).pipe(
  Command.withAlias("quit"),
  Command.withDescription("Leave the shell or the script")
)

const topics: Readonly<Record<string, string>> = {
  quoting: [
    "In the shell, in -e and in scripts, blanks separate words. 'single quotes' take everything as it is.",
    "In \"double quotes\" a backslash protects \" and \\. Outside quotes it protects whatever comes next.",
    "A line that begins with # is a comment.",
    "",
    dataHelp
  ].join("\n"),
  exit_codes: [
    "0    ok",
    "1    failed for a reason that is not below; status: the cluster is degraded",
    "2    the command line makes no sense",
    "3    not found",
    "4    conflict (a version that does not match, something that exists), or wrong type",
    "5    denied",
    "6    unavailable: nothing was done, it is safe to try again; status: the cluster is down",
    "7    indeterminate: it may or may not have been done",
    "8    a limit is exceeded",
    "124  not finished within --timeout",
    "130  interrupted"
  ].join("\n")
}

const help = Command.make("help", {
  command: Argument.String("command").pipe(
    Argument.withDescription("A command, or quoting, or exit_codes"),
    Argument.variadic()
  )
}, Effect.fnUntraced(function*({ command }) {
  const runner = yield* Runner
  const output = yield* Output
  const topic = command.length === 1 ? topics[command[0]!] : undefined
  if (topic !== undefined) return yield* output.write(`${topic}\n`)
  let node = runner.tree
  for (const word of command) {
    const children: ReadonlyArray<Command.Command.Any> = node.subcommands.flatMap((group) => group.commands)
    const next = children.find(({ alias, name }) => name === word || alias === word)
    if (next === undefined) {
      const names = [...children.map(({ name }) => name), ...Object.keys(topics)]
      const near = closest(word, names)
      const hint = near.length > 0 ? `did you mean ${near.join(" or ")}?` : `there is help for: ${names.join(", ")}`
      return yield* fail(`there is no help for "${command.join(" ")}"`, hint)
    }
    node = next
  }
  yield* Effect.flatMap(runner.run([...command, "--help"]), endWith)
})).pipe(
  Command.withDescription("Show how a command is used; examples first"),
  Command.withExamples([
    { command: "help", description: "All commands" },
    { command: "help quoting", description: "Quotes, backslashes, and how data is given" },
    { command: "help exit_codes", description: "What the exit codes mean" }
  ])
)

/** For the end of both programs' lists. */
export const commonCommands = [stdin, help, exit] as const
