/**
 * The connections of one client: one to each address in use, shared, and closed a while after the last user left.
 * Each has a fiber of its own that dials, serves and closes, so that nobody waits for the end of a dead connection.
 *
 * @module
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import { Limits } from "../base/Limits.ts"
import type { Network } from "../network/Network.ts"
import { connect, type Connection, Unreachable } from "./Connection.ts"

interface Entry {
  readonly connection: Deferred.Deferred<Connection, Unreachable>
  users: number
  /** Open while there are no users. */
  readonly free: Latch.Latch
}

/** A connection to `address`, new or shared, for as long as the Scope lasts. */
export type Dial = (address: string) => Effect.Effect<Connection, Unreachable, Scope.Scope>

/** `onConnected` hears of every new connection; its effect runs as long as the connection does. */
export const makePool = Effect.fnUntraced(function*(
  cluster: string | null,
  onConnected: (connection: Connection) => Effect.Effect<void>
): Effect.fn.Return<Dial, never, Scope.Scope | Network> {
  const run = yield* FiberSet.makeRuntime<Network, void, never>()
  const entries = new Map<string, Entry>()

  const serve = (address: string, entry: Entry): Effect.Effect<void, never, Network> =>
    connect(address, cluster).pipe(
      Effect.tap((connection) => Deferred.succeed(entry.connection, connection)),
      Effect.flatMap((connection) =>
        Effect.raceAllFirst([connection.run, Effect.andThen(onConnected(connection), Effect.never), unused(entry)])),
      // Before the connection is flushed and closed, which takes time: the next user dials anew.
      Effect.ensuring(Effect.sync(() => {
        if (entries.get(address) === entry) entries.delete(address)
      })),
      Effect.scoped,
      Effect.catch((unreachable) => Deferred.fail(entry.connection, unreachable)),
      Effect.onInterrupt(() => Deferred.fail(entry.connection, new Unreachable({ address, reason: "closed on this side" })))
    )

  const enter = (address: string): Entry => {
    const known = entries.get(address)
    const entry = known ?? { connection: Deferred.makeUnsafe(), users: 0, free: Latch.makeUnsafe(false) }
    entry.users += 1
    entry.free.closeUnsafe()
    if (known === undefined) {
      entries.set(address, entry)
      run(serve(address, entry))
    }
    return entry
  }

  const leave = (entry: Entry): void => {
    entry.users -= 1
    if (entry.users === 0) entry.free.openUnsafe()
  }

  return (address) =>
    Effect.flatMap(
      Effect.acquireRelease(Effect.sync(() => enter(address)), (entry) => Effect.sync(() => leave(entry))),
      (entry) => Deferred.await(entry.connection)
    )
})

/** Ends once nobody has used the connection for a while. */
const unused = (entry: Entry): Effect.Effect<void> =>
  entry.free.await.pipe(
    Effect.andThen(Effect.sleep(Limits.client_idle_ms)),
    Effect.andThen(Effect.suspend(() => entry.users === 0 ? Effect.void : unused(entry)))
  )
