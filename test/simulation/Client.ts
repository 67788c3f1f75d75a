/**
 * A client: one session at a time, requests numbered in it, retried with the same number over any replica until they
 * are answered. It follows hints about the primary, and checks every answer against the history.
 *
 * @module
 */
import { Limits } from "../../src/base/Limits.ts"
import type { OpNumber, ReplicaId, SessionId } from "../../src/vr/Message.ts"
import type { ClientRequest, Reply, ReplyTo } from "../../src/vr/Replica.ts"
import { checkAnswer } from "./checkers/Answers.ts"
import type { EventQueue } from "./EventQueue.ts"
import type { History } from "./History.ts"
import { append, appendResult, get, malformed, readResult } from "./Register.ts"

/** Something asked, and what came of it. */
export interface Pending {
  readonly request: ClientRequest
  /** Op number of the latest write (or read version) that anybody was answered with before this was asked. */
  readonly floor: OpNumber
  readonly isMalformed: boolean
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
  readonly history: History
  readonly replicas: ReadonlyArray<ReplicaId>
  readonly send: (client: string, to: ReplicaId, request: ClientRequest) => void
  /** Shared by all clients: what anybody was answered with so far. */
  readonly seen: { version: OpNumber }
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
    this.target = around.replicas[index % around.replicas.length]!
    this.turn = this.target
    this.retryLater()
  }

  /** Asked and neither answered nor given up. */
  get outstanding(): number {
    return this.writes.size + this.reads.size + this.queue.length
  }

  /** The group refuses requests too far ahead of those that are answered. */
  get isWindowOpen(): boolean {
    return this.nextRequest + this.queue.length <= this.through + Limits.session_window_max
  }

  private get to(): ReplyTo {
    return { connection: this.index, channel: this.sessions }
  }

  private ask(request: ClientRequest, isMalformed = false): Pending {
    const { events, seen } = this.around
    const pending: Pending = {
      request,
      floor: seen.version,
      isMalformed,
      sentAt: events.now,
      hinted: false,
      reply: undefined,
      inDoubt: false
    }
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
  append(key: string, done: (pending: Pending) => void = () => {}): void {
    this.write(append(key, this.tag()), done)
  }

  appendMalformed(done: (pending: Pending) => void = () => {}): void {
    this.write(malformed, done)
  }

  write(operation: Uint8Array, done: (pending: Pending) => void = () => {}): void {
    if (this.session === undefined) {
      this.queue.push({ operation, done })
      if (this.registration === undefined) this.register()
      return
    }
    const number = this.nextRequest++
    const { session, through } = this
    const pending = this.ask(
      { kind: "write", to: this.to, session, request: number, answered: through, operation },
      operation === malformed
    )
    this.writes.set(number, pending)
    done(pending)
  }

  read(key: string): Pending {
    const id = this.nextRead++
    const pending = this.ask({ kind: "read", to: this.to, request: id, operation: get(key) })
    this.reads.set(id, pending)
    return pending
  }

  receive(reply: Reply, from: ReplicaId): void {
    const pending = this.pendingOf(reply)
    if (pending === undefined) return
    if (reply.status === "not primary" || reply.status === "in doubt") return this.redirect(pending, reply.primary, from)
    if (reply.status === "busy") return
    pending.reply = reply
    checkAnswer(this.name, this.around.history, pending)
    this.target = from
    this.settle(pending, reply)
  }

  private pendingOf(reply: Reply): Pending | undefined {
    if (reply.kind === "read") return this.reads.get(reply.request)
    // An answer to an earlier session has nothing to do with this one.
    if (reply.to.channel !== this.sessions) return undefined
    return reply.kind === "register" ? this.registration : this.writes.get(reply.request)
  }

  private settle({ isMalformed }: Pending, reply: Reply): void {
    const { seen } = this.around
    if (reply.status === "no session") return this.loseSession()
    this.answered++
    if (reply.kind === "register") {
      this.session = reply.session
      this.registration = undefined
      for (const { done, operation } of this.queue.splice(0)) this.write(operation, done)
    } else if (reply.kind === "read") {
      this.reads.delete(reply.request)
      seen.version = Math.max(seen.version, readResult(reply.result!).version)
    } else {
      this.writes.delete(reply.request)
      while (this.through + 1 < this.nextRequest && !this.writes.has(this.through + 1)) this.through++
      if (!isMalformed) seen.version = Math.max(seen.version, appendResult(reply.result!).op)
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
    const { replicas } = this.around
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
