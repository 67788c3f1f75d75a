/**
 * What went wrong, for a person and for a script: what was tried, what happened, what to do next, and the exit code.
 *
 * @module
 */
import * as Data from "effect/Data"
import { printableLines } from "./Format.ts"

/** Exit codes of both programs. Scripts rely on them. */
export const ExitCode = {
  ok: 0,
  /** Something that should not happen; also `status` of a degraded cluster. */
  failed: 1,
  usage: 2,
  not_found: 3,
  /** Conflict or wrong type: the state of the data does not allow it. */
  conflict: 4,
  denied: 5,
  /** Nothing was done: safe to retry. */
  unavailable: 6,
  /** It may or may not have been done. */
  indeterminate: 7,
  /** A limit or quota is exceeded. */
  quota: 8,
  timeout: 124,
  interrupted: 130
} as const

export type ExitName = Exclude<keyof typeof ExitCode, "ok">

/** The end of a command that did not work. `message` says what happened, `hint` what to do next. */
export class Failure extends Data.TaggedError("Failure")<{
  readonly exit: ExitName
  /** Name of the error in JSON. */
  readonly code: string
  /** What was being done, such as `get /a`; empty if nothing was begun. */
  readonly attempt: string
  readonly message: string
  readonly hint: string | null
  /** For JSON: what else is known, such as the versions of a failed compare-and-set. */
  readonly detail: { readonly [key: string]: unknown }
}> {}

/** The command line makes no sense. */
export const usage = (message: string, hint: string | null = null, attempt = ""): Failure =>
  new Failure({ exit: "usage", code: "usage", attempt, message, hint, detail: {} })

/** The failure as the one or two lines that stderr gets. */
export const failureText = (failure: Failure, red: (text: string) => string): string => {
  const what = failure.attempt === "" ? failure.message : `${failure.attempt}: ${failure.message}`
  return `${red("error:")} ${printableLines(what)}${failure.hint === null ? "" : `\n  ${printableLines(failure.hint)}`}`
}

/** The failure as the line that stderr gets with `--json`. */
export const failureJson = (failure: Failure): string =>
  JSON.stringify({
    error: {
      code: failure.code,
      exit: ExitCode[failure.exit],
      attempt: failure.attempt,
      message: failure.message,
      hint: failure.hint,
      ...failure.detail
    }
  })
