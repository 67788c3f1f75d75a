/**
 * A history made ready for the search: what can be left out is, the rest has its place in real time, and what is known
 * about versions from the order of calls alone.
 *
 * @module
 */
import type { Operation, Result, WriteOperation } from "../../../src/store/Operation.ts"
import { isWrite } from "../../../src/store/Operation.ts"
import type { Sighting } from "./Sightings.ts"
import { sightingsOf } from "./Sightings.ts"

/** One call of a client, as its client saw it. */
export interface Call {
  readonly client: string
  readonly operation: Operation
  /** Position in one global order of events: any rising numbers. At equal positions a return comes before an invocation. */
  readonly invoked: number
  /** `null`: the outcome is unknown; the call stays open for ever. */
  readonly returned: number | null
  /** `null` when unknown. */
  readonly result: Result | null
}

interface Timed<O extends Operation> {
  readonly call: Call
  readonly operation: O
  /** Places of its invocation and its return among all events, from 0. */
  readonly begin: number
  readonly end: number
  /** All writes up to `floor` were done before it began; of those from `ceiling` on none before it ended. */
  floor: number
  ceiling: number
  /** Who was told `floor` before this began. */
  floor_by: Known | null
}

/** A call whose outcome is known. */
export interface Known extends Timed<Operation> {
  readonly result: Result
  readonly sightings: ReadonlyArray<Sighting>
  /** Of a write that was done; 0: the call is a read of the state, as a write that failed is one. */
  readonly version: number
  /** Among all known calls by invocation. */
  readonly index: number
}

/** A write that may have been done, once, at any time after its invocation. Its end is infinite. */
export interface Unknown extends Timed<WriteOperation> {
  /** Among all of them by invocation. */
  readonly index: number
}

export interface History {
  /** By invocation, both. */
  readonly known: ReadonlyArray<Known>
  readonly unknown: ReadonlyArray<Unknown>
}

/** Answered from the request alone: tells nothing about the state. */
const isRefusal = (result: Result): boolean =>
  result._tag === "Error" && (result.code === "Invalid" || result.code === "LimitExceeded")

interface Event {
  readonly call: Call
  readonly at: number
  /** 0: return; 1: invocation; 2: return of a call that took no time. */
  readonly kind: 0 | 1 | 2
}

const eventsOf = (call: Call): ReadonlyArray<Event> => {
  const { invoked, result, returned } = call
  const invocation: Event = { call, at: invoked, kind: 1 }
  if (result === null || returned === null) return isWrite(call.operation) ? [invocation] : []
  if (isRefusal(result)) return []
  return [invocation, returned > invoked ? { call, at: returned, kind: 0 } : { call, at: invoked, kind: 2 }]
}

export const historyOf = (calls: ReadonlyArray<Call>): History => {
  const events = calls.flatMap(eventsOf).sort((a, b) => a.at - b.at || a.kind - b.kind)
  const ends = new Map<Call, number>()
  for (const [place, { call, kind }] of events.entries()) if (kind !== 1) ends.set(call, place)
  const known: Array<Known> = []
  const unknown: Array<Unknown> = []
  const order: Array<Known | Unknown> = []
  const timed = new Map<Call, Known>()
  for (const [begin, { call, kind }] of events.entries()) {
    if (kind !== 1) {
      order.push(timed.get(call)!)
      continue
    }
    const { operation, result } = call
    const end = ends.get(call) ?? Infinity
    const rest = { call, begin, end, floor: 0, ceiling: Infinity, floor_by: null }
    if (result === null || end === Infinity) {
      if (isWrite(operation)) unknown.push({ ...rest, operation, index: unknown.length })
      order.push(unknown.at(-1)!)
      continue
    }
    const version = isWrite(operation) && result._tag === "Written" ? result.version : 0
    const one = { ...rest, operation, result, sightings: sightingsOf(operation, result), version, index: known.length }
    known.push(one)
    timed.set(call, one)
    order.push(one)
  }
  bound(order)
  return { known, unknown }
}

const toldTo = ({ sightings, version }: Known): number =>
  sightings.reduce((highest, seen) => Math.max(highest, seen.version), version)

/** `order`: the call of each event. */
const bound = (order: ReadonlyArray<Known | Unknown>): void => {
  let teller: Known | null = null
  let floor = 0
  for (const [place, one] of order.entries()) {
    if (place === one.begin) {
      one.floor = floor
      one.floor_by = teller
    } else if ("result" in one && toldTo(one) > floor) {
      floor = toldTo(one)
      teller = one
    }
  }
  let ceiling = Infinity
  for (let place = order.length - 1; place >= 0; place--) {
    const one = order[place]!
    if (place === one.end) one.ceiling = ceiling
    else if ("result" in one && one.version > 0) ceiling = Math.min(ceiling, one.version)
  }
}
