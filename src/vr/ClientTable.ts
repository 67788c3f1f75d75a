/**
 * Sessions and their answers: what makes a retried request run once (VRR §4, and flaw F10 of the paper).
 *
 * The committed part (sessions, answers, order of use) changes only when an entry is applied, so it is equal at every
 * replica. The pending part belongs to a primary: which requests are in the log but not committed yet.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import { Window } from "../base/Window.ts"
import type { Application } from "./Application.ts"
import type { Entry, OpNumber, RequestNumber, SessionId } from "./Message.ts"

interface Session {
  readonly id: SessionId
  readonly nonce: string
  /** Requests up to here are answered and acknowledged; their results are gone. */
  answered: RequestNumber
  /** Results of executed requests above `answered`. */
  readonly results: Window<Uint8Array>
  readonly pending: Window<OpNumber>
  /** Of the table, when this was made: one of an earlier epoch may be in a snapshot, and is copied before it is changed. */
  readonly epoch: number
}

/** A session as a snapshot keeps it. */
export interface KeptSession {
  readonly id: SessionId
  readonly nonce: Uint8Array
  readonly answered: RequestNumber
  /** In the order of their numbers. */
  readonly results: Iterable<readonly [RequestNumber, Uint8Array]>
}

const nonceKey = (nonce: Uint8Array): string => Buffer.from(nonce).toString("latin1")
const nonceOf = (key: string): Uint8Array => new Uint8Array(Buffer.from(key, "latin1"))

/** The client decides how far `through` jumps, so the work is bounded by the results that are there. */
const forgetThrough = (session: Session, through: RequestNumber): void => {
  if (through - session.answered <= session.results.size) {
    for (let n = session.answered + 1; n <= through; n++) session.results.delete(n)
  } else {
    for (const [n] of session.results) if (n <= through) session.results.delete(n)
  }
  session.answered = through
}

export type Standing =
  | { readonly _tag: "Unknown" }
  | { readonly _tag: "Stale" }
  | { readonly _tag: "BeyondWindow" }
  | { readonly _tag: "Done"; readonly result: Uint8Array }
  | { readonly _tag: "Pending"; readonly op: OpNumber }
  | { readonly _tag: "New" }

const unknownStanding: Standing = { _tag: "Unknown" }
const stale: Standing = { _tag: "Stale" }
const beyondWindow: Standing = { _tag: "BeyondWindow" }
const fresh: Standing = { _tag: "New" }

export class ClientTable {
  /** In order of last committed use: the first is evicted first. */
  private readonly sessions = new Map<SessionId, Session>()
  private readonly byNonce = new Map<string, SessionId>()
  private readonly pendingRegistrations = new Map<string, OpNumber>()
  private readonly sessionsMax: number
  /** The last of `sessions`. */
  private latest: SessionId = 0
  /** Raised by each `pin`. */
  private epoch = 0

  constructor(sessionsMax: number = Limits.sessions_max) {
    this.sessionsMax = sessionsMax
  }

  get size(): number {
    return this.sessions.size
  }

  has(id: SessionId): boolean {
    return this.sessions.has(id)
  }

  // --- committed: called at apply, in op order, equally at every replica

  /** A registration takes effect; a repeated nonce names the session that it made before. Evicts the least recent. */
  register(op: OpNumber, nonce: Uint8Array): SessionId {
    const key = nonceKey(nonce)
    this.pendingRegistrations.delete(key)
    const known = this.byNonce.get(key)
    if (known !== undefined) {
      this.touch(this.sessions.get(known)!)
      return known
    }
    this.add(op, key, 0, new Window())
    if (this.sessions.size > this.sessionsMax) {
      const [oldest] = this.sessions.values()
      this.sessions.delete(oldest!.id)
      this.byNonce.delete(oldest!.nonce)
    }
    return op
  }

  /**
   * A request is applied. Executes it only if this session never ran this request.
   * `undefined`: there is no such session, or the client has acknowledged the answer long ago.
   */
  apply(entry: Entry, application: Pick<Application, "apply">): Uint8Array | undefined {
    const { answered, request } = entry
    const known = this.sessions.get(entry.session)
    if (known === undefined) return undefined
    const session = this.touch(known)
    session.pending.delete(request)
    let result = session.results.get(request)
    const isNew = result === undefined && request > session.answered
    // A client cannot acknowledge what it is only asking for now. What it has acknowledged makes room first.
    const through = Math.min(answered, request - 1)
    if (through > session.answered) forgetThrough(session, through)
    if (isNew) {
      result = application.apply(entry.operation, entry)
      session.results.set(request, result)
    }
    return result
  }

  /** A map keeps what is deleted until it is rebuilt, so a session that is the latest already is left where it is. */
  private touch(known: Session): Session {
    const session = known.epoch === this.epoch ? known : { ...known, results: known.results.copy(), epoch: this.epoch }
    if (session.id !== this.latest) {
      this.latest = session.id
      this.sessions.delete(session.id)
      this.sessions.set(session.id, session)
    } else if (session !== known) this.sessions.set(session.id, session)
    return session
  }

  private add(id: SessionId, nonce: string, answered: RequestNumber, results: Window<Uint8Array>): void {
    this.sessions.set(id, { id, nonce, answered, results, pending: new Window(), epoch: this.epoch })
    this.byNonce.set(nonce, id)
    this.latest = id
  }

  // --- snapshots: the committed part, as it is now, whatever happens to it later

  pin(): ReadonlyArray<KeptSession> {
    const pinned = [...this.sessions.values()]
    this.epoch++
    // Lazily: it is read while the replica goes on.
    return pinned.map(({ answered, id, nonce, results }) => ({
      id,
      answered,
      results,
      get nonce() {
        return nonceOf(nonce)
      }
    }))
  }

  /** Replaces all sessions, in order of last committed use. Their answers are its own from now on. */
  install(sessions: ReadonlyArray<KeptSession & { readonly results: Window<Uint8Array> }>): void {
    this.sessions.clear()
    this.byNonce.clear()
    this.pendingRegistrations.clear()
    for (const { answered, id, nonce, results } of sessions) this.add(id, nonceKey(nonce), answered, results)
  }

  // --- what a primary asks before it lets a request into the log

  standing(id: SessionId, request: RequestNumber, answered: RequestNumber): Standing {
    const session = this.sessions.get(id)
    if (session === undefined) return unknownStanding
    if (request <= session.answered) return stale
    const result = session.results.get(request)
    if (result !== undefined) return { _tag: "Done", result }
    const op = session.pending.get(request)
    if (op !== undefined) return { _tag: "Pending", op }
    return request > Math.max(session.answered, answered) + Limits.session_window_max ? beyondWindow : fresh
  }

  sessionOf(nonce: Uint8Array): SessionId | undefined {
    return this.byNonce.get(nonceKey(nonce))
  }

  pendingRegistration(nonce: Uint8Array): OpNumber | undefined {
    return this.pendingRegistrations.get(nonceKey(nonce))
  }

  // --- pending: a primary's own

  registrationPending(nonce: Uint8Array, op: OpNumber): void {
    this.pendingRegistrations.set(nonceKey(nonce), op)
  }

  requestPending(id: SessionId, request: RequestNumber, op: OpNumber): void {
    this.sessions.get(id)?.pending.set(request, op)
  }

  /** A new primary starts from the log, not from what it knew in an earlier view. */
  forgetPending(): void {
    this.pendingRegistrations.clear()
    for (const session of this.sessions.values()) session.pending.clear()
  }
}
