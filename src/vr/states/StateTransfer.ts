/**
 * StateTransfer: lags, and fetches what it misses (VRR §5.2). It keeps its log, its view and its vote until the
 * replacement is here (F2), so a group with one replica in transfer can still change its view.
 *
 * @module
 */
import { primaryOf } from "../Configuration.ts"
import { noticeEnd, noticeLog } from "../Forked.ts"
import { epochOf, firstView, type MessageOf, type ReplicaId, type View } from "../Message.ts"
import { answerStartEpoch } from "../GoingOver.ts"
import { type Handlers, isCrossing, type Now, type Outcome, type Replica, type StateTransferState } from "../Replica.ts"
import { askForPart, fetchesSnapshot, onGetSnapshot, takePart, wholeSnapshot } from "../SnapshotTransfer.ts"
import { keepCommitted, makeStaging, stage, type Staging } from "../Staging.ts"
import { askForState, heldUpTo, join, promise, promote, resume, startTransfer } from "../Transitions.ts"
import { onVote } from "../ViewStart.ts"
import { answerGetCommitted } from "./Answering.ts"
import { onRecovery, onStartView, onStartViewChange } from "./Joining.ts"
import { appendAbove, commitTo, installSnapshot, replaceSuffix } from "./Normal.ts"

/** Sign of life from a primary; a later view than the one that is being fetched is fetched instead. */
const onSignOfLife = (
  replica: Replica,
  state: StateTransferState,
  message: MessageOf<"Prepare"> | MessageOf<"Commit">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  if (message.view > state.target) startTransfer(replica, message.view, from, now, out)
  else if (message.view === state.target) state.heardAt = now.mono
}

/** On the way to a later epoch any view of it will do: whoever answers says which one it is. */
const rises = (replica: Replica, state: StateTransferState, view: View): boolean => {
  if (!isCrossing(replica)) return false
  state.target = view
  if (state.staging !== null) keepCommitted(state.staging)
  return true
}

const onNewState = (
  replica: Replica,
  state: StateTransferState,
  message: MessageOf<"NewState">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  if (message.view < state.target) return
  if (message.view > state.target && !rises(replica, state, message.view)) {
    return startTransfer(replica, message.view, from, now, out)
  }
  const epoch = epochOf(message.view)
  const next = message.entries.find(({ op }) => op > replica.commit)
  if (next !== undefined) noticeLog(replica, epoch, next.view)
  if (replica.forked !== null) return
  const had = heldUpTo(replica, state.staging)
  if (!take(replica, state, message, out) || replica.forked !== null) return
  onProgress(replica, state, from, now)
  const end = heldUpTo(replica, state.staging)
  if (end < message.op) {
    // The answer to a repeated question: to go on from it too would fetch everything twice from here.
    if (end === had) return
    state.source = from
    state.resendAt = now.mono + state.wait_ms
    // Whoever has the log can do without the snapshot.
    replica.incoming = null
    return askForState(replica, state.target, state.staging, from, now, out)
  }
  noticeEnd(replica, epoch)
  if (replica.forked !== null) return
  if (state.staging !== null) replaceSuffix(replica, state.staging, out)
  commitTo(replica, Math.max(replica.commit, Math.min(message.commit, replica.log.op)), out)
  join(replica, message.view, now, out)
}

/** As much of it as may be. */
const putInPlace = (replica: Replica, state: StateTransferState, staging: Staging, out: Outcome): void => {
  const before = replica.commit
  state.staging = promote(replica, state.target, staging, out)
  if (replica.commit > before && !isCrossing(replica)) promise(replica, state.target, out)
}

/** A backup's answer says nothing about the primary: while it is silent, a long transfer must not keep us from voting. */
const onProgress = (replica: Replica, state: StateTransferState, from: ReplicaId, now: Now): void => {
  if (isCrossing(replica) || from === primaryOf(replica.configuration, state.target)) state.heardAt = now.mono
}

/** The log of whom we asked begins above what we have. What follows the snapshot is fetched from there. */
const onSnapshotPart = (
  replica: Replica,
  state: StateTransferState,
  message: MessageOf<"SnapshotPart">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  if (message.view > state.target && !rises(replica, state, message.view)) {
    return startTransfer(replica, message.view, from, now, out)
  }
  if (!takePart(replica, message, from, heldUpTo(replica, state.staging), now, out)) return
  onProgress(replica, state, from, now)
  state.source = from
  // What was lost has cost its doubling; over a slow network it stays as long as an answer takes.
  state.wait_ms = Math.max(replica.timers.heartbeat_ms, state.wait_ms / 2)
  state.resendAt = now.mono + state.wait_ms
  const image = wholeSnapshot(replica)
  if (image === null) return
  // Asked for on the way to whatever view there was then.
  state.target = Math.max(state.target, message.view)
  if (state.staging === null) installSnapshot(replica, image, out)
  else putInPlace(replica, state, makeStaging(message.op, image, message.view), out)
  askForState(replica, state.target, state.staging, from, now, out)
}

/** One chunk; false if it does not fit what is here. */
const take = (replica: Replica, state: StateTransferState, message: MessageOf<"NewState">, out: Outcome): boolean => {
  if (state.staging === null) {
    if (message.first > replica.log.op + 1) return false
    appendAbove(replica, message.entries, out)
    commitTo(replica, Math.max(replica.commit, Math.min(message.commit, replica.log.op)), out)
    return true
  }
  if (!stage(state.staging, message.first, message.entries, message.commit)) return false
  putInPlace(replica, state, state.staging, out)
  return true
}

export const stateTransfer: Handlers<StateTransferState> = {
  Prepare: onSignOfLife,
  PrepareOk: () => {}, // Meant for the primary that we were.
  Commit: onSignOfLife,
  CommitOk: () => {}, // As PrepareOk.
  StartViewChange: (replica, _state, message, from, now, out) => onStartViewChange(replica, message, from, now, out),
  DoViewChange: (replica, _state, message, from, now, out) => onVote(replica, message, from, now, out),
  StartView: (replica, state, message, from, now, out) => {
    // Of the view that is being joined for the first time, or a later one; not of the view that we were normal in (F4).
    if (message.view < state.target || message.view <= replica.logView) return
    // Late: what the transfer brought so far is more.
    if (message.first + message.entries.length - 1 < replica.commit) return
    const isAhead = message.first > replica.commit + 1
    // It leaves the same gap that is being filled already.
    if (isAhead && message.view === state.target) state.heardAt = now.mono
    else onStartView(replica, message, from, now, out)
  },
  GetState: () => {}, // Only normal replicas answer for a view.
  NewState: onNewState,
  GetCommitted: (replica, _state, message, from, now, out) => answerGetCommitted(replica, message, from, now, out),
  Committed: () => {}, // Asked for in a view change that is over.
  GetSnapshot: (replica, _state, message, from, now, out) => onGetSnapshot(replica, message, from, now, out),
  SnapshotPart: onSnapshotPart,
  StartEpoch: (replica, _state, _message, from, _now, out) => answerStartEpoch(replica, from, out),
  EpochStarted: () => {}, // Meant for those that leave.
  Recovery: onRecovery,
  RecoveryResponse: () => {} // To a recovery that is over.
}

/** Asks again, another one each time: the source may be down, or not normal any more. */
export const tickStateTransfer = (replica: Replica, state: StateTransferState, now: Now, out: Outcome): void => {
  if (now.mono < state.resendAt) return
  state.wait_ms = Math.min(state.wait_ms * 2, replica.timers.view_change_ms * 4)
  state.resendAt = now.mono + state.wait_ms
  if (fetchesSnapshot(replica, heldUpTo(replica, state.staging), now)) return askForPart(replica, out)
  const patience_ms = state.patience * replica.timers.view_change_ms * 4
  if (isCrossing(replica) && now.mono - state.heardAt > patience_ms) {
    // Nobody there answers. Perhaps nobody is there yet, and it takes us to go on here.
    out.events.push("a later epoch was not reached")
    replica.crossAfter = now.mono + patience_ms
    return resume(replica, now)
  }
  if (isCrossing(replica)) {
    // Whoever spoke for that view is gone, perhaps; any other one of the epoch will do.
    const { image, imageView } = state.staging ?? makeStaging(0)
    state.target = Math.max(firstView(epochOf(state.target)), image === null ? 0 : imageView)
    if (state.staging !== null) keepCommitted(state.staging)
  }
  const others = [...new Set([state.informant, ...replica.configuration.replicas])].filter((id) => id !== replica.id)
  state.source = others[(others.indexOf(state.source) + 1) % others.length]!
  askForState(replica, state.target, state.staging, state.source, now, out)
}
