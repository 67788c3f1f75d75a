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
import { invariant } from "../base/Invariant.ts"
import { Limits } from "../base/Limits.ts"
import { MsgpackReader } from "../base/MsgpackReader.ts"
import { MsgpackWriter } from "../base/MsgpackWriter.ts"
import { type ElementType, isElementType } from "./elements/Elements.ts"

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

const writer = new MsgpackWriter()
const reader = new MsgpackReader()

/** How every answer to a write that was done begins. */
const writtenPrefix = writer.start().array(3).string("ok").string("written").take()

/** The encoding, in memory of its own. */
export const encodeResult = (result: Result): Uint8Array => {
  switch (result._tag) {
    case "Written":
      return writer.start().encoded(writtenPrefix).uint(result.version).take()
    case "Value":
      return writer.start().array(4).string("ok").string("value").bin(result.data).uint(result.version).take()
    case "Stat":
      return writer.start().array(7).string("ok").string("stat").string(result.type).uint(result.version)
        .uint(result.created_version).uint(result.size).uint(result.children).take()
    case "Page": {
      writer.start().array(4).string("ok").string("page").array(result.entries.length)
      for (const entry of result.entries) {
        writer.array(5).string(entry.name).string(entry.type).uint(entry.version).uint(entry.size)
          .uint(entry.children)
      }
      return (result.next === null ? writer.nil() : writer.string(result.next)).take()
    }
    case "Error":
      return encodeError(result)
  }
}

const encodeError = (error: ErrorResult): Uint8Array => {
  const begin = (length: number): MsgpackWriter =>
    writer.start().array(length).string("error").string(error.code).string(error.path)
  switch (error.code) {
    case "NotFound":
    case "AlreadyExists":
      return begin(3).take()
    case "ParentNotFound":
      return begin(4).string(error.parent).take()
    case "CasFailed":
      return begin(5).uint(error.expected).uint(error.actual).take()
    case "WrongType":
      return begin(5).string(error.expected).string(error.actual).take()
    case "NotEmpty":
      return begin(4).uint(error.children).take()
    case "Invalid":
      return begin(4).string(error.reason).take()
    case "LimitExceeded":
      return begin(6).string(error.what).uint(error.limit).uint(error.actual).take()
  }
}

/** Never throws. The data of a value is a view of `bytes`. */
export const decodeResult = (bytes: Uint8Array): Result | Malformed => {
  const r = reader
  r.open(bytes)
  const fields = r.array("result", bytes.length) - 2
  const outcome = readString()
  const kind = readString()
  if (r.fault !== null) return malformed("it is not an array that begins with two strings")
  if (outcome !== "ok" && outcome !== "error") return malformed(`it begins with neither "ok" nor "error"`)
  const result = outcome === "ok" ? readOk(kind, fields) : readError(kind, fields)
  if (result === undefined || r.fault !== null) {
    return malformed(`unknown or ill-formed ${outcome} result "${kind.slice(0, 32)}"`)
  }
  return r.close() ? result : malformed(`bytes follow the "${kind}" result`)
}

const malformed = (reason: string): Malformed => ({ _tag: "Malformed", reason: `not a result: ${reason}` })

/** `undefined`, or a fault of the reader, if it is none. */
const readOk = (kind: string, fields: number): OkResult | undefined => {
  const r = reader
  switch (kind) {
    case "written":
      return fields === 1 ? { _tag: "Written", version: r.integer("version") } : undefined
    case "value":
      return fields === 2
        ? { _tag: "Value", data: r.bin("data", Limits.client_frame_bytes_max), version: r.integer("version") }
        : undefined
    case "stat":
      return fields !== 5 ? undefined : {
        _tag: "Stat",
        type: readType(),
        version: r.integer("version"),
        created_version: r.integer("created version"),
        size: r.integer("size"),
        children: r.integer("children")
      }
    case "page":
      return fields === 2
        ? { _tag: "Page", entries: readEntries(), next: r.nullable("next", Limits.client_frame_bytes_max) }
        : undefined
    default:
      return undefined
  }
}

const readEntries = (): ReadonlyArray<PageEntry> => {
  const r = reader
  const entries: Array<PageEntry> = []
  for (let left = r.array("page", Limits.list_page_max); left > 0 && r.fault === null; left--) {
    if (r.array("entry", 5) !== 5) r.fail("entry: expected five elements")
    const name = readString()
    const type = readType()
    const version = r.integer("version")
    const size = r.integer("size")
    entries.push({ name, type, version, size, children: r.integer("children") })
  }
  return entries
}

/** As {@link readOk}. */
const readError = (code: string, fields: number): ErrorResult | undefined => {
  const r = reader
  const path = readString()
  const _tag = "Error"
  switch (code) {
    case "NotFound":
    case "AlreadyExists":
      return fields === 1 ? { _tag, code, path } : undefined
    case "ParentNotFound":
      return fields === 2 ? { _tag, code, path, parent: readString() } : undefined
    case "CasFailed":
      return fields === 3
        ? { _tag, code, path, expected: r.integer("expected"), actual: r.integer("actual") }
        : undefined
    case "WrongType":
      return fields === 3 ? { _tag, code, path, expected: readType(), actual: readType() } : undefined
    case "NotEmpty":
      return fields === 2 ? { _tag, code, path, children: r.integer("children") } : undefined
    case "Invalid":
      return fields === 2 ? { _tag, code, path, reason: readString() } : undefined
    case "LimitExceeded":
      return fields === 4
        ? { _tag, code, path, what: readLimitName(), limit: r.integer("limit"), actual: r.integer("actual") }
        : undefined
    default:
      return undefined
  }
}

/** No longer than what carries it. */
const readString = (): string => reader.string("text", Limits.client_frame_bytes_max)

const readType = (): ElementType => {
  const type = readString()
  if (isElementType(type)) return type
  reader.fail("unknown type")
  return "blob"
}

const readLimitName = (): LimitName => {
  const name = readString()
  if (isLimitName(name)) return name
  reader.fail("unknown limit")
  return "value_bytes_max"
}

const limitNames: { readonly [Name in LimitName]: true } = {
  path_bytes_max: true,
  path_depth_max: true,
  value_bytes_max: true,
  list_page_max: true
}

const isLimitName = (name: string): name is LimitName => Object.hasOwn(limitNames, name)
