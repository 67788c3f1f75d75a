/**
 * Calls and answers in words, for explanations.
 *
 * @module
 */
import type { Operation, Result } from "../../../src/store/Operation.ts"
import type { Known, Unknown } from "./Calls.ts"
import { untold } from "./Model.ts"

const shown_bytes_max = 24

const shownData = (data: Uint8Array): string => {
  const text = Buffer.from(data.subarray(0, shown_bytes_max)).toString("latin1")
  return `${JSON.stringify(text)}${data.length > shown_bytes_max ? `… (${data.length} bytes)` : ""}`
}

const shownVersion = (version: number): string => version === untold ? "a version nobody was told" : `version ${version}`

export const operationInWords = (operation: Operation): string => {
  const { path } = operation
  switch (operation._tag) {
    case "Create":
      return `create ${path}${operation.parents ? " with parents" : ""} ${
        operation.type === "directory" ? "as a directory" : shownData(operation.data)}`
    case "Put":
      return `put ${path} ${shownData(operation.data)}${operation.version === null ? "" : ` if at version ${operation.version}`}`
    case "Delete":
      return `delete ${path}${operation.recursive ? " recursively" : ""}${
        operation.version === null ? "" : ` if at version ${operation.version}`}`
    case "List":
      return `list ${path}${operation.after === null ? "" : ` after ${operation.after}`} (at most ${operation.limit})`
    case "Get":
    case "Stat":
      return `${operation._tag.toLowerCase()} ${path}`
  }
}

export const resultInWords = (result: Result): string => {
  switch (result._tag) {
    case "Written":
      return result.version === untold ? "done" : `done at version ${result.version}`
    case "Value":
      return `${shownData(result.data)} at ${shownVersion(result.version)}`
    case "Stat":
      return `${result.type} at ${shownVersion(result.version)}, created at ${shownVersion(result.created_version)}, ${
        result.type === "blob" ? `${result.size} bytes` : `${result.children} children`}`
    case "Page": {
      const entries = result.entries.map(({ children, name, size, type, version }) =>
        `${name} (${type === "blob" ? `${size} bytes` : `${children} children`}, ${shownVersion(version)})`)
      return `[${entries.slice(0, 8).join(", ")}${entries.length > 8 ? `, … ${entries.length} in all` : ""}]${
        result.next === null ? "" : ` and more after ${result.next}`}`
    }
    case "Error":
      switch (result.code) {
        case "CasFailed":
          return `CasFailed: ${result.path} is at ${shownVersion(result.actual)}, not ${result.expected}`
        case "NotEmpty":
          return `NotEmpty: ${result.children} children`
        case "ParentNotFound":
          return `ParentNotFound: there is no ${result.parent}`
        case "WrongType":
          return `WrongType: ${result.path} is a ${result.actual}`
        default:
          return result.code
      }
  }
}

/** `client: operation [from, to] → answer`, positions as in the history. */
export const callInWords = ({ call }: Known | Unknown): string => {
  const { client, invoked, operation, result, returned } = call
  const answer = result === null || returned === null ? "outcome unknown" : resultInWords(result)
  return `${client}: ${operationInWords(operation)} [${invoked}, ${returned ?? "…"}] → ${answer}`
}
