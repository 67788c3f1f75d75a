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
import { type JournalError, Journals } from "../storage/Journal.ts"
import { makeStore } from "../store/Store.ts"
import type { Tenant, Tenants } from "../tenants/Tenants.ts"
import { list } from "../tenants/Tenants.ts"
import { makeConfiguration } from "../vr/Configuration.ts"
import type { Replica, ReplicaOptions } from "../vr/Replica.ts"
import { newReplica, recoveringReplica, restartedReplica } from "../vr/Step.ts"
import { begin, type Beginning, describeBeginning, freshHead, type Irreparable } from "./Beginning.ts"
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
      // Its journal has an owner, and opening it again would take it from under the replica that runs.
      if (started.has(tenant.id)) return `replica ${replicaId(own)} of tenant ${tenant.id} exists already`
      const journal = yield* journals.journal(tenant.id, replicaId(own), tenant.durability)
      const { doubt, head } = yield* journal.open
      if (doubt !== null || (head !== null && !head.fresh)) return `replica ${replicaId(own)} of tenant ${tenant.id} exists already`
      yield* journal.write({ head: freshHead(tenant.epoch), snapshot: null, truncate_to: null, entries: [], commit: 0 })
      return null
    })

  return Replicas.of({ reconcile, bootstrap, failures: () => failures })
})

const describe = (cause: Cause.Cause<unknown>): string => {
  const failure = Cause.squash(cause)
  return failure instanceof Error ? failure.message : String(failure)
}

const startReplica = (
  options: ReplicasOptions,
  journals: Journals["Service"],
  tenant: Tenant,
  id: string
): Effect.Effect<never, JournalError | Irreparable> =>
  Effect.gen(function*() {
    const { dispatcher, metrics, node, settings } = options
    const configuration = makeConfiguration(tenant.epoch, tenant.replicas.map(replicaId))
    const inbox = yield* makeReplicaInbox
    const local: LocalReplica = { tenant: tenant.id, id, epoch: tenant.epoch, replicas: configuration.replicas, inbox }
    const journal = yield* journals.journal(tenant.id, id, tenant.durability)
    const beginning = yield* begin(tenant, id, journal)
    const store = makeStore()
    const clock = yield* Clock.Clock
    const now = {
      mono: Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n),
      wall: clock.currentTimeMillisUnsafe()
    }
    const seed = Math.floor((yield* Random.next) * 2 ** 32)
    const reads = makeReadBudget(store)
    const replica = makeReplicaFrom(beginning, {
      id, configuration, application: reads.application, random: seeded(seed), timers: settings.current, now
    })
    yield* Effect.logInfo(`replica ${id} of tenant ${tenant.name ?? tenant.id} ${describeBeginning(beginning)}`)
    yield* Queue.offer(dispatcher, { _tag: "ReplicaStarted", replica: local })
    const doubt = beginning._tag === "Recovery" ? beginning.doubt : null
    const data = { tenant: tenant.id, node, durability: tenant.durability, doubt, store }
    const isWhole = doubt === null
    return yield* runReplica({ local, replica, isWhole, data, reads, journal, dispatcher, settings, metrics })
  })

const makeReplicaFrom = (beginning: Beginning, options: ReplicaOptions): Replica => {
  switch (beginning._tag) {
    case "New":
      return newReplica(options)
    case "Restart": {
      const { commit, entries, head } = beginning
      return restartedReplica(options, { view: head.view, logView: head.log_view, entries, commit })
    }
    case "Recovery":
      return recoveringReplica(options, beginning.promised)
  }
}
