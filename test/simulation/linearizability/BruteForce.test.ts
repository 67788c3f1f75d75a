/**
 * The key test of the checker: the same verdict as the definition, on thousands of small histories, good and bad.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { Operation, Result } from "../../../src/store/Operation.ts"
import { isLinearizable } from "./BruteForce.ts"
import { bytes, plans, runPlans } from "./Histories.ts"
import type { Call } from "./Linearizability.ts"
import { checkLinearizable } from "./Linearizability.ts"

/** Each changes one answer, or the time of one call. */
type Mutation = (call: Call, other: Call, by: number) => Call

const shifted = (result: Result, by: number): Result => {
  if (result._tag === "Written" || result._tag === "Value") return { ...result, version: Math.max(1, result.version + by) }
  if (result._tag === "Stat") return { ...result, version: Math.max(1, result.version + by) }
  if (result._tag === "Error" && result.code === "CasFailed") return { ...result, actual: Math.max(1, result.actual + by) }
  if (result._tag === "Error" && result.code === "NotEmpty") return { ...result, children: result.children + 1 }
  return result
}

const missing = ({ path }: Operation): Result => ({ _tag: "Error", code: "NotFound", path })

const mutations: ReadonlyArray<Mutation> = [
  (call) => call,
  (call, _, by) => call.result === null ? call : { ...call, result: shifted(call.result, by) },
  (call, other) => call.result === null || other.result === null || call.operation._tag !== other.operation._tag
    ? call : { ...call, result: other.result },
  (call) => call.result?._tag === "Value" ? { ...call, result: { ...call.result, data: bytes("x") } } : call,
  (call) => call.result === null ? call : { ...call, result: missing(call.operation) },
  (call, _, by) => call.returned === null ? call : { ...call, invoked: call.invoked + 4 * by, returned: call.returned + 4 * by }
]

const paths = [["/a", "/b"], ["/a", "/a/b", "/a/c"], ["/a"], ["/a", "/a/b", "/c", "/"], ["/a/b", "/a/c", "/d/b"]]

const histories = fc.constantFrom(...paths).chain((some) =>
  fc.record({
    some: fc.array(plans(some, 14), { minLength: 2, maxLength: 6, size: "max" }),
    mutation: fc.constantFrom(...mutations),
    which: fc.nat(5),
    from: fc.nat(5),
    by: fc.constantFrom(-2, -1, 1, 2)
  })
).map(({ by, from, mutation, some, which }) => {
  const calls = runPlans(some)
  const at = which % calls.length
  return calls.with(at, mutation(calls[at]!, calls[from % calls.length]!, by))
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
    }), { numRuns: Number(process.env["RUNS"] ?? 5_000) })
    assert.isAbove(verdicts.good, 500)
    assert.isAbove(verdicts.bad, 100)
  })
})
