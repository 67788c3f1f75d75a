/**
 * A session on one channel of one connection: from OPEN or ATTACH until something happens that sends it elsewhere.
 *
 * A node may not be the primary, and only say so when it is asked. So after an ATTACH, requests wait for the PONG to a
 * PING behind it, as a node that knows better says so first; and then one request goes ahead, and the others follow
 * once it was answered. A node that cannot help costs one request sent in vain, not a window full.
 *
 * @module
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import { Limits } from "../base/Limits.ts"
import type { ClientMessage } from "../wire/ClientProtocol.ts"
import type { ChannelMessage, ChannelUser, Connection } from "./Connection.ts"
import type { Pace } from "./Pace.ts"
import type { Session, Trouble as SessionTrouble } from "./Session.ts"
import { silence } from "./Silence.ts"

/** Why the session has to leave this connection. */
export type Trouble =
  | SessionTrouble
  | { readonly _tag: "Lost"; readonly reason: string }
  | { readonly _tag: "Refused"; readonly message: string }

/** Whose session it is. */
export interface Owner {
  /** What the tenant is asked for by: its id, once that is known. */
  readonly target: string
  readonly session: Session
  /** The session's number in the cluster, or null: it has to be registered first. */
  readonly number: number | null
  readonly nonce: Uint8Array
  readonly pace: Pace
  readonly onOpened: (session: number, tenant: string) => void
  readonly onServed: () => void
  readonly onDelayed: (reason: string) => void
  readonly onOverloaded: (reason: string) => void
}

/** A node that is to be asked again after a while. */
type Delay = Extract<SessionTrouble, { readonly _tag: "Retry" | "Overloaded" }>

/** So many times in a row a node may ask us to wait, before others are asked. */
const pauses_max = 3

export class Attachment implements ChannelUser {
  private readonly trouble: Deferred.Deferred<Trouble> = Deferred.makeUnsafe()
  private readonly channel: number
  private readonly connection: Connection
  private readonly owner: Owner
  /** `draining`: the session is lost, and the answers to its requests still come in. */
  private phase: "new" | "opening" | "attaching" | "serving" | "draining" | "over" = "new"
  private pause: Delay | null = null
  private pause_ms = 0
  private pauses = 0
  /** How long it has paused as the node has too much to do, without one request served. */
  private inVain_ms = 0
  /** Since the last pause, has the node answered any request? */
  private served = false
  /** Has it ever, on this channel? Before that, one request is sent at a time. */
  private proven = false
  private probing = false
  /** Was anything sent since the last answer? */
  private asked = false
  private readonly pausing = Latch.makeUnsafe(false)
  private readonly owing = Latch.makeUnsafe(false)
  /** How many came, ever. */
  private answers = 0
  private readonly settled = Latch.makeUnsafe(false)

  constructor(channel: number, connection: Connection, owner: Owner) {
    this.channel = channel
    this.connection = connection
    this.owner = owner
  }

  /** Asks for the session. */
  begin(): void {
    if (this.phase !== "new") return
    const { target: tenant, number, nonce } = this.owner
    this.owner.session.resend()
    if (number === null) {
      this.phase = "opening"
      this.connection.send({ _tag: "Open", channel: this.channel, tenant, nonce })
    } else {
      this.phase = "attaching"
      this.connection.send({ _tag: "Attach", channel: this.channel, tenant, session: number })
      this.connection.ping(() => {
        if (this.phase === "attaching") this.serve()
      })
    }
  }

  /** There is something to send. */
  wake(): void {
    if (this.phase === "serving" && this.pause === null) this.connection.wake(this)
  }

  take(bytes_max: number): ReadonlyArray<ClientMessage> {
    if (this.phase !== "serving" || this.pause !== null || this.probing) return []
    const { pace, session } = this.owner
    const messages = session.take(this.channel, this.proven ? bytes_max : 1, pace.window)
    this.asked ||= messages.length > 0
    this.probing = !this.proven && messages.length > 0
    this.owing.openUnsafe()
    return messages
  }

  expecting(): boolean {
    return this.phase === "serving" ? this.isOwed : this.phase !== "over"
  }

  /** What nobody waits for any more is owed all the same: calls that wait for less than a silence would never notice one. */
  private get isOwed(): boolean {
    return this.asked || this.owner.session.unanswered > 0
  }

  lost(reason: string): void {
    this.settled.openUnsafe()
    this.raise({ _tag: "Lost", reason })
  }

  receive(message: ChannelMessage): void {
    switch (message._tag) {
      case "Opened":
        if (this.phase !== "opening") return
        this.proven = true
        this.owner.onOpened(message.session, message.tenant)
        return this.serve()
      case "Failed":
        return this.failed(message.outcome)
      case "Written":
        return this.answered("write", message.request, message.outcome)
      case "Answer":
        return this.answered("read", message.id, message.outcome)
    }
  }

  /** Nothing more is sent. */
  end(): void {
    this.phase = "over"
  }

  /** Resumes after each pause that a node asked for. */
  private readonly pacing: Effect.Effect<never> = Effect.suspend(() =>
    this.pausing.await.pipe(
      Effect.andThen(Effect.suspend(() => jittered(this.pause_ms))),
      Effect.andThen(Effect.sync(() => this.resume()))
    )
  ).pipe(Effect.forever)

  /** A node that lives, but does not get on with our requests: others may know a better one. */
  private readonly stalling: Effect.Effect<never> = Effect.suspend(() =>
    silence({
      owes: () => this.phase === "serving" && this.pause === null && this.isOwed,
      owing: this.owing,
      signs: () => this.answers,
      look_ms: Limits.client_look_ms,
      silent_ms: Limits.client_silent_ms
    })
  ).pipe(
    Effect.andThen(Effect.sync(() =>
      this.raise({ _tag: "Lost", reason: `connected, but it has not answered for ${Limits.client_silent_ms} ms` }))),
    Effect.andThen(Effect.never)
  )

  /** Lasts for as long as the session can stay here. */
  readonly run: Effect.Effect<Trouble> = Effect.suspend(() =>
    Effect.raceAllFirst([Deferred.await(this.trouble), this.pacing, this.stalling]))

  /** Waits for the answers to the requests of a session that is lost: each says whether that request was executed. */
  readonly drained: Effect.Effect<void> = Effect.suspend(() =>
    this.owner.session.owed ? this.settled.await : Effect.void
  ).pipe(Effect.timeoutOption(Limits.client_drain_ms), Effect.asVoid)

  private serve(): void {
    this.phase = "serving"
    this.wake()
  }

  private failed(outcome: Extract<ChannelMessage, { readonly _tag: "Failed" }>["outcome"]): void {
    switch (outcome._tag) {
      case "Ok":
        return
      case "Refused":
      case "Stale":
        return this.raise({ _tag: "Refused", message: outcome.message })
      case "Doubt":
        return this.raise({ _tag: "Retry", ms: outcome.ms, reason: outcome.reason })
      case "NoSession":
        // There is none to lose yet: a node that says so does not do what it was asked.
        return this.raise(this.phase === "opening" ? { _tag: "Refused", message: outcome.message } : outcome)
      default:
        return this.raise(outcome)
    }
  }

  private answered(
    kind: "write" | "read",
    number: number,
    outcome: Extract<ChannelMessage, { readonly _tag: "Written" }>["outcome"]
  ): void {
    // What is refused after the channel has failed is refused for that.
    if (this.phase === "over" && (outcome._tag === "Refused" || outcome._tag === "Stale")) return
    this.probing = false
    this.asked = false
    this.answers += 1
    const { pace, session } = this.owner
    if (outcome._tag === "Ok" && pace.isLimited) pace.served(session.sendable)
    if (outcome._tag === "Ok" && !this.served) {
      this.proven = true
      this.served = true
      this.pauses = 0
      this.inVain_ms = 0
      this.owner.onServed()
    }
    const trouble = this.owner.session.answer(kind, number, outcome)
    if (trouble?._tag === "Retry" || trouble?._tag === "Overloaded") this.delay(trouble)
    else if (trouble !== null) this.raise(trouble)
    if (this.owner.session.sendable) this.wake()
    if (this.phase === "draining" && !this.owner.session.owed) this.settled.openUnsafe()
  }

  private delay(delay: Delay): void {
    if (this.pause !== null || this.phase !== "serving") return
    if (delay._tag === "Retry") {
      this.owner.onDelayed(delay.reason)
      return this.wait(delay, delay.ms)
    }
    const { pace, session } = this.owner
    this.owner.onOverloaded(delay.reason)
    pace.turnedAway(session.underWay)
    if (session.underWay === 0) this.wait(delay, pace.pause(delay.ms))
  }

  private wait(delay: Delay, ms: number): void {
    this.pause = delay
    this.pause_ms = ms
    this.served = false
    this.pausing.openUnsafe()
  }

  private resume(): void {
    const over = this.pause
    this.pause = null
    this.pausing.closeUnsafe()
    if (over?._tag === "Retry") {
      this.pauses += 1
      if (this.pauses >= pauses_max) this.raise({ ...over, ms: 0 })
    } else if (over !== null) {
      this.inVain_ms += this.pause_ms
      // One that serves nothing for so long may be a primary that others have replaced: they know.
      if (this.inVain_ms >= Limits.client_silent_ms) this.raise({ _tag: "Retry", ms: 0, reason: over.reason })
    }
    this.wake()
  }

  private raise(trouble: Trouble): void {
    if (this.phase === "over" || this.phase === "draining") return
    this.phase = trouble._tag === "NoSession" ? "draining" : "over"
    Deferred.doneUnsafe(this.trouble, Exit.succeed(trouble))
  }
}

/** Waits about as long as was said (a quarter more or less), but never for a time that no node would mean. */
export const jittered = (ms: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (chance) =>
    Effect.sleep(Math.min(ms, 2 * Limits.client_backoff_max_ms) * (0.75 + chance / 2)))
