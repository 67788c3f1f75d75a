/**
 * One session's requests: which wait, which are under way, which numbers they have, and what may be said of one that
 * ends without an answer. A state machine without clock, network or Effect; whoever owns it moves the messages.
 *
 * Exactly-once rests on two rules. A write keeps its number for as long as the session lives, however often it is sent;
 * the cluster executes a number once. And `answered` only ever covers numbers that nobody waits for any more.
 *
 * A *copy* of a request was sent and has not been answered: it may be executed, now or later. A write with copies out is
 * in doubt. Every answer but a result takes one copy back, as it says that this copy was not executed.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import { Limits } from "../base/Limits.ts"
import { Window } from "../base/Window.ts"
import type { ClientMessage, Outcome } from "../wire/ClientProtocol.ts"
import { type Call, CallQueue, type Ending } from "./Call.ts"

/** Answers that end no call: the whole session has to move, wait or start again. */
export type Trouble = Exclude<Outcome, { readonly _tag: "Ok" | "Refused" | "Stale" | "Doubt" }>

export interface SessionLimits {
  /** Requests under way, of each kind. */
  readonly window: number
  readonly unanswered_bytes: number
  readonly waiting: number
  readonly waiting_bytes: number
}

/** Reads are sent before writes. */
const kinds = ["read", "write"] as const

const limits_default: SessionLimits = {
  window: Limits.session_window_max,
  unanswered_bytes: Limits.client_unanswered_bytes_max,
  waiting: Limits.client_waiting_max,
  waiting_bytes: Limits.client_waiting_bytes_max
}

export class Session {
  private readonly limits: SessionLimits
  /** All that somebody waits for. */
  private readonly calls = { write: new CallQueue(), read: new CallQueue() }
  /** Of those without a number. */
  private waitingBytes = 0
  /** Numbered and not answered, in order of their numbers. */
  private readonly numbered = { write: new Window<Call>(), read: new Window<Call>() }
  private unansweredBytes = 0
  /** Sent on the present connection, and not answered there. */
  private flying = 0
  /** Numbered ones that are to be sent (again). */
  private again: Array<Call> = []
  private nextWrite = 1
  private nextRead = 1
  /** Every write up to this number is answered, or nobody waits for it. */
  private answered = 0
  private closed = false

  constructor(limits: SessionLimits = limits_default) {
    this.limits = limits
  }

  /** Does nobody wait for anything? */
  get idle(): boolean {
    return this.calls.write.first === null && this.calls.read.first === null
  }

  /** Requests that were numbered and have no answer yet. */
  get unanswered(): number {
    return this.numbered.write.size + this.numbered.read.size
  }

  /** Requests that the node has now. */
  get underWay(): number {
    return this.flying
  }

  /** Was any write sent on the present connection that has no answer from there? */
  get owed(): boolean {
    for (const [, call] of this.numbered.write) if (!call.queued) return true
    return false
  }

  /** Would {@link take} have something to give? */
  get sendable(): boolean {
    return this.again.length > 0 || this.admits("read") || this.admits("write")
  }

  /** The earliest deadline of all calls; Infinity if there are none. */
  get deadline_ms(): number {
    const { read, write } = this.calls
    return Math.min(write.first?.deadline_ms ?? Infinity, read.first?.deadline_ms ?? Infinity)
  }

  /** Takes the call in, or says that too much waits already. Deadlines must not fall from one call of a kind to the next. */
  submit(call: Call): boolean {
    if (this.closed) {
      call.state = "done"
      call.settle({ _tag: "Undone", cause: "closed" })
      return true
    }
    const { waiting, waiting_bytes } = this.limits
    const bytes = this.waitingBytes + call.operation.length
    if (this.calls.write.waiting + this.calls.read.waiting >= waiting || bytes > waiting_bytes) return false
    this.calls[call.kind].add(call)
    this.waitingBytes = bytes
    return true
  }

  /** Nobody waits for this call any more. A write that was sent may still be executed. */
  abandon(call: Call): void {
    if (call.state === "new") call.state = "done"
    if (call.state === "done") return
    if (call.state === "waiting") {
      this.waitingBytes -= call.operation.length
    } else {
      this.numbered[call.kind].delete(call.number)
      this.unansweredBytes -= call.operation.length
      if (!call.queued) this.flying -= 1
      this.advance()
    }
    this.calls[call.kind].remove(call)
  }

  /** Ends the calls whose time has come. */
  expire(now_ms: number): void {
    this.endUpTo(now_ms, "deadline")
  }

  /** Ends all calls, and every later one. */
  close(): void {
    this.closed = true
    this.endUpTo(Infinity, "closed")
  }

  /**
   * What to send now: first what has to be sent again, then reads, then writes, as far as the window allows. Stops
   * behind the message that reaches `bytes_max`, and once `flying_max` are under way.
   */
  take(channel: number, bytes_max: number, flying_max = Infinity): ReadonlyArray<ClientMessage> {
    const messages: Array<ClientMessage> = []
    let bytes = 0
    let done = 0
    for (; done < this.again.length && bytes < bytes_max && this.flying < flying_max; done++) {
      const call = this.again[done]!
      if (call.state !== "numbered" || !call.queued) continue
      messages.push(this.message(call, channel))
      bytes += call.operation.length
    }
    this.again = this.again.slice(done)
    for (const kind of kinds) {
      while (bytes < bytes_max && this.flying < flying_max && this.admits(kind)) {
        const call = this.numberNext(kind)
        messages.push(this.message(call, channel))
        bytes += call.operation.length
      }
    }
    return messages
  }

  /** The connection changed: all that is unanswered is to be sent again, lowest numbers first. */
  resend(): void {
    this.again = [...this.numbered.write, ...this.numbered.read].map(([, call]) => call)
    for (const call of this.again) call.queued = true
    this.flying = 0
  }

  /** The answer to the write `number`, or read `number`. What it means for the session as a whole, or null. */
  answer(kind: "write" | "read", number: number, outcome: Outcome): Trouble | null {
    const call = this.numbered[kind].get(number)
    // Abandoned, or answered on another connection before.
    if (call === undefined) return null
    switch (outcome._tag) {
      case "Ok":
      case "Refused":
      case "Stale":
        this.abandon(call)
        call.settle(outcome)
        return null
      case "Doubt":
        // That copy is in a log, so it still counts: it may be executed by a later primary.
        this.requeue(call)
        return { _tag: "Retry", ms: outcome.ms, reason: outcome.reason }
      default:
        if (call.copies > 0) call.copies -= 1
        this.requeue(call)
        return outcome
    }
  }

  private requeue(call: Call): void {
    if (call.queued) return
    call.queued = true
    this.flying -= 1
    this.again.push(call)
  }

  /**
   * The session is gone, and a new one starts to count at 1. Writes in doubt end; the others and all reads go on, before
   * those that waited behind them.
   */
  lose(): void {
    const doubtful = [...this.numbered.write].map(([, call]) => call).filter(({ copies }) => copies > 0)
    for (const call of doubtful) this.abandon(call)
    for (const kind of kinds) this.renumber(kind)
    invariant(this.unanswered === 0 && this.unansweredBytes === 0 && this.flying === 0, "a new session has nothing under way")
    this.again = []
    this.nextWrite = 1
    this.answered = 0
    for (const call of doubtful) call.settle({ _tag: "InDoubt", cause: "session lost" })
  }

  private renumber(kind: "write" | "read"): void {
    for (const [, call] of this.numbered[kind]) {
      this.numbered[kind].delete(call.number)
      this.unansweredBytes -= call.operation.length
      this.waitingBytes += call.operation.length
      if (!call.queued) this.flying -= 1
      call.number = 0
      call.copies = 0
      call.queued = false
    }
    this.calls[kind].withdrawNumbers()
  }

  /** May one more of this kind get a number? */
  private admits(kind: "write" | "read"): boolean {
    if (this.calls[kind].waiting === 0) return false
    if (this.unansweredBytes >= this.limits.unanswered_bytes) return false
    return kind === "write"
      ? this.nextWrite <= this.answered + this.limits.window
      : this.numbered.read.size < this.limits.window
  }

  private numberNext(kind: "write" | "read"): Call {
    const call = this.calls[kind].giveNumber()
    this.waitingBytes -= call.operation.length
    this.unansweredBytes += call.operation.length
    call.number = kind === "write" ? this.nextWrite++ : this.nextRead++
    this.numbered[kind].set(call.number, call)
    return call
  }

  private message(call: Call, channel: number): ClientMessage {
    call.queued = false
    call.copies += 1
    this.flying += 1
    return call.kind === "write"
      ? { _tag: "Write", channel, request: call.number, answered: this.answered, operation: call.operation }
      : { _tag: "Read", channel, id: call.number, operation: call.operation }
  }

  /** Lets `answered` follow. */
  private advance(): void {
    while (this.answered + 1 < this.nextWrite && this.numbered.write.get(this.answered + 1) === undefined) this.answered += 1
  }

  /** All of them are let go before the first is told: its caller may come back at once. */
  private endUpTo(deadline_ms: number, cause: Ending): void {
    const ended: Array<Call> = []
    for (const kind of kinds) {
      for (let call = this.calls[kind].first; call !== null && call.deadline_ms <= deadline_ms; call = call.next) ended.push(call)
    }
    for (const call of ended) this.abandon(call)
    for (const call of ended) {
      const inDoubt = call.kind === "write" && call.copies > 0
      call.settle({ _tag: inDoubt ? "InDoubt" : "Undone", cause })
    }
  }
}
