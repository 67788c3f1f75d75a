/**
 * The key test of the checker: the same verdict as the definition, on thousands of small histories, good and bad.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { Operation, Result } from "../../../src/store/Operation.ts"
import { isLinearizable } from "./BruteForce.ts"
import { bytes, creations, plans, runPlans } from "./Histories.ts"
import type { Call } from "./Linearizability.ts"
import { checkLinearizable } from "./Linearizability.ts"

/** Changes one answer, or the time of one call. `others`: the rest of the history. */
type Mutation = (call: Call, others: ReadonlyArray<Call>, by: number) => Call

const withResult = (call: Call, change: (result: Result) => Result): Call => {
  const result = call.result === null ? null : change(call.result)
  return result === call.result ? call : { ...call, result }
}

const shifted = (by: number) => (result: Result): Result => {
  switch (result._tag) {
    case "Written":
    case "Value":
      return { ...result, version: Math.max(1, result.version + by) }
    case "Stat":
      if (by === 1) return { ...result, children: result.children + 1 }
      if (by === 2) return { ...result, created_version: Math.max(1, result.created_version - 1) }
      return { ...result, version: Math.max(1, result.version + by) }
    case "Page":
      return { ...result, entries: result.entries.map((entry) => ({ ...entry, version: Math.max(1, entry.version + by) })) }
    case "Error":
      if (result.code === "CasFailed") return { ...result, actual: Math.max(1, result.actual + by) }
      return result.code === "NotEmpty" ? { ...result, children: result.children + 1 } : result
  }
}

const refused = ({ _tag, path }: Operation): Result =>
  ({ _tag: "Error", code: _tag === "Create" ? "AlreadyExists" : "NotFound", path })

const mutations: ReadonlyArray<Mutation> = [
  (call, _, by) => withResult(call, shifted(by)),
  // The answer that somebody else got to the same question.
  (call, others, by) => {
    const answers = others.filter(({ operation }) => operation._tag === call.operation._tag && operation.path === call.operation.path)
      .flatMap(({ result }) => result === null || result._tag === "Written" ? [] : [result])
    return withResult(call, (result) => answers.at(by) ?? result)
  },
  (call) => withResult(call, (result) => result._tag === "Value" ? { ...result, data: bytes("x") } : result),
  (call) => withResult(call, () => refused(call.operation)),
  (call, _, by) => call.returned === null ? call : { ...call, invoked: call.invoked + 6 * by, returned: call.returned + 6 * by },
  // As if it had not been done, or had been.
  (call) => call.result?._tag === "Written" ? { ...call, returned: null, result: null } : call,
  (call, others) => {
    const { operation } = call
    if (call.result !== null || operation._tag !== "Create") return call
    const version = Math.max(0, ...others.map(({ result }) => result?._tag === "Written" ? result.version : 0)) + 1
    return { ...call, returned: 2_000, result: { _tag: "Written", version } }
  }
]

const change = fc.tuple(fc.constantFrom(...mutations), fc.nat(5), fc.constantFrom(-2, -1, 1, 2))

const pathSets = [["/a", "/b"], ["/a", "/a/b", "/a/c"], ["/a"], ["/a", "/a/b", "/c", "/"], ["/a/b", "/a/c", "/d/b"]]

const histories = fc.tuple(fc.constantFrom(...pathSets), fc.constantFrom(2, 6, 14)).chain(([paths, spread]) =>
  fc.record({
    first: fc.array(creations(paths, spread), { maxLength: 2, size: "max" }),
    later: fc.array(plans(paths, spread), { minLength: 1, maxLength: 4, size: "max" }),
    changes: fc.array(change, { minLength: 1, maxLength: 3, size: "max" })
  })
).map(({ changes, first, later }) => {
  let calls = runPlans([...first, ...later])
  for (const [mutation, which, by] of changes) {
    const changed = calls.map((call, at) => mutation(call, calls.toSpliced(at, 1), by))
    // One of those that it can change.
    const places = changed.flatMap((call, at) => call === calls[at] ? [] : [at])
    const at = places[which % places.length]
    if (at !== undefined) calls = calls.with(at, changed[at]!)
  }
  return calls
})

describe("the checker, against the definition", () => {
  it("gives the same verdict", () => {
    const verdicts = { good: 0, bad: 0 }
    fc.assert(fc.property(histories, (calls) => {
      const verdict = checkLinearizable(calls)
      const expected = isLinearizable(calls)
      verdicts[expected ? "good" : "bad"]++
      const explained = verdict._tag === "NotLinearizable" ? verdict.explanation : ""
      assert.strictEqual(verdict._tag, expected ? "Linearizable" : "NotLinearizable", explained)
    }), { numRuns: 5_000 })
    // It is worth something only if there are both.
    assert.isAbove(verdicts.good, 1_000)
    assert.isAbove(verdicts.bad, 500)
  })
})
