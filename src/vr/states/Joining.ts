/**
 * How a replica in any state but Recovery joins a later view: by following one that left, or by accepting its start;
 * and how one that follows a primary treats others that lost their memory.
 *
 * @module
 */
import { invariant } from "../../base/Invariant.ts"
import { primaryOf } from "../Configuration.ts"
import type { MessageOf, ReplicaId } from "../Message.ts"
import { type BackupState, highestView, type Now, type Outcome, type Replica, type StateTransferState } from "../Replica.ts"
import { releaseIfLeft } from "../Lease.ts"
import { onProbe, probeIfSilent } from "../Suspicion.ts"
import { becomeBackup, enterViewChange, startTransfer } from "../Transitions.ts"
import { appendAbove, commitTo, cutLog } from "./Normal.ts"
import { send } from "../Sending.ts"

/** VRR §4.2, with a probe before anybody leaves (F15), and views adopted, never counted up (F5). */
export const onStartViewChange = (
  replica: Replica,
  message: MessageOf<"StartViewChange">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  releaseIfLeft(replica, message, from)
  if (message.probing) return onProbe(replica, message.view, from, now, out)
  if (message.view > highestView(replica)) enterViewChange(replica, message.view, now, out)
}

/**
 * The log of a later view (VRR §4.2). The caller has checked the acceptance rule (F4). If it starts above what we
 * know to be committed, the gap is fetched first; else the part above our commit number is replaced at once. One that
 * ends below that has been overtaken, by a snapshot of the same view or a later one: there is more to fetch.
 */
export const onStartView = (
  replica: Replica,
  message: MessageOf<"StartView">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  const end = message.first + message.entries.length - 1
  if (message.first > replica.commit + 1 || end < replica.commit) return startTransfer(replica, message.view, from, now, out)
  installView(replica, message, now, out)
}

const installView = (replica: Replica, message: MessageOf<"StartView">, now: Now, out: Outcome): void => {
  const end = message.first + message.entries.length - 1
  invariant(end >= replica.commit, "a new view holds all that is committed", { end, commit: replica.commit })
  cutLog(replica, replica.commit, out)
  appendAbove(replica, message.entries, out)
  becomeBackup(replica, message.view, now, out)
  // The sender's commit number may be behind ours: ours never falls (F3).
  commitTo(replica, Math.max(replica.commit, Math.min(message.commit, replica.log.op)), out)
}

/** A replica without its memory asks one that follows a primary, or is about to (VRR §4.3). */
export const onRecovery = (
  replica: Replica,
  state: BackupState | StateTransferState,
  message: MessageOf<"Recovery">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  const current = highestView(replica)
  // It had promised a view that we have not reached: only a view change brings the group there.
  if (message.view > current) return enterViewChange(replica, message.view, now, out)
  if (from === primaryOf(replica.configuration, current)) {
    // Our primary has lost its memory: there is nobody to wait for (F7).
    replica.lost.add(from)
    state.heardAt = Math.min(state.heardAt, now.mono - replica.timers.view_change_ms)
    return probeIfSilent(replica, now, out)
  }
  // A gap in the log of our own view does not take us out of it; a later view that is still to be fetched is not ours.
  if (replica.logView !== current) return
  const { commit, log, view } = replica
  send(out, from, { _tag: "RecoveryResponse", nonce: message.nonce, view, op: log.op, commit })
}
