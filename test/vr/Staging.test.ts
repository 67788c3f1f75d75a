/**
 * Entries that were received and are not part of the log yet.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { keepCommitted, makeStaging, stage, stagedEnd } from "../../src/vr/Staging.ts"
import { entries } from "./One.ts"

const ops = (staging: ReturnType<typeof makeStaging>): ReadonlyArray<number> => staging.entries.map(({ op }) => op)

describe("staging", () => {
  it("takes what is contiguous and leaves out what it has", () => {
    const staging = makeStaging(10)
    assert.isTrue(stage(staging, 11, entries(11, 13), 0))
    assert.isTrue(stage(staging, 9, entries(9, 15), 12))
    assert.deepStrictEqual(ops(staging), [11, 12, 13, 14, 15])
    assert.deepStrictEqual([stagedEnd(staging), staging.committed], [15, 12])
  })

  it("refuses what lies behind a gap", () => {
    const staging = makeStaging(10)
    assert.isFalse(stage(staging, 12, entries(12, 13), 13))
    assert.deepStrictEqual([ops(staging), staging.committed], [[], 10])
  })

  it("counts as committed no more than it holds, and never less than before", () => {
    const staging = makeStaging(10)
    stage(staging, 11, entries(11, 12), 20)
    assert.strictEqual(staging.committed, 12)
    stage(staging, 13, entries(13, 14), 3)
    assert.strictEqual(staging.committed, 12)
  })

  it("keeps of another view only what is committed", () => {
    const staging = makeStaging(10)
    stage(staging, 11, entries(11, 15), 13)
    keepCommitted(staging)
    assert.deepStrictEqual([ops(staging), stagedEnd(staging)], [[11, 12, 13], 13])
  })

  it("dies on entries whose numbers do not fit: that is not weather", () => {
    assert.throws(() => stage(makeStaging(0), 1, entries(2, 3), 0))
  })

  it("is contiguous whatever comes in whatever order", () => {
    const chunk = fc.record({ first: fc.integer({ min: 1, max: 30 }), length: fc.nat(8), commit: fc.nat(40) })
    fc.assert(fc.property(fc.nat(20), fc.array(chunk), (base, chunks) => {
      const staging = makeStaging(base)
      for (const { commit, first, length } of chunks) {
        const before = stagedEnd(staging)
        const fits = stage(staging, first, entries(first, first + length - 1), commit)
        assert.strictEqual(fits, first <= before + 1)
        assert.strictEqual(stagedEnd(staging), fits ? Math.max(before, first + length - 1) : before)
        assert.deepStrictEqual(ops(staging), Array.from({ length: staging.entries.length }, (_, i) => base + 1 + i))
        assert.isTrue(staging.committed >= base && staging.committed <= stagedEnd(staging))
      }
    }))
  })
})
