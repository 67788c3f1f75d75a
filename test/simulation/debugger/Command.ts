/**
 * What a command of the debugger is; Commands.ts has them all.
 *
 * @module
 */
import type { Paint } from "../../../src/cli/Output.ts"
import type { Session } from "./Session.ts"

/** What a command may use beside its words. */
export interface Context {
  readonly session: Session
  readonly paint: Paint
}

/** A command cannot do what it was asked: said to the user, who goes on. */
export class Complaint extends Error {
  override readonly name = "Complaint"
}

export interface Command {
  readonly name: string
  readonly aliases: ReadonlyArray<string>
  /** `[n]`, `<replica>`, … */
  readonly usage: string
  /** One line. */
  readonly purpose: string
  /** The rest of its help: examples first. */
  readonly help: string
  /** What its arguments may be. */
  readonly words?: (session: Session) => ReadonlyArray<string>
  /** What it has to say; null: the debugger is to be left. Throws a Complaint. */
  readonly run: (context: Context, args: ReadonlyArray<string>) => string | null
}

/** A count: 1 if it is not given. */
export const countOf = (word: string | undefined, what: string, otherwise = 1): number => {
  if (word === undefined) return otherwise
  if (!/^\d{1,9}$/.test(word) || Number(word) === 0) throw new Complaint(`${what} is a number from 1, not "${word}"`)
  return Number(word)
}

/** Two or more columns, the first ones padded. */
export const columns = (rows: ReadonlyArray<ReadonlyArray<string>>, indent = "  "): ReadonlyArray<string> => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)))
  return rows.map((row) => `${indent}${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd())
}
