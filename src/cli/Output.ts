/**
 * Where a command's output goes: data to stdout, everything said to a person to stderr.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { PlatformError } from "effect/PlatformError"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"

/** Standard output takes no more. `brokenPipe`: its reader has seen enough, which is no failure. */
export class OutputClosed extends Data.TaggedError("OutputClosed")<{
  readonly brokenPipe: boolean
  readonly reason: string
}> {}

export class Output extends Context.Service<Output, {
  /** Is stdout read by a person? Then tables and colours, else plain text. */
  readonly terminal: boolean
  readonly write: (data: string | Uint8Array) => Effect.Effect<void, OutputClosed>
  /** One line or more for a person; a line end is added. Lost if stderr is closed. */
  readonly say: (text: string) => Effect.Effect<void>
  /** A line for a person who waits, in the place of the one before; "" takes it away. Only if stderr is a terminal. */
  readonly progress: ((line: string) => Effect.Effect<void>) | null
  /** For stdout and for stderr: text in bold, dim, red, green or yellow where colours are wanted. */
  readonly paint: Paint
  readonly paintError: Paint
}>()("v2r2/cli/Output") {
  /** To the standard streams. */
  static readonly layer = Layer.effect(
    Output,
    Effect.gen(function*() {
      const stdio = yield* Stdio.Stdio
      const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
      const terminal = yield* stdio.stdoutIsTerminal
      const stderrIsTerminal = yield* stdio.stderrIsTerminal
      const sayAsItIs = (text: string) => Effect.ignore(Stream.run(Stream.make(text), stdio.stderr()))
      return Output.of({
        terminal,
        write: (data) => Stream.run(Stream.make(data), stdio.stdout()).pipe(Effect.mapError(toClosed)),
        say: (text) => sayAsItIs(`${text}\n`),
        progress: stderrIsTerminal ? (line) => sayAsItIs(`\r\x1b[K${line}`) : null,
        paint: terminal && canColor ? colors : plain,
        paintError: stderrIsTerminal && canColor ? colors : plain
      })
    })
  )
}

export type Paint = { readonly [K in "bold" | "dim" | "red" | "green" | "yellow"]: (text: string) => string }

const sgr = (code: number) => (text: string): string => `\x1b[${code}m${text}\x1b[0m`
const same = (text: string): string => text

const colors: Paint = { bold: sgr(1), dim: sgr(2), red: sgr(31), green: sgr(32), yellow: sgr(33) }
export const plain: Paint = { bold: same, dim: same, red: same, green: same, yellow: same }

const toClosed = (error: PlatformError): OutputClosed => {
  const cause: unknown = error.reason.cause
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : ""
  const reason = cause instanceof Error ? cause.message : error.message
  return new OutputClosed({ brokenPipe: code === "EPIPE" || code === "ERR_STREAM_DESTROYED", reason })
}
