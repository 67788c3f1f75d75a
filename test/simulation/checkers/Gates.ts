/**
 * 8 and 14. Nothing leaves before its durability gate: no message carries a view above what its sender has written,
 * and who speaks as a normal replica of a view has written that it is one. In disk mode what is acknowledged, voted for,
 * or started as a view is on the sender's disk.
 *
 * @module
 */
import type { ReplicaHead } from "../../../src/storage/Journal.ts"
import type { Message, ReplicaId } from "../../../src/vr/Message.ts"
import type { Journal } from "../Journal.ts"
import { atLeast, atMost, sameEntry } from "./Check.ts"
import type { Checker } from "./Checker.ts"

export const gates = (): Checker => ({
  onSends: (_world, { id, journal }, sends) => {
    for (const { message } of sends) {
      checkGate(id, journal.head, message)
      if (journal.durability === "disk") checkEntries(id, journal, message)
      if (message._tag !== "PrepareOk" && message._tag !== "CommitOk") continue
      // What a turn said before it went on to a later view, it may have cut since.
      if (message.view !== journal.head.log_view) continue
      atLeast(journal.op, message.op, id, "an acknowledgement covers only what is written")
    }
  }
})

/** A turn may have gone on to a later view, and taken over its log: that was durable before anything left. */
const checkEntries = (id: ReplicaId, journal: Journal, message: Message): void => {
  const { base, commit, head: { log_view }, op } = journal
  switch (message._tag) {
    case "PrepareOk":
    case "CommitOk":
    case "RecoveryResponse":
      if (message.view === log_view) atMost(message.op, op, id, "what is acknowledged is on disk")
      break
    case "DoViewChange":
    case "StartView": {
      if ((message._tag === "StartView" ? message.view : message.logView) !== log_view) break
      for (const entry of message.entries) {
        if (entry.op > Math.max(base, commit)) sameEntry(journal.entry(entry.op), entry, id, "what is voted for, or started, is on disk")
      }
      break
    }
    default:
  }
}

/** May `message` leave a replica that has written this head? */
export const checkGate = (
  id: ReplicaId,
  { log_view, view }: Pick<ReplicaHead, "log_view" | "view">,
  message: Message
): void => {
  switch (message._tag) {
    case "Prepare":
    case "Commit":
    case "PrepareOk":
    case "CommitOk":
    case "StartView":
    case "NewState":
    case "RecoveryResponse":
      // A turn may have gone on to a later view; what it said before was true when it said it.
      atLeast(log_view, message.view, id, "who speaks for a view has written that it is in it")
      break
    case "DoViewChange":
      atMost(message.logView, log_view, id, "a vote's logView is durable")
      atMost(message.view, view, id, "a vote's view is durable")
      break
    case "StartViewChange":
      if (!message.probing) atMost(message.view, view, id, "who says that it has left has written it")
      break
    case "StartEpoch":
    case "EpochStarted":
    case "GetCommitted":
    case "Committed":
    case "GetState":
    case "GetSnapshot":
    case "SnapshotPart":
    case "Recovery":
      break
  }
}
