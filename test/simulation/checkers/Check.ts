/**
 * Assertions that cost nothing while they hold: they run at every step.
 *
 * @module
 */

import type { Entry } from "../../../src/vr/Message.ts"

/** A rule was broken. */
export class Violation extends Error {
  override readonly name = "Violation"
  /** Which one, in the same words each time. */
  readonly rule: string

  constructor(who: string, rule: string, seen: string) {
    super(seen === "" ? `${who}: ${rule}` : `${who}: ${rule} (${seen})`)
    this.rule = rule
  }
}

const violated = (who: string, fact: string, seen: string): never => {
  throw new Violation(who, fact, seen)
}

export const holds = (condition: boolean, who: string, fact: string, detail: number | string = ""): void => {
  if (!condition) violated(who, fact, String(detail))
}

export const atMost = (left: number, right: number, who: string, fact: string): void => {
  if (left > right) violated(who, fact, `${left} > ${right}`)
}

export const atLeast = (left: number, right: number, who: string, fact: string): void => {
  if (left < right) violated(who, fact, `${left} < ${right}`)
}

export const same = (left: unknown, right: unknown, who: string, fact: string): void => {
  if (left !== right) violated(who, fact, `${JSON.stringify(left)} ≠ ${JSON.stringify(right)}`)
}

/** Is it the same in the log? One that was packed meanwhile is another object. */
export const isSameEntry = (left: Entry, right: Entry): boolean =>
  left === right ||
  left.op === right.op && left.view === right.view && left.time === right.time && left.kind === right.kind &&
    left.session === right.session && left.request === right.request && left.answered === right.answered &&
    Buffer.compare(left.operation, right.operation) === 0

export const sameEntry = (left: Entry | undefined, right: Entry | undefined, who: string, fact: string): void => {
  if (left === undefined || right === undefined || !isSameEntry(left, right)) same(left, right, who, fact)
}
