/**
 * Backup: follows the primary of its view and appends in op order (VRR §4.1).
 * Leaves for StateTransfer on a gap or on news of a later view, for ViewChange when a quorum misses the primary.
 *
 * @module
 */
import type { MessageOf, OpNumber, ReplicaId } from "../Message.ts"
import type { BackupState, Handlers, Now, Outcome, Replica } from "../Replica.ts"
import { answerStartEpoch } from "../GoingOver.ts"
import { promiseTo } from "../Lease.ts"
import { onGetSnapshot } from "../SnapshotTransfer.ts"
import { startTransfer } from "../Transitions.ts"
import { onVote } from "../ViewStart.ts"
import { answerGetCommitted, answerGetState } from "./Answering.ts"
import { onRecovery, onStartView, onStartViewChange } from "./Joining.ts"
import { appendAbove, commitTo } from "./Normal.ts"
import { sendEarly } from "../Sending.ts"

const onPrepare = (
  replica: Replica,
  state: BackupState,
  message: MessageOf<"Prepare">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  state.heardAt = now.mono
  if (message.first > replica.log.op + 1) return startTransfer(replica, replica.view, from, now, out)
  appendAbove(replica, message.entries, out)
  hear(replica, state, message.commit)
  state.ackDue = true
}

const onCommit = (
  replica: Replica,
  state: BackupState,
  message: MessageOf<"Commit">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  state.heardAt = now.mono
  hear(replica, state, message.commit)
  // Reads wait for this, so it does not wait for the disk: what is not durable yet has a PrepareOk to come.
  const promised = promiseTo(replica, message, now)
  sendEarly(out, from, { _tag: "CommitOk", view: replica.view, op: replica.durable, round: message.round, promised })
  if (message.op <= replica.log.op) return
  applyHeard(replica, out)
  startTransfer(replica, replica.view, from, now, out)
}

/** All up to `commit` is committed. It is applied later in the turn, or behind it: nobody waits for that. */
const hear = ({ log }: Replica, state: BackupState, commit: OpNumber): void => {
  state.heard = Math.max(state.heard, Math.min(commit, log.op))
}

/** Has it heard of ops that are committed, and not applied them yet? */
export const isBehind = ({ commit, state }: Replica): boolean => state._tag === "Backup" && state.heard > commit

/**
 * Up to here all is committed, applied or not: what may be written as such. A change of the group is not before it is applied,
 * as a head belongs to it.
 */
export const knownCommit = (replica: Replica): OpNumber => {
  const { commit, log, state } = replica
  if (state._tag !== "Backup" || state.heard <= commit) return commit
  return log.get(state.heard).kind === "reconfigure" ? state.heard - 1 : state.heard
}

export const applyHeard = (replica: Replica, out: Outcome): void => {
  const { commit, state } = replica
  if (state._tag === "Backup" && state.heard > commit) commitTo(replica, state.heard, out)
}

export const backup: Handlers<BackupState> = {
  Prepare: onPrepare,
  PrepareOk: () => {}, // Meant for the primary that we were in an earlier view.
  Commit: onCommit,
  CommitOk: () => {}, // As PrepareOk.
  StartViewChange: (replica, _state, message, from, now, out) => onStartViewChange(replica, message, from, now, out),
  DoViewChange: (replica, _state, message, from, now, out) => onVote(replica, message, from, now, out),
  StartView: (replica, _state, message, from, now, out) => {
    // Accepting our own view's StartView again would discard what was acknowledged since (F4).
    if (message.view > replica.view) onStartView(replica, message, from, now, out)
  },
  GetState: (replica, _state, message, from, now, out) => answerGetState(replica, message, from, now, out),
  NewState: () => {}, // A transfer that was finished or given up.
  GetCommitted: (replica, _state, message, from, now, out) => answerGetCommitted(replica, message, from, now, out),
  Committed: () => {}, // Asked for in a view change that is over.
  GetSnapshot: (replica, _state, message, from, now, out) => onGetSnapshot(replica, message, from, now, out),
  SnapshotPart: () => {}, // As NewState.
  StartEpoch: (replica, _state, _message, from, _now, out) => answerStartEpoch(replica, from, out),
  EpochStarted: () => {}, // Meant for those that leave.
  Recovery: onRecovery,
  RecoveryResponse: () => {} // To a recovery that is over.
}
