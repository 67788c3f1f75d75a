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

/** How a call ends. */
export type Verdict =
  /** The store's encoded result. */
  | { readonly _tag: "Ok"; readonly result: Uint8Array }
  /** The node refuses the request as it is. Nothing was done. */
  | { readonly _tag: "Refused"; readonly message: string }
  /** The node says that we had given up this request: one side counts wrongly. */
  | { readonly _tag: "Stale"; readonly message: string }
  /** No answer, and nothing was done (a read never does anything). */
  | { readonly _tag: "Undone"; readonly cause: Ending }
  /** No answer to a write with copies out. */
  | { readonly _tag: "InDoubt"; readonly cause: Ending }

/** Why nobody waits for the answer any more. */
export type Ending = "deadline" | "closed" | "session lost"

/** Answers that end no call: the whole session has to move, wait or start again. */
export type Trouble = Exclude<Outcome, { readonly _tag: "Ok" | "Refused" | "Stale" | "Doubt" }>

/** One request of one caller. `settle` is called once at most, and never after {@link Session.abandon}. */
export class Call {
  readonly kind: "write" | "read"
  /** Encoded. Not to be changed any more. */
  readonly operation: Uint8Array
  /** On the owner's clock. */
  readonly deadline_ms: number
  readonly settle: (verdict: Verdict) => void
  /** The session's own notes. */
  state: "new" | "waiting" | "numbered" | "done" = "new"
  number = 0
  copies = 0
  /** Is it in line to be sent (again)? */
  queued = false

  constructor(
    kind: "write" | "read",
    operation: Uint8Array,
    deadline_ms: number,
    settle: (verdict: Verdict) => void
  ) {
    this.kind = kind
    this.operation = operation
    this.deadline_ms = deadline_ms
    this.settle = settle
  }
}

export interface SessionLimits {
  /** Requests under way, of each kind. */
  readonly window: number
  readonly unanswered_bytes: number
  readonly waiting: number
  readonly waiting_bytes: number
}

const limits_default: SessionLimits = {
  window: Limits.session_window_max,
  unanswered_bytes: Limits.client_unanswered_bytes_max,
  waiting: Limits.client_waiting_max,
  waiting_bytes: Limits.client_waiting_bytes_max
}

export class Session {
  private readonly limits: SessionLimits
  /** All calls that somebody waits for, oldest first: also in order of their deadlines. */
  private readonly calls = new Set<Call>()
  /** Without a number yet. */
  private waiting = { write: new Set<Call>(), read: new Set<Call>() }
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
    return this.calls.size === 0
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

  /** The earliest deadline of all calls. */
  get deadline_ms(): number | undefined {
    for (const call of this.calls) return call.deadline_ms
    return undefined
  }

  /** Takes the call in, or says that too much waits already. Deadlines must not fall from one call to the next. */
  submit(call: Call): boolean {
    if (this.closed) {
      call.state = "done"
      call.settle({ _tag: "Undone", cause: "closed" })
      return true
    }
    const { waiting, waiting_bytes } = this.limits
    const bytes = this.waitingBytes + call.operation.length
    if (this.waiting.write.size + this.waiting.read.size >= waiting || bytes > waiting_bytes) return false
    invariant(call.state === "new", "a call is submitted once")
    call.state = "waiting"
    this.calls.add(call)
    this.waiting[call.kind].add(call)
    this.waitingBytes = bytes
    return true
  }

  /** Nobody waits for this call any more. A write that was sent may still be executed. */
  abandon(call: Call): void {
    if (call.state === "waiting") {
      this.waiting[call.kind].delete(call)
      this.waitingBytes -= call.operation.length
    } else if (call.state === "numbered") {
      this.numbered[call.kind].delete(call.number)
      this.unansweredBytes -= call.operation.length
      if (!call.queued) this.flying -= 1
      this.advance()
    }
    this.calls.delete(call)
    call.state = "done"
  }

  /** Ends the calls whose time has come. */
  expire(now_ms: number): void {
    const expired: Array<Call> = []
    for (const call of this.calls) {
      if (call.deadline_ms > now_ms) break
      expired.push(call)
    }
    this.end(expired, "deadline")
  }

  /** Ends all calls, and every later one. */
  close(): void {
    this.closed = true
    this.end([...this.calls], "closed")
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
    for (const kind of ["read", "write"] as const) {
      for (const call of this.waiting[kind]) {
        if (bytes >= bytes_max || this.flying >= flying_max || !this.admits(kind)) break
        this.number(call)
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
    const doubtful: Array<Call> = []
    for (const kind of ["write", "read"] as const) {
      const kept: Array<Call> = []
      for (const [, call] of this.numbered[kind]) (kind === "write" && call.copies > 0 ? doubtful : kept).push(call)
      this.renumber(kind, kept)
    }
    for (const call of doubtful) this.abandon(call)
    invariant(this.unanswered === 0 && this.unansweredBytes === 0 && this.flying === 0, "a new session has nothing under way")
    this.again = []
    this.nextWrite = 1
    this.answered = 0
    for (const call of doubtful) call.settle({ _tag: "InDoubt", cause: "session lost" })
  }

  private renumber(kind: "write" | "read", calls: ReadonlyArray<Call>): void {
    for (const call of calls) {
      this.numbered[kind].delete(call.number)
      this.unansweredBytes -= call.operation.length
      this.waitingBytes += call.operation.length
      if (!call.queued) this.flying -= 1
      call.state = "waiting"
      call.number = 0
      call.copies = 0
      call.queued = false
    }
    this.waiting[kind] = new Set([...calls, ...this.waiting[kind]])
  }

  /** May one more of this kind get a number? */
  private admits(kind: "write" | "read"): boolean {
    if (this.waiting[kind].size === 0) return false
    if (this.unansweredBytes >= this.limits.unanswered_bytes) return false
    return kind === "write"
      ? this.nextWrite <= this.answered + this.limits.window
      : this.numbered.read.size < this.limits.window
  }

  private number(call: Call): void {
    this.waiting[call.kind].delete(call)
    this.waitingBytes -= call.operation.length
    this.unansweredBytes += call.operation.length
    call.state = "numbered"
    call.number = call.kind === "write" ? this.nextWrite++ : this.nextRead++
    this.numbered[call.kind].set(call.number, call)
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

  /** All are let go before the first is told: its caller may come back at once. */
  private end(calls: ReadonlyArray<Call>, cause: Ending): void {
    for (const call of calls) this.abandon(call)
    for (const call of calls) {
      const inDoubt = call.kind === "write" && call.copies > 0
      call.settle({ _tag: inDoubt ? "InDoubt" : "Undone", cause })
    }
  }
}
