/**
 * The index of names: it may not know a name, but what it says is right.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { NameIndex } from "../../src/store/NameIndex.ts"
import { kept, nobody } from "./Keepers.ts"

describe("an index of names", () => {
  it("finds what it was given last, or nothing, whatever comes and goes", () => {
    const name = fc.nat(3_000).map((n) => `name-${n}`)
    const change = fc.record({ kind: fc.constantFrom("set", "set", "set", "replace", "delete"), name })
    const options = fc.constantFrom({ slots_max: 64 }, { slots_max: 512 }, {})
    fc.assert(fc.property(fc.array(change, { size: "max", maxLength: 4_000 }), options, (changes, options) => {
      const names = new Map<number, string>()
      const index = new NameIndex<number>(kept(names), options)
      const all = new Map<string, number>()
      const free: Array<number> = []
      let numbers = 0
      /** One that no other name has now, such as one that another name had. */
      const numberFor = (name: string): number => {
        const number = free.pop() ?? numbers++
        names.set(number, name)
        return number
      }
      for (const { kind, name } of changes) {
        const before = all.get(name)
        if (kind === "delete") {
          index.delete(name)
          all.delete(name)
        } else if (index.get(name) !== undefined) {
          all.set(name, numberFor(name))
          index.replace(name, all.get(name)!)
        } else if (kind === "set" && before === undefined) {
          all.set(name, numberFor(name))
          index.set(name, all.get(name)!, all.size)
        } else continue
        if (before !== undefined) free.push(before)
      }
      let found = 0
      for (let n = 0; n <= 3_000; n++) {
        const value = index.get(`name-${n}`)
        if (value !== undefined) assert.strictEqual(value, all.get(`name-${n}`))
        found += value === undefined ? 0 : 1
      }
      assert.isAtLeast(found, 0.98 * all.size)
    }), { numRuns: 30 })
  })

  it("knows nearly all of a hundred thousand names, in little more room than they need", () => {
    const index = new NameIndex<number>(nobody)
    const count = 100_000
    for (let n = 0; n < count; n++) index.set(`n${n}`, n, n + 1)
    let found = 0
    for (let n = 0; n < count; n++) {
      const value = index.get(`n${n}`)
      found += value === undefined ? 0 : 1
      if (value !== undefined) assert.strictEqual(value, n)
    }
    assert.isAtLeast(found, 0.999 * count)
    assert.isAtMost(index.slots, 4 * count)
  })

  it("leaves names out rather than grow for few of them, as for those that were made to collide", () => {
    const index = new NameIndex<number>(nobody)
    const { slots } = index
    for (let n = 0; n < 1_000; n++) index.set(`n${n}`, n, 0)
    assert.strictEqual(index.slots, slots)
    const known = Array.from({ length: 1_000 }, (_, n) => index.get(`n${n}`)).filter((value) => value !== undefined)
    assert.isTrue(known.length > slots / 2 && known.length <= slots)
  })
})
