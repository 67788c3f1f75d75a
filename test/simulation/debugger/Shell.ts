/**
 * The debugger at a terminal: lines with editing, history from run to run, and completion.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type { Paint } from "../../../src/cli/Output.ts"
import { openHistory } from "../../../src/cli/shell/History.ts"
import { LineEditor } from "../../../src/cli/shell/LineEditor.ts"
import { complete } from "./Commands.ts"
import { type Session } from "./Session.ts"

/** Shows what a line came to; false: the debugger is to be left. */
export type RunLine = (line: string) => boolean

const promptOf = ({ failure, last, stop }: Session, { bold, red }: Paint): string =>
  `${failure === null ? "" : red("✗ ")}${bold(`${stop.step}/${last.step}`)}> `

/** Reads lines until the user leaves. An empty one repeats the last. */
export const shell = Effect.fnUntraced(function*(session: Session, paint: Paint, runLine: RunLine) {
  const history = yield* openHistory("v2r2-debugger")
  const editor = yield* (yield* LineEditor).open({
    history: history.lines,
    complete: (line) => Effect.sync(() => complete(session, line))
  })
  let last = ""
  for (;;) {
    const input = yield* editor.read(promptOf(session, paint))
    if (input._tag === "End") return
    if (input._tag === "Interrupt") {
      // As in a shell, Ctrl-C takes back what was typed; with nothing typed it says how to leave.
      if (input.empty) process.stderr.write("(quit or Ctrl-D leaves)\n")
      continue
    }
    const line = input.line.trim() === "" ? last : input.line
    yield* history.add(input.line.trimEnd())
    last = line
    if (!runLine(line)) return
  }
}, Effect.scoped)
