/**
 * What the store answers, and its encoding: a msgpack array, `["ok", kind, …]` or `["error", code, path, …]`.
 *
 * ```
 * ["ok", "written", version]                                          create, put, delete
 * ["ok", "value", data, version]                                      get
 * ["ok", "stat", type, version, created_version, size, children]      stat
 * ["ok", "page", [[name, type, version, size, children], …], next]    list; next: nil or the resume token
 * ["error", "NotFound", path]
 * ["error", "ParentNotFound", path, parent]                           parent: the first directory that is missing
 * ["error", "AlreadyExists", path]
 * ["error", "CasFailed", path, expected, actual]                      versions
 * ["error", "WrongType", path, expected, actual]                      types
 * ["error", "NotEmpty", path, children]                               children: how many
 * ["error", "Invalid", path, reason]                                  reason: in words
 * ["error", "LimitExceeded", path, what, limit, actual]               what: the limit's name
 * ```
 * `data` is a bin; versions, sizes, limits and counts are integers; the rest are strings.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import { invariant } from "../base/Invariant.ts"
import { type ElementType, isElementType } from "./elements/Elements.ts"
import { Reader, Writer } from "./Msgpack.ts"

/** One line of a listing. `size`: bytes of its value; `children`: elements directly below it. */
export interface PageEntry {
  readonly name: string
  readonly type: ElementType
  readonly version: number
  readonly size: number
  readonly children: number
}

export type OkResult =
  /** The write was done; `version` is its op number, now the version of its element and of all directories above. */
  | { readonly _tag: "Written"; readonly version: number }
  | { readonly _tag: "Value"; readonly data: Uint8Array; readonly version: number }
  | {
    readonly _tag: "Stat"
    readonly type: ElementType
    readonly version: number
    /** The write that created it; 0 for the root. */
    readonly created_version: number
    /** Bytes of its value; 0 for a directory. */
    readonly size: number
    /** Elements directly below it. */
    readonly children: number
  }
  /** `next` goes into `after` of the following page; `null` when there is none. */
  | { readonly _tag: "Page"; readonly entries: ReadonlyArray<PageEntry>; readonly next: string | null }

/** What a request can be refused for without looking at the state. An unreadable request has the path `""`. */
export type Refusal =
  | { readonly _tag: "Error"; readonly code: "Invalid"; readonly path: string; readonly reason: string }
  | {
    readonly _tag: "Error"
    readonly code: "LimitExceeded"
    readonly path: string
    /** The limit's name in `base/Limits.ts`. */
    readonly what: LimitName
    readonly limit: number
    readonly actual: number
  }

export type LimitName = "path_bytes_max" | "path_depth_max" | "value_bytes_max" | "list_page_max"

/** Nothing was changed. `path` is the path asked for; in `WrongType` it is that of the element of the wrong type. */
export type ErrorResult =
  | Refusal
  | { readonly _tag: "Error"; readonly code: "NotFound"; readonly path: string }
  /** `parent`: the first directory on the way that does not exist. */
  | { readonly _tag: "Error"; readonly code: "ParentNotFound"; readonly path: string; readonly parent: string }
  | { readonly _tag: "Error"; readonly code: "AlreadyExists"; readonly path: string }
  /** Versions. */
  | {
    readonly _tag: "Error"
    readonly code: "CasFailed"
    readonly path: string
    readonly expected: number
    readonly actual: number
  }
  | {
    readonly _tag: "Error"
    readonly code: "WrongType"
    readonly path: string
    readonly expected: ElementType
    readonly actual: ElementType
  }
  | { readonly _tag: "Error"; readonly code: "NotEmpty"; readonly path: string; readonly children: number }

export type Result = OkResult | ErrorResult

/** Bytes that are not a result: a server that speaks something else, or a newer version of this. */
export interface Malformed {
  readonly _tag: "Malformed"
  readonly reason: string
}

invariant(
  Limits.list_page_max * (Limits.path_bytes_max + 64) < Limits.client_frame_bytes_max,
  "the largest page of a listing fits a client frame"
)

const writer = new Writer()

/** The encoding, in memory of its own. */
export const encodeResult = (result: Result): Uint8Array => {
  switch (result._tag) {
    case "Written":
      return writer.start().array(3).text("ok").text("written").integer(result.version).take()
    case "Value":
      return writer.start().array(4).text("ok").text("value").bytes(result.data).integer(result.version).take()
    case "Stat":
      return writer.start().array(7).text("ok").text("stat").text(result.type).integer(result.version)
        .integer(result.created_version).integer(result.size).integer(result.children).take()
    case "Page": {
      writer.start().array(4).text("ok").text("page").array(result.entries.length)
      for (const entry of result.entries) {
        writer.array(5).text(entry.name).text(entry.type).integer(entry.version).integer(entry.size)
          .integer(entry.children)
      }
      return (result.next === null ? writer.nil() : writer.text(result.next)).take()
    }
    case "Error":
      return encodeError(result)
  }
}

const encodeError = (error: ErrorResult): Uint8Array => {
  const begin = (length: number): Writer => writer.start().array(length).text("error").text(error.code).text(error.path)
  switch (error.code) {
    case "NotFound":
    case "AlreadyExists":
      return begin(3).take()
    case "ParentNotFound":
      return begin(4).text(error.parent).take()
    case "CasFailed":
      return begin(5).integer(error.expected).integer(error.actual).take()
    case "WrongType":
      return begin(5).text(error.expected).text(error.actual).take()
    case "NotEmpty":
      return begin(4).integer(error.children).take()
    case "Invalid":
      return begin(4).text(error.reason).take()
    case "LimitExceeded":
      return begin(6).text(error.what).integer(error.limit).integer(error.actual).take()
  }
}

/** Never throws. The data of a value is a view of `bytes`. */
export const decodeResult = (bytes: Uint8Array): Result | Malformed => {
  const reader = new Reader(bytes)
  const length = reader.array()
  const outcome = reader.text()
  const kind = reader.text()
  if (length === undefined || outcome === undefined || kind === undefined) {
    return malformed("it is not an array that begins with two strings")
  }
  if (outcome !== "ok" && outcome !== "error") return malformed(`it begins with neither "ok" nor "error"`)
  const fields = length - 2
  const result = outcome === "ok" ? readOk(reader, kind, fields) : readError(reader, kind, fields)
  if (result === undefined) return malformed(`unknown or ill-formed ${outcome} result "${kind.slice(0, 32)}"`)
  return reader.atEnd ? result : malformed(`bytes follow the "${kind}" result`)
}

const malformed = (reason: string): Malformed => ({ _tag: "Malformed", reason: `not a result: ${reason}` })

const readOk = (reader: Reader, kind: string, fields: number): OkResult | undefined => {
  switch (kind) {
    case "written": {
      const version = reader.integer()
      return fields !== 1 || version === undefined ? undefined : { _tag: "Written", version }
    }
    case "value": {
      const data = reader.bytes()
      const version = reader.integer()
      return fields !== 2 || data === undefined || version === undefined ? undefined : { _tag: "Value", data, version }
    }
    case "stat": {
      const type = readType(reader)
      const version = reader.integer()
      const created_version = reader.integer()
      const size = reader.integer()
      const children = reader.integer()
      if (fields !== 5 || type === undefined || version === undefined || created_version === undefined) return undefined
      if (size === undefined || children === undefined) return undefined
      return { _tag: "Stat", type, version, created_version, size, children }
    }
    case "page":
      return fields === 2 ? readPage(reader) : undefined
    default:
      return undefined
  }
}

const readPage = (reader: Reader): OkResult | undefined => {
  const length = reader.array()
  if (length === undefined || length > Limits.list_page_max) return undefined
  const entries: Array<PageEntry> = []
  for (let i = 0; i < length; i++) {
    if (reader.array() !== 5) return undefined
    const name = reader.text()
    const type = readType(reader)
    const version = reader.integer()
    const size = reader.integer()
    const children = reader.integer()
    if (name === undefined || type === undefined || version === undefined) return undefined
    if (size === undefined || children === undefined) return undefined
    entries.push({ name, type, version, size, children })
  }
  if (reader.nil()) return { _tag: "Page", entries, next: null }
  const next = reader.text()
  return next === undefined ? undefined : { _tag: "Page", entries, next }
}

const readError = (reader: Reader, code: string, fields: number): ErrorResult | undefined => {
  const path = reader.text()
  if (path === undefined) return undefined
  const _tag = "Error"
  switch (code) {
    case "NotFound":
    case "AlreadyExists":
      return fields === 1 ? { _tag, code, path } : undefined
    case "ParentNotFound": {
      const parent = reader.text()
      return fields !== 2 || parent === undefined ? undefined : { _tag, code, path, parent }
    }
    case "CasFailed": {
      const expected = reader.integer()
      const actual = reader.integer()
      if (fields !== 3 || expected === undefined || actual === undefined) return undefined
      return { _tag, code, path, expected, actual }
    }
    case "WrongType": {
      const expected = readType(reader)
      const actual = readType(reader)
      if (fields !== 3 || expected === undefined || actual === undefined) return undefined
      return { _tag, code, path, expected, actual }
    }
    case "NotEmpty": {
      const children = reader.integer()
      return fields !== 2 || children === undefined ? undefined : { _tag, code, path, children }
    }
    case "Invalid": {
      const reason = reader.text()
      return fields !== 2 || reason === undefined ? undefined : { _tag, code, path, reason }
    }
    case "LimitExceeded":
      return fields === 4 ? readLimitExceeded(reader, path) : undefined
    default:
      return undefined
  }
}

const readLimitExceeded = (reader: Reader, path: string): ErrorResult | undefined => {
  const what = reader.text()
  const limit = reader.integer()
  const actual = reader.integer()
  if (what === undefined || !isLimitName(what) || limit === undefined || actual === undefined) return undefined
  return { _tag: "Error", code: "LimitExceeded", path, what, limit, actual }
}

const limitNames: { readonly [Name in LimitName]: true } = {
  path_bytes_max: true,
  path_depth_max: true,
  value_bytes_max: true,
  list_page_max: true
}

const isLimitName = (name: string): name is LimitName => Object.hasOwn(limitNames, name)

const readType = (reader: Reader): ElementType | undefined => {
  const type = reader.text()
  return type !== undefined && isElementType(type) ? type : undefined
}
