/**
 * One connection to one node, shared by all sessions of a client. Three fibers serve it, however many calls there are:
 * a reader that hands every message to its channel, and writes at once what was asked for when the last answer came; a writer that gathers
 * what the channels have to send into one write a turn; and a watchman that notices a node which owes an answer and has gone silent.
 *
 * @module
 */
import { isArrayNonEmpty } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { bytesOf } from "../base/Bytes.ts"
import { Limits } from "../base/Limits.ts"
import { connectFramed, type Framed } from "../network/Framed.ts"
import { Closed, type Network } from "../network/Network.ts"
import {
  type ClientMessage, decodeServerMessage, encodeClientMessage, type ServerMessage, type TenantListing
} from "../wire/ClientProtocol.ts"
import { makeHello } from "../wire/Hello.ts"
import { silence } from "./Silence.ts"

/** No connection to `address`: `reason` in a few words. */
export class Unreachable extends Schema.TaggedError<Unreachable>()("Unreachable", {
  address: Schema.String,
  reason: Schema.String
}) {}

/** What a server says to one channel. */
export type ChannelMessage = Extract<ServerMessage, { readonly channel: number }>

/** Who uses a channel. All methods are called synchronously, and return at once. */
export interface ChannelUser {
  /** What to send now, up to the message that reaches `bytes_max`. Asked after {@link Connection.wake}. */
  readonly take: (bytes_max: number) => ReadonlyArray<ClientMessage>
  readonly receive: (message: ChannelMessage) => void
  /** Does the server owe this channel an answer? */
  readonly expecting: () => boolean
  /** The connection has ended. */
  readonly lost: (reason: string) => void
}

type Listed = (result: Effect.Effect<ReadonlyArray<TenantListing>, Closed>) => void

export class Connection {
  readonly address: string
  /** The node's name. */
  readonly node: string
  /** Why it has ended, or null. */
  ended: string | null = null
  private readonly framed: Framed
  private readonly channels = new Map<number, ChannelUser>()
  private nextChannel = 1
  private nextId = 1
  private readonly pongs = new Map<number, () => void>()
  private readonly listings = new Map<number, Listed>()
  /** Frames that do not wait for the window of a session, and the channels that said they have something. */
  private control: Array<Uint8Array> = []
  private readonly eager = new Set<ChannelUser>()
  /** Open while there is something to write; while something is owed. */
  private readonly work = Latch.makeUnsafe(false)
  private readonly owed = Latch.makeUnsafe(false)
  /** Batches that came, ever: the sign of life. */
  private received = 0
  /**
   * A batch is being handed out. A fiber that goes on with an answer, and asks for the next thing, does so meanwhile (who awaits a promise
   * does later): the writer need not be woken for that, nor once more for nothing.
   */
  private isReading = false

  constructor(address: string, framed: Framed) {
    this.address = address
    this.node = framed.hello.node ?? ""
    this.framed = framed
  }

  /** Lasts as long as the connection, and tells everybody when it ends. */
  readonly run: Effect.Effect<void> = Effect.suspend(() =>
    Effect.raceAllFirst([this.reading, this.writing, this.watching]).pipe(
      Effect.catch(({ reason }) => Effect.sync(() => this.end(reason))),
      Effect.tapCause((cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("a connection's fiber died", cause)),
      Effect.ensuring(Effect.sync(() => this.end("closed on this side")))
    )
  )

  /** A channel of one's own for as long as the Scope lasts; its end is the channel's CLOSE. */
  attach<User extends ChannelUser>(make: (channel: number) => User): Effect.Effect<User, never, Scope.Scope> {
    const acquire = Effect.sync(() => {
      const channel = this.nextChannel++
      const user = make(channel)
      this.channels.set(channel, user)
      if (this.ended !== null) user.lost(this.ended)
      return { channel, user }
    })
    return Effect.map(
      Effect.acquireRelease(acquire, ({ channel, user }) => this.detach(channel, user)),
      ({ user }) => user
    )
  }

  private detach(channel: number, user: ChannelUser): Effect.Effect<void> {
    this.channels.delete(channel)
    this.eager.delete(user)
    if (this.ended !== null) return Effect.void
    // Behind what this channel, and others, have asked for.
    this.control.push(encodeClientMessage({ _tag: "Close", channel }))
    const frames = this.control
    this.control = []
    this.owed.openUnsafe()
    return (isArrayNonEmpty(frames) ? this.framed.send(frames) : Effect.void).pipe(
      Effect.timeoutOption(Limits.client_farewell_ms),
      Effect.ignore
    )
  }

  /** This channel has something to send. It is asked for it with all others: in the next turn, or at the end of a batch of answers. */
  wake(user: ChannelUser): void {
    this.eager.add(user)
    if (!this.isReading) this.work.openUnsafe()
  }

  send(message: ClientMessage): void {
    this.control.push(encodeClientMessage(message))
    if (!this.isReading) this.work.openUnsafe()
  }

  /** The pong comes behind the answers to everything that the node does in the order that it reads. */
  ping(onPong: () => void): void {
    const id = this.nextId++
    this.pongs.set(id, onPong)
    this.send({ _tag: "Ping", id })
  }

  /** The tenants that the node knows. */
  readonly tenants: Effect.Effect<ReadonlyArray<TenantListing>, Closed> = Effect.callback((resume) => {
    if (this.ended !== null) return resume(Effect.fail(new Closed({ reason: this.ended })))
    const id = this.nextId++
    this.listings.set(id, resume)
    this.send({ _tag: "Tenants", id })
    return Effect.sync(() => this.listings.delete(id))
  })

  private expecting(): boolean {
    if (this.pongs.size > 0 || this.listings.size > 0) return true
    for (const user of this.channels.values()) if (user.expecting()) return true
    return false
  }

  private readonly reading: Effect.Effect<never, Closed> = Effect.suspend(() =>
    Effect.flatMap(this.framed.receive, (payloads) => {
      this.received += 1
      const complaints: Array<string> = []
      this.isReading = true
      const fault = this.dispatchAll(payloads, complaints)
      this.isReading = false
      if (fault !== null) return Effect.fail(new Closed({ reason: `it sent something that is no message: ${fault}` }))
      this.goOn()
      return complaints.length === 0 ? Effect.void
        : Effect.logWarning(`${this.address} complains`, ...complaints)
    })
  ).pipe(Effect.forever({ disableYield: true }))

  /** What is wrong with one of them, or null. */
  private dispatchAll(payloads: ReadonlyArray<Uint8Array>, complaints: Array<string>): string | null {
    for (const payload of payloads) {
      const fault = this.dispatch(payload, complaints)
      if (fault !== null) return fault
    }
    return null
  }

  /**
   * With what was asked for while a batch was read: at once, if the server owed no more. Else others will ask when their answers come,
   * and the writer's next turn is for all.
   */
  private goOn(): void {
    if (this.eager.size === 0 && this.control.length === 0) return
    if (this.channels.size <= Limits.client_channels_asked_max && !this.expecting()) {
      const frames = this.gather()
      if (isArrayNonEmpty(frames)) {
        this.owed.openUnsafe()
        if (!this.framed.sendNow(frames)) this.control = [...frames, ...this.control]
      }
    }
    if (this.eager.size > 0 || this.control.length > 0) this.work.openUnsafe()
  }

  /** What is wrong with the payload, or null. */
  private dispatch(payload: Uint8Array, complaints: Array<string>): string | null {
    const message = decodeServerMessage(payload)
    switch (message._tag) {
      case "Written":
      case "Answer":
      case "Opened":
      case "Failed":
        // Without a user: the answer to something that was sent before a CLOSE.
        this.channels.get(message.channel)?.receive(message)
        return null
      case "Pong": {
        const onPong = this.pongs.get(message.id)
        this.pongs.delete(message.id)
        onPong?.()
        return null
      }
      case "Tenants": {
        const listed = this.listings.get(message.id)
        this.listings.delete(message.id)
        listed?.(Effect.succeed(message.tenants))
        return null
      }
      case "Error":
        complaints.push(message.message)
        return null
      case "Unknown":
        return null
      case "Malformed":
        return message.ignorable ? null : message.reason
    }
  }

  private readonly writing: Effect.Effect<never, Closed> = Effect.suspend(() =>
    this.work.await.pipe(
      // Whoever else calls in this turn is part of the same write.
      Effect.andThen(Effect.yieldNow),
      Effect.andThen(Effect.suspend(() => {
        const frames = this.gather()
        if (!isArrayNonEmpty(frames)) {
          this.work.closeUnsafe()
          return Effect.void
        }
        this.owed.openUnsafe()
        return this.framed.send(frames)
      }))
    )
  ).pipe(Effect.forever({ disableYield: true }))

  /** At most a write's worth; who could not give all stands at the end of the line. */
  private gather(): Array<Uint8Array> {
    const frames = this.control
    this.control = []
    let bytes = bytesOf(frames)
    for (const user of this.eager) {
      this.eager.delete(user)
      for (const message of user.take(Limits.client_write_bytes_max - bytes)) {
        const frame = encodeClientMessage(message)
        bytes += frame.length
        frames.push(frame)
      }
      if (bytes >= Limits.client_write_bytes_max) {
        this.eager.add(user)
        break
      }
    }
    return frames
  }

  private readonly watching: Effect.Effect<never, Closed> = Effect.suspend(() =>
    silence({
      owes: () => this.expecting(),
      owing: this.owed,
      signs: () => this.received,
      onSilence: (silent_ms) => {
        if (silent_ms === Limits.client_ping_after_ms) this.ping(() => {})
      },
      look_ms: Limits.client_look_ms,
      silent_ms: Limits.client_silent_ms
    })
  ).pipe(Effect.andThen(Effect.fail(new Closed({ reason: `silent for ${Limits.client_silent_ms} ms` }))))

  private end(reason: string): void {
    if (this.ended !== null) return
    this.ended = reason
    for (const listed of this.listings.values()) listed(Effect.fail(new Closed({ reason })))
    for (const user of this.channels.values()) user.lost(reason)
  }
}

/** Dials a node; {@link Connection.run} is left to the caller. `cluster`: the name that it must have; null: any. */
export const connect = Effect.fnUntraced(function*(
  address: string,
  cluster: string | null
): Effect.fn.Return<Connection, Unreachable, Scope.Scope | Network> {
  const limits = { frame_bytes_max: Limits.client_frame_bytes_max }
  const framed = yield* connectFramed(address, makeHello("v2r2-client", { cluster, node: null, limits })).pipe(
    Effect.mapError(({ reason }) => new Unreachable({ address, reason })),
    Effect.timeoutOrElse({
      duration: Limits.client_dial_ms,
      orElse: () => new Unreachable({ address, reason: "timed out" })
    })
  )
  return new Connection(address, framed)
})
