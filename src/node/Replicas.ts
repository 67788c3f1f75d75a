/**
 * The replicas that run on this node: starts those that the registry names, stops those that it withdrew, and keeps a
 * broken one from taking anything else down.
 *
 * @module
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { parseReplicaId, replicaId } from "../base/Names.ts"
import { type JournalError, Journals } from "../storage/Journal.ts"
import type { NodeStoreError } from "../storage/NodeStore.ts"
import { list, noTenants, type Tenant, type Tenants } from "../tenants/Tenants.ts"
import type { ReplicaId } from "../vr/Message.ts"
import type { Snapshot } from "../vr/Snapshot.ts"
import { makePreparing, type Preparing } from "./Preparing.ts"
import { type Announcement, type LocalReplica, makeReplicaInbox, nothingWaits } from "./Queues.ts"
import type { Ended } from "./ReplicaFiber.ts"
import { startReplica, type StartingOptions } from "./Starting.ts"

export interface ReplicasOptions extends StartingOptions {
  /** Returns once the registry of this node knows that group of a tenant, or a later one, and has it on its disk. */
  readonly adopt: (announcement: Announcement) => Effect.Effect<void, NodeStoreError>
}

export class Replicas extends Context.Service<Replicas, {
  /** Makes what runs here what the registry says, and what the disk says of groups that have changed. */
  readonly reconcile: (tenants: Tenants) => Effect.Effect<void>
  /**
   * Prepares a replica of a tenant that is being created: the only way to get one that starts empty as a voter.
   * Refused, with the reason, if this node has ever held it. `snapshot`: what it starts with instead.
   */
  readonly bootstrap: (tenant: Tenant, snapshot: Snapshot | null) => Effect.Effect<string | null, JournalError>
  /**
   * Starts a replica of this node that is to join the group of `tenant`: it follows, and has no vote. Refused for now, with the
   * reason, while another replica of that tenant is here. No harm if it runs already.
   */
  readonly enlist: (tenant: Tenant, id: ReplicaId) => Effect.Effect<string | null, JournalError>
  /** Gives up what was prepared for a tenant that is not created after all. No harm if there is nothing. */
  readonly abandon: (tenant: Tenant) => Effect.Effect<void>
  /** The replicas of this node, by tenant id: those that run, and those that could not. */
  readonly local: () => ReadonlyMap<string, LocalState>
}>()("v2r2/node/Replicas") {}

export interface LocalState {
  readonly id: ReplicaId
  /** Why it is not running, or null. */
  readonly failure: string | null
}

/** What the functions below share: the replicas of one node. */
interface Site {
  readonly options: ReplicasOptions
  readonly journals: Journals["Service"]
  readonly preparing: Preparing
  readonly fibers: FiberMap.FiberMap<string>
  /** Those that were started, by tenant. */
  readonly local: Map<string, LocalState>
  /** Those that the disk has something of, by tenant. */
  readonly held: Map<string, ReplicaId>
  /** As it was told last. */
  registry: Tenants
}

export const makeReplicas = Effect.fnUntraced(function*(
  options: ReplicasOptions
): Effect.fn.Return<Replicas["Service"], never, Journals | Scope.Scope> {
  const { node } = options
  const journals = yield* Journals
  const fibers = yield* FiberMap.make<string>()
  const local = new Map<string, LocalState>()
  const held = yield* heldBy(node, journals)
  const preparing = yield* makePreparing({ node, journals, isStarted: (tenant) => local.has(tenant), held })
  const site: Site = { options, journals, preparing, fibers, local, held, registry: noTenants }
  return Replicas.of({
    reconcile: (tenants) => reconcile(site, tenants),
    bootstrap: preparing.bootstrap,
    // Whoever asks may be gone in the middle of it: what is written is started, too, or nobody could end it.
    enlist: (tenant, id) =>
      Effect.uninterruptible(Effect.flatMap(preparing.enlist(tenant, id), (refusal) => {
        if (refusal !== null) return Effect.succeed(refusal)
        return Effect.as(start(site, tenant, id), local.get(tenant.id)?.failure ?? null)
      })),
    abandon: preparing.abandon,
    local: () => local
  })
})

const reconcile = (site: Site, tenants: Tenants): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { fibers, held, local, options, preparing } = site
    site.registry = tenants
    /** Of the replica that is to run here: what the disk has, or else what the registry names. */
    const idOf = (tenant: Tenant | undefined): ReplicaId | null => {
      if (tenant === undefined || tenant.withdrawn || !tenant.confirmed) return null
      const named = tenant.replicas.find(({ node }) => node === options.node)
      return held.get(tenant.id) ?? (named === undefined ? null : replicaId(named))
    }
    const unwanted = [...local.keys()].filter((tenant) => idOf(tenants.get(tenant)) === null)
    yield* Effect.forEach(unwanted, (tenant) =>
      Effect.andThen(FiberMap.remove(fibers, tenant), Effect.sync(() => local.delete(tenant))), {
      concurrency: "unbounded", discard: true
    })
    // Deleted is for good. A claim that was taken back may have been confirmed, if its creator has forgotten that.
    const deleted = [...tenants.values()].filter((tenant) => tenant.withdrawn && tenant.confirmed && held.has(tenant.id))
    yield* Effect.forEach(deleted, preparing.abandon, { concurrency: "unbounded", discard: true })
    // What is here may be another one by now.
    for (const tenant of list(tenants)) {
      const id = idOf(tenant)
      if (id !== null) yield* start(site, tenant, id)
    }
  })

const start = (site: Site, tenant: Tenant, id: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { fibers, held, local } = site
    if (local.has(tenant.id)) return Effect.void
    local.set(tenant.id, { id, failure: null })
    held.set(tenant.id, id)
    return Effect.asVoid(FiberMap.run(fibers, tenant.id, run(site, tenant, id)))
  })

/** Until it is stopped, fails, or is not needed any more. */
const run = (site: Site, tenant: Tenant, id: string): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { journals, local, options, preparing } = site
    const replica: LocalReplica = { tenant: tenant.id, id, inbox: yield* makeReplicaInbox, waiting: nothingWaits }
    // Clients are told at once; and another one of the tenant starts here only after that.
    const stopped = Queue.offer(options.dispatcher, { _tag: "ReplicaStopped", replica })
    const registered = (): Tenant => site.registry.get(tenant.id) ?? tenant
    const start = (pinned: Snapshot | null): ReturnType<typeof startReplica> =>
      Effect.suspend(() => startReplica(options, journals, registered(), replica, pinned, () => registered().epoch)).pipe(
        Effect.catchTag("Outdated", () => start(null))
      )
    const fail = (cause: Cause.Cause<unknown>) =>
      Effect.suspend(() => {
        if (Cause.hasInterruptsOnly(cause)) return Effect.void
        options.metrics.replicas_failed++
        local.set(tenant.id, { id, failure: describe(cause) })
        return Effect.logError(`replica ${id} of tenant ${tenant.id} has stopped: ${describe(cause)}`)
      })
    yield* preparing.take(tenant.id).pipe(
      Effect.flatMap(start),
      Effect.ensuring(stopped),
      Effect.catchTag("Ended", (ended) => remove(site, tenant, id, ended)),
      Effect.catchCause(fail)
    )
  })

/**
 * What is not needed any more goes, once this node knows that it is not named any more. It can be stopped while it waits for that:
 * gossip, which would tell it, may be waiting for it to end.
 */
const remove = ({ held, journals, local, options }: Site, tenant: Tenant, id: string, { group, why }: Ended): Effect.Effect<void> =>
  Effect.gen(function*() {
    yield* options.adopt({ tenant: tenant.id, group })
    yield* journals.discard(tenant.id, id)
    held.delete(tenant.id)
    local.delete(tenant.id)
    yield* Effect.logInfo(`replica ${id} of tenant ${tenant.name ?? tenant.id} is gone from this node: ${why}`)
  }).pipe(Effect.catch((error) => {
    local.set(tenant.id, { id, failure: `it has left, and its files could not be removed: ${error.message}` })
    return Effect.logWarning(`replica ${id} has ended, and its files are left: ${error.message}`)
  }))

/** What the disk of this node has, by tenant. */
const heldBy = (node: string, journals: Journals["Service"]): Effect.Effect<Map<string, ReplicaId>> =>
  Effect.map(
    Effect.catch(journals.held, (error) =>
      Effect.as(Effect.logError(`the replicas of this node are not known: ${error.message}`), [])),
    (found) => {
      const held = new Map<string, ReplicaId>()
      for (const { replica, tenant } of found) {
        const name = parseReplicaId(replica)
        if (name.ok && name.value.node === node && !held.has(tenant)) held.set(tenant, replica)
      }
      return held
    }
  )

const describe = (cause: Cause.Cause<unknown>): string => {
  const failure = Cause.squash(cause)
  return failure instanceof Error ? failure.message : String(failure)
}
