/**
 * The replicas that run on this node: starts those that the registry names, stops those that it withdrew, and keeps a
 * broken one from taking anything else down.
 *
 * @module
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { replicaId } from "../base/Names.ts"
import { seeded } from "../base/Random.ts"
import { type Journal, type JournalError, Journals, type ReplicaHead } from "../storage/Journal.ts"
import { makeStore } from "../store/Store.ts"
import type { Tenant, Tenants } from "../tenants/Tenants.ts"
import { list } from "../tenants/Tenants.ts"
import { makeConfiguration } from "../vr/Configuration.ts"
import { newReplica, recoveringReplica } from "../vr/Step.ts"
import type { Counters } from "./Metrics.ts"
import { type DispatcherInbox, type LocalReplica, makeReplicaInbox } from "./Queues.ts"
import { makeReadBudget } from "./ReadBudget.ts"
import { runReplica } from "./ReplicaFiber.ts"
import type { Settings } from "./Settings.ts"

export interface ReplicasOptions {
  readonly node: string
  readonly dispatcher: DispatcherInbox
  readonly settings: Settings["Service"]
  readonly metrics: Counters
}

export class Replicas extends Context.Service<Replicas, {
  /** Makes what runs here what the registry says. */
  readonly reconcile: (tenants: Tenants) => Effect.Effect<void>
  /**
   * Prepares a replica of a tenant that is being created: the only way to get one that starts empty as a voter.
   * Refused, with the reason, if this node has ever held it.
   */
  readonly bootstrap: (tenant: Tenant) => Effect.Effect<string | null, JournalError>
  /** Why a replica of this node is not running, by tenant id. */
  readonly failures: () => ReadonlyMap<string, string>
}>()("v2r2/node/Replicas") {}

export const makeReplicas = Effect.fnUntraced(function*(
  options: ReplicasOptions
): Effect.fn.Return<Replicas["Service"], never, Journals | Scope.Scope> {
  const { dispatcher, metrics, node } = options
  const journals = yield* Journals
  const fibers = yield* FiberMap.make<string>()
  const started = new Set<string>()
  const failures = new Map<string, string>()

  const run = (tenant: Tenant, id: string): Effect.Effect<void> =>
    startReplica(options, journals, tenant, id).pipe(
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.suspend(() => {
          metrics.replicas_failed++
          failures.set(tenant.id, describe(cause))
          return Effect.logError(`replica ${id} of tenant ${tenant.id} has stopped: ${describe(cause)}`)
        })
      ),
      Effect.ensuring(Queue.offer(dispatcher, { _tag: "ReplicaStopped", tenant: tenant.id }))
    )

  const reconcile = (tenants: Tenants): Effect.Effect<void> =>
    Effect.gen(function*() {
      const wanted = new Map(list(tenants).flatMap((tenant) => {
        const own = tenant.replicas.find((replica) => replica.node === node)
        return own === undefined ? [] : [[tenant.id, { tenant, id: replicaId(own) }] as const]
      }))
      for (const id of started) {
        if (wanted.has(id)) continue
        started.delete(id)
        failures.delete(id)
        yield* FiberMap.remove(fibers, id)
      }
      for (const [tenantId, { tenant, id }] of wanted) {
        if (started.has(tenantId)) continue
        started.add(tenantId)
        yield* FiberMap.run(fibers, tenantId, run(tenant, id))
      }
    })

  const bootstrap = (tenant: Tenant): Effect.Effect<string | null, JournalError> =>
    Effect.gen(function*() {
      const own = tenant.replicas.find((replica) => replica.node === node)
      if (own === undefined) return `tenant ${tenant.id} has no replica on node ${node}`
      const journal = yield* journals.journal(tenant.id, replicaId(own), "memory")
      const { head } = yield* journal.open
      if (head !== null && !head.fresh) return `replica ${replicaId(own)} of tenant ${tenant.id} exists already`
      yield* journal.write({ head: freshHead(tenant.epoch), truncate_to: null, entries: [], commit: 0 })
      return null
    })

  return Replicas.of({ reconcile, bootstrap, failures: () => failures })
})

const freshHead = (epoch: number): ReplicaHead => ({ epoch, view: 0, log_view: 0, fresh: true, whole: true })

const describe = (cause: Cause.Cause<unknown>): string => {
  const failure = Cause.squash(cause)
  return failure instanceof Error ? failure.message : String(failure)
}

const startReplica = (
  options: ReplicasOptions,
  journals: Journals["Service"],
  tenant: Tenant,
  id: string
): Effect.Effect<never, JournalError> =>
  Effect.gen(function*() {
    const { dispatcher, metrics, node, settings } = options
    const configuration = makeConfiguration(tenant.epoch, tenant.replicas.map(replicaId))
    const inbox = yield* makeReplicaInbox
    const local: LocalReplica = { tenant: tenant.id, id, epoch: tenant.epoch, replicas: configuration.replicas, inbox }
    const journal = yield* journals.journal(tenant.id, id, "memory")
    const store = makeStore()
    const clock = yield* Clock.Clock
    const now = {
      mono: Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n),
      wall: clock.currentTimeMillisUnsafe()
    }
    const seed = Math.floor((yield* Random.next) * 2 ** 32)
    const reads = makeReadBudget(store)
    const common = { id, configuration, application: reads.application, random: seeded(seed), timers: settings.current, now }
    const fresh = yield* openJournal(journal, tenant.epoch)
    const replica = fresh.promised === null ? newReplica(common) : recoveringReplica(common, fresh.promised)
    yield* Effect.logInfo(
      fresh.promised === null
        ? `replica ${id} of tenant ${tenant.name ?? tenant.id} starts, new`
        : `replica ${id} of tenant ${tenant.name ?? tenant.id} recovers from its group (promised view ${fresh.promised})`
    )
    yield* Queue.offer(dispatcher, { _tag: "ReplicaStarted", replica: local })
    const data = { tenant: tenant.id, node, store }
    return yield* runReplica({ local, replica, data, reads, journal, dispatcher, settings, metrics })
  })

/**
 * Null: bootstrapped and never started, so it starts as a new voter, once. Otherwise the view that it had promised;
 * a replica without a head has lost its disk, and recovers like any other: it is never taken for a new one.
 */
const openJournal = (
  journal: Journal,
  epoch: number
): Effect.Effect<{ readonly promised: number | null }, JournalError> =>
  Effect.gen(function*() {
    const { head } = yield* journal.open
    if (head === null || !head.fresh) return { promised: head?.view ?? 0 }
    // Durable before it says a word: after this it is never new again.
    yield* journal.write({ head: { ...freshHead(epoch), fresh: false }, truncate_to: null, entries: [], commit: 0 })
    return { promised: null }
  })
