/**
 * Things that this node keeps for somebody far away, who may never come back: so many at most, and each for as long as
 * it is asked for now and then.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import type * as Scope from "effect/Scope"

export interface CustodyOptions<A> {
  readonly max: number
  /** How long something is kept that nobody asks for. */
  readonly idle_ms: number
  /** What happens to one that was kept too long, beside being forgotten. */
  readonly onIdle: (thing: A, id: string) => Effect.Effect<void>
}

export interface Custody<A> {
  /** False: there are as many as there may be. An earlier one of that id is forgotten. */
  readonly put: (id: string, thing: A) => Effect.Effect<boolean>
  /** It is asked for: its time begins anew. */
  readonly get: (id: string) => Effect.Effect<A | undefined>
  /** It is the caller's own from now on. */
  readonly take: (id: string) => Effect.Effect<A | undefined>
}

export const makeCustody = Effect.fnUntraced(function*<A>(
  { idle_ms, max, onIdle }: CustodyOptions<A>
): Effect.fn.Return<Custody<A>, never, Scope.Scope> {
  const things = new Map<string, { readonly thing: A; askedAt: number }>()
  const watches = yield* FiberMap.make<string>()

  const watch = (id: string): Effect.Effect<void> =>
    Effect.gen(function*() {
      for (let kept = things.get(id); kept !== undefined; kept = things.get(id)) {
        const idle = (yield* Clock.currentTimeMillis) - kept.askedAt
        if (idle >= idle_ms) {
          things.delete(id)
          return yield* onIdle(kept.thing, id)
        }
        yield* Effect.sleep(idle_ms - idle)
      }
    })

  return {
    put: (id, thing) =>
      Effect.gen(function*() {
        if (things.size >= max && !things.has(id)) return false
        things.set(id, { thing, askedAt: yield* Clock.currentTimeMillis })
        yield* FiberMap.run(watches, id, watch(id))
        return true
      }),
    get: (id) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const kept = things.get(id)
        if (kept !== undefined) kept.askedAt = now
        return kept?.thing
      }),
    take: (id) =>
      Effect.gen(function*() {
        const kept = things.get(id)
        things.delete(id)
        yield* FiberMap.remove(watches, id)
        return kept?.thing
      })
  }
})
