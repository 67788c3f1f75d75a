/**
 * What several states share: sending, cutting and growing the log, committing, and the answers that any
 * normal replica owes to those that lag or recover.
 *
 * @module
 */
import { invariant } from "../../base/Invariant.ts"
import { Limits } from "../../base/Limits.ts"
import { primaryOf } from "../Configuration.ts"
import { entryBytes } from "../Log.ts"
import type { Entry, Message, MessageOf, OpNumber, ReplicaId, SessionId } from "../Message.ts"
import { type ClientRequest, isNormal, type Outcome, type Replica, type ReplyStatus } from "../Replica.ts"

export const send = (out: Outcome, to: ReplicaId, message: Message): void => {
  out.sends.push({ to, message })
}

export const broadcast = (replica: Replica, out: Outcome, message: Message): void => {
  for (const to of replica.configuration.replicas) if (to !== replica.id) out.sends.push({ to, message })
}

/** `request` says where the answer goes and to what; a registration counts as request 0. */
export const reply = (
  out: Outcome,
  request: ClientRequest,
  status: ReplyStatus,
  details: { readonly result?: Uint8Array; readonly session?: SessionId; readonly primary?: ReplicaId | null } = {}
): void => {
  out.replies.push({
    to: request.to,
    kind: request.kind,
    request: request.kind === "register" ? 0 : request.request,
    status,
    result: details.result ?? null,
    session: details.session ?? 0,
    primary: details.primary ?? null
  })
}

/** Records the head for the journal whenever view or logView changed. */
export const writeHead = (replica: Replica, out: Outcome): void => {
  out.head = { epoch: replica.configuration.epoch, view: replica.view, log_view: replica.logView }
}

export const appendEntry = (replica: Replica, entry: Entry, out: Outcome): void => {
  replica.log.append(entry)
  out.entries.push(entry)
}

/** Drops entries above `op`, which must be uncommitted ones. */
export const cutLog = (replica: Replica, op: OpNumber, out: Outcome): void => {
  invariant(op >= replica.commit, "committed entries are never cut", { op, commit: replica.commit })
  if (op >= replica.log.op) return
  // What was appended in this very turn was not written yet, so there is nothing to cut.
  const written = (out.entries[0]?.op ?? replica.log.op + 1) - 1
  replica.log.truncate(op)
  replica.durable = Math.min(replica.durable, op)
  if (op < written) out.truncate_to = op
  out.entries = out.entries.filter((entry) => entry.op <= op)
}

/** Appends those of `entries` that lie above the head; the rest is already held. */
export const appendAbove = (replica: Replica, entries: ReadonlyArray<Entry>, out: Outcome): void => {
  for (const entry of entries) if (entry.op > replica.log.op) appendEntry(replica, entry, out)
}

/** Commits and applies everything up to `op`. The commit number never falls (F3). */
export const commitTo = (replica: Replica, op: OpNumber, out: Outcome): void => {
  invariant(op <= replica.log.op, "only what is held is committed", { op, head: replica.log.op })
  while (replica.commit < op) {
    const entry = replica.log.get(replica.commit + 1)
    replica.commit = entry.op
    applyEntry(replica, entry, out)
  }
}

const applyEntry = (replica: Replica, entry: Entry, out: Outcome): void => {
  replica.lastTime = Math.max(replica.lastTime, entry.time)
  const primary = replica.state._tag === "Primary" ? replica.state : null
  const request = primary?.waiting.get(entry.op)
  if (primary !== null) {
    primary.uncommittedBytes -= entryBytes(entry)
    primary.waiting.delete(entry.op)
  }
  if (entry.kind === "register") {
    const session = replica.clients.register(entry.op, entry.operation)
    if (request !== undefined) reply(out, request, "ok", { session })
    return
  }
  const result = replica.clients.apply(entry.session, entry.request, entry.answered, () =>
    replica.application.apply(entry.operation, { op: entry.op, time: entry.time, session: entry.session }))
  if (request === undefined) return
  if (result !== undefined) reply(out, request, "ok", { result })
  else reply(out, request, replica.clients.has(entry.session) ? "stale" : "no session")
}

/**
 * GetState: only a normal replica of that view or a later one answers; of its whole log, chunk by chunk. Like a Prepare
 * it waits for nothing but the view: it must not be overtaken by the Prepares that follow it, or whoever asked would
 * find a gap behind it and ask again, for ever under load.
 */
export const answerGetState = (
  replica: Replica,
  message: MessageOf<"GetState">,
  from: ReplicaId,
  out: Outcome
): void => {
  if (!isNormal(replica) || replica.view < message.view || message.after > replica.log.op) return
  const first = message.after + 1
  const newState: Message = {
    _tag: "NewState",
    view: replica.view,
    first,
    entries: replica.log.chunk(first, replica.log.op, Limits.transfer_chunk_bytes_max),
    op: replica.log.op,
    commit: replica.commit
  }
  const where = out.head === null ? out.early : out.sends
  where.push({ to: from, message: newState })
}

/** Committed entries are the same everywhere and for ever, so the state and the view of the sender do not matter. */
export const answerGetCommitted = (
  replica: Replica,
  message: MessageOf<"GetCommitted">,
  from: ReplicaId,
  out: Outcome
): void => {
  const last = Math.min(message.last, replica.commit)
  if (last <= message.after) return
  const first = message.after + 1
  const entries = replica.log.chunk(first, last, Limits.transfer_chunk_bytes_max)
  send(out, from, { _tag: "Committed", view: message.view, first, entries })
}

export const isPrimaryOf = (replica: Replica, view: number): boolean =>
  primaryOf(replica.configuration, view) === replica.id

export const indexOf = (replica: Replica, id: ReplicaId): number => replica.configuration.replicas.indexOf(id)
