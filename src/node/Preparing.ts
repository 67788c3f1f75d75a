/**
 * Replicas of tenants that are being created, on this node: prepared before anybody knows of them, and started once this
 * node hears that they are there, or given up.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Limits } from "../base/Limits.ts"
import { type ReplicaName, replicaId } from "../base/Names.ts"
import type { JournalError, Journals } from "../storage/Journal.ts"
import type { Tenant } from "../tenants/Tenants.ts"
import type { Snapshot } from "../vr/Snapshot.ts"
import { preparation } from "./Beginning.ts"
import { makeCustody } from "./Custody.ts"

export interface PreparingOptions {
  readonly node: string
  readonly journals: Journals["Service"]
  readonly isStarted: (tenant: string) => boolean
}

export interface Preparing {
  /** Refused, with the reason, if this node has ever held it. `snapshot`: what it starts with; null: with nothing. */
  readonly bootstrap: (tenant: Tenant, snapshot: Snapshot | null) => Effect.Effect<string | null, JournalError>
  /** No harm if nothing is prepared. */
  readonly abandon: (tenant: Tenant) => Effect.Effect<void>
  /** The snapshot that it was prepared with, if that is in memory; once. */
  readonly take: (tenant: string) => Effect.Effect<Snapshot | null>
}

export const makePreparing = Effect.fnUntraced(function*(
  { isStarted, journals, node }: PreparingOptions
): Effect.fn.Return<Preparing, never, Scope.Scope> {
  /** Those that are being written: with a large snapshot that may take longer than a creator is ready to wait. */
  const underWay = new Set<string>()
  /** Tenants that were given up before they were created, the last ones. */
  const abandoned = new Set<string>()
  /** What replicas of durability `memory` begin with, between their preparation and their start. */
  const pinned = yield* makeCustody<Snapshot>({
    max: Limits.imports_max,
    idle_ms: Limits.import_idle_ms,
    onIdle: (_, tenant) => Effect.logWarning(`tenant ${tenant} was prepared with a snapshot, and not created in time`)
  })

  const ownOf = ({ replicas }: Tenant): ReplicaName | undefined => replicas.find((replica) => replica.node === node)

  const write = (tenant: Tenant, own: ReplicaName, snapshot: Snapshot | null): Effect.Effect<string | null, JournalError> =>
    Effect.gen(function*() {
      const journal = yield* journals.journal(tenant.id, replicaId(own), tenant.durability)
      const { doubt, head } = yield* journal.open
      if (doubt !== null || (head !== null && !head.fresh)) return `replica ${replicaId(own)} of tenant ${tenant.id} exists already`
      yield* journal.write(preparation(tenant, snapshot))
      if (abandoned.has(tenant.id)) return `tenant ${tenant.id} was given up meanwhile`
      if (snapshot === null || tenant.durability === "disk" || (yield* pinned.put(tenant.id, snapshot))) return null
      return `${Limits.imports_max} tenants are being created from snapshots already`
    })

  const discard = (tenant: Tenant): Effect.Effect<void> =>
    Effect.gen(function*() {
      const own = ownOf(tenant)
      if (own === undefined || isStarted(tenant.id) || underWay.has(tenant.id) || !abandoned.has(tenant.id)) return
      yield* pinned.take(tenant.id)
      yield* journals.discard(tenant.id, replicaId(own))
    }).pipe(Effect.catch((error) => Effect.logWarning(`what was prepared for tenant ${tenant.id} is left: ${error.message}`)))

  return {
    bootstrap: (tenant, snapshot) =>
      Effect.suspend(() => {
        const own = ownOf(tenant)
        if (own === undefined) return Effect.succeed(`tenant ${tenant.id} has no replica on node ${node}`)
        // Its journal has an owner, and opening it again would take it from under the replica that runs.
        if (isStarted(tenant.id)) return Effect.succeed(`replica ${replicaId(own)} of tenant ${tenant.id} exists already`)
        underWay.add(tenant.id)
        return Effect.onExit(write(tenant, own, snapshot), () => {
          underWay.delete(tenant.id)
          return discard(tenant)
        })
      }),
    abandon: (tenant) =>
      Effect.suspend(() => {
        abandoned.add(tenant.id)
        for (const id of abandoned) if (abandoned.size > Limits.tenants_known_slack) abandoned.delete(id)
        return discard(tenant)
      }),
    take: (tenant) => Effect.map(pinned.take(tenant), (snapshot) => snapshot ?? null)
  }
})
