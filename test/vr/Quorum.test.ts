/**
 * How many is enough, for all sizes; and who is in a group.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { makeConfiguration, primaryOf } from "../../src/vr/Configuration.ts"
import { quorum, quorumth, recoveryQuorum, tolerates } from "../../src/vr/Quorum.ts"

const sizes = [1, 2, 3, 4, 5, 6, 7]

describe("quorums", () => {
  it("are these", () => {
    assert.deepStrictEqual(sizes.map(quorum), [1, 2, 2, 3, 3, 4, 4])
    assert.deepStrictEqual(sizes.map(tolerates), [0, 0, 1, 1, 2, 2, 3])
    assert.deepStrictEqual(sizes.map(recoveryQuorum), [1, 1, 2, 2, 3, 3, 4])
  })

  it("of one group share a replica, also in groups of even size (F14)", () => {
    for (const size of sizes) assert.isAbove(2 * quorum(size), size)
  })

  it("are still there when as many as tolerated are gone", () => {
    for (const size of sizes) assert.isAtLeast(size - tolerates(size), quorum(size))
  })

  it("that a recovering replica was part of have a member among those that answer it", () => {
    for (const size of sizes) assert.isAbove(recoveryQuorum(size) + (quorum(size) - 1), size - 1)
  })

  it("that a recovering replica was not part of have one too", () => {
    for (const size of sizes) assert.isAbove(recoveryQuorum(size) + quorum(size), size)
  })

  it("reach the number that quorumth gives, and no higher one", () => {
    const cases = fc.array(fc.nat(20), { minLength: 1, maxLength: 7 }).chain((numbers) =>
      fc.tuple(fc.constant(numbers), fc.integer({ min: 1, max: numbers.length })))
    fc.assert(fc.property(cases, ([numbers, enough]) => {
      const reached = quorumth(numbers, enough)
      const reaching = (least: number): number => numbers.filter((one) => one >= least).length
      assert.isAtLeast(reaching(reached), enough)
      assert.isBelow(reaching(reached + 1), enough)
    }))
  })
})

describe("a configuration", () => {
  it("is the same in whatever order its replicas are named", () => {
    fc.assert(fc.property(fc.shuffledSubarray(["a::n1", "b::n2", "a::n3", "c::n1"], { minLength: 4 }), (ids) => {
      assert.deepStrictEqual(makeConfiguration(3, ids), makeConfiguration(3, ["a::n1", "a::n3", "b::n2", "c::n1"]))
    }))
  })

  it("gives each replica its turn as primary", () => {
    const configuration = makeConfiguration(0, ["b", "c", "a"])
    assert.deepStrictEqual([0, 1, 2, 3, 4].map((view) => primaryOf(configuration, view)), ["a", "b", "c", "a", "b"])
  })

  it("refuses doubles, nobody, and too many", () => {
    assert.throws(() => makeConfiguration(0, ["a", "a"]))
    assert.throws(() => makeConfiguration(0, []))
    assert.throws(() => makeConfiguration(0, ["a", "b", "c", "d", "e", "f", "g", "h"]))
  })
})
