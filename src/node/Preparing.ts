/**
 * Replicas that are written before they start, on this node: those of tenants that are being created, before anybody knows of
 * them, and started once this node hears that they are there, or given up; and those that are to join a group.
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
import type { ReplicaId } from "../vr/Message.ts"
import { freshHead, onlyHead, preparation } from "./Beginning.ts"
import { makeCustody } from "./Custody.ts"

export interface PreparingOptions {
  readonly node: string
  readonly journals: Journals["Service"]
  readonly isStarted: (tenant: string) => boolean
  /** By tenant: the replica that this node has something of. */
  readonly held: Map<string, ReplicaId>
}

export interface Preparing {
  /** Refused, with the reason, if this node has ever held it. `snapshot`: what it starts with; null: with nothing. */
  readonly bootstrap: (tenant: Tenant, snapshot: Snapshot | null) => Effect.Effect<string | null, JournalError>
  /**
   * Writes a replica that is to join the group that the tenant has now. Refused for now, with the reason, while there is another
   * one of that tenant here. No harm if it is there already.
   */
  readonly enlist: (tenant: Tenant, id: ReplicaId) => Effect.Effect<string | null, JournalError>
  /** Removes what there is of a tenant that is not created after all, or is no more. No harm if there is nothing. */
  readonly abandon: (tenant: Tenant) => Effect.Effect<void>
  /** The snapshot that it was prepared with, if that is in memory; once. */
  readonly take: (tenant: string) => Effect.Effect<Snapshot | null>
}

export const makePreparing = Effect.fnUntraced(function*(
  { held, isStarted, journals, node }: PreparingOptions
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

  const write = (tenant: Tenant, own: ReplicaName, snapshot: Snapshot | null): Effect.Effect<string | null, JournalError> =>
    Effect.gen(function*() {
      const journal = yield* journals.journal(tenant.id, replicaId(own), tenant.durability)
      const { doubt, head } = yield* journal.open
      if (doubt !== null || (head !== null && !(head.fresh && head.whole))) return alreadyHas(tenant, own)
      held.set(tenant.id, replicaId(own))
      yield* journal.write(preparation(tenant, snapshot))
      if (abandoned.has(tenant.id)) return `tenant ${tenant.id} was given up meanwhile`
      if (snapshot === null || tenant.durability === "disk" || (yield* pinned.put(tenant.id, snapshot))) return null
      return `${Limits.imports_max} tenants are being created from snapshots already`
    })

  const discard = (tenant: Tenant): Effect.Effect<void> =>
    Effect.gen(function*() {
      const id = held.get(tenant.id)
      if (id === undefined || isStarted(tenant.id) || underWay.has(tenant.id) || !abandoned.has(tenant.id)) return
      held.delete(tenant.id)
      yield* pinned.take(tenant.id)
      yield* journals.discard(tenant.id, id)
      yield* sayRemoved(tenant, id)
    }).pipe(Effect.catch((error) => Effect.logWarning(`what there is of tenant ${tenant.id} is left: ${error.message}`)))

  return {
    bootstrap: (tenant, snapshot) =>
      Effect.suspend(() => {
        const own = tenant.replicas.find((replica) => replica.node === node)
        if (own === undefined) return Effect.succeed(`tenant ${tenant.id} has no replica on node ${node}`)
        // Its journal has an owner, and opening it again would take it from under the replica that runs.
        if (isStarted(tenant.id)) return Effect.succeed(alreadyHas(tenant, own))
        underWay.add(tenant.id)
        return Effect.onExit(write(tenant, own, snapshot), () => {
          underWay.delete(tenant.id)
          return discard(tenant)
        })
      }),
    enlist: (tenant, id) =>
      Effect.suspend(() => {
        const known = held.get(tenant.id) ?? id
        if (known !== id) return Effect.succeed(`it still has replica ${known} of that tenant, and takes one at a time`)
        if (underWay.has(tenant.id)) return Effect.succeed("it is writing a replica of that tenant already")
        if (held.has(tenant.id)) return Effect.succeed(null)
        underWay.add(tenant.id)
        return Effect.onExit(writeLearner(journals, held, tenant, id), () => {
          underWay.delete(tenant.id)
          return discard(tenant)
        })
      }),
    abandon: (tenant) =>
      Effect.suspend(() => {
        abandoned.add(tenant.id)
        for (const id of abandoned) if (abandoned.size > Limits.abandoned_max) abandoned.delete(id)
        return discard(tenant)
      }),
    take: (tenant) => Effect.map(pinned.take(tenant), (snapshot) => snapshot ?? null)
  }
})

const alreadyHas = (tenant: Tenant, own: ReplicaName): string =>
  `replica ${replicaId(own)} of tenant ${tenant.id} exists already`

/** Whatever is there is left as it is. */
const writeLearner = (
  journals: Journals["Service"],
  held: Map<string, ReplicaId>,
  tenant: Tenant,
  id: ReplicaId
): Effect.Effect<string | null, JournalError> =>
  Effect.gen(function*() {
    const journal = yield* journals.journal(tenant.id, id, tenant.durability)
    const { doubt, head } = yield* journal.open
    if (doubt === null && head === null) yield* journal.write(onlyHead(freshHead(tenant)))
    held.set(tenant.id, id)
    return null
  })

/** Of a tenant that was in use, that is news. */
const sayRemoved = ({ confirmed, id: tenant }: Tenant, id: ReplicaId): Effect.Effect<void> =>
  confirmed
    ? Effect.logWarning(`replica ${id} of tenant ${tenant} is removed from this node: the tenant was deleted`)
    : Effect.logInfo(`replica ${id} of tenant ${tenant} is removed from this node: the tenant was not created`)
