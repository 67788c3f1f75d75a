/**
 * Primary: orders requests, counts acknowledgements, commits (VRR §4.1). Gives up when it loses touch with a quorum.
 *
 * @module
 */
import { invariant } from "../../base/Invariant.ts"
import { Limits } from "../../base/Limits.ts"
import type { MessageOf, Millis, OpNumber, ReplicaId } from "../Message.ts"
import { backOff } from "../Patience.ts"
import type { Handlers, Now, Outcome, PrimaryState, Replica } from "../Replica.ts"
import { proposeChange } from "../Reconfiguration.ts"
import { answerStartEpoch } from "../GoingOver.ts"
import { audience, committable } from "../Change.ts"
import { handOff } from "../HandOff.ts"
import { askForLease, isWanted, onGranted } from "../Lease.ts"
import { quorumth } from "../Quorum.ts"
import { serveByLease, serveReads, startReadRound } from "../Requests.ts"
import { onGetSnapshot } from "../SnapshotTransfer.ts"
import { enterViewChange, memberIndex, turnClientsAway } from "../Transitions.ts"
import { onVote, startViewMessage } from "../ViewStart.ts"
import { answerGetCommitted, answerGetState } from "./Answering.ts"
import { onStartView, onStartViewChange } from "./Joining.ts"
import { commitTo, indexOf } from "./Normal.ts"
import { send, sendEarly } from "../Sending.ts"

const onAck = (replica: Replica, state: PrimaryState, from: ReplicaId, op: OpNumber, now: Now): void => {
  if (state.restarted) return
  invariant(op <= replica.log.op, "the primary's log is the longest of its view", { op, head: replica.log.op, from })
  const index = indexOf(replica, from)
  if (index >= 0 && op > state.acked[index]!) state.acked[index] = op
  const learner = state.change?.learners.get(from)
  if (learner !== undefined && op > learner.acked) learner.acked = op
  onSign(replica, state, from, now)
}

/** It is alive, and follows us. */
const onSign = (replica: Replica, state: PrimaryState, from: ReplicaId, now: Now): void => {
  const index = indexOf(replica, from)
  if (index >= 0) state.heardAt[index] = now.mono
  const learner = state.change?.learners.get(from)
  if (learner !== undefined) learner.heardAt = now.mono
}

/** The sender is still on its way to our view, or to an older one: told that ours runs, it fetches what it lacks. */
const remind = (replica: Replica, state: PrimaryState, view: number, from: ReplicaId, out: Outcome): void => {
  if (view <= replica.view && !state.abdicated) send(out, from, heartbeat(replica, state))
}

const heartbeat = ({ commit, log, view }: Replica, { round }: PrimaryState, lease_ms = 0): MessageOf<"Commit"> =>
  ({ _tag: "Commit", view, op: log.op, commit, round, lease_ms })

const onRecovery = (
  replica: Replica,
  state: PrimaryState,
  message: MessageOf<"Recovery">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  if (message.view > replica.view) return enterViewChange(replica, message.view, now, out)
  // What the sender acknowledged to us may be lost to us too, and committed: the next view knows. Where a quorum is all,
  // nothing was committed that we had not written.
  const { quorum, replicas } = replica.configuration
  if (state.restarted && quorum < replicas.length) return
  const { commit, log, view } = replica
  send(out, from, { _tag: "RecoveryResponse", nonce: message.nonce, view, op: log.op, commit })
}

export const primary: Handlers<PrimaryState> = {
  Prepare: () => {}, // Our own view has no other primary; the gates refuse other views.
  PrepareOk: (replica, state, message, from, now) => {
    onAck(replica, state, from, message.op, now)
  },
  Commit: () => {}, // As Prepare.
  CommitOk: (replica, state, message, from, now) => {
    onAck(replica, state, from, message.op, now)
    const index = indexOf(replica, from)
    if (index < 0) return
    if (message.round > state.rounds[index]!) state.rounds[index] = message.round
    if (message.promised) onGranted(replica, state, index, message.round)
  },
  StartViewChange: (replica, state, message, from, now, out) => {
    if (!message.probing) remind(replica, state, message.view, from, out)
    onStartViewChange(replica, message, from, now, out)
  },
  DoViewChange: (replica, state, message, from, now, out) => {
    // It voted for our view and missed our StartView.
    if (message.view === replica.view && !state.abdicated) send(out, from, startViewMessage(replica, message.commit))
    onVote(replica, message, from, now, out)
  },
  StartView: (replica, _state, message, from, now, out) => {
    if (message.view > replica.view) onStartView(replica, message, from, now, out)
  },
  GetState: (replica, state, message, from, now, out) => {
    // It follows us, though it cannot acknowledge anything before its transfer is done.
    if (message.view === replica.view) onSign(replica, state, from, now)
    answerGetState(replica, message, from, now, out)
  },
  NewState: () => {}, // A transfer that was given up when the view changed.
  GetCommitted: (replica, _state, message, from, now, out) => answerGetCommitted(replica, message, from, now, out),
  Committed: () => {}, // A second answer: the view has started.
  GetSnapshot: (replica, state, message, from, now, out) => {
    // A whole snapshot may lie between two acknowledgements.
    onSign(replica, state, from, now)
    onGetSnapshot(replica, message, from, now, out)
  },
  SnapshotPart: () => {}, // As NewState.
  StartEpoch: (replica, _state, _message, from, _now, out) => answerStartEpoch(replica, from, out),
  EpochStarted: () => {}, // Meant for those that leave.
  Recovery: onRecovery,
  RecoveryResponse: () => {} // To a recovery that is over.
}

/** Once a turn: counts, commits, sends what was appended since the last one, serves reads. */
export const endPrimaryTurn = (replica: Replica, state: PrimaryState, now: Now, out: Outcome): void => {
  advanceCommit(replica, state, out)
  noticeWritten(replica, state, now)
  // Of its epoch there is nothing more to do.
  if (replica.hasCrossed) return
  proposeChange(replica, state, now, out)
  handOff(replica, state, now, out)
  if (replica.state !== state) return
  sendPrepares(replica, state, out)
  serveByLease(replica, state, now, out)
  startReadRound(replica, state, now, out)
  serveReads(replica, state, out)
}

/** Its disk writes. Also to be told before a tick judges that. */
export const noticeWritten = ({ durable, log }: Replica, state: PrimaryState, now: Now): void => {
  if (durable <= state.written && durable < log.op) return
  state.written = durable
  state.writtenAt = now.mono
}

/** An op is committed once a quorum holds it durably in this view, the primary's own copy included. */
const advanceCommit = (replica: Replica, state: PrimaryState, out: Outcome): void => {
  state.acked[memberIndex(replica, replica.id)] = replica.durable
  const op = committable(replica, state, quorumth(state.acked, replica.configuration.quorum))
  if (op > replica.commit) commitTo(replica, op, out)
}

/** May it commit more, once more of its log is durable here? */
export const awaitsOwnCopy = ({ commit, configuration, id, state }: Replica): boolean => {
  if (state._tag !== "Primary") return false
  const others = configuration.replicas.filter((each, index) => each !== id && state.acked[index]! > commit)
  return others.length >= configuration.quorum - 1
}

/** Prepares may leave before the primary's own write is durable: its disk and the backups' work at the same time. */
const sendPrepares = (replica: Replica, state: PrimaryState, out: Outcome): void => {
  while (state.prepared < replica.log.op && !state.abdicated) {
    const first = state.prepared + 1
    const entries = replica.log.chunk(first, replica.log.op, Limits.prepare_bytes_max)
    state.prepared += entries.length
    const message = { _tag: "Prepare", view: replica.view, first, entries, commit: replica.commit } as const
    // A view must not be used before it is durable, so behind a StartView even a Prepare waits.
    for (const to of audience(replica, state)) sendEarly(out, to, message)
  }
}

export const tickPrimary = (replica: Replica, state: PrimaryState, now: Now, out: Outcome): void => {
  state.heardAt[memberIndex(replica, replica.id)] = now.mono
  const contact = quorumth(state.heardAt, replica.configuration.quorum)
  // With the back-off: over a slow network the first acknowledgements of a view take longer than that.
  if (!state.abdicated && now.mono - contact > replica.timers.view_change_ms * 2 * backOff(replica)) {
    // Backups that still hear us would wait for ever: fall silent, and let them move on.
    state.abdicated = true
    out.events.push("lost touch with a quorum")
    turnClientsAway(state, out)
  }
  // Others are a quorum without it, but it could not shorten its log, nor say that it lives.
  const lags = replica.durable < replica.log.op && now.mono - state.writtenAt > replica.timers.view_change_ms * 2 * backOff(replica)
  if (!state.abdicated && lags) {
    state.abdicated = true
    out.events.push("lost touch with its disk")
    turnClientsAway(state, out)
  }
  if (state.abdicated || now.mono < state.heartbeatAt) return
  // Counted from the one before, not from now: ticks come a little late, and with beats counted from those there would be fewer.
  const { heartbeat_ms } = replica.timers
  const next = state.heartbeatAt + heartbeat_ms
  state.heartbeatAt = next > now.mono ? next : now.mono + heartbeat_ms
  const beat = heartbeat(replica, state, isWanted(replica, state, now) ? renewLease(replica, state, now) : 0)
  for (const to of audience(replica, state)) send(out, to, beat)
}

/** In a round of its own. */
const renewLease = (replica: Replica, state: PrimaryState, now: Now): Millis => {
  state.round++
  return askForLease(replica, state, now)
}
