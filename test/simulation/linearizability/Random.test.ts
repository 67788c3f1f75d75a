/**
 * Histories as long as those of a simulation, made by calls that were done one after the other and then spread over
 * time: all have an order. And those that have none since one answer is older than it may be.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { isWrite } from "../../../src/store/Operation.ts"
import { Model as StoreModel } from "../../store/Model.ts"
import { User } from "../../store/User.ts"
import { creations, operations, plans, runPlans } from "./Histories.ts"
import type { Call } from "./Linearizability.ts"
import { checkLinearizable } from "./Linearizability.ts"
import { Model } from "./Model.ts"

const paths = ["/a", "/a/x", "/a/y", "/b", "/b/x", "/b/x/z", "/c", "/d"]

const histories = (spreads: ReadonlyArray<number>) => fc.tuple(fc.boolean(), fc.constantFrom(...spreads)).chain(([root, spread]) =>
  fc.tuple(
    fc.array(creations(paths, spread), { minLength: 8, maxLength: 8 }),
    fc.array(plans(root ? [...paths, "/"] : paths, spread), { minLength: 40, maxLength: 150, size: "max" })
  )
).map(([first, then]) => runPlans([...first, ...then]))

describe("long histories", () => {
  it("that have an order are never called anything else", () => {
    let undecided = 0
    fc.assert(fc.property(histories([3, 20, 120]), (calls) => {
      const verdict = checkLinearizable(calls)
      assert.notStrictEqual(verdict._tag, "NotLinearizable", "explanation" in verdict ? verdict.explanation : "")
      if (verdict._tag === "Undecided") undecided++
    }), { numRuns: 150 })
    assert.isAtMost(undecided, 3)
  })

  it("with an answer from before the last write that had returned are found", () => {
    let tried = 0
    fc.assert(fc.property(histories([3, 20]), fc.nat(), (calls, which) => {
      const stale = staleAnswers(calls)
      if (stale.length === 0) return
      tried++
      const [at, older] = stale[which % stale.length]!
      const verdict = checkLinearizable(calls.with(at, { ...calls[at]!, result: older.result }))
      assert.strictEqual(verdict._tag, "NotLinearizable")
    }), { numRuns: 300 })
    assert.isAtLeast(tried, 50)
  })
})

/** Reads of a value, and reads of the same element before that were told of an older one. A write between has returned. */
const staleAnswers = (calls: ReadonlyArray<Call>): ReadonlyArray<readonly [number, Call]> =>
  calls.flatMap(({ invoked, operation, result }, at) => {
    if (result?._tag !== "Value") return []
    const write = calls.findLast((one) =>
      one.operation.path === operation.path && one.result?._tag === "Written" && one.returned! < invoked
    )
    if (write?.result?._tag !== "Written") return []
    const { version } = write.result
    const older = calls.find((one) =>
      one.operation.path === operation.path && one.result?._tag === "Value" && one.result.version < version
    )
    return older === undefined ? [] : [[at, older] as const]
  })

describe("the sequential model", () => {
  const steps = fc.array(operations([...paths, "/"]), { maxLength: 60, size: "max" })

  it("does what the store does, and what the model of the store's own tests does", () => {
    fc.assert(fc.property(steps, (some) => {
      const [model, other, user] = [new Model(), new StoreModel(), new User()]
      for (const operation of some) {
        const answer = user.execute(operation)
        const mine = model.execute(operation, user.op)
        assert.deepStrictEqual(plain(mine), plain(answer))
        assert.deepStrictEqual(plain(other.execute(operation, user.op)), plain(mine))
      }
    }), { numRuns: 200 })
  })

  it("takes everything back, and has one key for one content", () => {
    fc.assert(fc.property(steps, steps, (some, more) => {
      const model = new Model()
      for (const [op, operation] of some.entries()) model.execute(operation, op + 1)
      const { key, mark } = model
      const keys = new Set([key])
      for (const [index, operation] of more.entries()) {
        const isChanged = isWrite(operation) && model.execute(operation, 100 + index)._tag === "Written"
        assert.strictEqual(keys.has(model.key), !isChanged)
        keys.add(model.key)
      }
      const last = model.key
      model.rollback(mark)
      assert.strictEqual(model.key, key)
      for (const [index, operation] of more.entries()) if (isWrite(operation)) model.execute(operation, 100 + index)
      assert.strictEqual(model.key, last)
    }), { numRuns: 200 })
  })
})

const plain = (result: object): unknown =>
  JSON.parse(JSON.stringify(result, (_, one: unknown) => one instanceof Uint8Array ? [...one] : one))
