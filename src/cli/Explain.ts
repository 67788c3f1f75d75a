/**
 * Every error that a command can meet, in words that help, with its exit code.
 *
 * @module
 */
import type { AdminError, AdminIndeterminate } from "../client/Admin.ts"
import type {
  Attempt, Indeterminate, NoSuchTenant, Overloaded, SessionLost, StoreError, Unavailable
} from "../client/Errors.ts"
import { type ExitName, Failure } from "./Failure.ts"

export type Explainable =
  | Failure | StoreError | Unavailable | Overloaded | Indeterminate | NoSuchTenant | SessionLost | AdminError | AdminIndeterminate

type Parts = Omit<ConstructorParameters<typeof Failure>[0], "attempt">

/** What is to be reported of an error that `attempt` (such as `get /a`) met. */
export const explain = (error: Explainable, attempt: string): Failure => {
  if (error._tag === "Failure") {
    const { code, detail, exit, hint, message } = error
    return new Failure({ exit, code, attempt: error.attempt === "" ? attempt : error.attempt, message, hint, detail })
  }
  return new Failure({ attempt, ...partsOf(error) })
}

const partsOf = (error: Exclude<Explainable, Failure>): Parts => {
  switch (error._tag) {
    case "Unavailable":
      return {
        exit: "unavailable",
        code: "unavailable",
        message: `no answer from the cluster (${attempts(error.attempts)}); nothing was done, so it is safe to repeat`,
        hint: error.hint,
        detail: { attempts: error.attempts }
      }
    case "Overloaded":
      return {
        exit: "unavailable",
        code: "overloaded",
        message: `the cluster has too much to do (${error.reason}); nothing was done, so it is safe to repeat`,
        hint: `try again in ${error.retry_after_ms} ms or later, or allow more time`,
        detail: { retry_after_ms: error.retry_after_ms }
      }
    case "Indeterminate":
      return {
        exit: "indeterminate",
        code: "indeterminate",
        message: `it is unknown whether this was done: ${error.reason}`,
        hint: `look at ${error.path} (stat, get) before you repeat it`,
        detail: { path: error.path }
      }
    case "AdminIndeterminate":
      return {
        exit: "indeterminate",
        code: "indeterminate",
        message: `${error.endpoint} may or may not have done this: ${error.reason}`,
        hint: "look (config get, cluster members, vr tenants) before you repeat it",
        detail: { endpoint: error.endpoint, command: error.command }
      }
    case "SessionLost":
      return {
        exit: "unavailable",
        code: "session_lost",
        message: `the cluster has forgotten our session: ${error.reason}`,
        hint: "it is safe to try again",
        detail: { session: error.session }
      }
    case "NoSuchTenant":
      return {
        exit: "not_found",
        code: "no_such_tenant",
        message: `there is no tenant "${error.tenant}": ${error.reason}`,
        hint: "see the tenants that there are: tenants",
        detail: { tenant: error.tenant }
      }
    case "AdminError":
      return adminParts(error)
    default:
      return storeParts(error)
  }
}

const attempts = (list: ReadonlyArray<Attempt>): string =>
  list.length === 0 ? "none was tried" : list.map(({ endpoint, reason }) => `${endpoint}: ${reason}`).join("; ")

const adminExits: Readonly<Record<AdminError["code"], ExitName>> = {
  usage: "usage",
  not_found: "not_found",
  conflict: "conflict",
  unavailable: "unavailable",
  denied: "denied",
  timeout: "timeout",
  internal: "failed"
}

const adminHints: Readonly<Record<AdminError["code"], string | null>> = {
  usage: null,
  not_found: null,
  conflict: null,
  unavailable: "see: status",
  denied: null,
  timeout: "see: status",
  internal: "the node's log tells more"
}

const adminParts = (error: AdminError): Parts => ({
  exit: adminExits[error.code],
  code: error.code,
  message: error.message,
  hint: adminHints[error.code],
  detail: {}
})

const storeParts = (error: StoreError): Parts => {
  const parts = (exit: ExitName, code: string, message: string, hint: string | null, detail = {}): Parts =>
    ({ exit, code, message, hint, detail: { path: error.path, ...detail } })
  switch (error._tag) {
    case "NotFound":
      return parts("not_found", "not_found", `there is nothing at ${error.path}`,
        `see what there is: list ${parentOf(error.path)}`)
    case "ParentNotFound":
      return parts("not_found", "parent_not_found", `the directory ${error.parent} does not exist`,
        "create the missing directories with --parents", { parent: error.parent })
    case "AlreadyExists":
      return parts("conflict", "already_exists", `something is at ${error.path} already`,
        `to replace its data: put ${error.path} <data>`)
    case "CasFailed":
      return parts("conflict", "cas_failed", `its version is ${error.actual}, not ${error.expected}`,
        "someone else changed it: read it again, then decide", { expected: error.expected, actual: error.actual })
    case "WrongType":
      return parts("conflict", "wrong_type", `this needs a ${error.expected}, and ${error.path} is a ${error.actual}`,
        null, { expected: error.expected, actual: error.actual })
    case "NotEmpty":
      return parts("conflict", "not_empty", `the directory has ${error.children} children`,
        "to delete all of it: --recursive", { children: error.children })
    case "Invalid":
      return parts("usage", "invalid", error.reason, null)
    case "LimitExceeded":
      return parts("quota", "limit_exceeded",
        `${error.actual} is more than ${error.what} allows, which is ${error.limit}`, null,
        { what: error.what, limit: error.limit, actual: error.actual })
  }
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/")) || "/"
