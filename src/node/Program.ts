/**
 * `v2r2 start`: the command line of a node, and how it ends: 0 after a signal, 2 if it could not start as
 * configured, 1 if it crashed.
 *
 * @module
 */
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Runtime from "effect/Runtime"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import type { Network } from "../network/Network.ts"
import type { Journals } from "../storage/Journal.ts"
import type { NodeStore, NodeStoreError } from "../storage/NodeStore.ts"
import type { Uploads } from "../storage/Uploads.ts"
import { type Config, type ConfigError, loadConfig, log_formats, log_levels } from "./Config.ts"
import * as Logging from "./Logging.ts"
import { Metrics } from "./Metrics.ts"
import { Node, type NodeFailure } from "./Node.ts"
import { Settings } from "./Settings.ts"

/** What a node stands on: the live versions in a process, others in a test. */
export type Ground = (
  config: Config
) => Layer.Layer<Network | NodeStore | Journals | Uploads, NodeStoreError, FileSystem.FileSystem>

type StartFailure = ConfigError | NodeStoreError | NodeFailure

export const program = (ground: Ground) =>
  Command.make("v2r2").pipe(
    Command.withDescription("A node of V2R2, a strongly consistent, multi-tenant coordination store."),
    Command.withSubcommands([
      Command.make("start", {
        config: Flag.String("config").pipe(
          Flag.withAlias("c"),
          Flag.withDescription("The configuration file of this node"),
          Flag.withDefault("config.json")
        ),
        logFormat: Flag.Literals("log-format", log_formats).pipe(
          Flag.withDescription("How logs are written; overrides log_format of the file"),
          Flag.optional
        ),
        logLevel: Flag.Literals("log-level", log_levels).pipe(
          Flag.withDescription("What is logged; overrides log_level of the file"),
          Flag.optional
        )
      }, ({ config, logFormat, logLevel }) =>
        start(ground, config, Option.getOrNull(logFormat), Option.getOrNull(logLevel))).pipe(
          Command.withDescription("Runs this node until it is told to stop (SIGTERM or Ctrl-C)")
        )
    ])
  )

const start = (
  ground: Ground,
  file: string,
  logFormat: Config["log_format"] | null,
  logLevel: Config["log_level"] | null
) =>
  Effect.gen(function*() {
    const loaded = yield* loadConfig(file)
    const config: Config = { ...loaded, ...(logFormat && { log_format: logFormat }), ...(logLevel && { log_level: logLevel }) }
    const settings = Settings.layer(config)
    return yield* Effect.flatMap(Node, (node) => node.crashed).pipe(
      Effect.provide(Node.layer(config).pipe(
        Layer.provide(ground(config)),
        Layer.provide(Metrics.layer),
        Layer.provide(Logging.layer(config.log_format)),
        Layer.provide(settings)
      ))
    )
  }).pipe(Effect.catchTags({
    ConfigError: fail,
    NodeStoreError: fail,
    ListenError: ({ message }) => fail({ message: `${file}: ${message}` }),
    NodeCrashed: ({ message }) => Effect.andThen(Console.error(`v2r2: ${message}`), Effect.die(new Crashed(message)))
  }))

/** Said already; all that is left is the exit code. */
class StartFailed extends Error {}
class Crashed extends Error {}

const fail = ({ message }: Pick<StartFailure, "message">) =>
  Effect.andThen(Console.error(`v2r2: ${message}`), Effect.die(new StartFailed(message)))

/**
 * A signal is how a node is stopped: that is success. Not to start is a mistake of whoever configured it. All else is
 * a mistake of ours, and nobody has said it yet.
 */
export const teardown: Runtime.Teardown = (exit, onExit) => {
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return onExit(0)
  const failure = Cause.squash(exit.cause)
  if (failure instanceof StartFailed || CliError.isCliError(failure)) return onExit(2)
  if (!(failure instanceof Crashed)) process.stderr.write(`v2r2: this is a bug in this program: ${inOneLine(failure)}\n`)
  onExit(1)
}

const inOneLine = (failure: unknown): string => String(failure).replaceAll(/\s*\n\s*/g, "; ")
