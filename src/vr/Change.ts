/**
 * A change of the group, as a primary sees it through (VRR §7): it waits for those that join, and counts in both groups.
 *
 * @module
 */
import { isMember } from "./Configuration.ts"
import type { Millis, OpNumber, ReplicaId } from "./Message.ts"
import { decodeNextGroup, type NextGroup } from "./NextGroup.ts"
import { quorum } from "./Quorum.ts"
import type { PrimaryState, Replica } from "./Replica.ts"

/** One that is to join, and follows without a vote. */
export interface Learner {
  acked: OpNumber
  /** Before it was heard: null. */
  heardAt: Millis | null
}

/** What a primary knows of a change that it was asked for, or has found in the log. */
export interface Change {
  readonly next: NextGroup
  readonly learners: Map<ReplicaId, Learner>
  /** When somebody has asked for it last. */
  askedAt: Millis
  /** Where it is in the log; null while those that join catch up. */
  op: OpNumber | null
}

/** `op`: where it is in the log, if it is. */
export const makeChange = ({ configuration }: Replica, next: NextGroup, op: OpNumber | null, askedAt: Millis): Change => ({
  next,
  askedAt,
  learners: new Map(next.replicas.filter((id) => !isMember(configuration, id)).map((id) => [id, { acked: 0, heardAt: null }])),
  op
})

/** The change that ends the log of this epoch, not committed yet: whoever leads has to see it through. */
export const pendingChange = (replica: Replica): Change | null => {
  const { commit, log } = replica
  const last = log.op > commit ? log.get(log.op) : null
  return last?.kind === "reconfigure" ? makeChange(replica, decodeNextGroup(last.operation), last.op, 0) : null
}

/** Up to `op`, which a quorum of this group holds: the change itself needs a quorum of the next group as well. */
export const committable = ({ configuration }: Replica, { acked, change }: PrimaryState, op: OpNumber): OpNumber => {
  const last = change?.op ?? null
  if (change === null || last === null || op < last) return op
  const { replicas } = change.next
  const holders = replicas.filter((id) => {
    const index = configuration.replicas.indexOf(id)
    return (index >= 0 ? acked[index]! : change.learners.get(id)!.acked) >= last
  })
  return holders.length >= quorum(replicas.length) ? last : last - 1
}

/** Whom a primary tells what it appends. */
export const audience = ({ configuration, id }: Replica, { change }: PrimaryState): ReadonlyArray<ReplicaId> => {
  const all = change === null ? configuration.replicas : [...configuration.replicas, ...change.learners.keys()]
  return all.filter((each) => each !== id)
}
