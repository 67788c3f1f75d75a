/**
 * A limit on lines in the log that somebody else can cause: so many a second, and then one that counts the rest.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Limits } from "../base/Limits.ts"

const window_ms = 1_000

/** Gives what logs a line, or counts it. `what` the lines are about, in the plural. One limit for each source. */
export const makeLineLimit = (
  what: string
): Effect.Effect<(line: Effect.Effect<void>) => Effect.Effect<void>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    let start = Number.NEGATIVE_INFINITY
    let lines = 0
    let left = 0
    const sayLeft = Effect.suspend(() => {
      const count = left
      left = 0
      return Effect.logWarning(`${what}: ${count} more of these lines were left out`)
    })
    return (line) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        if (now - start >= window_ms) {
          start = now
          lines = 0
        }
        lines++
        if (lines <= Limits.bad_lines_per_second_max) return line
        left++
        return left > 1 ? Effect.void : Effect.andThen(Effect.sleep(start + window_ms - now), sayLeft).pipe(
          Effect.forkIn(scope),
          Effect.asVoid
        )
      })
  })
