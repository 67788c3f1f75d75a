/**
 * Everything that a caller of V2R2 can act on: one tagged error each. All of them are plain values that survive
 * serialisation (Schema), and their messages are fit to be shown to people.
 *
 * What an error says about a write:
 * - `Indeterminate`: it may have been executed, or may still be. Look before writing again.
 * - every other error: it was not executed, and will not be.
 *
 * @module
 */
import * as Schema from "effect/Schema"
import type { ErrorResult } from "../store/Operation.ts"

/** There is no element at `path`. */
export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { path: Schema.String }) {
  override get message(): string {
    return `${this.path}: not found`
  }
}

/** `create` without `parents`: the directory `parent`, on the way to `path`, does not exist. */
export class ParentNotFound extends Schema.TaggedError<ParentNotFound>()("ParentNotFound", {
  path: Schema.String,
  parent: Schema.String
}) {
  override get message(): string {
    return `${this.path}: its directory ${this.parent} does not exist`
  }
}

/** `create`: something is at `path`. */
export class AlreadyExists extends Schema.TaggedError<AlreadyExists>()("AlreadyExists", { path: Schema.String }) {
  override get message(): string {
    return `${this.path}: already exists`
  }
}

/** Compare-and-set: the element at `path` has the version `actual`, not `expected`. */
export class CasFailed extends Schema.TaggedError<CasFailed>()("CasFailed", {
  path: Schema.String,
  expected: Schema.Int,
  actual: Schema.Int
}) {
  override get message(): string {
    return `${this.path}: expected version ${this.expected}, it has version ${this.actual}`
  }
}

/** The element at `path` (the one asked for, or one on the way to it) has another type than the operation needs. */
export class WrongType extends Schema.TaggedError<WrongType>()("WrongType", {
  path: Schema.String,
  expected: Schema.String,
  actual: Schema.String
}) {
  override get message(): string {
    return `${this.path}: expected a ${this.expected}, it is a ${this.actual}`
  }
}

/** `delete` without `recursive`: the directory has `children` elements. */
export class NotEmpty extends Schema.TaggedError<NotEmpty>()("NotEmpty", {
  path: Schema.String,
  children: Schema.Int
}) {
  override get message(): string {
    return `${this.path}: the directory is not empty (${this.children} inside)`
  }
}

/** The call makes no sense, whatever is stored: a bad path, a bad version, … `reason` in words. */
export class Invalid extends Schema.TaggedError<Invalid>()("Invalid", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return this.path === "" ? this.reason : `${this.path}: ${this.reason}`
  }
}

/** More than the limit named `what` allows. Bytes, or counts, as the name says. */
export class LimitExceeded extends Schema.TaggedError<LimitExceeded>()("LimitExceeded", {
  path: Schema.String,
  what: Schema.String,
  limit: Schema.Int,
  actual: Schema.Int
}) {
  override get message(): string {
    return `${this.path}: ${this.actual} is more than ${this.what} allows (${this.limit})`
  }
}

/** One address that was tried, and why it did not help. */
export const Attempt = Schema.Struct({ endpoint: Schema.String, reason: Schema.String })
export type Attempt = typeof Attempt.Type

/** No answer in time. A write that fails so was not executed: the call may be repeated. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", {
  /** Every address that was tried since the last success, in order. */
  attempts: Schema.Array(Attempt),
  /** What to look at next. */
  hint: Schema.String
}) {
  override get message(): string {
    const tried = this.attempts.map(({ endpoint, reason }) => `${endpoint}: ${reason}`).join("; ")
    return tried === "" ? `unavailable: ${this.hint}` : `unavailable (${tried}). ${this.hint}`
  }
}

/**
 * The cluster has more to do than it can, and said so until the call's time was over; or too many calls of this client
 * wait for an answer already. Nothing was done. The library has tried again by itself, less and less often: what helps is
 * fewer calls at once, a longer deadline, or coming again after `retry_after_ms`.
 */
export class Overloaded extends Schema.TaggedError<Overloaded>()("Overloaded", {
  /** Who has too much to do, in words. */
  reason: Schema.String,
  retry_after_ms: Schema.Int
}) {
  override get message(): string {
    return `overloaded: ${this.reason}. Nothing was done; try again in ${this.retry_after_ms} ms or later, with fewer calls at ` +
      `once, or allow more time.`
  }
}

/** The write to `path` was sent, and what became of it is not known: it may have been executed, or may still be. */
export class Indeterminate extends Schema.TaggedError<Indeterminate>()("Indeterminate", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}: it is unknown whether the write was executed (${this.reason}). Read before writing again.`
  }
}

/** The cluster has forgotten a session. Calls go on in a new one; what was tied to the old one is gone. */
export class SessionLost extends Schema.TaggedError<SessionLost>()("SessionLost", {
  tenant: Schema.String,
  session: Schema.Int,
  reason: Schema.String
}) {
  override get message(): string {
    return `session ${this.session} of tenant ${this.tenant} is lost: ${this.reason}`
  }
}

/** No node that could be reached knows this tenant. */
export class NoSuchTenant extends Schema.TaggedError<NoSuchTenant>()("NoSuchTenant", {
  tenant: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `no tenant ${JSON.stringify(this.tenant)}: ${this.reason}`
  }
}

/** What the store itself can answer instead of a result, by the code of that answer. */
export interface StoreErrors {
  readonly NotFound: NotFound
  readonly ParentNotFound: ParentNotFound
  readonly AlreadyExists: AlreadyExists
  readonly CasFailed: CasFailed
  readonly WrongType: WrongType
  readonly NotEmpty: NotEmpty
  readonly Invalid: Invalid
  readonly LimitExceeded: LimitExceeded
}

export type StoreError = StoreErrors[keyof StoreErrors]

/** The error for an answer of the store. */
export const storeError = (result: ErrorResult): StoreError => {
  const { path } = result
  switch (result.code) {
    case "NotFound":
      return new NotFound({ path })
    case "ParentNotFound":
      return new ParentNotFound({ path, parent: result.parent })
    case "AlreadyExists":
      return new AlreadyExists({ path })
    case "CasFailed":
      return new CasFailed({ path, expected: result.expected, actual: result.actual })
    case "WrongType":
      return new WrongType({ path, expected: result.expected, actual: result.actual })
    case "NotEmpty":
      return new NotEmpty({ path, children: result.children })
    case "Invalid":
      return new Invalid({ path, reason: result.reason })
    case "LimitExceeded":
      return new LimitExceeded({ path, what: result.what, limit: result.limit, actual: result.actual })
  }
}
