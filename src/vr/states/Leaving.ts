/**
 * Leaving: the group has changed, and this replica is not in it any more. It keeps what it has, for those that lack the
 * end of its epoch, until a quorum of the new group has begun the next one (VRR §7).
 *
 * @module
 */
import { isMember } from "../Configuration.ts"
import type { Handlers, LeavingState, Now, Outcome, Replica } from "../Replica.ts"
import { startEpoch } from "../GoingOver.ts"
import { onGetSnapshot } from "../SnapshotTransfer.ts"
import { answerEpochStart } from "./Answering.ts"
import { send } from "../Sending.ts"

export const leaving: Handlers<LeavingState> = {
  Prepare: () => {}, // Of a group that we are not in, as all that follow.
  PrepareOk: () => {},
  Commit: () => {},
  CommitOk: () => {},
  StartViewChange: () => {},
  DoViewChange: () => {},
  StartView: () => {},
  GetState: (replica, _state, message, from, now, out) => answerEpochStart(replica, message, from, now, out),
  NewState: () => {}, // Asked for before.
  GetCommitted: () => {}, // Asked of those who have voted.
  Committed: () => {}, // As NewState.
  GetSnapshot: (replica, _state, message, from, now, out) => onGetSnapshot(replica, message, from, now, out),
  SnapshotPart: () => {}, // As NewState.
  StartEpoch: () => {}, // From another that leaves.
  EpochStarted: (replica, state, _message, from, _now, out) => {
    if (state.isRetired || !isMember(replica.configuration, from)) return
    state.started.add(from)
    if (state.started.size >= replica.configuration.quorum) retire(state, out)
  },
  Recovery: () => {}, // From one that has been in the epoch.
  RecoveryResponse: () => {} // Asked for before.
}

/** A quorum has begun the epoch, and holds all that was before. */
export const retire = (state: LeavingState, out: Outcome): void => {
  if (state.isRetired) return
  state.isRetired = true
  out.events.push("not needed any more")
}

export const tickLeaving = (replica: Replica, state: LeavingState, now: Now, out: Outcome): void => {
  if (state.isRetired || now.mono < state.resendAt) return
  state.resendAt = now.mono + replica.timers.heartbeat_ms
  for (const to of replica.configuration.replicas) if (!state.started.has(to)) send(out, to, startEpoch(replica))
}
