/**
 * A bar for a person who waits while bytes go by. It is on stderr, only if that is a terminal, and goes away at the end.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { size } from "./Format.ts"
import type { Options } from "./Options.ts"
import { Output } from "./Output.ts"

/** So many more bytes have gone by. */
export type Advance = (bytes: number) => Effect.Effect<void>

/** How often it is drawn, and over how long the speed is measured. */
const redraw_ms = 100
const speed_ms = 2_000
const bar_width = 24

/** `total`: about how many bytes there will be. */
export const makeProgress = Effect.fnUntraced(function*(
  what: string,
  total: number,
  { json, quiet }: Options
): Effect.fn.Return<Advance, never, Output | Scope.Scope> {
  const { progress } = yield* Output
  if (progress === null || json || quiet) return () => Effect.void
  yield* Effect.addFinalizer(() => progress(""))
  const start = yield* Clock.currentTimeMillis
  let done = 0
  let drawn = -Infinity
  /** The oldest of the last seconds first. */
  const seen: Array<{ readonly at: number; readonly done: number }> = [{ at: start, done: 0 }]
  return (bytes) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      done += bytes
      if (now - drawn < redraw_ms) return Effect.void
      drawn = now
      seen.push({ at: now, done })
      while (seen.length > 2 && now - seen[0]!.at > speed_ms) seen.shift()
      const since = seen[0]!
      return progress(progressLine(what, done, total, (done - since.done) / Math.max(1, now - since.at)))
    })
})

/** `save  [############............]  50%  150 MB of 300 MB  98 MB/s` */
export const progressLine = (what: string, done: number, total: number, bytes_per_ms: number): string => {
  // The total is an estimate: it is never more than all.
  const share = total <= 0 ? 1 : Math.min(1, done / total)
  const full = Math.floor(share * bar_width)
  const bar = `[${"#".repeat(full)}${".".repeat(bar_width - full)}]`
  const percent = `${Math.floor(share * 100)}%`.padStart(4)
  return `${what} ${bar} ${percent}  ${size(done)} of ${size(Math.max(done, total))}  ${size(bytes_per_ms * 1_000)}/s`
}
