/**
 * A seeded generator (mulberry32): chance is an input of the pure parts, so that a seed replays a run.
 *
 * @module
 */

/** Uniform numbers in [0, 1). */
export interface Random {
  readonly next: () => number
}

/** The same 32-bit seed gives the same numbers. */
export const seeded = (seed: number): Random => {
  let state = seed | 0
  return {
    next: () => {
      state = (state + 0x6d2b79f5) | 0
      let t = Math.imul(state ^ (state >>> 15), 1 | state)
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296
    }
  }
}
