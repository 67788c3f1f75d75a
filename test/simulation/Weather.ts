/**
 * Weather: how the network treats messages, drawn.
 *
 * @module
 */
import type { Random } from "../../src/base/Random.ts"
import { pick } from "./Dice.ts"
import type { Weather } from "./Network.ts"

export const drawWeather = (random: Random): Weather => {
  const least = pick(random, [0.2, 1, 1, 5])
  return {
    loss: pick(random, [0, 0, 0.01, 0.05, 0.15, 0.3]),
    duplication: pick(random, [0, 0, 0.05, 0.2, 0.5]),
    straggling: pick(random, [0, 0.005, 0.02, 0.1]),
    delay_ms: [least, least + pick(random, [0.1, 2, 10, 50, 150, 2_000])],
    inOrder: random.next() < 0.4,
    straggler_ms: pick(random, [300, 1_500, 6_000])
  }
}
