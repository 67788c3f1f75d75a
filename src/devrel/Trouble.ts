/**
 * What stops devrel: one line for the user, a hint, and the exit code (those of the other command lines).
 *
 * @module
 */
import * as Data from "effect/Data"

export const ExitCode = { ok: 0, failed: 1, usage: 2, not_found: 3, conflict: 4, unavailable: 6 } as const

/** Expected, and for the user: `message` says what happened, `hint` what to do next. */
export class Trouble extends Data.TaggedError("Trouble")<{
  readonly exit: Exclude<keyof typeof ExitCode, "ok">
  readonly message: string
  readonly hint?: string
}> {}

export const textOf = ({ message, hint }: Trouble): string => hint === undefined ? message : `${message}\n  ${hint}`
