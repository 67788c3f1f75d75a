/**
 * Backup: follows the primary of its view and appends in op order (VRR §4.1).
 * Leaves for StateTransfer on a gap or on news of a later view, for ViewChange when a quorum misses the primary.
 *
 * @module
 */
import type { MessageOf, ReplicaId } from "../Message.ts"
import type { BackupState, Handlers, Now, Outcome, Replica } from "../Replica.ts"
import { answerStartEpoch } from "../GoingOver.ts"
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
  commitTo(replica, Math.max(replica.commit, Math.min(message.commit, replica.log.op)), out)
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
  commitTo(replica, Math.max(replica.commit, Math.min(message.commit, replica.log.op)), out)
  // Reads wait for this, so it does not wait for the disk: what is not durable yet has a PrepareOk to come.
  sendEarly(out, from, { _tag: "CommitOk", view: replica.view, op: replica.durable, round: message.round })
  if (message.op > replica.log.op) startTransfer(replica, replica.view, from, now, out)
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
