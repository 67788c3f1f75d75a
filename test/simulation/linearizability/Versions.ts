/**
 * What versions alone give away, over all keys at once and without a search: the version of a write is its place in the
 * one order of all writes, so most of what can go wrong shows in a comparison of two numbers.
 *
 * @module
 */
import type { WriteOperation } from "../../../src/store/Operation.ts"
import type { History, Known, Unknown } from "./Calls.ts"
import { isWithin, mayHaveMade } from "./Sightings.ts"
import type { Sighting } from "./Sightings.ts"
import { callInWords } from "./Words.ts"

export interface Contradiction {
  /** The path that it is about. */
  readonly path: string
  readonly explanation: string
  readonly calls: ReadonlyArray<Known | Unknown>
}

/** A version that was seen but returned to nobody, and the writes of unknown outcome that may be its own. */
export interface Slot {
  readonly version: number
  readonly candidates: ReadonlyArray<Unknown>
}

type Write = Known & { readonly operation: WriteOperation }

const isDone = (call: Known): call is Write => call.version > 0

/** The slots by version, or why there is no order. */
export const checkVersions = (history: History): ReadonlyArray<Slot> | Contradiction => {
  const writes = new Map<number, Write>()
  for (const write of history.known) {
    if (!isDone(write)) continue
    const other = writes.get(write.version)
    if (other !== undefined) return contradiction(write.operation.path, "two writes have one version", write, other)
    writes.set(write.version, write)
    if (write.floor >= write.version) {
      const what = `a write was answered with version ${write.version}, although version ${write.floor} had been seen before it began`
      return contradiction(write.operation.path, what, write, write.floor_by!)
    }
  }
  return checkStaleness(history.known, writes) ?? findSlots(history, writes)
}

const contradiction = (path: string, what: string, ...calls: ReadonlyArray<Known | Unknown>): Contradiction =>
  ({ path, explanation: [`${what}:`, ...calls.map((call) => `  ${callInWords(call)}`)].join("\n"), calls })

/** Nobody sees an element at a version that it no longer had before the call began. */
const checkStaleness = (known: ReadonlyArray<Known>, writes: ReadonlyMap<number, Write>): Contradiction | undefined => {
  const touched = new Map<string, Array<number>>()
  for (const version of [...writes.keys()].sort((a, b) => a - b)) {
    for (const path of touchedBy(writes.get(version)!.operation.path)) {
      const versions = touched.get(path)
      if (versions === undefined) touched.set(path, [version])
      else versions.push(version)
    }
  }
  for (const call of known) {
    // What a write saw was there until the write itself.
    const done = isDone(call) ? call.version - 1 : call.floor
    for (const { created, path, version } of call.sightings) {
      if (created || version >= done) continue
      const next = firstAbove(touched.get(path) ?? [], version)
      if (next === undefined || next > done) continue
      const write = writes.get(next)!
      const before = `${path} was seen at version ${version}, although version ${next} had replaced that before`
      const witnesses = isDone(call) || call.floor_by === write ? [] : [call.floor_by!]
      const what = witnesses.length === 0 ? before : `${before}: version ${done} had been told before this began`
      return contradiction(path, what, call, write, ...witnesses)
    }
  }
  return undefined
}

/** The path and all above it. */
const touchedBy = (path: string): ReadonlyArray<string> => {
  const paths = ["/"]
  for (let end = path.indexOf("/", 1); end !== -1; end = path.indexOf("/", end + 1)) paths.push(path.slice(0, end))
  if (path !== "/") paths.push(path)
  return paths
}

/** `sorted`: rising. */
const firstAbove = (sorted: ReadonlyArray<number>, version: number): number | undefined => {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! > version) high = middle
    else low = middle + 1
  }
  return sorted[low]
}

/**
 * Every version that was seen is that of a write that can have made what was seen. That it had begun follows from its
 * floor: what was told before it began is below its version.
 */
const findSlots = (
  { known, unknown }: History,
  writes: ReadonlyMap<number, Write>
): ReadonlyArray<Slot> | Contradiction => {
  const slots = new Map<number, ReadonlyArray<Unknown>>()
  for (const call of known) {
    for (const seen of call.sightings) {
      const { path, version } = seen
      if (path === "/" && version === 0) continue
      const write = writes.get(version)
      if (write !== undefined) {
        if (mayHaveMade(write.operation, seen)) continue
        return contradiction(path, `what was seen of ${path} does not come from the write that has its version`, call, write)
      }
      const candidates = (slots.get(version) ?? unknown).filter((one) =>
        one.floor < version && mayHaveMade(one.operation, seen)
      )
      if (candidates.length === 0) {
        const near = unknown.filter((one) => isWithin(one.operation.path, path)).slice(0, 3)
        return contradiction(path, unmade(seen), call, ...near)
      }
      slots.set(version, candidates)
    }
  }
  return [...slots].map(([version, candidates]) => ({ version, candidates })).sort((a, b) => a.version - b.version)
}

const unmade = ({ created, path, version }: Sighting): string =>
  `${path} was seen ${created ? "created at" : "at"} version ${version}, which no write can have given it, done or of unknown outcome`

