/**
 * Keeping a connection to another node: dial, talk, and dial again with a growing, randomised pause.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { HelloRejected } from "../network/Framed.ts"
import { Closed, type NetworkError } from "../network/Network.ts"

const pause_ms = { first: 20, last: 1_000 }
/** A conversation that lasted this long was a success: the next pause is short again. */
export const settled_ms = 2_000
/** Why a connection is replaced: that node has begun another one to us before we knew that the first had ended. */
export const lost_there = "that node has connected anew"

/**
 * Runs `talk`, which ends only by failing, again and again. Failures are logged when their reason changes, so that a
 * node that is down for hours fills no log. Opening `wake` ends the pause: the node has just been heard.
 */
export const keepConnected = <R>(
  what: string,
  node: string,
  wake: Latch.Latch,
  talk: Effect.Effect<never, Closed | HelloRejected | NetworkError, R | Scope.Scope>
): Effect.Effect<never, never, Exclude<R, Scope.Scope>> =>
  Effect.gen(function*() {
    let pause = pause_ms.first
    let reason = ""
    while (true) {
      const start = yield* Clock.currentTimeMillis
      const failure = yield* Effect.flip(Effect.scoped(surviving(what, node, talk)))
      if ((yield* Clock.currentTimeMillis) - start > settled_ms) {
        pause = pause_ms.first
        reason = ""
      }
      if (failure.message !== reason) {
        reason = failure.message
        yield* Effect.logDebug(`${what} connection to ${node}: ${reason}`)
      }
      wake.closeUnsafe()
      yield* Effect.raceFirst(Effect.sleep(pause * (0.5 + (yield* Random.next))), wake.await)
      pause = Math.min(pause * 2, pause_ms.last)
    }
  })

/** A bug in what one conversation brought ends that one; the next may go better, and none at all would be worse. */
const surviving = <R>(
  what: string,
  node: string,
  talk: Effect.Effect<never, Closed | HelloRejected | NetworkError, R>
): Effect.Effect<never, Closed | HelloRejected | NetworkError, R> =>
  Effect.catchDefect(talk, (defect) =>
    Effect.andThen(
      Effect.logError(`${what} connection to ${node}: a bug`, defect),
      new Closed({ reason: `a bug: ${String(defect)}` })
    ))
