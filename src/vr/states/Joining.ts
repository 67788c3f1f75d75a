/**
 * How a replica in any state but Recovery joins a later view: by following one that left, or by accepting its start.
 *
 * @module
 */
import { invariant } from "../../base/Invariant.ts"
import type { MessageOf, ReplicaId } from "../Message.ts"
import type { Now, Outcome, Replica } from "../Replica.ts"
import { highestView, onProbe } from "../Suspicion.ts"
import { becomeBackup, enterViewChange, startTransfer } from "../Transitions.ts"
import { appendAbove, commitTo, cutLog } from "./Normal.ts"

/** VRR §4.2, with a probe before anybody leaves (F15), and views adopted, never counted up (F5). */
export const onStartViewChange = (
  replica: Replica,
  message: MessageOf<"StartViewChange">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  if (message.probing) return onProbe(replica, message.view, from, now, out)
  if (message.view > highestView(replica)) enterViewChange(replica, message.view, now, out)
}

/**
 * The log of a later view (VRR §4.2). The caller has checked the acceptance rule (F4). If it starts above what we
 * know to be committed, the gap is fetched first; else the part above our commit number is replaced at once.
 */
export const onStartView = (
  replica: Replica,
  message: MessageOf<"StartView">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  if (message.first > replica.commit + 1) return startTransfer(replica, message.view, from, now, out)
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
