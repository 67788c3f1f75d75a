/**
 * Chance, from named streams of one seed: what is left out of a schedule when it is shrunk does not change the luck of
 * the rest.
 *
 * @module
 */
import { type Random, seeded } from "../../src/base/Random.ts"

/** The stream of that name. */
export const dice = (seed: number, name: string): Random => {
  let hash = seed ^ 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return seeded(hash ^ (hash >>> 15))
}

export const pick = <A>(random: Random, choices: ReadonlyArray<A>): A => choices[Math.floor(random.next() * choices.length)]!

export const between = (random: Random, least: number, most: number): number => least + (most - least) * random.next()
