/**
 * Messages that can never have an effect any more.
 *
 * What a rule relies on: views only go up; a replica that restarts promises at least what its head says, takes part in
 * no view below that, and never leads the same view twice; it is in a view change of one view only once.
 *
 * @module
 */
import type { Message } from "../../../src/vr/Message.ts"
import type { RecoveryState } from "../../../src/vr/Replica.ts"
import type { Local, Mail } from "./Model.ts"

/** Who may lose what in the future. */
export interface Outlook {
  /** A crash may still happen. */
  readonly mayCrash: boolean
  /** It takes the head along. */
  readonly forgetful: boolean
  /** A tick may still happen. */
  readonly mayTick: boolean
}

/** Waits for NewState. */
const isFetching = ({ tag }: Local): boolean => tag === "StateTransfer" || tag === "Recovery"

/**
 * What keeps a conversation going after its end, and would let the messages grow without bounds: it counts as a tick. The
 * first StartView cannot get lost here, nor can an answer that was given in time.
 */
export const countsAsTick = ({ message }: Mail, receiver: Local, sender: Local): boolean =>
  (message._tag === "DoViewChange" && receiver.tag === "Primary" && message.view === receiver.view) ||
  (message._tag === "GetState" && !isFetching(sender))

/** A question whose sender does not wait for the answer any more, and will ask anew if it ever does again. */
export const hasNoUse = ({ message }: Mail, sender: Local, { mayTick }: Outlook): boolean => {
  switch (message._tag) {
    case "Recovery":
      // Beside answers it brings about what StartViewChange and suspicion do at any time: a view change.
      return sender.tag !== "Recovery" || (sender.replica.state as RecoveryState).nonce !== message.nonce
    case "GetCommitted":
      return sender.tag !== "ViewChange" || sender.view > message.view
    case "GetState":
      return !mayTick && !isFetching(sender)
    default:
      return false
  }
}

/** The lowest view that the replica can ever be in from now on. */
const floorOf = ({ promised, view }: Local, { forgetful, mayCrash }: Outlook): number =>
  !mayCrash ? view : forgetful ? 0 : Math.min(promised, view)

/** A message that its receiver, whatever becomes of it, treats as if it had not come. */
export const isUnheeded = ({ from, message }: Mail, receiver: Local, outlook: Outlook): boolean => {
  if (message._tag === "RecoveryResponse") {
    const { state } = receiver.replica
    return state._tag !== "Recovery" || state.nonce !== message.nonce
  }
  // A question of an old view is answered by whoever can.
  if (message._tag === "Recovery" || message._tag === "GetState" || message._tag === "GetCommitted") return false
  const floor = floorOf(receiver, outlook)
  if (message.view > floor) return false
  return message.view < floor || (floor === receiver.view && isUnheededNow(message, from, receiver, outlook))
}

type Told = Exclude<Message, { readonly _tag: "Recovery" | "RecoveryResponse" | "GetState" | "GetCommitted" }>

/** Of a message of the very view that the receiver is in, which is the lowest that it can ever be in. */
const isUnheededNow = (message: Told, from: number, receiver: Local, outlook: Outlook): boolean => {
  const { commit, logView, op, replica, tag } = receiver
  const { state } = replica
  const isThere = logView === message.view
  switch (message._tag) {
    case "PrepareOk":
      return state._tag !== "Primary" || state.acked[from]! >= message.op
    case "CommitOk":
      return state._tag !== "Primary" || (state.acked[from]! >= message.op && state.rounds[from]! >= message.round)
    case "StartViewChange":
      // A primary reminds its sender that the view runs: a heartbeat to one, and heartbeats come with ticks.
      return true
    case "DoViewChange":
      return !(outlook.mayTick && tag === "Primary") && !(state._tag === "ViewChange" && !state.votes.has(replica.configuration.replicas[from]!))
    case "StartView":
      return isThere || tag === "Recovery"
    case "Prepare":
      // Whoever holds it has acknowledged it.
      return isThere && !outlook.mayCrash && op >= message.first + message.entries.length - 1 && commit >= message.commit
    case "Commit":
      return isThere && !outlook.mayCrash && op >= message.op && commit >= message.commit && message.round === 0
    case "NewState":
      // At most it ends a transfer with what was there before it: as if the gap had not been noticed.
      return tag === "Primary" || (isThere && !outlook.mayCrash && op >= message.op && commit >= message.commit)
    case "Committed":
      return tag !== "ViewChange"
  }
}
