/**
 * A group that was begun anew, by its operator, after a quorum of it was lost for good: its new epoch goes on from what one
 * replica held. Another one that was left behind may have more committed than that. It must neither go on in the old epoch,
 * where it would serve what the others have given up, nor go over to the new one, as what is committed is never taken back.
 * So it stops, and says why.
 *
 * Otherwise it cannot happen: whoever begins an epoch holds all that was committed before.
 *
 * @module
 */
import type { Epoch, OpNumber, View } from "./Message.ts"
import type { EpochStart } from "./NextGroup.ts"
import type { Replica } from "./Replica.ts"

/**
 * `op` was the last one before `epoch`, given its position in `view`. Views never fall along a log, and whoever was normal
 * in a view holds all that was committed up to there: so what lacks something of ours ends below it, or in an earlier view.
 */
export const noticeStart = (
  replica: Replica,
  { epoch, op, view }: { readonly epoch: Epoch; readonly op: OpNumber; readonly view: View }
): void => {
  if (epoch <= replica.configuration.epoch) return
  if (op <= replica.commit || view < committedView(replica)) stop(replica, epoch, `it goes on from op ${op}`)
}

/** The groups that a snapshot of another one knows. */
export const noticeHistory = (replica: Replica, history: ReadonlyArray<EpochStart>): void => {
  const next = history.find(({ epoch }) => epoch > replica.configuration.epoch)
  if (next !== undefined) noticeStart(replica, next)
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

const stop = (replica: Replica, epoch: Epoch, why: string): void => {
  replica.forked ??= `epoch ${epoch} of its group was begun without what is committed here, up to op ${replica.commit}: ${why}`
}
