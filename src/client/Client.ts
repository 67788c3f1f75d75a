/**
 * The client of one cluster: knows its nodes, shares one connection to each among all tenants, and gives out tenants.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Limits } from "../base/Limits.ts"
import { tenantProblem } from "../base/Names.ts"
import type { Network } from "../network/Network.ts"
import * as TcpNetwork from "../network/TcpNetwork.ts"
import type { TenantListing } from "../wire/ClientProtocol.ts"
import { jittered } from "./Attachment.ts"
import { type Deadlines, makeCalls } from "./Calls.ts"
import { NoSuchTenant, type Overloaded, Unavailable } from "./Errors.ts"
import { Follower, hint_closed } from "./Follower.ts"
import { makeTenant, type TenantService } from "./Operations.ts"
import { type Dial, makePool } from "./Pool.ts"
import { AddressBook, hintFor, Route } from "./Routes.ts"

export interface ClientOptions {
  /** Client addresses (`host:port`) of one or more nodes, tried in this order. The others are found through them. */
  readonly endpoints: ReadonlyArray<string>
  /** How long any call may take before it fails. Default: 5 seconds. */
  readonly deadline?: Duration.Input
  /** The name that the cluster must have. Default: any. */
  readonly cluster?: string
}

/** A tenant as the nodes list it: its id, its name if it has one, and where its replicas are. */
export type TenantInfo = TenantListing

/** A client of one cluster. All tenants that it gives out share its connections: one to each node in use. */
export class V2R2 extends Context.Service<V2R2, {
  /** All tenants that the first node to answer knows of. */
  readonly tenants: Effect.Effect<ReadonlyArray<TenantInfo>, Unavailable>
  /**
   * A tenant by name or id, ready to be used, with a session of its own. The end of the Scope ends the session's calls:
   * writes whose outcome is unknown then are `Indeterminate`, everything else is `Unavailable`.
   */
  readonly tenant: (nameOrId: string) => Effect.Effect<TenantService, Unavailable | Overloaded | NoSuchTenant, Scope.Scope>
}>()("v2r2/client/V2R2") {
  /** Connects to nothing until it is used. */
  static layer(options: ClientOptions): Layer.Layer<V2R2, never, Network> {
    return Layer.effect(V2R2, make(options))
  }

  /** The same, over TCP. */
  static layerTcp(options: ClientOptions): Layer.Layer<V2R2> {
    return Layer.provide(V2R2.layer(options), TcpNetwork.layer)
  }
}

const make = Effect.fnUntraced(function*(
  options: ClientOptions
): Effect.fn.Return<V2R2["Service"], never, Scope.Scope | Network> {
  const deadline_ms = Duration.toMillis(options.deadline ?? Limits.client_deadline_ms)
  const book = new AddressBook(options.endpoints)
  const dial = yield* makePool(options.cluster ?? null, (connection) => {
    book.connected(connection.address, connection.node)
    // The addresses of the other nodes, for the day on which this one dies.
    return Effect.ignore(Effect.map(connection.tenants, (tenants) => book.listed(tenants)))
  })
  const run = yield* FiberSet.makeRuntime<never, void, never>()
  const followers = new Set<Follower>()
  const deadlines = yield* keepDeadlines(followers, deadline_ms)
  let closed = false
  yield* Effect.addFinalizer(() => Effect.sync(() => closed = true))
  const whileOpen = Effect.suspend(() => closed ? new Unavailable({ attempts: [], hint: hint_closed }) : Effect.void)

  const tenant: V2R2["Service"]["tenant"] = Effect.fnUntraced(function*(nameOrId) {
    yield* whileOpen
    const problem = tenantProblem(nameOrId)
    if (problem !== null) return yield* new NoSuchTenant({ tenant: nameOrId, reason: problem })
    const follower = new Follower(nameOrId, book, dial)
    followers.add(follower)
    const fiber = run(Effect.ensuring(follower.run, Effect.sync(() => followers.delete(follower))))
    yield* Effect.addFinalizer(() => Fiber.interrupt(fiber))
    const id = yield* Deferred.await(follower.ready).pipe(
      Effect.timeoutOrElse({ duration: deadline_ms, orElse: () => Effect.suspend(() => Effect.fail(follower.late())) }),
      // Its last word to a node that does not read would take longer than the caller may be kept waiting.
      Effect.tapCause(() => Effect.sync(() => fiber.interruptUnsafe()))
    )
    const name = id === nameOrId ? book.tenant(id)?.name ?? null : nameOrId
    return makeTenant(makeCalls({ id, name, follower, deadlines }))
  })

  return { tenants: Effect.andThen(whileOpen, listTenants(book, dial, deadline_ms)), tenant }
})

/** One fiber for the deadlines of all calls: it sleeps until the earliest of them. */
const keepDeadlines = Effect.fnUntraced(function*(
  followers: ReadonlySet<Follower>,
  deadline_ms: number
): Effect.fn.Return<Deadlines, never, Scope.Scope> {
  const clock = yield* Clock.Clock
  // The wall clock may jump; this one does not.
  const now_ms = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  const calls = Latch.makeUnsafe(false)
  const sweep: Effect.Effect<void> = Effect.suspend(() => {
    const now = now_ms()
    let next_ms = Infinity
    for (const follower of followers) {
      follower.expire(now)
      next_ms = Math.min(next_ms, follower.session.deadline_ms)
    }
    if (next_ms < Infinity) return Effect.sleep(Math.max(1, Math.ceil(next_ms - now)))
    calls.closeUnsafe()
    return calls.await
  })
  yield* Effect.forkScoped(Effect.forever(sweep))
  return { now_ms, deadline_ms, onCall: () => calls.openUnsafe() }
})

const listTenants = (
  book: AddressBook,
  dial: Dial,
  deadline_ms: number
): Effect.Effect<ReadonlyArray<TenantInfo>, Unavailable> =>
  Effect.suspend(() => {
    const route = new Route()
    const ask: Effect.Effect<ReadonlyArray<TenantInfo>> = Effect.suspend(() => {
      const address = route.next(book.candidates(null))
      if (address === null) return Effect.andThen(jittered(route.backOff()), ask)
      route.dialling(address)
      return Effect.flatMap(dial(address), (connection) => connection.tenants).pipe(
        Effect.scoped,
        Effect.tapError(({ _tag }) => Effect.sync(() => {
          if (_tag === "Unreachable") book.unreachable(address)
        })),
        Effect.catch(({ reason }) => {
          route.failed(address, reason)
          return ask
        })
      )
    })
    return Effect.tap(ask, (tenants) => Effect.sync(() => book.listed(tenants))).pipe(
      Effect.timeoutOrElse({
        duration: deadline_ms,
        orElse: () => new Unavailable({ attempts: route.attempts, hint: hintFor(route.attempts) })
      })
    )
  })
