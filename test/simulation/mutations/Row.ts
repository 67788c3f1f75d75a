/**
 * One row of the table: a deliberate bug, as a change of one source file. The file itself stays as it is; the change is
 * made while a process loads it (hook.ts).
 *
 * @module
 */
import { readFileSync } from "node:fs"

/** One deliberate bug. */
export interface Mutation {
  /** Starts with the number of the fix that it takes back (docs/DIVERGENCES.md), if it is one of those. */
  readonly name: string
  /** What goes wrong in the protocol, in one sentence. */
  readonly what: string
  /** From the project's root, with slashes. */
  readonly file: string
  /** Occurs exactly once in the file, so that a change of the source cannot silently disarm the mutation. */
  readonly find: string
  readonly replace: string
  /**
   * What must catch it: random runs if left out; else the exhaustive search, within its small bounds, for what chance
   * does not lead to the end.
   */
  readonly by?: "search"
  /** Within so many runs (seeds 1, 2, 3, …) or states; at least five times as many runs as it took. */
  readonly budget: number
}

/** The file's text with the bug in it. */
export const mutate = ({ file, find, name, replace }: Mutation, text: string): string => {
  const pieces = text.split(find)
  if (pieces.length === 2) return pieces.join(replace)
  throw new Error(`"${name}" does not fit ${file}: its text occurs ${pieces.length - 1} times there, expected once`)
}

export const urlOf = ({ file }: Mutation): URL => new URL(`../../../${file}`, import.meta.url)

export const sourceOf = (mutation: Mutation): string => readFileSync(urlOf(mutation), "utf8")
