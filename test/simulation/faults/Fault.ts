/**
 * A fault, as a schedule draws it. Who is struck, and how, are relative choices: numbers that any situation gives a
 * meaning to, so that a schedule stays valid when something is left out of it.
 *
 * @module
 */
import { seeded } from "../../../src/base/Random.ts"
import type { Random } from "../../../src/base/Random.ts"
import type { Process } from "../Process.ts"
import type { Simulation } from "../Simulation.ts"

/** Numbers from 0. */
export interface Choice {
  readonly who: number
  readonly how: number
  /** Per mille of the longest that this fault lasts. */
  readonly long: number
}

export interface Fault {
  /** How often it is drawn, beside others. */
  readonly weight: number
  /** False: it could not strike, and nothing happened. */
  readonly strike: (sim: Simulation, choice: Choice) => boolean
}

/** One of those that may be struck. */
export const victimOf = (processes: ReadonlyArray<Process>, { who }: Choice): Process | undefined =>
  processes.length === 0 ? undefined : processes[who % processes.length]

export const oneOf = <A>(choices: ReadonlyArray<A>, { how }: Choice): A => choices[how % choices.length]!

/** For what takes more than one decision. */
export const diceOf = ({ how }: Choice): Random => seeded(how)

/** In ms. */
export const durationOf = ({ long }: Choice, longest_ms: number): number => longest_ms * long / 1_000

/** What comes of a fault later; nothing once the faults are over: those that last from then on are others' (Ending.ts). */
export const later = (sim: Simulation, after_ms: number, run: () => void): void =>
  sim.events.after(after_ms, () => {
    if (!sim.isCalm) run()
  })
