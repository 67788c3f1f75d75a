/**
 * A group that was begun anew, by its operator, after a quorum of it was lost for good: its new epoch goes on from what one
 * replica held. Another one that was left behind may hold more than that. It must neither go on in the old epoch, where it would
 * serve what the others have given up, nor go over to the new one, as what is committed is never taken back, and what may have
 * been acknowledged is not thrown away unasked. So it stops, and says why.
 *
 * Otherwise it cannot happen: whoever begins an epoch holds all that was committed before.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import type { Entry, Epoch, OpNumber, View } from "./Message.ts"
import type { EpochStart } from "./NextGroup.ts"
import type { Replica } from "./Replica.ts"
import type { Staging } from "./Staging.ts"

interface Start {
  readonly epoch: Epoch
  readonly op: OpNumber
  readonly view: View
}

/**
 * `op` was the last one before `epoch`, given its position in `view`. Views never fall along a log, and whoever was normal
 * in a view holds all that was committed up to there: so what lacks something of ours ends below it, or in an earlier view.
 */
export const noticeStart = (replica: Replica, { epoch, op, view }: Start): void => {
  if (epoch <= replica.configuration.epoch) return
  if (op <= replica.commit || view < committedView(replica)) stop(replica, epoch, `it goes on from op ${op}`)
}

/** The groups that a snapshot of another one knows. */
export const noticeHistory = (replica: Replica, history: ReadonlyArray<EpochStart>): void => {
  const next = history.find(({ epoch }) => epoch > replica.configuration.epoch)
  if (next === undefined) return
  noticeStart(replica, next)
  if (isAnew(replica, next.epoch)) keepOwn(replica, next.epoch, (own) => own.op < next.op && own.view <= next.view)
}

/** `last`, which is staged, is the last one before this epoch. */
export const noticeCrossing = (replica: Replica, epoch: Epoch, { base, entries }: Staging, last: OpNumber): void => {
  if (isAnew(replica, epoch)) keepOwn(replica, epoch, ({ op, view }) => op < last && entries[op - base - 1]?.view === view)
}

/** Behind what is committed here, the log of another one goes on in this view. */
export const noticeLog = (replica: Replica, epoch: Epoch, view: View): void => {
  if (epoch > replica.configuration.epoch && view < committedView(replica)) stop(replica, epoch, "its log is another one")
}

/** All that another one has behind what is committed here does not say how its epoch began. */
export const noticeEnd = (replica: Replica, epoch: Epoch): void => {
  if (epoch > replica.configuration.epoch) stop(replica, epoch, "it goes on from an earlier op")
}

/** Of the last entry that is committed; 0 if that is in a snapshot only, where nobody can tell. */
const committedView = ({ commit, log }: Replica): View => commit > log.base ? log.get(commit).view : 0

/** Epochs follow one another, but where an operator had a part in it. */
const isAnew = ({ configuration }: Replica, epoch: Epoch): boolean => epoch - configuration.epoch >= Limits.recovery_epochs

/** After a restart it knows of less that is committed than before: whatever is not there may have been. */
const keepOwn = (replica: Replica, epoch: Epoch, isThere: (own: Entry) => boolean): void => {
  const { commit, log } = replica
  const lacking = log.range(commit + 1, log.op).find((own) => !isThere(own))
  if (lacking === undefined) return
  replica.forked ??= `epoch ${epoch} of its group was begun without what its log holds from op ${lacking.op} on, up to op ${log.op}, ` +
    "which may have been acknowledged"
}

const stop = (replica: Replica, epoch: Epoch, why: string): void => {
  replica.forked ??= `epoch ${epoch} of its group was begun without what is committed here, up to op ${replica.commit}: ${why}`
}
