/**
 * Groups that replicas have seen committed, on their way into the registry, which tells all nodes of them. It may take its
 * time: a group is what its replicas say, and the registry follows.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { parseReplicaId } from "../base/Names.ts"
import * as Tenants from "../tenants/Tenants.ts"
import type { Gossip } from "./Gossip.ts"
import type { Announcement } from "./Queues.ts"

/** Returns once the registry has these, or later ones. */
export const adopt = (gossip: Gossip["Service"], announcements: ReadonlyArray<Announcement>): Effect.Effect<void> =>
  Effect.asVoid(gossip.update((tenants) => announcements.reduce(adoptOne, tenants)))

const adoptOne = (tenants: Tenants.Tenants, { group, tenant }: Announcement): Tenants.Tenants => {
  const replicas = group.replicas.flatMap((id) => {
    const name = parseReplicaId(id)
    return name.ok ? [name.value] : []
  })
  return Tenants.adopt(tenants, tenant, group.epoch, replicas)
}

/** The fiber: runs until it is interrupted. */
export const runAdoption = (gossip: Gossip["Service"], announcements: Queue.Dequeue<Announcement>): Effect.Effect<never> =>
  Effect.forever(Effect.flatMap(Queue.takeAll(announcements), (all) => adopt(gossip, all)))
