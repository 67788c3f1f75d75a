/**
 * Who is in the group, in an order that all agree on.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import { Limits } from "../base/Limits.ts"
import { countOf, type Epoch, type ReplicaId, type View } from "./Message.ts"
import { quorum, recoveryQuorum, tolerates } from "./Quorum.ts"

export interface Configuration {
  readonly epoch: Epoch
  /** Sorted, distinct. */
  readonly replicas: ReadonlyArray<ReplicaId>
  readonly quorum: number
  readonly recoveryQuorum: number
  /** f. */
  readonly tolerates: number
}

export const makeConfiguration = (epoch: Epoch, replicas: ReadonlyArray<ReplicaId>): Configuration => {
  const sorted = [...new Set(replicas)].sort()
  invariant(sorted.length === replicas.length, "replica ids are distinct", { replicas })
  invariant(sorted.length >= 1 && sorted.length <= Limits.replicas_max, "a group has 1 to 7 replicas", { replicas })
  const size = sorted.length
  return {
    epoch,
    replicas: sorted,
    quorum: quorum(size),
    recoveryQuorum: recoveryQuorum(size),
    tolerates: tolerates(size)
  }
}

/** The primary of a view of this epoch is decided by the view alone (VRR §4). */
export const primaryOf = (configuration: Configuration, view: View): ReplicaId =>
  configuration.replicas[countOf(view) % configuration.replicas.length]!

export const isMember = ({ replicas }: Configuration, id: ReplicaId): boolean => replicas.includes(id)
