/**
 * A client: one session at a time, requests numbered in it, retried with the same number over any replica until they
 * are answered. It follows hints about the primary, and checks that what it gets is final.
 *
 * @module
 */
import { Limits } from "../../src/base/Limits.ts"
import type { ReplicaId, SessionId } from "../../src/vr/Message.ts"
import type { ClientRequest, Reply, ReplyTo } from "../../src/vr/Replica.ts"
import { same } from "./checkers/Check.ts"
import type { EventQueue } from "./EventQueue.ts"

/** Something asked, and what came of it. */
export interface Pending {
  readonly request: ClientRequest
  sentAt: number
  /** Was sent again because of a hint. */
  hinted: boolean
  /** The first answer. */
  reply: Reply | undefined
  /** Its session was lost: whether it ran will not be known. */
  inDoubt: boolean
}

export interface ClientSurroundings {
  readonly events: EventQueue
  /** Whom to ask. */
  readonly replicas: () => ReadonlyArray<ReplicaId>
  readonly send: (client: string, to: ReplicaId, request: ClientRequest) => void
  /** Something is asked for the first time. */
  readonly onAsked: (client: Client, pending: Pending) => void
  /** The first answer to it. Not called for what stays in doubt. */
  readonly onAnswered: (client: Client, pending: Pending, reply: Reply) => void
}

export interface ClientOptions {
  readonly retry_ms: number
}

export class Client {
  readonly name: string
  session: SessionId | undefined
  /** Answered, over all sessions. */
  answered = 0
  sessionsLost = 0
  /** Where requests go; a test may set it. */
  target: ReplicaId
  /** Whose turn it is when hints lead nowhere. */
  private turn: ReplicaId
  private readonly index: number
  private registration: Pending | undefined
  private sessions = 0
  private nextRequest = 1
  private nextRead = 1
  private tags = 0
  /** Every request up to here is answered. */
  private through = 0
  private readonly writes = new Map<number, Pending>()
  private readonly reads = new Map<number, Pending>()
  /** Writes that wait for a session. */
  private readonly queue: Array<{ readonly operation: Uint8Array; readonly done: (pending: Pending) => void }> = []
  private readonly options: ClientOptions
  private readonly around: ClientSurroundings

  constructor(index: number, options: ClientOptions, around: ClientSurroundings) {
    this.index = index
    this.name = `C${index}`
    this.options = options
    this.around = around
    const replicas = around.replicas()
    this.target = replicas[index % replicas.length]!
    this.turn = this.target
    this.retryLater()
  }

  /** Asked and neither answered nor given up. */
  get outstanding(): number {
    return this.writes.size + this.reads.size + this.queue.length
  }

  get reading(): number {
    return this.reads.size
  }

  /** The group refuses requests too far ahead of those that are answered. */
  get isWindowOpen(): boolean {
    return this.nextRequest + this.queue.length <= this.through + Limits.session_window_max
  }

  private get to(): ReplyTo {
    return { connection: this.index, channel: this.sessions }
  }

  private ask(request: ClientRequest): Pending {
    const pending: Pending = {
      request,
      sentAt: this.around.events.now,
      hinted: false,
      reply: undefined,
      inDoubt: false
    }
    this.around.onAsked(this, pending)
    this.around.send(this.name, this.target, request)
    return pending
  }

  /** Asks for a session; the group gives each nonce one. */
  register(): void {
    this.sessions++
    this.session = undefined
    this.nextRequest = 1
    this.through = 0
    const nonce = Buffer.alloc(16)
    nonce.writeUInt32BE(this.index, 0)
    nonce.writeUInt32BE(this.sessions, 4)
    this.registration = this.ask({ kind: "register", to: this.to, nonce })
  }

  /** A tag that no other append has. */
  tag(): string {
    return `${this.name}-${++this.tags}`
  }

  /** Once there is a session; `done` gets what was asked then. */
  write(operation: Uint8Array, done: (pending: Pending) => void = () => {}): void {
    if (this.session === undefined) {
      this.queue.push({ operation, done })
      if (this.registration === undefined) this.register()
      return
    }
    const number = this.nextRequest++
    const { session, through } = this
    const pending = this.ask({ kind: "write", to: this.to, session, request: number, answered: through, operation })
    this.writes.set(number, pending)
    done(pending)
  }

  read(operation: Uint8Array): Pending {
    const id = this.nextRead++
    const pending = this.ask({ kind: "read", to: this.to, request: id, operation })
    this.reads.set(id, pending)
    return pending
  }

  receive(reply: Reply, from: ReplicaId): void {
    const pending = this.pendingOf(reply)
    if (pending === undefined) return
    if (reply.status === "not primary" || reply.status === "in doubt") return this.redirect(pending, reply.primary, from)
    if (reply.status === "busy" || reply.status === "overloaded") return
    pending.reply = reply
    this.target = from
    if (reply.status === "no session") return this.loseSession()
    same(reply.status, "ok", this.name, "no other answer is final")
    this.around.onAnswered(this, pending, reply)
    this.settle(reply)
  }

  private pendingOf(reply: Reply): Pending | undefined {
    if (reply.kind === "read") return this.reads.get(reply.request)
    // An answer to an earlier session has nothing to do with this one.
    if (reply.to.channel !== this.sessions) return undefined
    return reply.kind === "register" ? this.registration : this.writes.get(reply.request)
  }

  private settle(reply: Reply): void {
    this.answered++
    if (reply.kind === "register") {
      this.session = reply.session
      this.registration = undefined
      for (const { done, operation } of this.queue.splice(0)) this.write(operation, done)
    } else if (reply.kind === "read") {
      this.reads.delete(reply.request)
    } else {
      this.writes.delete(reply.request)
      while (this.through + 1 < this.nextRequest && !this.writes.has(this.through + 1)) this.through++
    }
  }

  /** What was under way stays in doubt for ever; the next write gets another session. */
  private loseSession(): void {
    this.sessionsLost++
    for (const pending of this.writes.values()) pending.inDoubt = true
    this.writes.clear()
    this.session = undefined
    if (this.registration === undefined) this.register()
  }

  /** Follows a hint at once, but no more than once a `retry_ms` a request: hints may point at each other. */
  private redirect(pending: Pending, primary: ReplicaId | null, from: ReplicaId): void {
    if (from === this.target) this.target = primary ?? this.after(from)
    if (primary === null || pending.hinted) return
    pending.hinted = true
    this.around.send(this.name, this.target, pending.request)
  }

  private after(id: ReplicaId): ReplicaId {
    const replicas = this.around.replicas()
    return replicas[(replicas.indexOf(id) + 1) % replicas.length]!
  }

  private retryLater(): void {
    this.around.events.after(this.options.retry_ms, () => {
      const { now } = this.around.events
      if (this.resend(now - this.options.retry_ms) > 0) {
        // Round the whole group, whatever the hints say: they may all point at one that is gone.
        this.turn = this.after(this.turn)
        this.target = this.turn
      }
      this.retryLater()
    })
  }

  /** What was sent before `before`, again, with the same numbers. */
  private resend(before: number): number {
    let resent = 0
    const { events, send } = this.around
    const again = (pending: Pending): void => {
      if (pending.sentAt > before) return
      pending.sentAt = events.now
      pending.hinted = false
      send(this.name, this.target, pending.request)
      resent++
    }
    if (this.registration !== undefined) again(this.registration)
    for (const pending of this.writes.values()) again(pending)
    for (const pending of this.reads.values()) again(pending)
    return resent
  }
}
