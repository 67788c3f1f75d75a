/**
 * What the group has committed so far, ever-growing, and a sequential model that runs it: written apart from the
 * client table and the log of the core, as simply as possible.
 *
 * @module
 */
import { type Entry, epochOf, type OpNumber, type SessionId } from "../../src/vr/Message.ts"
import { same, sameEntry } from "./checkers/Check.ts"
import type { Replicated } from "./Data.ts"

interface ModelSession {
  readonly nonce: string
  answered: number
}

export class History {
  /** Op n is at index n - 1. */
  readonly entries: Array<Entry> = []
  /** The last operations of the epochs that are over. */
  readonly ends: Array<Entry> = []
  /** Digest of the data after op n, at index n. */
  readonly digests: Array<number> = [0]
  /** Least recently used first. */
  private sessions: Array<readonly [SessionId, ModelSession]> = []
  /** The data after the last op. */
  readonly model: Replicated
  private readonly results = new Map<string, Uint8Array>()
  private readonly ops = new Map<string, OpNumber>()
  /** Of every session that ever was, the nonce that it was asked for with. */
  private readonly nonces = new Map<SessionId, string>()
  readonly sessionsMax: number

  constructor(sessionsMax: number, model: Replicated) {
    this.sessionsMax = sessionsMax
    this.model = model
  }

  get op(): OpNumber {
    return this.entries.length
  }

  /** A replica has committed `entry`: it is either known, or the next. */
  commit(entry: Entry): void {
    const known = this.entries[entry.op - 1]
    if (known !== undefined) return sameEntry(entry, known, "history", "committed prefixes agree")
    same(entry.op, this.op + 1, "history", "operations are committed in order")
    this.entries.push(entry)
    same(epochOf(entry.view), this.ends.length, "history", "nothing follows the last operation of an epoch")
    if (entry.kind === "reconfigure") this.ends.push(entry)
    else if (entry.kind === "register") this.register(entry)
    else this.run(entry)
    this.digests.push(this.model.digest)
  }

  private register(entry: Entry): void {
    const nonce = Buffer.from(entry.operation).toString("hex")
    const known = this.sessions.find(([, session]) => session.nonce === nonce)
    if (known !== undefined) return this.touch(known[0])
    this.nonces.set(entry.op, nonce)
    this.sessions.push([entry.op, { nonce, answered: 0 }])
    if (this.sessions.length > this.sessionsMax) this.sessions.shift()
  }

  private run({ answered, op, operation, request, session, time }: Entry): void {
    const live = this.session(session)
    if (live === undefined) return
    this.touch(session)
    const key = `${session}:${request}`
    if (request > live.answered && !this.results.has(key)) {
      this.results.set(key, this.model.apply(operation, { op, session, time }))
      this.ops.set(key, op)
    }
    live.answered = Math.max(live.answered, Math.min(answered, request - 1))
  }

  private touch(id: SessionId): void {
    const used = this.sessions.find(([session]) => session === id)!
    this.sessions = [...this.sessions.filter((one) => one !== used), used]
  }

  private session(id: SessionId): ModelSession | undefined {
    return this.sessions.find(([session]) => session === id)?.[1]
  }

  /** May the session still be used? */
  isLive(id: SessionId): boolean {
    return this.session(id) !== undefined
  }

  /** What the request must be answered with; undefined: it did not run. */
  resultOf(session: SessionId, request: number): Uint8Array | undefined {
    return this.results.get(`${session}:${request}`)
  }

  /** Where the request ran. */
  opOf(session: SessionId, request: number): OpNumber | undefined {
    return this.ops.get(`${session}:${request}`)
  }

  /** Did a committed registration with this nonce make the session? */
  wasRegistered(session: SessionId, nonce: Uint8Array): boolean {
    return this.nonces.get(session) === Buffer.from(nonce).toString("hex")
  }
}
