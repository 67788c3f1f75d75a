/**
 * ViewChange: has left its view and accepts nothing older; votes, and waits for the new view to start (VRR §4.2).
 *
 * @module
 */
import { primaryOf } from "../Configuration.ts"
import type { MessageOf, ReplicaId } from "../Message.ts"
import type { Handlers, Now, Outcome, Replica, ViewChangeState } from "../Replica.ts"
import { isBound } from "../Lease.ts"
import { probeIfSilent } from "../Suspicion.ts"
import { answerStartEpoch } from "../GoingOver.ts"
import { onGetSnapshot } from "../SnapshotTransfer.ts"
import { enterViewChange, sendVote, startTransfer } from "../Transitions.ts"
import { askForCommitted, onCommitted, onCommittedSnapshot, onVote, startIfChosen } from "../ViewStart.ts"
import { answerGetCommitted } from "./Answering.ts"
import { onStartView, onStartViewChange } from "./Joining.ts"
import { broadcast } from "../Sending.ts"

/** The view is running already and its StartView was lost. */
const joinRunningView = (
  replica: Replica,
  _state: ViewChangeState,
  message: MessageOf<"Prepare"> | MessageOf<"Commit">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => startTransfer(replica, message.view, from, now, out)

const onRecovery = (
  replica: Replica,
  _state: ViewChangeState,
  message: MessageOf<"Recovery">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  if (message.view > replica.view) return enterViewChange(replica, message.view, now, out)
  // The primary that we wait for has lost its memory: it will not start this view (F7).
  if (from === primaryOf(replica.configuration, replica.view)) {
    replica.lost.add(from)
    probeIfSilent(replica, now, out)
  }
}

export const viewChange: Handlers<ViewChangeState> = {
  Prepare: joinRunningView,
  PrepareOk: () => {}, // For a view that we have left.
  Commit: joinRunningView,
  CommitOk: () => {}, // As PrepareOk.
  StartViewChange: (replica, _state, message, from, now, out) => onStartViewChange(replica, message, from, now, out),
  DoViewChange: (replica, _state, message, from, now, out) => onVote(replica, message, from, now, out),
  StartView: (replica, _state, message, from, now, out) => onStartView(replica, message, from, now, out),
  GetState: () => {}, // Only normal replicas answer for a view.
  NewState: () => {}, // A transfer that was given up when the view changed.
  GetCommitted: (replica, _state, message, from, now, out) => answerGetCommitted(replica, message, from, now, out),
  Committed: onCommitted,
  GetSnapshot: (replica, _state, message, from, now, out) => onGetSnapshot(replica, message, from, now, out),
  SnapshotPart: onCommittedSnapshot,
  StartEpoch: (replica, _state, _message, from, _now, out) => answerStartEpoch(replica, from, out),
  EpochStarted: () => {}, // Meant for those that leave.
  Recovery: onRecovery,
  RecoveryResponse: () => {} // To a recovery that is over.
}

/** Everything is resent until the view starts; votes are resent as they were. */
export const tickViewChange = (replica: Replica, state: ViewChangeState, now: Now, out: Outcome): void => {
  if (state.isWithheld && !isBound(replica, now)) return voteAtLast(replica, state, now, out)
  if (now.mono < state.resendAt) return
  state.resendAt = now.mono + replica.timers.heartbeat_ms
  broadcast(replica, out, { _tag: "StartViewChange", view: replica.view, probing: false })
  if (state.isWithheld || now.mono < state.resendLargeAt) return
  state.resendLargeAt = now.mono + state.wait_ms
  state.wait_ms = Math.min(state.wait_ms * 2, replica.timers.view_change_ms)
  sendVote(replica, state, out)
  askForCommitted(replica, state, now, out)
}

const voteAtLast = (replica: Replica, state: ViewChangeState, now: Now, out: Outcome): void => {
  state.isWithheld = false
  sendVote(replica, state, out)
  startIfChosen(replica, state, now, out)
}
