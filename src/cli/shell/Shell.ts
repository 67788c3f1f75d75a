/**
 * The shell: reads a line, runs it as `-e` would, and goes on, whatever came of it.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { AtHand } from "../Asking.ts"
import { StdinTaken } from "../DataArgument.ts"
import { Endpoints } from "../Definition.ts"
import { currentOptions, Defaults } from "../Options.ts"
import { Output } from "../Output.ts"
import { Mode, type Outcome, Runner } from "../Runner.ts"
import { runLine } from "../Script.ts"
import { analyse, type Candidate, complete, type Completion, nodeOf, wordCandidates } from "./Completion.ts"
import { type History, openHistory } from "./History.ts"
import { type Editor, LineEditor } from "./LineEditor.ts"

/** What the two programs' shells do not have in common. */
export class Personality extends Context.Service<Personality, {
  readonly prompt: Effect.Effect<string>
  /** Flags of every command, with their dashes. */
  readonly flags: ReadonlyArray<string>
  /** Names that only the cluster knows: of the source `path`, `tenant`, …, those that begin with `text`. */
  readonly candidates: (source: string, text: string) => Effect.Effect<ReadonlyArray<Candidate>>
}>()("v2r2/cli/shell/Personality") {}

/** A user who waits for the tab key waits no longer than this. */
const completion_ms = 1_000

export const completer = Effect.gen(function*() {
  const { candidates, flags } = yield* Personality
  const tree = nodeOf((yield* Runner).tree)
  return (line: string): Effect.Effect<Completion> => {
    const { current, wanted } = analyse(line, tree, flags)
    const found = wanted._tag === "Words"
      ? Effect.succeed(wordCandidates(wanted.words))
      : candidates(wanted.source, current.text).pipe(
        Effect.timeoutOrElse({ duration: completion_ms, orElse: () => Effect.succeed([]) })
      )
    return Effect.map(found, (list) => complete(line, current, list))
  }
})

const lineByLine = Effect.fnUntraced(function*(editor: Editor, history: History) {
  const output = yield* Output
  const personality = yield* Personality
  for (;;) {
    const input = yield* Effect.flatMap(personality.prompt, editor.read)
    if (input._tag === "End") return
    if (input._tag === "Interrupt") {
      if (input.empty) yield* output.say("to leave: exit, or Ctrl-D")
      continue
    }
    yield* history.add(input.line.trimEnd())
    const outcome = yield* Effect.raceFirst(runLine(input.line), interrupted(editor))
    if (outcome.leave) return
  }
})

const interrupted = Effect.fnUntraced(function*(editor: Editor) {
  yield* editor.interrupt
  const output = yield* Output
  yield* output.say("interrupted; if it was a write, it may have been done")
  return { exit: 130, leave: false } satisfies Outcome
})

/** Until the user leaves. The failure of a command is no failure of the shell. */
export const shell = Effect.gen(function*() {
  const runner = yield* Runner
  const output = yield* Output
  const options = yield* currentOptions
  const endpoints = yield* Endpoints
  if (!options.quiet) yield* output.say(`${runner.name}: ${endpoints.join(", ")}; help shows the commands, Ctrl-D leaves`)
  const history = yield* openHistory(runner.name)
  const editors = yield* LineEditor
  const editor = yield* editors.open({ history: history.lines, complete: yield* completer })
  yield* Effect.provideService(lineByLine(editor, history), AtHand, editor)
  return { exit: 0, leave: true } satisfies Outcome
}).pipe(
  Effect.scoped,
  (self) => Effect.flatMap(currentOptions, (options) => Effect.provideService(self, Defaults, options)),
  Effect.provideService(Mode, "shell"),
  Effect.provideService(StdinTaken, { reason: "you are typing there" })
)
