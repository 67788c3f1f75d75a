/**
 * The store against a naive model, over random sequences of operations; and two stores against each other.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { encodeOperation, isWrite } from "../../src/store/Operation.ts"
import { makeStore } from "../../src/store/Store.ts"
import { Model } from "./Model.ts"
import { plain, questions, step } from "./Steps.ts"
import { User } from "./User.ts"

describe("the store", () => {
  it("does what a naive model does", () => {
    const seen = new Map<string, number>()
    fc.assert(fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const user = new User()
      const model = new Model()
      for (const one of steps) {
        const operation = one(model)
        const result = user.execute(operation)
        assert.deepStrictEqual(plain(result), model.execute(operation, user.op))
        assert.deepStrictEqual(user.store.stats(), model.stats())
        const outcome = `${operation._tag} ${result._tag === "Error" ? result.code : result._tag}`
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
      }
      for (const one of questions(model)) assert.deepStrictEqual(plain(user.execute(one)), model.execute(one, 0))
    }), { numRuns: 300 })
    // The sequences are worth something only if they get everywhere.
    for (
      const outcome of [
        "Create Written", "Create AlreadyExists", "Create ParentNotFound", "Create WrongType", "Put Written", "Put NotFound",
        "Put WrongType", "Put CasFailed", "Delete Written", "Delete NotFound", "Delete CasFailed", "Delete NotEmpty",
        "Get Value", "Get NotFound", "Get WrongType", "Stat Stat", "Stat NotFound", "List Page", "List NotFound", "List WrongType"
      ]
    ) assert.isAtLeast(seen.get(outcome) ?? 0, 10, outcome)
  })

  it("is deterministic: the same log gives the same answers and the same content, byte for byte", () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 60, size: "max" }), fc.array(fc.uint8Array()), (steps, garbage) => {
      const model = new Model()
      const log = steps.map((one, index) => {
        const operation = one(model)
        model.execute(operation, index + 1)
        return encodeOperation(operation)
      })
      // The second replica gets its log from elsewhere in memory, executes at other times of day, and is asked in between.
      const [first, second] = [makeStore(), makeStore()]
      for (const [index, entry] of [...log, ...garbage].entries()) {
        const answer = first.apply(entry, { op: index + 1, time: 0, session: 1 })
        second.query(entry)
        second.refuseWrite(entry)
        assert.deepStrictEqual(second.apply(Buffer.from(entry), { op: index + 1, time: 5 * index, session: 1 }), answer)
      }
      assert.deepStrictEqual(second.stats(), first.stats())
      for (const one of questions(model)) {
        assert.isFalse(isWrite(one))
        assert.deepStrictEqual(second.query(encodeOperation(one)), first.query(encodeOperation(one)))
      }
    }), { numRuns: 100 })
  })
})
