/**
 * How the primary of a new view chooses the log and starts the view (VRR §4.2).
 *
 * Votes carry only what lies above their sender's commit number (F11). If the chosen suffix begins above what this
 * replica knows to be committed, the committed entries between are fetched from its sender before the view starts.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import { invariant } from "../base/Invariant.ts"
import type { MessageOf, OpNumber, ReplicaId } from "./Message.ts"
import { isBound } from "./Lease.ts"
import { highestView, type Now, type Outcome, type Replica, type ViewChangeState } from "./Replica.ts"
import { makeStaging, stage, stagedEnd } from "./Staging.ts"
import { askForPart, fetchesSnapshot, takePart, wholeSnapshot } from "./SnapshotTransfer.ts"
import { appendAbove, commitTo, cutLog, isPrimaryOf, replaceSuffix } from "./states/Normal.ts"
import { send } from "./Sending.ts"
import { becomePrimary, enterViewChange } from "./Transitions.ts"

type Vote = MessageOf<"DoViewChange">

const head = (vote: Vote): OpNumber => vote.first + vote.entries.length - 1

/** A vote. One for a later view than ours says that its sender has left: follow (F5). */
export const onVote = (replica: Replica, vote: Vote, from: ReplicaId, now: Now, out: Outcome): void => {
  if (vote.view > highestView(replica)) enterViewChange(replica, vote.view, now, out)
  const state = replica.state
  if (state._tag !== "ViewChange" || vote.view !== replica.view || !isPrimaryOf(replica, vote.view)) return
  state.votes.set(from, vote)
  // Its sender has restarted since, and may know less of what is committed: what is missing below its vote has changed.
  if (state.fetching?.from === from && state.fetching.last !== vote.first - 1) state.fetching = null
  startIfChosen(replica, state, now, out)
}

/** At a quorum of votes. Its own is one, once it may vote: for a group of one it is enough. */
export const startIfChosen = (replica: Replica, state: ViewChangeState, now: Now, out: Outcome): void => {
  const isChosen = !isBound(replica, now) && state.votes.size >= replica.configuration.quorum
  if (isChosen && state.fetching === null) choose(replica, state, now, out)
}

/** The log with the largest (logView, head) holds everything that any earlier view committed. */
const best = (replica: Replica, state: ViewChangeState): readonly [ReplicaId, Vote] => {
  let from = replica.id
  let chosen = state.vote
  for (const [sender, vote] of state.votes) {
    if (vote.logView > chosen.logView || (vote.logView === chosen.logView && head(vote) > head(chosen))) {
      from = sender
      chosen = vote
    }
  }
  return [from, chosen]
}

/** Logs of one view are prefixes of each other, so ours may bridge the gap below the chosen suffix. */
const bridges = (replica: Replica, chosen: Vote): boolean =>
  chosen.first <= replica.commit + 1 || (chosen.logView === replica.logView && replica.log.op >= chosen.first - 1)

const choose = (replica: Replica, state: ViewChangeState, now: Now, out: Outcome): void => {
  const [from, chosen] = best(replica, state)
  if (bridges(replica, chosen)) return start(replica, state, chosen, now, out)
  state.fetching = { from, last: chosen.first - 1, staging: makeStaging(replica.commit) }
  // One that another sent is not waited for: that may be the very primary that is gone.
  if (replica.incoming?.from !== from) replica.incoming = null
  askForCommitted(replica, state, now, out)
}

export const askForCommitted = (replica: Replica, state: ViewChangeState, now: Now, out: Outcome): void => {
  if (state.fetching === null) return
  const { from, last, staging } = state.fetching
  const { incoming } = replica
  if (incoming !== null && incoming.from === from && incoming.op <= last && fetchesSnapshot(replica, stagedEnd(staging), now)) {
    return askForPart(replica, out)
  }
  send(out, from, { _tag: "GetCommitted", view: replica.view, after: stagedEnd(staging), last })
}

export const onCommitted = (
  replica: Replica,
  state: ViewChangeState,
  message: MessageOf<"Committed">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  const fetching = state.fetching
  if (fetching === null || message.view !== replica.view || from !== fetching.from) return
  const had = stagedEnd(fetching.staging)
  if (!stage(fetching.staging, message.first, message.entries, fetching.last)) return
  const end = stagedEnd(fetching.staging)
  if (end < fetching.last) return end === had ? undefined : askForCommitted(replica, state, now, out)
  startFromFetched(replica, state, fetching, now, out)
}

/**
 * Its sender's log begins above what we know to be committed. Not beyond its vote: what it has committed since, it has in
 * a later view, and that is not the log of ours.
 */
export const onCommittedSnapshot = (
  replica: Replica,
  state: ViewChangeState,
  message: MessageOf<"SnapshotPart">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  const fetching = state.fetching
  if (fetching === null || from !== fetching.from || message.op > fetching.last) return
  if (!takePart(replica, message, from, stagedEnd(fetching.staging), now, out)) return
  const image = wholeSnapshot(replica)
  if (image === null) return
  state.fetching = { ...fetching, staging: makeStaging(message.op, image, message.view) }
  if (message.op < fetching.last) askForCommitted(replica, state, now, out)
  else startFromFetched(replica, state, state.fetching, now, out)
}

const startFromFetched = (
  replica: Replica,
  state: ViewChangeState,
  { from, last, staging }: NonNullable<ViewChangeState["fetching"]>,
  now: Now,
  out: Outcome
): void => {
  replaceSuffix(replica, staging, out)
  commitTo(replica, last, out)
  start(replica, state, state.votes.get(from)!, now, out)
}

const start = (replica: Replica, state: ViewChangeState, chosen: Vote, now: Now, out: Outcome): void => {
  if (chosen.logView !== replica.logView) cutLog(replica, replica.commit, out)
  appendAbove(replica, chosen.entries, out)
  let commit = replica.commit
  for (const vote of state.votes.values()) commit = Math.max(commit, vote.commit)
  invariant(commit <= replica.log.op, "the chosen log holds all that is committed", { commit, head: replica.log.op })
  commitTo(replica, commit, out)
  becomePrimary(replica, replica.view, now, out)
  for (const to of replica.configuration.replicas) {
    if (to !== replica.id) send(out, to, startViewMessage(replica, state.votes.get(to)?.commit ?? replica.commit))
  }
}

/**
 * The log of our view for a replica that holds all up to `commit`. If that is too far back for one message, or for our
 * log, it starts at our own commit number, within a pipeline of the head; the receiver fetches the rest.
 */
export const startViewMessage = (replica: Replica, commit: OpNumber): MessageOf<"StartView"> => {
  const from = Math.min(commit, replica.commit)
  const gap = replica.commit - from
  const fits = from >= replica.log.base &&
    replica.log.chunk(from + 1, replica.commit, Limits.transfer_chunk_bytes_max).length === gap
  const first = (fits ? from : replica.commit) + 1
  return {
    _tag: "StartView",
    view: replica.view,
    first,
    entries: replica.log.range(first, replica.log.op),
    commit: replica.commit
  }
}
