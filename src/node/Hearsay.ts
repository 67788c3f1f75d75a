/**
 * What the registry says of a tenant's group, for a replica of this node that seems not to have heard of it: perhaps all that it
 * knows are gone. It is told as if a member of the later group had said so, and asks that one; so an old or wrong registry costs
 * a few messages, and no more.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import { replicaId } from "../base/Names.ts"
import type { Tenant } from "../tenants/Tenants.ts"
import type { Epoch } from "../vr/Message.ts"
import type { Input } from "../vr/Replica.ts"
import type { LocalReplica } from "./Queues.ts"

export class Hearsay {
  /** For how many ticks replicas have been behind the registry. */
  private readonly behind = new Map<LocalReplica, number>()

  /** On each tick: what to tell a replica, whose group is of `epoch`, or null. Usually it hears of a change by itself. */
  onTick(replica: LocalReplica, epoch: Epoch, tenant: Tenant | undefined): Input | null {
    if (tenant === undefined || tenant.epoch <= epoch) {
      this.behind.delete(replica)
      return null
    }
    const ticks = (this.behind.get(replica) ?? 0) + 1
    this.behind.set(replica, ticks)
    if (ticks % Limits.hearsay_ticks !== 0) return null
    const others = tenant.replicas.map(replicaId).filter((id) => id !== replica.id)
    // One after the other: any of them may be gone.
    const from = others[(ticks / Limits.hearsay_ticks) % Math.max(1, others.length)]
    return from === undefined ? null
      : { _tag: "Message", from, epoch: tenant.epoch, message: { _tag: "StartEpoch", op: 0, view: 0 } }
  }

  forget(replica: LocalReplica): void {
    this.behind.delete(replica)
  }
}
