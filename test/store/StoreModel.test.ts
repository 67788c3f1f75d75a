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
import { squeeze } from "../simulation/Squeeze.ts"
import { bytes, User } from "./User.ts"

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

  const withPrefetch = (elements_min: number, body: () => void): void => {
    const release = squeeze({ prefetch_elements_min: elements_min })
    try {
      body()
    } finally {
      release()
    }
  }

  it("does the same, whatever it is told beforehand of what comes", () => {
    const name = fc.nat(400).map((n) => n % 7 === 0 ? `sub/${n}` : `${n}`)
    const change = fc.tuple(fc.constantFrom("create", "create", "put", "delete"), name, fc.nat(9))
    withPrefetch(0, () => fc.assert(fc.property(fc.array(change, { size: "max", maxLength: 600 }), (changes) => {
      const [told, plainly] = [new User(), new User()]
      for (const user of [told, plainly]) for (let n = 100; n < 300; n++) user.create(`/d/${n}`, "0", { parents: true })
      const encoded = changes.map(([, name]) => encodeOperation({ _tag: "Put", path: `/d/${name}`, data: bytes("x"), version: null }))
      for (const [index, [kind, name, value]] of changes.entries()) {
        if (index % 40 === 0) told.store.prefetch(encoded.slice(index, index + 40))
        const [a, b] = [told, plainly].map((user) => {
          const path = `/d/${name}`
          if (kind === "create") return user.create(path, `${value}`, { parents: true })
          return kind === "put" ? user.put(path, `${value}`) : user.delete(path)
        })
        assert.deepStrictEqual(a, b)
      }
      assert.deepStrictEqual(told.dump(), plainly.dump())
    }), { numRuns: 30 }))
  })

  it("is deterministic: the same log gives the same answers and the same content, byte for byte", () => {
    const log = fc.array(step, { maxLength: 60, size: "max" })
    withPrefetch(0, () => fc.assert(fc.property(log, fc.array(fc.uint8Array()), (steps, garbage) => {
      const model = new Model()
      const log = steps.map((one, index) => {
        const operation = one(model)
        model.execute(operation, index + 1)
        return encodeOperation(operation)
      })
      // The second replica gets its log from elsewhere in memory, executes at other times of day, and is asked in between.
      const [first, second] = [makeStore(), makeStore()]
      const all = [...log, ...garbage]
      for (const [index, entry] of all.entries()) {
        second.prefetch(all.slice(index))
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
    }), { numRuns: 100 }))
  })
})
