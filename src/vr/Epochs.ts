/**
 * Messages across epochs: a later epoch is news, and whoever brings it is asked for the rest (F13); an earlier one is told.
 *
 * @module
 */
import { isMember } from "./Configuration.ts"
import { noticeStart } from "./Forked.ts"
import { type Epoch, epochOf, firstView, type Message, type ReplicaId, type View } from "./Message.ts"
import { isCrossing, isNormal, type Now, type Outcome, type Replica } from "./Replica.ts"
import { startEpoch } from "./GoingOver.ts"
import { onGetSnapshot } from "./SnapshotTransfer.ts"
import { answerEpochStart, answerGetState } from "./states/Answering.ts"
import { retire } from "./states/Leaving.ts"
import { commitTo } from "./states/Normal.ts"
import { send } from "./Sending.ts"
import { crossInRecovery } from "./states/Recovery.ts"
import { startTransfer } from "./Transitions.ts"

/** True if the message is an answer to what is being fetched: the handler of the state takes it. */
export const onLaterEpoch = (
  replica: Replica,
  message: Message,
  from: ReplicaId,
  epoch: Epoch,
  now: Now,
  out: Outcome
): boolean => {
  const { state } = replica
  // An epoch begins behind an operation: nobody says so who goes by the protocol.
  if (message._tag === "StartEpoch" && message.op === 0) return false
  if (message._tag === "StartEpoch" && state._tag !== "Leaving") noticeStart(replica, { epoch, ...message })
  if (replica.forked !== null) return false
  if (state._tag === "Leaving") {
    // Whatever ended the epoch that we wait for was committed by a quorum of it.
    retire(state, out)
    return false
  }
  const isNext = epoch === replica.configuration.epoch + 1 && state._tag !== "Recovery"
  if (isNext && message._tag === "StartEpoch" && holds(replica, message.op, message.view)) {
    commitTo(replica, message.op, out)
    return false
  }
  const isAnswer = message._tag === "NewState" || message._tag === "SnapshotPart"
  // It has nothing to give; and where others have not answered, it is for a while as if there was no news.
  if (message._tag === "Recovery" || (now.mono < replica.crossAfter && !isCrossing(replica))) return false
  // Any view of it will do to begin with; whoever answers says which one it is.
  const view = firstView(epoch)
  if (state._tag === "Recovery") {
    if (state.fetching !== null && epochOf(state.fetching.view) >= epoch) return isAnswer
    crossInRecovery(replica, state, view, from, now, out)
  } else if (state._tag === "StateTransfer" && state.target >= view) return isAnswer
  else startTransfer(replica, view, from, now, out)
  return false
}

/** The entry that is at this position, given to it in this view: then all before it is the same as well. */
const holds = ({ commit, log }: Replica, op: number, view: View): boolean =>
  op > commit && op <= log.op && op > log.base && log.get(op).view === view && log.get(op).kind === "reconfigure"

/** Its sender lags behind, or knows nobody of our group yet. What is committed it may have. */
export const onEarlierEpoch = (replica: Replica, message: Message, from: ReplicaId, now: Now, out: Outcome): void => {
  const { state } = replica
  // Whoever leaves need not wait for us: its successors have begun, or are gone themselves.
  if (message._tag === "StartEpoch") return send(out, from, { _tag: "EpochStarted" })
  // One that is to join may not have come to the beginning of its epoch yet.
  if (state._tag === "Recovery" || replica.epochStart === null) return
  if (message._tag === "GetSnapshot") return onGetSnapshot(replica, message, from, now, out)
  if (message._tag === "GetState") {
    return isNormal(replica) ? answerGetState(replica, message, from, now, out) : answerEpochStart(replica, message, from, now, out)
  }
  send(out, from, startEpoch(replica))
}

/** Of the same epoch, by whoever is not in its group: one that is to join, or one that leaves. */
export const mayComeFromOutside = (message: Message): boolean => {
  switch (message._tag) {
    case "PrepareOk":
    case "CommitOk":
    case "GetState":
    case "GetSnapshot":
    case "NewState":
    case "SnapshotPart":
    case "StartEpoch":
      return true
    default:
      return false
  }
}

/** One that is not in the group takes no part in its view changes, nor helps anybody to recover. */
export const concernsOutsiders = (message: Message): boolean => {
  switch (message._tag) {
    case "StartViewChange":
    case "DoViewChange":
    case "PrepareOk":
    case "CommitOk":
    case "Recovery":
    case "RecoveryResponse":
      return false
    default:
      return true
  }
}

export const isOutsider = ({ configuration, id }: Replica): boolean => !isMember(configuration, id)
