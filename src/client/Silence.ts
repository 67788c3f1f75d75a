/**
 * Notices that somebody owes an answer and gives no sign of life. Costs nothing while nothing is owed.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as Latch from "effect/Latch"

export interface Suspect {
  /** Is anything owed now? */
  readonly owes: () => boolean
  /** Opened by the owner once something is owed. */
  readonly owing: Latch.Latch
  /** Changes with every sign of life. */
  readonly signs: () => number
  /** Called at each look with the length of the silence so far, if there is one. */
  readonly onSilence?: (silent_ms: number) => void
  readonly look_ms: number
  readonly silent_ms: number
}

/** Ends after a silence of `silent_ms`; until then it waits. */
export const silence = (suspect: Suspect): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (suspect.owes()) return look(suspect, 0)
    suspect.owing.closeUnsafe()
    return Effect.andThen(suspect.owing.await, silence(suspect))
  })

/** Counts looks, not time: if this process was held up, the answers are not late, only unread. */
const look = (suspect: Suspect, before_ms: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const signs = suspect.signs()
    return Effect.andThen(Effect.sleep(suspect.look_ms), Effect.suspend(() => {
      if (!suspect.owes()) return silence(suspect)
      const silent_ms = suspect.signs() === signs ? before_ms + suspect.look_ms : 0
      if (silent_ms >= suspect.silent_ms) return Effect.void
      if (silent_ms > 0) suspect.onSilence?.(silent_ms)
      return look(suspect, silent_ms)
    }))
  })
