/**
 * From the arguments of a program to its exit code.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import type * as Command from "effect/cli/Command"
import { type CommandError, Endpoints } from "./Definition.ts"
import { StdinTaken } from "./DataArgument.ts"
import { takeEndpoints } from "./Endpoints.ts"
import { usage } from "./Failure.ts"
import { valuedFlags } from "./Options.ts"
import { Output } from "./Output.ts"
import { makeRunner, reportFailure, type Runner } from "./Runner.ts"

/** A program: its commands, and what they need. */
export interface Program<Name extends string, Input, ContextInput, R, Provided, Needed> {
  readonly tree: Command.Command<Name, Input, ContextInput, CommandError, R>
  /** How a call of the program begins, in its help. */
  readonly synopsis: string
  /** Nothing is connected before a command needs it. */
  readonly services: (endpoints: ReadonlyArray<string>) => Layer.Layer<Provided, never, Needed>
}

/** What is logged is no output: it goes to stderr, errors always, the rest with `--verbose`. */
const logging = Layer.mergeAll(
  Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)]),
  Layer.succeed(References.MinimumLogLevel, "Error")
)

/** What the commands need, and neither the program nor its services provide. */
type Missing<R, Provided> = Exclude<Exclude<R, Runner> | Command.Environment, Provided | Output>

/** Runs the program and gives its exit code. Everything that it has to say has been said. */
export const main = <const Name extends string, Input, ContextInput, R, Provided, Needed>(
  program: Program<Name, Input, ContextInput, R, Provided, Needed>,
  args: ReadonlyArray<string>
): Effect.Effect<number, never, Missing<R, Provided> | Exclude<Needed, Output> | Command.Environment> => {
  const { endpoints, problem, rest } = takeEndpoints(args, valuedFlags)
  const run = problem === null
    ? Effect.flatMap(makeRunner(program.tree, program.synopsis), (runner) => runner.run(rest))
    : Effect.flatMap(Output, (output) =>
      reportFailure(usage(problem, `see: ${program.tree.name} --help`), args.includes("--json"), output))
  return run.pipe(
    Effect.map(({ exit }) => exit),
    Effect.provideService(Endpoints, endpoints),
    (self) => Effect.suspend(() => Effect.provideService(self, StdinTaken, { reason: null })),
    Effect.provide(Layer.provideMerge(program.services(endpoints), Layer.merge(Output.layer, logging)))
  )
}
