/**
 * Values as text: pure, and safe to show. Nothing from outside reaches a terminal with its control characters.
 *
 * @module
 */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Base64 from "effect/encoding/Base64"
import { displayWidth } from "effect/cli/CliOutput"
import { editDistance } from "../base/Suggest.ts"

/** Characters that move the cursor, start escape sequences, hide, or turn the writing direction round. */
const unprintable = /[\p{Cc}\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu

/** Text for one cell or one line: every character that could disturb it is escaped (`\n`, `\u001b`). */
export const printable = (text: string): string =>
  text.replace(unprintable, (c) => {
    if (c === "\n") return "\\n"
    return c === "\t" ? "\\t" : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`
  })

/** Text of several lines: line ends and tabs stay. */
export const printableLines = (text: string): string =>
  text.split("\n").map((line) => line.split("\t").map(printable).join("\t")).join("\n")

/** The text that the bytes are in UTF-8, exactly; or `undefined`. */
export const utf8 = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Text that a person can read on a terminal as it is. */
export const readable = (bytes: Uint8Array): string | undefined => {
  const text = utf8(bytes)
  if (text === undefined) return undefined
  return text.replaceAll(/\r?\n|\t/g, "").search(unprintable) < 0 ? text : undefined
}

/** Bytes in JSON: as text if they are text, else in base64. */
export type JsonBytes = { readonly utf8: string } | { readonly base64: string }

export const jsonBytes = (bytes: Uint8Array): JsonBytes => {
  const text = utf8(bytes)
  return text === undefined ? { base64: Base64.encode(bytes) } : { utf8: text }
}

const bytes_per_line = 16

/** `00000010  68 65 6c …  |hel…|`, 16 bytes a line. */
export const hexdump = (bytes: Uint8Array): string => {
  const lines: Array<string> = []
  for (let at = 0; at < bytes.length; at += bytes_per_line) {
    const line = [...bytes.subarray(at, at + bytes_per_line)]
    const hex = line.map((byte) => byte.toString(16).padStart(2, "0")).join(" ")
    const ascii = line.map((byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".").join("")
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex.padEnd(bytes_per_line * 3)} |${ascii}|`)
  }
  return lines.join("\n")
}

/** Columns on a terminal. To ask for each character is slow, and most text is plain. */
const widthOf = (text: string): number => /^[\x20-\x7e]*$/.test(text) ? text.length : displayWidth(text)

const pad = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - widthOf(text)))

/** The width that each column needs: no less than `least`. */
export const columnWidths = (
  rows: ReadonlyArray<ReadonlyArray<string>>,
  least: ReadonlyArray<number> = []
): ReadonlyArray<number> => {
  const widths = [...least]
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, widthOf(cell))
    })
  }
  return widths
}

/** One row of a table: cells padded to their columns, two blanks between them, none at the end. */
export const aligned = (row: ReadonlyArray<string>, widths: ReadonlyArray<number>): string =>
  row.map((cell, i) => pad(cell, widths[i] ?? 0)).join("  ").trimEnd()

/** One row for another program. */
export const tabbed = (row: ReadonlyArray<string>): string => row.map(printable).join("\t")

const units = [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1_000]] as const

/** `4m12s`, `3d2h`, `0s`: the two largest units that matter. */
export const since = (ms: number): string => {
  const first = units.findIndex(([, unit_ms]) => ms >= unit_ms)
  if (first < 0) return "0s"
  let rest = ms
  return units.slice(first, first + 2).map(([name, unit_ms]) => {
    const count = Math.floor(rest / unit_ms)
    rest %= unit_ms
    return count === 0 ? "" : `${count}${name}`
  }).join("")
}

const sizes = ["KB", "MB", "GB", "TB"]

/** `512 B`, `1.5 KB`, `300 MB`: in powers of ten, two digits or three. */
export const size = (bytes: number): string => {
  let [value, unit] = [bytes, "B"]
  for (const larger of sizes) {
    if (value < 999.5) break
    ;[value, unit] = [value / 1_000, larger]
  }
  return `${unit === "B" || value >= 9.95 ? Math.round(value) : value.toFixed(1)} ${unit}`
}

/** A time in ms since 1970, in UTC; one that is none stays a number. */
export const timeText = (ms: number): string =>
  Option.match(DateTime.make(ms), { onNone: () => String(ms), onSome: (time) => DateTime.formatIso(time) })

/** A CRC-32 as all our programs show it. */
export const hex32 = (value: number): string => value.toString(16).padStart(8, "0")

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

/** Up to two edits away: what the user may have meant. */
export const closest = (word: string, candidates: ReadonlyArray<string>): ReadonlyArray<string> => {
  const distances = candidates.map((candidate) => ({ candidate, distance: editDistance(word, candidate) }))
  const least = Math.min(2, ...distances.map(({ distance }) => distance))
  return distances
    .filter(({ distance }) => distance === least && distance < word.length)
    .map(({ candidate }) => candidate)
}
