/**
 * Weather: how the network treats messages, as fast-check draws it. Simplest choices stand first.
 *
 * @module
 */
import * as fc from "fast-check"
import type { Weather } from "./Network.ts"

export const weathers: fc.Arbitrary<Weather> = fc.record({
  loss: fc.constantFrom(0, 0.01, 0, 0.05, 0.15, 0.3),
  duplication: fc.constantFrom(0, 0, 0.05, 0.2, 0.5),
  straggling: fc.constantFrom(0, 0.005, 0.02, 0.1),
  delay_ms: fc.tuple(fc.constantFrom(1, 0.2, 5), fc.constantFrom(0.1, 2, 10, 50, 150, 2_000))
    .map(([least, more]) => [least, least + more] as const),
  inOrder: fc.boolean(),
  straggler_ms: fc.constantFrom(300, 1_500, 6_000)
})

/** The weather of that number. */
export const weatherOf = (seed: number): Weather => fc.sample(weathers, { seed, numRuns: 1 })[0]!
