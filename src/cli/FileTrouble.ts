/**
 * What the system says of a file, in words and as a failure.
 *
 * @module
 */
import type { PlatformError } from "effect/PlatformError"
import { type ExitName, Failure } from "./Failure.ts"

const inWords: Readonly<Record<string, string>> = {
  NotFound: "there is none",
  PermissionDenied: "that is not permitted",
  BadResource: "it is no file that can be read",
  AlreadyExists: "it exists"
}

/** "there is none", "no space left on device". */
export const fileReason = ({ reason }: PlatformError): string => {
  const known = inWords[reason._tag]
  if (known !== undefined) return known
  // Node writes "ENOSPC: no space left on device, write": the middle is for people.
  const cause: unknown = reason.cause
  const said = cause instanceof Error ? cause.message : reason.message
  return /^[A-Z0-9]+: ([^,]+)/.exec(said)?.[1] ?? said
}

const exits: Readonly<Record<string, ExitName>> = {
  NotFound: "not_found",
  PermissionDenied: "denied",
  AlreadyExists: "conflict",
  BadResource: "conflict"
}

/** `doing`: such as "write" or "read". */
export const fileFailure = (doing: string, path: string, hint: string | null = null) => (error: PlatformError): Failure =>
  new Failure({
    exit: exits[error.reason._tag] ?? "failed",
    code: "file",
    attempt: "",
    message: `cannot ${doing} the file ${path}: ${fileReason(error)}`,
    hint,
    detail: { file: path }
  })
