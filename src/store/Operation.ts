/**
 * What clients ask of the store, and its encoding: one msgpack array, made once by the client and carried as opaque
 * bytes.
 *
 * ```
 * ["create", path, type, data, parents]   data: bin, empty for a directory; parents: create missing directories
 * ["put", path, data, version]            version: nil, or the version that the element must have
 * ["delete", path, version, recursive]    version: as in put
 * ["get", path]
 * ["stat", path]
 * ["list", path, limit, after]            limit: 1 to list_page_max; after: nil, or the resume token
 * ```
 * Paths, types and tokens are UTF-8 strings; versions and limits integers; `parents` and `recursive` booleans. The
 * answers are in `Result.ts`, re-exported here, so that this is the only module of the store that a client needs.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import { MsgpackReader } from "../base/MsgpackReader.ts"
import { MsgpackWriter } from "../base/MsgpackWriter.ts"
import { elementKinds, type ElementType, elementTypes, elementTypesInWords, isElementType } from "./elements/Elements.ts"
import { exceeded, invalid, refusePath, refuseResumeToken, shownPath } from "./Path.ts"
import type { Refusal } from "./Result.ts"

export { decodeResult, encodeResult } from "./Result.ts"
export type { ErrorResult, LimitName, Malformed, OkResult, PageEntry, Refusal, Result } from "./Result.ts"
export type { ElementType } from "./elements/Elements.ts"

/** Goes through the log. Fails whole: an error means that nothing changed. */
export type WriteOperation =
  /** Errors: AlreadyExists, ParentNotFound, WrongType (something on the way is no directory). */
  | {
    readonly _tag: "Create"
    readonly path: string
    readonly type: ElementType
    readonly data: Uint8Array
    /** Creates the directories that are missing on the way, instead of failing with ParentNotFound. */
    readonly parents: boolean
  }
  /** Replaces the value of a blob. Errors: NotFound, WrongType, CasFailed. */
  | { readonly _tag: "Put"; readonly path: string; readonly data: Uint8Array; readonly version: number | null }
  /** Errors: NotFound, CasFailed, NotEmpty (a directory with children, and not `recursive`), Invalid (the root). */
  | { readonly _tag: "Delete"; readonly path: string; readonly version: number | null; readonly recursive: boolean }

/** Answered from the current state. */
export type ReadOperation =
  /** The value of a blob. Errors: NotFound, WrongType. */
  | { readonly _tag: "Get"; readonly path: string }
  /** Of any element. Errors: NotFound. */
  | { readonly _tag: "Stat"; readonly path: string }
  /** One page of a directory's children in order of their names. Errors: NotFound, WrongType. */
  | {
    readonly _tag: "List"
    readonly path: string
    /** How many entries at most: 1 to `Limits.list_page_max`. */
    readonly limit: number
    /** Begins behind this name, whether or not it (still) exists. */
    readonly after: string | null
  }

export type Operation = WriteOperation | ReadOperation

export const isWrite = (operation: Operation): operation is WriteOperation =>
  operation._tag === "Create" || operation._tag === "Put" || operation._tag === "Delete"

const writer = new MsgpackWriter()
const reader = new MsgpackReader()

/** The encoding: not to be kept for long, as it keeps others with it. Encodes what {@link refuseOperation} passes; check first. */
export const encodeOperation = (operation: Operation): Uint8Array => {
  switch (operation._tag) {
    case "Create":
      return writer.start().array(5).string("create").string(operation.path).string(operation.type).bin(operation.data)
        .boolean(operation.parents).lend()
    case "Put":
      writer.start().array(4).string("put").string(operation.path).bin(operation.data)
      return orNil(operation.version).lend()
    case "Delete":
      writer.start().array(4).string("delete").string(operation.path)
      return orNil(operation.version).boolean(operation.recursive).lend()
    case "Get":
      return writer.start().array(2).string("get").string(operation.path).lend()
    case "Stat":
      return writer.start().array(2).string("stat").string(operation.path).lend()
    case "List": {
      writer.start().array(4).string("list").string(operation.path).uint(operation.limit)
      return (operation.after === null ? writer.nil() : writer.string(operation.after)).lend()
    }
  }
}

const orNil = (version: number | null): MsgpackWriter => version === null ? writer.nil() : writer.uint(version)

/** Why the store would not take this operation, whatever its state; `undefined` if it would. */
export const refuseOperation = (operation: Operation): Refusal | undefined => {
  const { path } = operation
  const refusal = refusePath(path)
  if (refusal !== undefined) return refusal
  switch (operation._tag) {
    case "Create": {
      const reason = elementKinds[operation.type].refuse(operation.data)
      return reason === undefined ? refuseData(path, operation.data) : invalid(path, reason)
    }
    case "Put":
      return refuseData(path, operation.data) ?? refuseVersion(path, operation.version)
    case "Delete":
      return path === "/" ? invalid(path, "the root cannot be deleted") : refuseVersion(path, operation.version)
    case "Get":
    case "Stat":
      return undefined
    case "List":
      return refuseLimit(path, operation.limit)
        ?? (operation.after === null ? undefined : refuseResumeToken(path, operation.after))
  }
}

const refuseData = (path: string, data: Uint8Array): Refusal | undefined =>
  data.length <= Limits.value_bytes_max ? undefined : exceeded(path, "value_bytes_max", data.length)

const refuseVersion = (path: string, version: number | null): Refusal | undefined =>
  version === null || (Number.isSafeInteger(version) && version >= 0) ? undefined : invalid(path, notAVersion)

const refuseLimit = (path: string, limit: number): Refusal | undefined => {
  if (!Number.isSafeInteger(limit) || limit < 1) return invalid(path, notALimit)
  return limit <= Limits.list_page_max ? undefined : exceeded(path, "list_page_max", limit)
}

const notAVersion = "the version is neither nil nor a whole number from 0 to 2^53 - 1"
const notALimit = "the limit of a page is not a whole number from 1 up"

/**
 * The operation, or why it is none. Never throws, and takes no more memory than the input has.
 * Data is a view of `bytes`: copy what is kept.
 */
export const decodeOperation = (bytes: Uint8Array): Operation | Refusal => {
  const r = reader
  r.open(bytes)
  const fields = r.array("operation", bytes.length)
  if (r.fault !== null) return invalid("", "an operation is a msgpack array")
  const name = r.oneOf(operationNames) ?? r.string("name", bytes.length)
  if (r.fault !== null) return invalid("", "an operation begins with its name, a string")
  const expected = fieldCounts.get(name)
  if (expected === undefined) return invalid("", `unknown operation "${shownPath(name)}"`)
  if (fields !== expected) return invalid("", `"${name}" has ${expected} fields, not ${fields}`)
  const path = r.string("path", bytes.length)
  if (r.fault !== null) return invalid(r.refused, "the path is not a string of well-formed UTF-8")
  const operation = readFields(name, path, bytes.length)
  if (operation._tag === "Error") return operation
  if (!r.close()) return invalid(path, `bytes follow the "${name}" operation`)
  return refuseOperation(operation) ?? operation
}

/** With the name. */
const fieldCounts: ReadonlyMap<string, number> = new Map([
  ["put", 4], ["get", 2], ["create", 5], ["delete", 4], ["stat", 2], ["list", 4]
])
const operationNames: ReadonlyArray<string> = [...fieldCounts.keys()]

/** `max`: no string and no bin is longer, in bytes. */
const readFields = (name: string, path: string, max: number): Operation | Refusal => {
  const r = reader
  switch (name) {
    case "create":
      return readCreate(path, max)
    case "put": {
      const data = r.bin("data", max)
      if (r.fault !== null) return invalid(path, "the data is not a bin")
      const version = readVersion()
      return r.fault === null ? { _tag: "Put", path, data, version } : invalid(path, notAVersion)
    }
    case "delete": {
      const version = readVersion()
      if (r.fault !== null) return invalid(path, notAVersion)
      const recursive = r.boolean("recursive")
      return r.fault === null ? { _tag: "Delete", path, version, recursive }
        : invalid(path, "\"recursive\" is not a boolean")
    }
    case "get":
      return { _tag: "Get", path }
    case "stat":
      return { _tag: "Stat", path }
    default: {
      const limit = r.integer("limit")
      if (r.fault !== null) return invalid(path, notALimit)
      const after = r.nullable("resume token", max)
      return r.fault === null ? { _tag: "List", path, limit, after }
        : invalid(path, "the resume token is neither nil nor a string of well-formed UTF-8")
    }
  }
}

const readCreate = (path: string, max: number): Operation | Refusal => {
  const r = reader
  const type = r.oneOf(elementTypes) ?? r.string("type", max)
  if (r.fault !== null) return invalid(path, "the element type is not a string")
  if (!isElementType(type)) return invalid(path, `unknown element type "${shownPath(type)}": ${elementTypesInWords}`)
  const data = r.bin("data", max)
  if (r.fault !== null) return invalid(path, "the data is not a bin")
  const parents = r.boolean("parents")
  return r.fault === null ? { _tag: "Create", path, type, data, parents }
    : invalid(path, "\"parents\" is not a boolean")
}

const readVersion = (): number | null => reader.nil() ? null : reader.integer("version")
