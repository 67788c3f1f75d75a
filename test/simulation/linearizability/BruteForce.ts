/**
 * The definition of linearizability, tried out: every subset of the writes of unknown outcome, in every order, with
 * every version that is mentioned anywhere. For histories of a few calls. Uses the store tests' model of the tree.
 *
 * @module
 */
import type { Operation, Result } from "../../../src/store/Operation.ts"
import { isWrite } from "../../../src/store/Operation.ts"
import { Model } from "../../store/Model.ts"
import type { Call } from "./Linearizability.ts"

interface Done {
  readonly operation: Operation
  readonly version: number
}

const plain = (result: Result): string =>
  JSON.stringify(result, (_, value: unknown) => value instanceof Uint8Array ? [...value] : value)

const mentioned = (calls: ReadonlyArray<Call>): ReadonlyArray<number> => {
  const numbers = new Set<number>()
  for (const { operation, result } of calls) {
    if ("version" in operation && operation.version !== null) numbers.add(operation.version)
    for (const [, digits] of JSON.stringify(result).matchAll(/"(?:\w*version|actual)":(\d+)/g)) numbers.add(Number(digits))
  }
  return [...numbers]
}

const isBefore = (a: Call, b: Call): boolean =>
  a.returned !== null && (a.returned < b.invoked || (a.returned === b.invoked && a.returned > a.invoked))

export const isLinearizable = (calls: ReadonlyArray<Call>): boolean => {
  const numbers = mentioned(calls)
  const search = (done: ReadonlyArray<Done>, rest: ReadonlyArray<Call>): boolean => {
    if (rest.every((call) => call.result === null)) return true
    return rest.some((call) => {
      const others = rest.filter((other) => other !== call)
      if (others.some((other) => isBefore(other, call))) return false
      return versionsFor(call, done, numbers).some((version) => {
        const model = new Model()
        for (const one of done) model.execute(one.operation, one.version)
        const result = model.execute(call.operation, version)
        if (call.result !== null && plain(result) !== plain(call.result)) return false
        const succeeded = isWrite(call.operation) && result._tag === "Written"
        return search(succeeded ? [...done, { operation: call.operation, version }] : done, others)
      })
    })
  }
  return search([], calls)
}

/** Which versions the write may have: its own, one that is mentioned somewhere, or one that nobody knows. */
const versionsFor = ({ result }: Call, done: ReadonlyArray<Done>, numbers: ReadonlyArray<number>): ReadonlyArray<number> => {
  const last = done.at(-1)?.version ?? 0
  if (result?._tag === "Written") return result.version > last ? [result.version] : []
  if (result !== null) return [0]
  // Closer to the last one than any that is mentioned, and than any after it.
  const unheard = last + 2 ** -(done.length + 5)
  return [unheard, ...numbers.filter((number) => number > last)]
}
