/**
 * The line editor over Node's readline, on this process's terminal.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Readline from "node:readline"
import { Limits } from "../../base/Limits.ts"
import { type Editor, type Input, LineEditor } from "./LineEditor.ts"

const open: LineEditor["Service"]["open"] = Effect.fnUntraced(function*({ complete, history }) {
  const inputs = yield* Queue.dropping<Input>(Limits.typed_ahead_max)
  const interrupts = yield* Queue.sliding<void>(1)
  const run = Effect.runForkWith(yield* Effect.context<never>())
  let reading = false
  let over = false
  const readline = yield* Effect.acquireRelease(
    Effect.sync(() =>
      Readline.createInterface({
        input: process.stdin,
        output: process.stdout,
        terminal: true,
        history: [...history].reverse(),
        historySize: Limits.history_lines_max,
        removeHistoryDuplicates: true,
        completer: (line: string, done: (error: null, result: [Array<string>, string]) => void) => {
          run(Effect.map(complete(line), ({ hits, replaced }) => done(null, [[...hits], replaced])))
        }
      })
    ),
    (readline) => Effect.sync(() => readline.close())
  )
  readline.on("line", (line) => Queue.offerUnsafe(inputs, { _tag: "Line", line }))
  readline.on("close", () => {
    // Ctrl-D leaves the cursor behind the prompt.
    if (reading) process.stdout.write("\n")
    over = true
    Queue.offerUnsafe(inputs, { _tag: "End" })
  })
  readline.on("SIGINT", () => {
    if (!reading) return Queue.offerUnsafe(interrupts, undefined)
    const empty = readline.line === ""
    // Ctrl-E, Ctrl-U: the typed text goes; then the next prompt gets a line of its own.
    readline.write(null, { ctrl: true, name: "e" })
    readline.write(null, { ctrl: true, name: "u" })
    process.stdout.write("\n")
    return Queue.offerUnsafe(inputs, { _tag: "Interrupt", empty })
  })
  return {
    read: (prompt) =>
      Effect.suspend(() => {
        if (over) return Effect.map(Queue.poll(inputs), Option.getOrElse((): Input => ({ _tag: "End" })))
        reading = true
        readline.setPrompt(prompt)
        readline.prompt(true)
        return Queue.take(inputs)
      }).pipe(Effect.ensuring(Effect.sync(() => {
        reading = false
      }))),
    interrupt: Effect.andThen(Queue.clear(interrupts), Queue.take(interrupts))
  } satisfies Editor
})

export const LineEditorLive: Layer.Layer<LineEditor> = Layer.succeed(LineEditor, LineEditor.of({ open }))
