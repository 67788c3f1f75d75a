/**
 * Messages that can never have an effect any more: of views that are over, counted already, or asked for no longer.
 *
 * What this relies on: views only go up; a replica that restarts promises at least what its head says, and never leads the
 * same view twice; acknowledgements are cumulative; and votes are frozen, until a restart in disk mode. Nothing else is left
 * out: above all, what is accepted within a view arrives again as often as it likes. The tests compare small searches with
 * and without.
 *
 * @module
 */
import type { Message, MessageOf, ReplicaId } from "../../../src/vr/Message.ts"
import type { Local, Mail } from "./Model.ts"

/** Who may lose what in the future. */
export interface Outlook {
  /** A crash may still happen. */
  readonly mayCrash: boolean
  /** It takes the head along. */
  readonly forgetful: boolean
  /** Logs survive crashes. */
  readonly disk: boolean
  /** A crash may still happen that takes along what is known to be committed. */
  readonly mayForget: boolean
  /** A tick may still happen. */
  readonly mayTick: boolean
  /** Nothing is left out but what has to be for an end. */
  readonly keepsDead: boolean
}

/** Waits for NewState. */
const isFetching = ({ tag }: Local): boolean => tag === "StateTransfer" || tag === "Recovery"

/** Takes the parts of snapshots. */
const takesParts = (local: Local): boolean => {
  const { state } = local.replica
  return isFetching(local) || (state._tag === "ViewChange" && state.fetching !== null)
}

/** Is the part that is asked for there the next one that the sender needs? */
const isNextPart = ({ index, op }: MessageOf<"GetSnapshot">, sender: Local): boolean => {
  const { incoming } = sender.replica
  return takesParts(sender) && (incoming === null ? index === 0 : index === incoming.next && op === incoming.op)
}

/**
 * What keeps a conversation going after its end, or begins it again, and would let the messages grow without bounds: it
 * counts as a tick. The first StartView cannot get lost here, nor can an answer that was given in time.
 */
export const countsAsTick = ({ message }: Mail, receiver: Local, sender: Local): boolean => {
  switch (message._tag) {
    case "DoViewChange":
      return receiver.tag === "Primary" && message.view === receiver.view
    case "GetState":
      return !isFetching(sender)
    case "GetSnapshot":
      return !isNextPart(message, sender)
    case "SnapshotPart":
      // Of a snapshot that was given up, in an earlier life perhaps: it is asked for anew.
      return message.index > 0 && receiver.replica.incoming === null && takesParts(receiver)
    default:
      return false
  }
}

/** A question whose sender does not wait for the answer any more, and will ask anew if it ever does again. */
export const hasNoUse = ({ message }: Mail, sender: Local, { keepsDead, mayTick }: Outlook): boolean => {
  switch (message._tag) {
    case "GetCommitted":
      return !keepsDead && (sender.tag !== "ViewChange" || sender.view > message.view)
    case "GetState":
      return !mayTick && !isFetching(sender)
    case "GetSnapshot":
      return !mayTick && !isNextPart(message, sender)
    default:
      return false
  }
}

/** The lowest view that the replica can ever be in from now on. */
const floorOf = ({ promised, view }: Local, { forgetful, mayCrash }: Outlook): number =>
  !mayCrash ? view : forgetful ? 0 : Math.min(promised, view)

/** A message that its receiver, whatever becomes of it, treats as if it had not come. */
export const isUnheeded = ({ epoch, message, sender }: Mail, receiver: Local, outlook: Outlook): boolean => {
  const { replica, view } = receiver
  // A later epoch is news, and an earlier one is told.
  if (epoch !== replica.configuration.epoch) return false
  const { state } = replica
  switch (message._tag) {
    case "Recovery":
    case "GetState":
    case "GetCommitted":
    case "GetSnapshot":
      // A question is answered by whoever can, in later views too.
      return false
    case "StartEpoch":
    case "EpochStarted":
      return false
    case "SnapshotPart":
      // Nobody takes what it knows to be committed.
      return !outlook.keepsDead && !outlook.mayForget && message.op <= receiver.commit
    case "RecoveryResponse":
      // One to a question of a former life is not left out: that it is not believed is for the core to show.
      return !outlook.keepsDead && !outlook.mayCrash && state._tag !== "Recovery"
    case "StartViewChange":
      // A primary reminds its sender that the view runs: a heartbeat to one, and heartbeats come with ticks.
      return message.view <= floorOf(receiver, outlook)
    default: {
      if (outlook.keepsDead) return false
      const floor = floorOf(receiver, outlook)
      // The primary of an old view is told to follow; it could have heard that of those who left for the later view.
      if (message.view !== floor || floor !== view) return message.view < floor
      return isCounted(message, sender, receiver, outlook)
    }
  }
}

/** Of a message of the very view that the receiver is in, which is the lowest that it can ever be in. */
const isCounted = (message: Message, sender: ReplicaId, { replica, tag }: Local, { disk, mayTick }: Outlook): boolean => {
  const { configuration, state } = replica
  const from = configuration.replicas.indexOf(sender)
  // It is to join: what it says may be needed once it is known.
  if (from < 0) return false
  switch (message._tag) {
    case "PrepareOk":
      return state._tag !== "Primary" || state.restarted || state.acked[from]! >= message.op
    case "CommitOk":
      return state._tag !== "Primary" || state.restarted || (state.acked[from]! >= message.op && state.rounds[from]! >= message.round)
    case "DoViewChange":
      // Counted votes are lost in a restart; and who restarts votes again, knowing less of what is committed.
      if (state._tag === "ViewChange") return !disk && state.votes.has(sender)
      return tag !== "Primary" || !mayTick
    case "Committed":
      return tag !== "ViewChange"
    default:
      return false
  }
}
