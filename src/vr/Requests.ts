/**
 * What a primary does with clients' requests: admission to the log, exactly once (VRR §4.1, F10), and reads that
 * bypass the log by confirming the view with a quorum (ReadIndex), or by a lease.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import { entryBytes } from "./Log.ts"
import { askForLease, isHeld } from "./Lease.ts"
import type { Entry, OpNumber } from "./Message.ts"
import { quorumth } from "./Quorum.ts"
import {
  type ClientRequest,
  knownPrimary,
  type Now,
  type Outcome,
  type PrimaryState,
  type RegisterRequest,
  type Replica,
  type RoundRequest,
  type WriteRequest
} from "./Replica.ts"
import { appendEntry } from "./states/Normal.ts"
import { reply, sendEarly } from "./Sending.ts"
import { suspects } from "./Suspicion.ts"

export const onRequests = (
  replica: Replica,
  requests: ReadonlyArray<ClientRequest>,
  now: Now,
  out: Outcome
): void => {
  const state = replica.state
  if (state._tag !== "Primary" || state.abdicated) {
    // One that misses its primary does not send others there.
    const primary = state._tag === "Primary" || suspects(replica, now) ? null : knownPrimary(replica)
    for (const request of requests) reply(out, request, "not primary", { primary })
    return
  }
  for (const request of requests) {
    if (request.kind === "write") onWrite(replica, state, request, now, out)
    else if (request.kind === "read") awaitRound(state, request, out)
    else onRegister(replica, state, request, now, out)
  }
}

/** Why nothing is put behind the log now; null if something may be. */
export const obstacle = (replica: Replica, state: PrimaryState): "busy" | "overloaded" | null => {
  // Nothing follows a change of the group in the log; and another one is about to lead.
  if (state.change?.op != null || state.handOff !== null) return "busy"
  const isFull = replica.log.op - replica.commit >= Limits.pipeline_ops_max || state.uncommittedBytes >= Limits.pipeline_bytes_max
  return isFull ? "overloaded" : null
}

/** Puts it behind the log. */
export const admit = (
  replica: Replica,
  state: PrimaryState,
  entry: Omit<Entry, "op" | "view" | "time">,
  now: Now,
  out: Outcome
): OpNumber => {
  replica.lastTime = Math.max(replica.lastTime, now.wall)
  const op = replica.log.op + 1
  const whole: Entry = {
    op,
    view: replica.view,
    time: replica.lastTime,
    kind: entry.kind,
    session: entry.session,
    request: entry.request,
    answered: entry.answered,
    operation: entry.operation
  }
  appendEntry(replica, whole, out)
  state.uncommittedBytes += entryBytes(whole)
  return op
}

const onWrite = (
  replica: Replica,
  state: PrimaryState,
  request: WriteRequest,
  now: Now,
  out: Outcome
): void => {
  const standing = replica.clients.standing(request.session, request.request, request.answered)
  switch (standing._tag) {
    case "New":
      break
    case "Done":
      return reply(out, request, "ok", { result: standing.result })
    case "Pending":
      // The same request again, perhaps over a new connection: the answer goes to whoever asked last.
      state.waiting.set(standing.op, request)
      return
    case "Stale":
      return reply(out, request, "stale")
    case "BeyondWindow":
      return reply(out, request, "beyond window")
    case "Unknown":
      // To the client this is final. Its registration may be among what this view inherited, or in a view that has
      // replaced this one: no verdict before that is excluded, as with a read.
      return awaitRound(state, request, out)
  }
  const refusal = replica.application.refuseWrite(request.operation)
  if (refusal !== undefined) return reply(out, request, "ok", { result: refusal })
  if (replica.log.bytes >= Limits.log_bytes_max) return reply(out, request, "log full")
  const inTheWay = obstacle(replica, state)
  if (inTheWay !== null) return reply(out, request, inTheWay)
  const { answered, operation, session } = request
  const entry = { kind: "request", session, request: request.request, answered, operation } as const
  const op = admit(replica, state, entry, now, out)
  state.waiting.set(op, request)
  replica.clients.requestPending(session, request.request, op)
}

const onRegister = (
  replica: Replica,
  state: PrimaryState,
  request: RegisterRequest,
  now: Now,
  out: Outcome
): void => {
  const session = replica.clients.sessionOf(request.nonce)
  if (session !== undefined) return reply(out, request, "ok", { session })
  const pending = replica.clients.pendingRegistration(request.nonce)
  if (pending !== undefined) {
    state.waiting.set(pending, request)
    return
  }
  const inTheWay = obstacle(replica, state)
  if (inTheWay !== null) return reply(out, request, inTheWay)
  const entry = { kind: "register", session: 0, request: 0, answered: 0, operation: request.nonce } as const
  const op = admit(replica, state, entry, now, out)
  state.waiting.set(op, request)
  replica.clients.registrationPending(request.nonce, op)
}

const awaitRound = (state: PrimaryState, request: RoundRequest, out: Outcome): void => {
  if (state.readsPending >= Limits.pending_reads_max) return reply(out, request, "overloaded")
  state.readsPending++
  state.newReads.push(request)
}

/** At the end of a turn, with a lease: all that arrived in it, at once. By the time of the turn nobody else had committed anything. */
export const serveByLease = (replica: Replica, state: PrimaryState, now: Now, out: Outcome): void => {
  const { lease, newReads } = state
  if (newReads.length === 0) return
  lease.readAt = now.mono
  if (!isHeld(replica, state, now)) return
  state.newReads = []
  state.readsPending -= newReads.length
  for (const request of newReads) answer(replica, request, out)
}

/**
 * At the end of a turn: one round for all reads that arrived in it. The round starts after their arrival, so a quorum
 * that confirms it proves that no later view had committed anything before they were invoked.
 */
export const startReadRound = (replica: Replica, state: PrimaryState, now: Now, out: Outcome): void => {
  if (state.newReads.length === 0) return
  state.round++
  state.rounds[replica.configuration.replicas.indexOf(replica.id)] = state.round
  state.reads.push({ round: state.round, requests: state.newReads })
  state.newReads = []
  const { commit, configuration, id, log, view } = replica
  const message = { _tag: "Commit", view, op: log.op, commit, round: state.round, lease_ms: askForLease(replica, state, now) } as const
  for (const to of configuration.replicas) if (to !== id) sendEarly(out, to, message)
}

/**
 * Serves the reads whose round a quorum confirmed. The commit number at their arrival is applied by then, as
 * everything committed is; what the view inherited must be committed too before the first read is served.
 */
export const serveReads = (replica: Replica, state: PrimaryState, out: Outcome): void => {
  if (state.reads.length === 0 || replica.commit < state.viewStart) return
  const confirmed = quorumth(state.rounds, replica.configuration.quorum)
  while (state.reads.length > 0 && state.reads[0]!.round <= confirmed) {
    const batch = state.reads.shift()!
    state.readsPending -= batch.requests.length
    for (const request of batch.requests) answer(replica, request, out)
  }
}

const answer = (replica: Replica, request: RoundRequest, out: Outcome): void => {
  if (request.kind === "read") reply(out, request, "ok", { result: replica.application.query(request.operation) })
  else reply(out, request, replica.clients.has(request.session) ? "busy" : "no session")
}
