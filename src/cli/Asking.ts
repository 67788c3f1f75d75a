/**
 * A question to the person at the terminal, for what cannot be undone.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import { StdinTaken } from "./DataArgument.ts"
import { Failure } from "./Failure.ts"
import type { Options } from "./Options.ts"
import { type Editor, LineEditor } from "./shell/LineEditor.ts"

/** The shell's own editor: a second one would take its terminal away. */
export const AtHand = Context.Reference<Editor | null>("v2r2/cli/Asking/AtHand", { defaultValue: () => null })

/**
 * Has `text` typed once more; with `given` that was done on the command line. Where nobody can be asked, it has to be
 * given by the flag `flag`.
 */
export const confirmed = Effect.fnUntraced(function*(
  { flag, given, text, what }: {
    readonly text: string
    readonly given: string | null
    /** What is about to be done, as a sentence of its own. */
    readonly what: string
    readonly flag: string
  },
  options: Options
) {
  if (given === null && !(yield* canAsk(options))) {
    return yield* denied(`${what} This needs a confirmation, and there is no terminal to ask for it`, `${flag} ${text}`)
  }
  const answer = given ?? (yield* ask(`${what} To go on, type ${text} again: `))
  if (answer !== text) {
    return yield* denied(answer === null ? "not confirmed; nothing was done" : `"${answer}" is not "${text}"; nothing was done`, null)
  }
})

const denied = (message: string, confirmation: string | null): Failure =>
  new Failure({
    exit: confirmation === null ? "failed" : "usage",
    code: "not_confirmed",
    attempt: "",
    message,
    hint: confirmation === null ? null : `add ${confirmation}`,
    detail: {}
  })

/** A question among JSON would be no JSON. */
const canAsk = Effect.fnUntraced(function*({ json }: Options) {
  if (json) return false
  if ((yield* AtHand) !== null) return true
  const stdio = yield* Stdio.Stdio
  return (yield* StdinTaken).reason === null && (yield* stdio.stdinIsTerminal) && (yield* stdio.stdoutIsTerminal)
})

/** Null: Ctrl-C or Ctrl-D. */
const ask = (prompt: string) =>
  Effect.gen(function*() {
    const nothing = { history: [], complete: () => Effect.succeed({ hits: [], replaced: "" }) }
    const editor = (yield* AtHand) ?? (yield* (yield* LineEditor).open(nothing))
    const input = yield* editor.read(prompt)
    return input._tag === "Line" ? input.line.trim() : null
  }).pipe(Effect.scoped)
