/**
 * Whole nodes and the client library in a world where everything is drawn: fixed seeds, and fresh ones.
 *
 * @module
 */
import { assert, describe, it, vi } from "@effect/vitest"
import { Sums } from "./Nodes.ts"
import { runNodes } from "./Run.ts"

/**
 * Among them are all sizes, all orders, and all kinds of faults. In the last one a node that stops hears of the others
 * once more, and does not complain of that.
 */
const seeds = [1, 2, 3, 4, 5, 6, 8, 9, 11, 12, 578_193_474]
const fresh_ms = 15_000

describe("whole nodes", () => {
  it.each(seeds)("in bad weather, seed %i", (seed) => {
    const { calls, faults } = runNodes(seed)
    assert.isAbove(calls.answered, 5)
    assert.isAbove(Object.keys(faults).length, 2)
  })

  it("are the same again with the same seed, and not with another", () => {
    const [first, again, other] = [runNodes(7), runNodes(7), runNodes(10)]
    assert.strictEqual(again.trace.join("\n"), first.trace.join("\n"))
    assert.deepStrictEqual([again.digest, again.steps], [first.digest, first.steps])
    assert.notStrictEqual(other.digest, first.digest)
    assert.notStrictEqual(other.trace.join("\n"), first.trace.join("\n"))
  })

  it("have no time and no chance but those of their seed", () => {
    const real = (what: string) => (): never => {
      throw new Error(`a run called ${what}`)
    }
    const spies = [
      vi.spyOn(globalThis, "setTimeout").mockImplementation(real("setTimeout")),
      vi.spyOn(globalThis, "setImmediate").mockImplementation(real("setImmediate")),
      vi.spyOn(globalThis, "queueMicrotask").mockImplementation(real("queueMicrotask")),
      vi.spyOn(Date, "now").mockImplementation(real("Date.now")),
      vi.spyOn(performance, "now").mockImplementation(real("performance.now")),
      vi.spyOn(process.hrtime, "bigint").mockImplementation(real("hrtime")),
      vi.spyOn(Math, "random").mockImplementation(real("Math.random"))
    ]
    try {
      // It is over when it returns: there are no promises in it either.
      runNodes(10)
    } finally {
      for (const spy of spies) spy.mockRestore()
    }
  })

  it("in bad weather, fresh seeds", { timeout: 60_000 }, () => {
    const start = Date.now()
    const first = start % 2 ** 31
    const sums = new Sums()
    console.log(`whole nodes: fresh seeds from ${first}`)
    for (let seed = first; Date.now() - start < fresh_ms; seed++) sums.add(runNodes(seed))
    console.log(`whole nodes: ${sums.line}`)
    assert.isAbove(sums.runs, 0)
  })
})
