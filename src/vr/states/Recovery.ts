/**
 * Recovery: restarted without its memory (VRR §4.3). It asks where the group stands, fetches the log from the primary,
 * and takes no part in anything before that is done (F8).
 *
 * @module
 */
import { primaryOf } from "../Configuration.ts"
import { epochOf, type MessageOf, type OpNumber, type ReplicaId, type View } from "../Message.ts"
import { decodeNextGroup } from "../NextGroup.ts"
import type { Handlers, Now, Outcome, RecoveryState, Replica } from "../Replica.ts"
import { fetchesSnapshot, takePart, wholeSnapshot } from "../SnapshotTransfer.ts"
import { keepCommitted, makeStaging, stage, stagedEnd, type Staging } from "../Staging.ts"
import { askForState, join, promise, promote } from "../Transitions.ts"
import { commitTo, replaceSuffix } from "./Normal.ts"
import { broadcast } from "../Sending.ts"

/** `promised`: null if nobody knows. */
export const makeRecoveryState = (promised: View | null): RecoveryState => ({
  _tag: "Recovery",
  nonce: 0,
  promised: promised ?? 0,
  isHeadLost: promised === null,
  responses: new Map(),
  fetching: null,
  staging: makeStaging(0),
  resendAt: 0,
  alsoRecovering: new Map()
})

/**
 * Enough answers, among them the primary's of the highest view seen, and no older than what was promised before the
 * crash (F1). The answers were all given after our question, which the nonce proves.
 */
const onResponse = (
  replica: Replica,
  state: RecoveryState,
  message: MessageOf<"RecoveryResponse">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  state.alsoRecovering.delete(from)
  if (message.nonce !== state.nonce || state.fetching !== null) return
  const earlier = state.responses.get(from)
  if (earlier !== undefined && isNewer(earlier, message)) return
  state.responses.set(from, message)
  if (state.responses.size < replica.configuration.recoveryQuorum) return
  let view = 0
  for (const response of state.responses.values()) view = Math.max(view, response.view)
  const primary = primaryOf(replica.configuration, view)
  const response = state.responses.get(primary)
  if (response?.view !== view || view < state.promised) return
  state.fetching = { view, from: primary, op: response.op, progressAt: now.mono, wait_ms: replica.timers.heartbeat_ms * 2 }
  state.resendAt = now.mono + state.fetching.wait_ms
  goOn(replica, state, state.fetching, now, out)
}

/** With the snapshot, if that is here, and then with what is still missing. */
const goOn = (
  replica: Replica,
  state: RecoveryState,
  { from, view }: NonNullable<RecoveryState["fetching"]>,
  now: Now,
  out: Outcome
): void => {
  // Made in a later view than the one that is joined now.
  if (replica.incoming !== null && replica.incoming.view > view) replica.incoming = null
  const image = wholeSnapshot(replica)
  const imageView = replica.incoming?.view ?? view
  if (image !== null) state.staging = promote(replica, view, makeStaging(image.header!.op, image, imageView), out)
  if (hasArrived(replica, [view, imageView], out)) return
  askForState(replica, view, state.staging, from, now, out)
}

/** Views go up, and so do ops within a view. */
const isNewer = (a: MessageOf<"RecoveryResponse">, b: MessageOf<"RecoveryResponse">): boolean =>
  a.view > b.view || (a.view === b.view && a.op > b.op)

const onNewState = (
  replica: Replica,
  state: RecoveryState,
  message: MessageOf<"NewState">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  const fetching = state.fetching
  if (fetching === null || from !== fetching.from || message.view < fetching.view) return
  if (message.view > fetching.view) return onLaterView(replica, state, message.view, from, now, out)
  const had = stagedEnd(state.staging)
  if (!stage(state.staging, message.first, message.entries, message.commit)) return
  const end = stagedEnd(state.staging)
  const isLast = end >= message.op && end >= fetching.op
  // The answer to a repeated question: to go on from it too would fetch everything twice from here.
  if (end === had && !isLast) return
  fetching.progressAt = now.mono
  state.resendAt = now.mono + fetching.wait_ms
  state.staging = promote(replica, fetching.view, state.staging, out)
  if (hasArrived(replica, [fetching.view], out)) return
  if (!isLast) return askForState(replica, fetching.view, state.staging, from, now, out)
  if (state.isHeadLost && mayHaveJoined(replica, state.staging, message.commit)) return waitForEpoch(replica, state, now)
  replaceSuffix(replica, state.staging, out)
  commitTo(replica, Math.max(replica.commit, Math.min(message.commit, replica.log.op)), out)
  join(replica, fetching.view, now, out)
}

/**
 * The primary's log begins above what we have, and we have nothing that is not in its snapshot. One that was begun before
 * the primary changed is as good.
 */
const onSnapshotPart = (
  replica: Replica,
  state: RecoveryState,
  message: MessageOf<"SnapshotPart">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  const fetching = state.fetching
  if (fetching !== null && from !== fetching.from && from !== replica.incoming?.from) return
  if (fetching !== null && message.view > fetching.view) return onLaterView(replica, state, message.view, from, now, out)
  if (!takePart(replica, message, from, stagedEnd(state.staging), now, out)) return
  // Late, over a slow network; whom to follow is being asked again.
  if (fetching === null) return
  fetching.progressAt = now.mono
  fetching.wait_ms = Math.max(replica.timers.heartbeat_ms, fetching.wait_ms / 2)
  state.resendAt = now.mono + fetching.wait_ms
  if (replica.incoming?.restoration.isWhole === true) goOn(replica, state, fetching, now, out)
}

/**
 * Asks again until it knows whom to fetch from. One nonce a life: it proves that an answer was given after the crash,
 * and that is all it has to prove. Newer answers take the place of older ones, so a question asked across a view change
 * is not stuck with it (F6), and answers may take longer than the time to the next question.
 */
const ask = (replica: Replica, state: RecoveryState, now: Now, out: Outcome): void => {
  if (state.nonce === 0) state.nonce = 1 + Math.floor(replica.random.next() * (Number.MAX_SAFE_INTEGER - 1))
  state.resendAt = now.mono + replica.timers.view_change_ms / 2
  broadcast(replica, out, { _tag: "Recovery", nonce: state.nonce, view: state.promised })
}

/**
 * There is a later epoch. We have never been in it, or would have written that: so there is nothing of it that we could
 * have forgotten, and nobody to ask but whoever told us.
 */
export const crossInRecovery = (
  replica: Replica,
  state: RecoveryState,
  view: View,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  // Nor can one that does not know what it had promised.
  if (state.isHeadLost || now.mono < replica.crossAfter) return
  state.responses.clear()
  keepCommitted(state.staging)
  state.fetching = { view, from, op: 0, progressAt: now.mono, wait_ms: replica.timers.heartbeat_ms * 2 }
  state.resendAt = now.mono + state.fetching.wait_ms
  goOn(replica, state, state.fetching, now, out)
}

/**
 * The log ends with a change to a group that it is in, which may have been committed long ago: it may have been in the next epoch,
 * and have forgotten what it said there.
 */
const mayHaveJoined = ({ id }: Replica, { entries }: Staging, commit: OpNumber): boolean => {
  const last = entries[entries.length - 1]
  return last?.kind === "reconfigure" && last.op > commit && decodeNextGroup(last.operation).replicas.includes(id)
}

/** It takes no part before the change is committed; then it recovers in that epoch, once its owner starts it there. */
const waitForEpoch = (replica: Replica, state: RecoveryState, now: Now): void => {
  state.responses.clear()
  state.fetching = null
  keepCommitted(state.staging)
  state.resendAt = now.mono + replica.timers.view_change_ms
}

/** In a later epoch, as one that has forgotten nothing of it: it goes on as any other that comes there. */
const hasArrived = (replica: Replica, latest: ReadonlyArray<View>, out: Outcome): boolean => {
  const { commit, configuration: { epoch }, epochStart, hasCrossed } = replica
  if (!hasCrossed) return false
  // Behind the beginning, what it holds was committed in that view of the epoch at the latest.
  if (commit > epochStart!.op) for (const view of latest) if (epochOf(view) === epoch) promise(replica, view, out)
  return true
}

/** In our epoch, others have to confirm that. In a later one, the sender knows. */
const onLaterView = (
  replica: Replica,
  state: RecoveryState,
  view: View,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  if (epochOf(view) === replica.configuration.epoch) return startAnew(replica, state, now, out)
  crossInRecovery(replica, state, view, from, now, out)
}

/** Whoever answered has moved on, or is gone. */
const startAnew = (replica: Replica, state: RecoveryState, now: Now, out: Outcome): void => {
  // Whoever spoke of a later epoch does not answer: those of ours have their turn.
  const crossed = state.fetching !== null && epochOf(state.fetching.view) > replica.configuration.epoch
  if (crossed) replica.crossAfter = now.mono + replica.timers.view_change_ms * 4
  state.responses.clear()
  state.fetching = null
  keepCommitted(state.staging)
  ask(replica, state, now, out)
}

export const recovery: Handlers<RecoveryState> = {
  Prepare: () => {}, // F8, as all that follow: what we acknowledge now could be a lie about what we held.
  PrepareOk: () => {},
  Commit: () => {},
  CommitOk: () => {},
  StartViewChange: () => {},
  DoViewChange: () => {},
  StartView: () => {},
  GetState: () => {},
  NewState: onNewState,
  GetCommitted: () => {},
  Committed: () => {},
  GetSnapshot: () => {},
  SnapshotPart: onSnapshotPart,
  StartEpoch: () => {},
  EpochStarted: () => {},
  Recovery: (_replica, state, _message, from, now) => {
    state.alsoRecovering.set(from, now.mono)
  },
  RecoveryResponse: onResponse
}

export const tickRecovery = (replica: Replica, state: RecoveryState, now: Now, out: Outcome): void => {
  const { view_change_ms } = replica.timers
  for (const [id, at] of state.alsoRecovering) if (now.mono - at > view_change_ms * 4) state.alsoRecovering.delete(id)
  const fetching = state.fetching
  if (now.mono < state.resendAt) return
  if (fetching === null) return ask(replica, state, now, out)
  const isSilent = now.mono - fetching.progressAt > view_change_ms * 2
  if (isSilent && !fetchesSnapshot(replica, stagedEnd(state.staging), now)) return startAnew(replica, state, now, out)
  fetching.wait_ms *= 2
  state.resendAt = now.mono + fetching.wait_ms
  askForState(replica, fetching.view, state.staging, fetching.from, now, out)
}

/** Too few replicas that still know are left to answer: nobody can say what was committed (F9). */
export const isBeyondRecovery = ({ configuration }: Replica, { alsoRecovering }: RecoveryState): boolean =>
  configuration.replicas.length - 1 - alsoRecovering.size < configuration.recoveryQuorum
