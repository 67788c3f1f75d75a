/**
 * Why a search for an order ended: the place where it came furthest, in words.
 *
 * @module
 */
import type { Call, Known, Unknown } from "./Calls.ts"
import { type Model, sameResult } from "./Model.ts"
import type { Promises } from "./Promises.ts"
import { callInWords, resultInWords } from "./Words.ts"

/** A configuration from which nothing leads on. */
export interface DeadEnd {
  readonly done: ReadonlyArray<Known | Unknown>
  /** Reads that can be next but do not fit. */
  readonly blocked: ReadonlyArray<Known>
  /** The write that has to be next, if it has begun. */
  readonly write: Known | null
  /** A version that has to be next, and the writes of unknown outcome that may have made it. */
  readonly slot: { readonly version: number; readonly candidates: ReadonlyArray<Unknown> } | null
  readonly model: Model
  readonly promises: Promises
}

export interface Furthest {
  readonly done: number
  readonly lines: ReadonlyArray<string>
  readonly calls: ReadonlyArray<Call>
}

const shown_max = 4
const candidates_shown_max = 3

export const explain = (end: DeadEnd): Furthest => {
  const blocked = end.blocked.toSorted((a, b) => a.end - b.end)
  const shown = blocked.slice(0, shown_max)
  const lines = shown.map((read) => `${callInWords(read)}; ${insteadOf(read, end.model)}`)
  const calls: Array<Known | Unknown> = [...shown]
  if (blocked.length > shown.length) lines.push(`and ${blocked.length - shown.length} more`)
  if (end.write !== null) {
    calls.push(end.write)
    lines.push(`${callInWords(end.write)}; ${whyNot(end.write, end, calls)}`)
  }
  if (end.slot !== null) {
    const { candidates, version } = end.slot
    const some = candidates.slice(0, candidates_shown_max)
    calls.push(...some)
    lines.push(`the write that had version ${version}, which is one of ${candidates.length} of unknown outcome:`)
    for (const one of some) lines.push(`  ${callInWords(one)}; ${whyNot(one, end, calls)}`)
  }
  const last = end.done.at(-1)
  return {
    done: end.done.length,
    lines: [...last === undefined ? [] : [`the last of them: ${callInWords(last)}`], ...lines],
    calls: [...new Set(calls)].map(({ call }) => call)
  }
}

const insteadOf = (call: Known, model: Model): string => {
  const instead = model.probe(call.operation)
  return sameResult(instead, call.result) ? "that would be too early here" : `here it would be: ${resultInWords(instead)}`
}

/** Adds to `calls` whom the answer names. */
const whyNot = (call: Known | Unknown, { done, model, promises }: DeadEnd, calls: Array<Known | Unknown>): string => {
  const instead = model.probe(call.operation)
  if (instead._tag !== "Written") return `here it would be: ${resultInWords(instead)}`
  const broken = promises.broken(promises.endedBy(call.operation, model), new Set([...done, call]))
  if (broken === undefined) return "that leads nowhere from here"
  calls.push(broken)
  return `then this could not be answered any more: ${callInWords(broken)}`
}
