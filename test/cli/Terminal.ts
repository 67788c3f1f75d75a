/**
 * A command line program in a test: its arguments, a standard input, files, perhaps a terminal with somebody typing; and
 * what it printed.
 *
 * @module
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { systemError } from "effect/PlatformError"
import * as Sink from "effect/Sink"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as Terminal from "effect/Terminal"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import { type Input, LineEditor } from "../../src/cli/shell/LineEditor.ts"
import type { Completion } from "../../src/cli/shell/Completion.ts"
import { bytesOf, concat } from "./Bytes.ts"
import { memoryFiles } from "./MemoryFiles.ts"

export interface Ran {
  readonly exit: number
  /** Standard output, byte for byte. */
  readonly bytes: Uint8Array
  readonly stdout: string
  readonly stderr: string
  readonly files: Map<string, Uint8Array>
}

/** Somebody at the keyboard. */
export type Typing = string | Input | { readonly _tag: "Tab"; readonly line: string; readonly seen: (completion: Completion) => unknown }

/** The tab key at the end of `line`; `seen` gets what is offered. */
export const tabKey = (line: string, seen: (completion: Completion) => unknown): Typing => ({ _tag: "Tab", line, seen })

export interface Situation {
  readonly terminal?: boolean
  readonly stdin?: string | Uint8Array
  /** One whose name ends in a slash is a folder; what begins with "secret" may not be read. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /** Instead: files that outlive the program, even if it is interrupted. */
  readonly sharedFiles?: Map<string, Uint8Array>
  /** All files together have no more bytes than that. */
  readonly room?: number
  readonly typing?: ReadonlyArray<Typing>
  /** Ctrl-C while a command runs, as soon as this happens. */
  readonly interrupt?: Effect.Effect<void>
  /** Standard output accepts this many writes; then its reader is gone, with this code. */
  readonly stdoutBreaks?: { readonly after: number; readonly code: string }
}

const unused = Effect.die("not in these tests")

const lineEditor = (situation: Situation) =>
  Layer.succeed(LineEditor, LineEditor.of({
    open: Effect.fnUntraced(function*({ complete }) {
      const typing = [...situation.typing ?? []]
      const read: Effect.Effect<Input> = Effect.suspend(() => {
        const next = typing.shift()
        if (next === undefined) return Effect.succeed({ _tag: "End" })
        if (typeof next === "string") return Effect.succeed({ _tag: "Line", line: next })
        if (next._tag !== "Tab") return Effect.succeed(next)
        return Effect.flatMap(complete(next.line), (completion) => {
          next.seen(completion)
          return read
        })
      })
      return yield* Effect.succeed({ read: () => read, interrupt: situation.interrupt ?? Effect.never })
    })
  }))

/** Runs `program`, which gives an exit code, in `situation`. */
export const runIn = <R>(program: Effect.Effect<number, never, R>, situation: Situation = {}) =>
  Effect.gen(function*() {
    const stdout: Array<Uint8Array> = []
    const stderr: Array<Uint8Array> = []
    const given = Object.entries(situation.files ?? {}).map(([path, data]) => [path, bytesOf(data)] as const)
    const files = situation.sharedFiles ?? new Map(given)
    const into = (chunks: Array<Uint8Array>, breaks: Situation["stdoutBreaks"]) => () =>
      Sink.forEach((chunk: string | Uint8Array) => {
        if (breaks !== undefined && chunks.length >= breaks.after) {
          const cause = Object.assign(new Error(`write ${breaks.code}`), { code: breaks.code })
          return Effect.fail(systemError({ module: "Stdio", method: "stdout", _tag: "Unknown", cause }))
        }
        return Effect.sync(() => void chunks.push(bytesOf(chunk)))
      })
    const terminal = Effect.succeed(situation.terminal ?? false)
    const layer = Layer.mergeAll(
      Stdio.layerTest({
        stdin: situation.stdin === undefined ? Stream.empty : Stream.make(bytesOf(situation.stdin)),
        stdinIsTerminal: Effect.succeed(situation.terminal === true && situation.stdin === undefined),
        stdoutIsTerminal: terminal,
        stderrIsTerminal: terminal,
        stdout: into(stdout, situation.stdoutBreaks),
        stderr: into(stderr, undefined)
      }),
      memoryFiles(files, situation.room),
      Path.layer,
      Layer.succeed(Terminal.Terminal, Terminal.make({
        columns: Effect.succeed(80),
        rows: Effect.succeed(24),
        size: unused,
        readInput: unused,
        readLine: unused,
        display: () => unused
      })),
      Layer.succeed(ChildProcessSpawner.ChildProcessSpawner, ChildProcessSpawner.make(() => unused)),
      Layer.succeed(TerminalCapabilities.TerminalCapabilities, { canColor: false, canAnimate: false, canPrompt: false }),
      lineEditor(situation),
      ConfigProvider.layer(ConfigProvider.fromUnknown({ XDG_STATE_HOME: "/state" }))
    )
    const exit = yield* Effect.provide(program, layer)
    const bytes = concat(stdout)
    return {
      exit,
      bytes,
      stdout: new TextDecoder().decode(bytes),
      stderr: new TextDecoder().decode(concat(stderr)),
      files
    } satisfies Ran
  })
