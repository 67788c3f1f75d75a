/**
 * The store against a naive model, over random sequences of operations; and two stores against each other.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { encodeOperation, isWrite, type Operation, type Result } from "../../src/store/Operation.ts"
import { makeStore } from "../../src/store/Store.ts"
import { Model } from "./Model.ts"
import { User } from "./User.ts"

/** Few names, so that paths meet; some that sort or share beginnings in tricky ways, and one that V8 would slice. */
const name = fc.constantFrom("a", "b", "ab", "a.", "A", "é", "\uffff", "😀", "a name that is rather long")
const path = fc.array(name, { minLength: 1, maxLength: 4, size: "small" }).map((names) => `/${names.join("/")}`)
const anyPath = fc.oneof({ weight: 9, arbitrary: path }, { weight: 1, arbitrary: fc.constant("/") })
const data = fc.oneof(fc.uint8Array({ maxLength: 4 }), fc.integer({ min: 510, max: 515 }).map((length) => new Uint8Array(length)))

/** What the writer believes the version to be: known only when it comes to it. */
type Guess = "none" | "right" | number
const guess = fc.oneof(fc.constant<Guess>("none"), fc.constant<Guess>("right"), fc.nat(60))

type Step = (model: Model) => Operation

const versioned = (model: Model, at: string, one: Guess): number | null =>
  one === "none" ? null : one === "right" ? model.versionOf(at) ?? 1 : one

/** Half of the time a path that exists: most random ones do not. */
const target = fc.tuple(fc.boolean(), fc.nat(), anyPath).map(([existing, at, other]) => (model: Model): string =>
  existing ? model.paths[at % model.paths.length]! : other
)
const notRoot = (at: string): string => at === "/" ? "/a" : at

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(target, path, data, fc.boolean(), fc.boolean()).map(
    ([below, rest, value, parents, directory]): Step => (model) => {
      const base = below(model)
      const at = (base === "/" ? rest : `${base}${rest}`).split("/").slice(0, 7).join("/")
      return { _tag: "Create", path: at, type: directory ? "directory" : "blob", data: directory ? new Uint8Array(0) : value, parents }
    }) },
  { weight: 3, arbitrary: fc.tuple(target, data, guess).map(([at, value, version]): Step => (model) =>
    ({ _tag: "Put", path: at(model), data: value, version: versioned(model, at(model), version) })) },
  { weight: 2, arbitrary: fc.tuple(target, guess, fc.boolean()).map(([at, version, recursive]): Step => (model) =>
    ({ _tag: "Delete", path: notRoot(at(model)), version: versioned(model, notRoot(at(model)), version), recursive })) },
  target.map((at): Step => (model) => ({ _tag: "Get", path: at(model) })),
  target.map((at): Step => (model) => ({ _tag: "Stat", path: at(model) })),
  fc.tuple(target, fc.integer({ min: 1, max: 4 }), fc.option(name)).map(([at, limit, after]): Step => (model) =>
    ({ _tag: "List", path: at(model), limit, after }))
)

const plain = (result: Result): Result => result._tag === "Value" ? { ...result, data: new Uint8Array(result.data) } : result

/** Everything that can be asked about everything that there is. */
const questions = (model: Model): ReadonlyArray<Operation> =>
  model.paths.flatMap((at): ReadonlyArray<Operation> => [
    { _tag: "Stat", path: at },
    { _tag: "Get", path: at },
    { _tag: "List", path: at, limit: 2, after: null },
    { _tag: "List", path: at, limit: 1_000, after: "a" }
  ])

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
