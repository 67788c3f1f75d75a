/**
 * What a command has to show, apart from how it is shown: as JSON, as text for another program, or for a person.
 *
 * @module
 */
import * as Array from "effect/Array"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { aligned, columnWidths, hexdump, printable, readable, tabbed } from "./Format.ts"
import { Output, type OutputClosed, type Paint } from "./Output.ts"
import type { Options } from "./Options.ts"

/** One line of a listing. */
export interface Row<J> {
  readonly json: J
  readonly cells: ReadonlyArray<string>
}

/** One line of text: `plain` are the cells for another program, `pretty` is for a person. */
export interface Line<J> {
  readonly json: J
  readonly plain: ReadonlyArray<string>
  readonly pretty: string
}

export type View<J, E = never, R = never> =
  /** One thing and its properties: `name`, tab, value. */
  | { readonly _tag: "Fields"; readonly json: J; readonly fields: ReadonlyArray<readonly [string, string]> }
  /** Something was done. `plain` is what a script wants to know of it. */
  | { readonly _tag: "Done"; readonly json: J; readonly plain: string; readonly pretty: string }
  /** Bytes, to be kept as they are. */
  | { readonly _tag: "Bytes"; readonly json: J; readonly bytes: Uint8Array }
  /** A text that lays itself out. */
  | { readonly _tag: "Text"; readonly json: J; readonly plain: string; readonly pretty: (paint: Paint) => string }
  | {
    readonly _tag: "Table"
    readonly columns: ReadonlyArray<string>
    readonly rows: Stream.Stream<Row<J>, E, R>
    /** Said on stderr, on a terminal, when there is no row. */
    readonly empty: string
  }
  | { readonly _tag: "Lines"; readonly lines: Stream.Stream<Line<J>, E, R> }

/** Most bytes of binary data that a terminal gets to see. */
const hexdump_bytes_max = 256

/** Shows it on stdout. A confirmation is not shown if `quiet`. */
export const show = <J, E, R>(
  view: View<J, E, R>,
  options: Options
): Effect.Effect<void, E | OutputClosed, R | Output> =>
  Effect.gen(function*() {
    const output = yield* Output
    if (options.json) return yield* showJson(view, output)
    switch (view._tag) {
      case "Fields":
        return yield* output.write(fieldLines(view.fields, output))
      case "Done":
        if (options.quiet) return
        return yield* output.write(output.terminal ? `${view.pretty}\n` : `${view.plain}\n`)
      case "Bytes":
        return yield* output.terminal ? showBytes(view.bytes, output) : output.write(view.bytes)
      case "Text":
        return yield* output.write(`${output.terminal ? view.pretty(output.paint) : view.plain}\n`)
      case "Table":
        return yield* output.terminal
          ? showTable(view, options, output)
          : showBatches(view.rows, output, (row) => tabbed(row.cells))
      case "Lines":
        return yield* showBatches(view.lines, output, (line) => output.terminal ? line.pretty : tabbed(line.plain))
    }
  })

const showJson = <J, E, R>(view: View<J, E, R>, output: Output["Service"]): Effect.Effect<void, E | OutputClosed, R> => {
  if (view._tag === "Table") return showBatches(view.rows, output, (row) => JSON.stringify(row.json))
  if (view._tag === "Lines") return showBatches(view.lines, output, (line) => JSON.stringify(line.json))
  return output.write(`${JSON.stringify(view.json)}\n`)
}

const fieldLines = (fields: ReadonlyArray<readonly [string, string]>, { paint, terminal }: Output["Service"]): string => {
  if (!terminal) return fields.map((field) => `${tabbed(field)}\n`).join("")
  const width = Math.max(...fields.map(([name]) => name.length))
  return fields.map(([name, value]) => `${paint.dim(printable(name).padEnd(width))}  ${printable(value)}\n`).join("")
}

/** Text goes to a terminal with a line end; what is no text would do harm there, and is dumped. */
const showBytes = Effect.fnUntraced(function*(bytes: Uint8Array, output: Output["Service"]) {
  const text = readable(bytes)
  if (text !== undefined) return yield* output.write(text === "" || text.endsWith("\n") ? text : `${text}\n`)
  const shown = bytes.subarray(0, hexdump_bytes_max)
  yield* output.write(`${hexdump(shown)}\n`)
  const first = shown.length < bytes.length ? `, the first ${shown.length} are shown` : ""
  yield* output.say(`${bytes.length} bytes that are no text${first}; to get them as they are, redirect the output: > file`)
})

const showBatches = <A, E, R>(items: Stream.Stream<A, E, R>, output: Output["Service"], line: (item: A) => string) =>
  Stream.runForEachArray(items, (batch) => output.write(batch.map((item) => `${line(item)}\n`).join("")))

/** Widths come from the first batch and only grow: a listing of any length needs no more memory than one page. */
const showTable = Effect.fnUntraced(function*<J, E, R>(
  { columns, empty, rows }: Extract<View<J, E, R>, { _tag: "Table" }>,
  options: Options,
  output: Output["Service"]
) {
  let widths: ReadonlyArray<number> | undefined
  yield* Stream.runForEachArray(rows, (batch) => {
    const cells = Array.map(batch, (row) => row.cells.map(printable))
    const head = widths === undefined ? [columns] : []
    widths = columnWidths([...head, ...cells], widths)
    const lines = [...head, ...cells].map((row) => aligned(row, widths!))
    if (head.length > 0) lines[0] = output.paint.bold(lines[0]!)
    return output.write(lines.map((line) => `${line}\n`).join(""))
  })
  if (widths === undefined && !options.quiet) yield* output.say(empty)
})
