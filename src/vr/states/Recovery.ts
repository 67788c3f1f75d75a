/**
 * Recovery: restarted without its memory (VRR §4.3). It asks where the group stands, fetches the log from the primary,
 * and takes no part in anything before that is done (F8).
 *
 * @module
 */
import { primaryOf } from "../Configuration.ts"
import type { MessageOf, ReplicaId } from "../Message.ts"
import type { Handlers, Now, Outcome, RecoveryState, Replica } from "../Replica.ts"
import { fetchesSnapshot, takePart, wholeSnapshot } from "../SnapshotTransfer.ts"
import { keepCommitted, makeStaging, stage, stagedEnd } from "../Staging.ts"
import { askForState, becomeBackup, promote } from "../Transitions.ts"
import { broadcast, commitTo, replaceSuffix } from "./Normal.ts"

export const makeRecoveryState = (promised: number): RecoveryState => ({
  _tag: "Recovery",
  nonce: 0,
  promised,
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
  if (image !== null) state.staging = promote(replica, makeStaging(image.header!.op, image), out)
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
  if (message.view > fetching.view) return startAnew(replica, state, now, out)
  const had = stagedEnd(state.staging)
  if (!stage(state.staging, message.first, message.entries, message.commit)) return
  const end = stagedEnd(state.staging)
  const isLast = end >= message.op && end >= fetching.op
  // The answer to a repeated question: to go on from it too would fetch everything twice from here.
  if (end === had && !isLast) return
  fetching.progressAt = now.mono
  state.resendAt = now.mono + fetching.wait_ms
  state.staging = promote(replica, state.staging, out)
  if (!isLast) return askForState(replica, fetching.view, state.staging, from, now, out)
  replaceSuffix(replica, state.staging, out)
  becomeBackup(replica, fetching.view, now, out)
  commitTo(replica, Math.max(replica.commit, Math.min(message.commit, replica.log.op)), out)
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
  if (fetching !== null && message.view > fetching.view) return startAnew(replica, state, now, out)
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

/** Whoever answered has moved on, or is gone. */
const startAnew = (replica: Replica, state: RecoveryState, now: Now, out: Outcome): void => {
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
