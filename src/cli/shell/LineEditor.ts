/**
 * The terminal as the shell sees it: lines with editing, history and completion. LineEditorLive.ts is the real one.
 *
 * @module
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Completion } from "./Completion.ts"

export type Input =
  | { readonly _tag: "Line"; readonly line: string }
  /** Ctrl-C: what was typed is to be forgotten. `empty`: nothing was. */
  | { readonly _tag: "Interrupt"; readonly empty: boolean }
  /** Ctrl-D, or the terminal is gone: also whatever is read afterwards. */
  | { readonly _tag: "End" }

export interface Editor {
  /** The next line, which the user types after `prompt`. */
  readonly read: (prompt: string) => Effect.Effect<Input>
  /** Waits for a Ctrl-C while no line is being read. */
  readonly interrupt: Effect.Effect<void>
}

export class LineEditor extends Context.Service<LineEditor, {
  /** Takes the terminal over until the Scope ends. `history`: the oldest line first. */
  readonly open: (options: {
    readonly history: ReadonlyArray<string>
    readonly complete: (line: string) => Effect.Effect<Completion>
  }) => Effect.Effect<Editor, never, Scope.Scope>
}>()("v2r2/cli/shell/LineEditor") {}
