/**
 * Keeps one session at its tenant's primary, wherever that is: finds it, follows redirects, waits when it is told to,
 * goes elsewhere when a connection dies, and starts a new session when the cluster has forgotten the old one.
 * One fiber per session does this, in plain sequence; calls go past it, straight into the session.
 *
 * @module
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { Limits } from "../base/Limits.ts"
import { Attachment, jittered, type Owner, type Trouble } from "./Attachment.ts"
import type { Call } from "./Call.ts"
import type { Connection } from "./Connection.ts"
import { NoSuchTenant, Overloaded, SessionLost, Unavailable } from "./Errors.ts"
import { Pace } from "./Pace.ts"
import type { Dial } from "./Pool.ts"
import { type AddressBook, hintFor, Route } from "./Routes.ts"
import { Session } from "./Session.ts"

export const hint_closed = "The client was closed."

const unanswered = "connected, but it does not answer"

/** So many times a session that is not open yet stays with a node that has too much to do, before it asks others. */
const turned_away_max = 4

export class Follower implements Owner {
  /** As it was asked for: a name or an id. */
  readonly tenant: string
  /** The id as soon as it is known: the name may come to stand for another tenant, with sessions of the same numbers. */
  target: string
  readonly session = new Session()
  readonly pace = new Pace()
  number: number | null = null
  nonce: Uint8Array = new Uint8Array(0)
  /** The tenant's id, once the first session is open. */
  readonly ready: Deferred.Deferred<string, NoSuchTenant | Overloaded | Unavailable> = Deferred.makeUnsafe()
  private readonly book: AddressBook
  private readonly dial: Dial
  private readonly route = new Route()
  private attachment: Attachment | null = null
  private address = ""
  /** What the node that serves said last, since when calls have been held back: that it has too much to do. */
  private overload: string | null = null
  /** Made at most once while calls expire. */
  private outage: Unavailable | Overloaded | null = null
  /** Open while somebody waits for something. */
  private readonly demand = Latch.makeUnsafe(true)
  /** What the nodes of this round said of the tenant. */
  private denials = 0
  /** How often a node had too much to do to open or attach the session, since one was served. */
  private turnedAway = 0
  private denied = ""
  private known = false
  private lastNumber = 0
  private lossOfSession: Deferred.Deferred<never, SessionLost> = Deferred.makeUnsafe()

  constructor(tenant: string, book: AddressBook, dial: Dial) {
    this.tenant = tenant
    this.target = tenant
    this.book = book
    this.dial = dial
  }

  /** False: too many calls wait already. */
  submit(call: Call): boolean {
    if (!this.session.submit(call)) return false
    this.attachment?.wake()
    this.demand.openUnsafe()
    return true
  }

  /** Ends the calls whose time has come. Thousands may: they share one error. */
  expire(now_ms: number): void {
    this.session.expire(now_ms)
    this.outage = null
  }

  /** Why a call ends that was not executed, and now there is no time left. */
  late(): Unavailable | Overloaded {
    this.outage ??= this.overload === null || !this.pace.isLimited ? this.unavailable() : this.overloaded(this.overload)
    return this.outage
  }

  /** Nobody answers. */
  unavailable(hint?: string): Unavailable {
    const { attempts } = this.route
    return new Unavailable({ attempts, hint: hint ?? hintFor(attempts) })
  }

  overloaded(reason: string): Overloaded {
    return new Overloaded({ reason, retry_after_ms: this.pace.retry_after_ms })
  }

  /** Waits for the loss of the session that is current now, and fails with it. */
  readonly sessionLost: Effect.Effect<never, SessionLost> = Effect.suspend(() => Deferred.await(this.lossOfSession))

  /** Runs until it is interrupted; then all calls have ended, and the node knows that the channel is not used any more. */
  readonly run: Effect.Effect<never> = Effect.suspend(() => this.step).pipe(
    Effect.forever,
    Effect.ensuring(Effect.sync(() => {
      this.session.close()
      this.announceLoss("the client was closed")
      Deferred.doneUnsafe(this.ready, Exit.fail(this.unavailable(hint_closed)))
    }))
  )

  private readonly step: Effect.Effect<void> = Effect.suspend(() => {
    if (this.number !== null && this.session.idle) {
      this.demand.closeUnsafe()
      return this.demand.await
    }
    const address = this.route.next(this.book.candidates(this.tenant))
    return address === null ? this.endRound() : Effect.flatMap(this.visit(address), (trouble) => this.react(address, trouble))
  })

  /** Everybody was asked once. */
  private endRound(): Effect.Effect<void> {
    if (this.denials > 0 && !this.known) {
      Deferred.doneUnsafe(this.ready, Exit.fail(new NoSuchTenant({ tenant: this.tenant, reason: this.denied })))
    }
    this.denials = 0
    this.known = false
    return jittered(this.route.backOff())
  }

  /** Stays at this node for as long as that goes well. */
  private visit(address: string): Effect.Effect<Trouble> {
    this.address = address
    this.route.dialling(address)
    return this.prepare.pipe(
      Effect.andThen(this.dial(address)),
      Effect.flatMap((connection) => Effect.raceFirst(this.attend(connection), this.findOthers(connection))),
      Effect.scoped,
      Effect.catchTag("Unreachable", ({ reason }) => {
        this.book.unreachable(address)
        return Effect.succeed<Trouble>({ _tag: "Lost", reason })
      })
    )
  }

  private attend(connection: Connection): Effect.Effect<Trouble, never, Scope.Scope> {
    return connection.attach((channel) => new Attachment(channel, connection, this)).pipe(
      Effect.flatMap((attachment) => Effect.acquireRelease(
        Effect.sync(() => this.enter(attachment)),
        () => Effect.sync(() => this.leave(attachment))
      )),
      Effect.flatMap((attachment) =>
        attachment.run.pipe(
          // What came in the same chunk is handled before we leave: it may settle calls, or take them out of doubt.
          Effect.tap((trouble) => trouble._tag === "NoSession" ? attachment.drained : Effect.yieldNow)
        ))
    )
  }

  /**
   * A tenant that is younger than the connection is not in the listing that was asked for when it began: where its other
   * replicas are is asked now, not when this node dies.
   */
  private findOthers({ tenants }: Connection): Effect.Effect<never> {
    return Deferred.await(this.ready).pipe(
      Effect.flatMap((id) => this.book.tenant(id) !== undefined ? Effect.void : Effect.map(tenants, (all) => this.book.listed(all))),
      Effect.ignore,
      Effect.andThen(Effect.never)
    )
  }

  /** A registration keeps its nonce however often it is sent, so that it makes one session. */
  private readonly prepare: Effect.Effect<void> = Effect.suspend(() =>
    this.number !== null || this.nonce.length > 0 ? Effect.void
      : Effect.map(
        Effect.replicateEffect(Random.nextIntBetween(0, 255), Limits.session_nonce_bytes),
        (bytes) => {
          this.nonce = Uint8Array.from(bytes)
        }
      )
  )

  private enter(attachment: Attachment): Attachment {
    this.route.waiting(this.address, unanswered)
    this.attachment = attachment
    attachment.begin()
    return attachment
  }

  private leave(attachment: Attachment): void {
    attachment.end()
    this.attachment = null
  }

  private react(address: string, trouble: Trouble): Effect.Effect<void> {
    this.known ||= trouble._tag !== "NoTenant" && trouble._tag !== "Lost"
    if (trouble._tag !== "Overloaded") this.overload = null
    switch (trouble._tag) {
      case "Redirect":
        this.book.told(trouble.node, trouble.address)
        this.route.redirected(address, this.book.resolve(trouble.node, trouble.address), trouble.node)
        return Effect.void
      case "Retry":
        this.route.delayed(address, trouble.reason)
        return jittered(trouble.ms)
      case "Overloaded":
        this.route.delayed(address, trouble.reason)
        // Now and then others are asked: it may be a primary that they have replaced.
        this.turnedAway += 1
        if (this.turnedAway % turned_away_max !== 0) this.route.stay(address)
        this.overload = trouble.reason
        this.pace.turnedAway(0)
        return jittered(this.pace.pause(trouble.ms))
      case "Lost":
        this.route.failed(address, trouble.reason)
        return Effect.void
      case "Refused":
        this.route.failed(address, trouble.message)
        return Effect.void
      case "NoTenant":
        this.denials += 1
        this.denied = trouble.message
        this.route.failed(address, trouble.message)
        return Effect.void
      case "NoSession":
        this.session.lose()
        this.forget(trouble.message)
        this.route.stay(address)
        return Effect.void
    }
  }

  private forget(reason: string): void {
    this.announceLoss(reason)
    this.lossOfSession = Deferred.makeUnsafe()
    this.number = null
    this.nonce = new Uint8Array(0)
  }

  private announceLoss(reason: string): void {
    const error = new SessionLost({ tenant: this.tenant, session: this.lastNumber, reason })
    Deferred.doneUnsafe(this.lossOfSession, Exit.fail(error))
  }

  onOpened(session: number, tenant: string): void {
    this.number = session
    this.lastNumber = session
    this.target = tenant
    Deferred.doneUnsafe(this.ready, Exit.succeed(tenant))
    this.onServed()
  }

  onServed(): void {
    this.turnedAway = 0
    this.route.succeeded(this.address)
    this.route.waiting(this.address, unanswered)
  }

  onDelayed(reason: string): void {
    this.route.waiting(this.address, reason)
  }

  onOverloaded(reason: string): void {
    this.overload = reason
    this.route.waiting(this.address, reason)
  }
}
