/**
 * Replicas of this node that stay in an earlier epoch than the registry says: perhaps all whom they know are gone, and nobody would
 * ever talk to them. So their successors are called in their name, and answer in their own epoch, which is news (F13). An
 * old or wrong registry costs a few messages, and no more.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import { replicaId } from "../base/Names.ts"
import type { Tenant } from "../tenants/Tenants.ts"
import type { Epoch } from "../vr/Message.ts"
import type { Send } from "../vr/Replica.ts"
import type { LocalReplica } from "./Queues.ts"

export class Laggards {
  /** For how many ticks. */
  private readonly behind = new Map<LocalReplica, number>()

  /** On each tick: what to send for a replica whose group is of `epoch`, or null. Usually it hears of a change by itself. */
  onTick(replica: LocalReplica, epoch: Epoch, tenant: Tenant | undefined): Send | null {
    if (tenant === undefined || tenant.epoch <= epoch) {
      this.behind.delete(replica)
      return null
    }
    const ticks = (this.behind.get(replica) ?? 0) + 1
    this.behind.set(replica, ticks)
    if (ticks % Limits.laggard_ticks !== 0) return null
    const others = tenant.replicas.map(replicaId).filter((id) => id !== replica.id)
    // One after the other: any of them may be gone. All that is said is of its own epoch; they answer with the beginning of theirs.
    const to = others[(ticks / Limits.laggard_ticks) % Math.max(1, others.length)]
    return to === undefined ? null : { to, epoch, message: { _tag: "EpochStarted" } }
  }

  forget(replica: LocalReplica): void {
    this.behind.delete(replica)
  }
}
