/**
 * What a step sends: to replicas, and to clients.
 *
 * @module
 */
import type { Message, ReplicaId, SessionId } from "./Message.ts"
import type { ClientRequest, Outcome, Replica, ReplyStatus } from "./Replica.ts"

export const send = (out: Outcome, to: ReplicaId, message: Message): void => {
  out.sends.push({ to, epoch: out.epoch, message })
}

/**
 * Before the writes are durable, unless those are of a view that must not be used before, or put something in the place of
 * what was durable.
 */
export const sendEarly = (out: Outcome, to: ReplicaId, message: Message): void => {
  const where = out.head === null && out.install === null && out.truncate_to === null ? out.early : out.sends
  where.push({ to, epoch: out.epoch, message })
}

export const broadcast = (replica: Replica, out: Outcome, message: Message): void => {
  for (const to of replica.configuration.replicas) if (to !== replica.id) send(out, to, message)
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
