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
import { type Journal, type JournalError, Journals } from "../storage/Journal.ts"
import { makeStore } from "../store/Store.ts"
import type { Tenant, Tenants } from "../tenants/Tenants.ts"
import { list } from "../tenants/Tenants.ts"
import { type Configuration, makeConfiguration } from "../vr/Configuration.ts"
import type { Replica } from "../vr/Replica.ts"
import type { ReplicaOptions } from "../vr/MakeReplica.ts"
import type { Snapshot } from "../vr/Snapshot.ts"
import { newReplica, recoveringReplica, restarting } from "../vr/Step.ts"
import { begin, type Beginning, describeBeginning, type Irreparable } from "./Beginning.ts"
import type { Counters } from "./Metrics.ts"
import { makePreparing } from "./Preparing.ts"
import { type DispatcherInbox, type LocalReplica, makeReplicaInbox } from "./Queues.ts"
import { makeReadBudget } from "./ReadBudget.ts"
import { runReplica } from "./ReplicaFiber.ts"
import type { Settings } from "./Settings.ts"
import { readPinned, readSnapshot, type Unreadable } from "./Snapshots.ts"

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
   * Refused, with the reason, if this node has ever held it. `snapshot`: what it starts with instead.
   */
  readonly bootstrap: (tenant: Tenant, snapshot: Snapshot | null) => Effect.Effect<string | null, JournalError>
  /** Gives up what was prepared for a tenant that is not created after all. No harm if there is nothing. */
  readonly abandon: (tenant: Tenant) => Effect.Effect<void>
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
  const { abandon, bootstrap, take } = yield* makePreparing({ node, journals, isStarted: (tenant) => started.has(tenant) })

  const run = (tenant: Tenant, id: string): Effect.Effect<void> =>
    take(tenant.id).pipe(
      Effect.flatMap((snapshot) => startReplica(options, journals, tenant, id, snapshot)),
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

  return Replicas.of({ reconcile, bootstrap, abandon, failures: () => failures })
})

export const configurationOf = ({ epoch, replicas }: Tenant): Configuration =>
  makeConfiguration(epoch, replicas.map(replicaId))

const describe = (cause: Cause.Cause<unknown>): string => {
  const failure = Cause.squash(cause)
  return failure instanceof Error ? failure.message : String(failure)
}

const startReplica = (
  options: ReplicasOptions,
  journals: Journals["Service"],
  tenant: Tenant,
  id: string,
  pinned: Snapshot | null
): Effect.Effect<never, JournalError | Irreparable | Unreadable> =>
  Effect.gen(function*() {
    const { dispatcher, metrics, node, settings } = options
    const configuration = configurationOf(tenant)
    const inbox = yield* makeReplicaInbox
    const local: LocalReplica = { tenant: tenant.id, id, epoch: tenant.epoch, replicas: configuration.replicas, inbox }
    const journal = yield* journals.journal(tenant.id, id, tenant.durability)
    const beginning = yield* begin(tenant, id, journal, pinned)
    const store = makeStore()
    const clock = yield* Clock.Clock
    const now = {
      mono: Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n),
      wall: clock.currentTimeMillisUnsafe()
    }
    const seed = Math.floor((yield* Random.next) * 2 ** 32)
    const reads = makeReadBudget(store)
    const replica = yield* makeReplicaFrom(beginning, pinned, journal, {
      id, configuration, application: reads.application, random: seeded(seed), timers: settings.current, now
    })
    yield* Effect.logInfo(`replica ${id} of tenant ${tenant.name ?? tenant.id} ${describeBeginning(beginning)}`)
    yield* Queue.offer(dispatcher, { _tag: "ReplicaStarted", replica: local })
    const doubt = beginning._tag === "Recovery" ? beginning.doubt : null
    const data = { tenant: tenant.id, node, durability: tenant.durability, doubt, store }
    const isWhole = doubt === null
    return yield* runReplica({ local, replica, isWhole, data, reads, journal, dispatcher, settings, metrics })
  })

const makeReplicaFrom = (
  beginning: Beginning,
  pinned: Snapshot | null,
  journal: Journal,
  options: ReplicaOptions
): Effect.Effect<Replica, JournalError | Unreadable> => {
  switch (beginning._tag) {
    case "New": {
      if (beginning.snapshot === null) return Effect.succeed(newReplica(options))
      const { application } = options
      const image = pinned === null ? readSnapshot(journal, application) : readPinned(pinned, application)
      return Effect.map(image, (restoration) => newReplica(options, restoration))
    }
    case "Restart":
      return restart(beginning, journal, options)
    case "Recovery":
      return Effect.succeed(recoveringReplica(options, beginning.promised))
  }
}

/** It may take seconds; others on this node have their turns meanwhile. */
const restart = Effect.fnUntraced(function*(
  { base, commit, entries, head, snapshot }: Extract<Beginning, { readonly _tag: "Restart" }>,
  journal: Journal,
  options: ReplicaOptions
): Effect.fn.Return<Replica, JournalError | Unreadable> {
  const image = snapshot === null ? null : yield* readSnapshot(journal, options.application)
  const kept = { view: head.view, logView: head.log_view, image, base, entries, commit }
  const restarts = restarting(options, kept)
  while (true) {
    const { done, value } = restarts.next()
    if (done === true) return value
    yield* Effect.yieldNow
  }
})
