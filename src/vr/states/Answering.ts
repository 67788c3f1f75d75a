/**
 * What replicas owe to those that lag: the log, as far back as it goes, and a snapshot for the rest.
 *
 * @module
 */
import { Limits } from "../../base/Limits.ts"
import { epochOf, firstView, type Message, type MessageOf, type ReplicaId } from "../Message.ts"
import { isNormal, type Now, type Outcome, type Replica } from "../Replica.ts"
import { offerSnapshot, offerSnapshotUpTo, onArrived } from "../SnapshotTransfer.ts"
import { send, sendEarly } from "../Sending.ts"

/**
 * GetState: only a normal replica of that view or a later one answers; of its whole log, chunk by chunk. Like a Prepare
 * it waits for nothing but the view: it must not be overtaken by the Prepares that follow it, or whoever asked would
 * find a gap behind it and ask again, for ever under load.
 */
export const answerGetState = (
  replica: Replica,
  message: MessageOf<"GetState">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  if (!isNormal(replica) || replica.view < message.view || message.after > replica.log.op) return
  if (message.after < replica.log.base) return offerSnapshot(replica, from, now, out)
  const outgoing = replica.outgoing.get(from)
  if (outgoing !== undefined && message.after >= outgoing.snapshot.op) onArrived(outgoing, now)
  const first = message.after + 1
  const newState: Message = {
    _tag: "NewState",
    view: replica.view,
    first,
    entries: replica.log.chunk(first, replica.log.op, Limits.transfer_chunk_bytes_max),
    op: replica.log.op,
    commit: replica.commit
  }
  sendEarly(out, from, newState)
}

/**
 * GetState of one that is still in an earlier epoch, by whoever does not speak for a view: the log as it was when this epoch
 * began, which is the whole log of its first view. With that, the sender is in the epoch, and can vote in it.
 */
export const answerEpochStart = (
  replica: Replica,
  message: MessageOf<"GetState">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  const { configuration: { epoch }, epochStart, log } = replica
  if (epochStart === null || epochOf(message.view) > epoch || message.after > epochStart.op) return
  if (message.after < log.base) return offerSnapshot(replica, from, now, out)
  const first = message.after + 1
  const { op } = epochStart
  const entries = log.chunk(first, op, Limits.transfer_chunk_bytes_max)
  send(out, from, { _tag: "NewState", view: firstView(epoch), first, entries, op, commit: op })
}

/** Committed entries are the same everywhere and for ever, so the state and the view of the sender do not matter. */
export const answerGetCommitted = (
  replica: Replica,
  message: MessageOf<"GetCommitted">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  const last = Math.min(message.last, replica.commit)
  if (last <= message.after) return
  if (message.after < replica.log.base) return offerSnapshotUpTo(replica, message.last, from, now, out)
  const first = message.after + 1
  const entries = replica.log.chunk(first, last, Limits.transfer_chunk_bytes_max)
  send(out, from, { _tag: "Committed", view: message.view, first, entries })
}
