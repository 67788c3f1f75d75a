/**
 * Paths: `/` or `/name/name/…`, as in a file system. Names are compared by their UTF-16 code units, not normalised.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import type { LimitName, Refusal } from "./Result.ts"

/** Why this is not a path that the store takes, or `undefined` if it is one. */
export const refusePath = (path: string): Refusal | undefined => isPlain(path) ? undefined : refuseOddPath(path)

const slash = 0x2f
const dot = 0x2e

/** Is it beyond doubt such a path? Most are: ASCII, and no name begins with a dot. */
const isPlain = (path: string): boolean => {
  const { length } = path
  if (length < 2 || length > Limits.path_bytes_max) return false
  let depth = 0
  let last = slash
  for (let i = 0; i < length; i++) {
    const unit = path.charCodeAt(i)
    if (unit < 0x20 || unit > 0x7e) return false
    if (unit === slash) {
      if (last === slash && i > 0) return false
      depth++
    } else if (last === slash && (unit === dot || i === 0)) return false
    last = unit
  }
  return last !== slash && depth <= Limits.path_depth_max
}

/** The same of any path: it knows the words, and takes longer. */
export const refuseOddPath = (path: string): Refusal | undefined => {
  if (path.length > Limits.path_bytes_max) return exceeded(path, "path_bytes_max", utf8Length(path))
  if (path === "") return invalid(path, "a path is not empty: the root is \"/\"")
  if (!path.startsWith("/")) return invalid(path, "a path starts with \"/\"")
  const unfit = unfitCharacter(path)
  if (unfit !== undefined) return invalid(path, unfit)
  const bytes = utf8Length(path)
  if (bytes > Limits.path_bytes_max) return exceeded(path, "path_bytes_max", bytes)
  if (path === "/") return undefined
  if (path.endsWith("/")) return invalid(path, "only the root ends with \"/\"")
  const names = path.split("/")
  for (let i = 1; i < names.length; i++) {
    const name = names[i]!
    if (name === "") return invalid(path, `a name is empty: "//" at character ${path.indexOf("//")}`)
    if (name === "." || name === "..") return invalid(path, `"${name}" is not a name: paths are absolute`)
  }
  const depth = names.length - 1
  return depth > Limits.path_depth_max ? exceeded(path, "path_depth_max", depth) : undefined
}

/** Why this cannot stand for a place in a listing. It need not be a name that exists, nor one that could. */
export const refuseResumeToken = (path: string, token: string): Refusal | undefined => {
  const bytes = utf8Length(token)
  if (bytes > Limits.path_bytes_max) return exceeded(path, "path_bytes_max", bytes)
  return token.isWellFormed() ? undefined : invalid(path, "the resume token has half of a surrogate pair")
}

/** The names of a path that {@link refusePath} passed; none for the root. */
export const namesOf = (path: string): ReadonlyArray<string> => path === "/" ? [] : path.slice(1).split("/")

/** Why this cannot be a name of a path, in words, or `undefined` if it can. */
export const refuseName = (name: string): string | undefined => {
  if (name === "" || name === "." || name === ".." || name.includes("/")) return "it is no name"
  return unfitCharacter(name)
}

/** From this length on V8 makes a string of references to others: here, of a name one to its path. */
const composed_characters_min = 13

const utf8Encoder = new TextEncoder()
const utf8Decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** The same name in memory of its own. */
export const flat = (name: string): string =>
  name.length < composed_characters_min ? name : utf8Decoder.decode(utf8Encoder.encode(name))

/** The path of the first `count` names. */
export const pathOf = (names: ReadonlyArray<string>, count: number): string => `/${names.slice(0, count).join("/")}`

/** A path as errors carry it: whole if it could be one, else its beginning. */
export const shownPath = (path: string): string =>
  path.length <= Limits.path_bytes_max ? path.toWellFormed() : `${path.slice(0, shown_characters).toWellFormed()}…`

const shown_characters = 64

/** The refusal for `reason`, in words. */
export const invalid = (path: string, reason: string): Refusal => ({
  _tag: "Error",
  code: "Invalid",
  path: shownPath(path),
  reason
})

/** The refusal for more than the limit named `what`. */
export const exceeded = (path: string, what: LimitName, actual: number): Refusal => ({
  _tag: "Error",
  code: "LimitExceeded",
  path: shownPath(path),
  what,
  limit: Limits[what],
  actual
})

/** Control characters (C0, DEL, C1) hide in listings and end C strings; half a surrogate pair has no UTF-8. */
const unfitCharacter = (path: string): string | undefined => {
  for (let i = 0; i < path.length; i++) {
    const unit = path.charCodeAt(i)
    if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f)) {
      return `character ${i} is the control character U+${unit.toString(16).toUpperCase().padStart(4, "0")}`
    }
  }
  return path.isWellFormed() ? undefined : "it has half of a surrogate pair"
}

export const utf8Length = (text: string): number => {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    // A pair is two units and four bytes: two for each half.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2
  }
  return bytes
}
