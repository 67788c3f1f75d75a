/**
 * The command line of devrel.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Argument from "effect/cli/Argument"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import { Limits } from "../base/Limits.ts"
import type * as Control from "./Control.ts"
import { base_port_default, nodes_default, ports_apart, servers } from "./Layout.ts"
import { Trouble } from "./Trouble.ts"

export interface Options {
  readonly nodes: number
  readonly clean: boolean
  readonly base_port: number
}

const port_min = 1024
const port_max = 65_535

const between = (minimum: number, maximum: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum }, {
    message: `expected a whole number from ${minimum} to ${maximum}`
  }))

const flags = {
  nodes: Flag.Int("nodes").pipe(
    Flag.withDescription(`How many nodes (default ${nodes_default})`),
    Flag.withSchema(between(1, Limits.members_max)),
    Flag.withDefault(nodes_default)
  ),
  clean: Flag.Boolean("clean").pipe(
    Flag.withDescription("Begin with nothing: remove what the nodes wrote before, and their configurations"),
    Flag.withDefault(false)
  ),
  base_port: Flag.Int("base-port").pipe(
    Flag.withDescription(
      `The first of dev1's ${servers.length} ports (default ${base_port_default}); each further node +${ports_apart}`
    ),
    Flag.withSchema(between(port_min, port_max - servers.length + 1)),
    Flag.withDefault(base_port_default)
  )
}

const node = Argument.String("node").pipe(Argument.withDescription("A node's name, such as dev2"))

const portsFit = ({ nodes, base_port }: Options): Effect.Effect<void, Trouble> => {
  const last = base_port + ports_apart * (nodes - 1) + servers.length - 1
  if (last <= port_max) return Effect.void
  return new Trouble({
    exit: "usage",
    message: `${nodes} nodes from port ${base_port} on need ports up to ${last}: at most ${port_max}`
  })
}

/** What each command does: run the nodes, or ask the devrel that does. */
export interface Actions {
  readonly run: (options: Options) => Effect.Effect<void, Trouble>
  readonly ask: (request: Control.Request) => Effect.Effect<void, Trouble>
}

const commandOf = ({ run, ask }: Actions) => {
  const about = (command: "start" | "stop" | "kill", description: string) =>
    Command.make(command, { node }, ({ node }) => ask({ command, node })).pipe(Command.withDescription(description))
  return Command.make("devrel", flags, (options) => Effect.andThen(portsFit(options), run(options))).pipe(
    Command.withDescription("A development cluster of real processes on this machine, with state under dev/"),
    Command.withExamples([
      { command: "npm run devrel", description: "Three nodes, joined, with a tenant named dev; Ctrl-C stops them" },
      { command: "npm run devrel -- --nodes 5 --base-port 12000", description: "Five nodes on other ports" },
      { command: "npm run devrel -- kill dev2", description: "From another terminal: kill -9 a node" }
    ]),
    Command.withSubcommands([
      about("start", "Start a node of the running devrel again"),
      about("stop", "Stop a node in order (SIGTERM)"),
      about("kill", "Kill a node (SIGKILL)"),
      Command.make("status", {}, () => ask({ command: "status" })).pipe(
        Command.withDescription("The nodes of the running devrel")
      )
    ])
  )
}

/** A wrong command line gets its error and a way to help, not a page. */
const presenter = CliOutput.layerPresenter({
  present: (event) =>
    event._tag === "InvalidInvocation" ? Effect.void : CliOutput.defaultPresenter.present(event)
})

/** `npm run devrel --clean`, without the `--` before: npm keeps the flag to itself and leaves a variable. */
const swallowed = (environment: Readonly<Record<string, string | undefined>>): ReadonlyArray<string> =>
  Object.keys(flags).map((name) => name.replace("_", "-")).filter((name) =>
    [name, name.replace("-", "_")].some((name) => environment[`npm_config_${name}`] !== undefined))

const inOneLine = (message: string): string =>
  message.replace("Schema validation failed: ", "").trim().replaceAll(/\s*\n\s*/g, " ")

/** Parses and acts. A wrong command line fails with `usage`. */
export const parse = (
  actions: Actions,
  parameters: ReadonlyArray<string>,
  environment: Readonly<Record<string, string | undefined>>
) =>
  Effect.suspend(() => {
    const lost = swallowed(environment)
    const hint = "npm run devrel -- --help"
    if (lost.length > 0) {
      return new Trouble({
        exit: "usage",
        message: `npm took --${lost.join(" and --")} for itself: flags go behind --`,
        hint: "npm run devrel -- --nodes 5"
      })
    }
    return Command.runWith(commandOf(actions), { version: "0.1.0" })(parameters).pipe(
      Effect.provide([presenter, CliConfig.layer({ builtIns: [GlobalFlag.Help] })]),
      Effect.catchTag("ShowHelp", ({ errors }) =>
        errors.length === 0
          ? Effect.void
          : new Trouble({ exit: "usage", message: errors.map(({ message }) => inOneLine(message)).join("; "), hint }))
    )
  })
