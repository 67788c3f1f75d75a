/**
 * Several command lines in a row: those of `-e`, or those that come in on standard input. The first that fails ends it.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { StdinTaken } from "./DataArgument.ts"
import { currentOptions, Defaults } from "./Options.ts"
import { usage } from "./Failure.ts"
import { Output } from "./Output.ts"
import { Mode, type Outcome, reportFailure, Runner } from "./Runner.ts"
import { split } from "./Words.ts"

/** One line, as `-e`, scripts and the shell take it. A blank line or a comment does nothing. */
export const runLine = Effect.fnUntraced(function*(line: string) {
  const runner = yield* Runner
  const output = yield* Output
  const words = split(line)
  if (!words.ok) {
    return yield* reportFailure(usage(words.reason, "see: help quoting"), (yield* Defaults).json, output)
  }
  return words.words.length === 0 ? ({ exit: 0, leave: false } satisfies Outcome) : yield* runner.run(words.words)
})

const inScript = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const options = yield* currentOptions
    return yield* self.pipe(Effect.provideService(Defaults, options), Effect.provideService(Mode, "script"))
  })

/** The commands of `-e`, which share one session. */
export const runLines = (lines: ReadonlyArray<string>) =>
  inScript(Effect.gen(function*() {
    for (const line of lines) {
      const outcome = yield* runLine(line)
      if (outcome.exit !== 0 || outcome.leave) return outcome
    }
    return { exit: 0, leave: true }
  }))

/** Each line of standard input as it comes in. */
export const runStdin = inScript(Effect.gen(function*() {
  const stdio = yield* Stdio.Stdio
  const output = yield* Output
  const last = yield* Ref.make<Outcome>({ exit: 0, leave: false })
  let number = 0
  yield* stdio.stdin.pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.mapEffect((line) => {
      number++
      return Effect.tap(runLine(line), (outcome) => Ref.set(last, outcome))
    }),
    Stream.takeUntil((outcome) => outcome.exit !== 0 || outcome.leave),
    Stream.runDrain,
    Effect.catch((error) => output.say(`error: cannot read standard input: ${error.message}`).pipe(
      Effect.andThen(Ref.set(last, { exit: 1, leave: true }))
    ))
  )
  const outcome = yield* Ref.get(last)
  if (outcome.exit !== 0 && !(yield* currentOptions).quiet) {
    yield* output.say(`stopped at line ${number} of the standard input`)
  }
  return outcome
})).pipe(Effect.provideService(StdinTaken, { reason: "the commands come from there" }))
