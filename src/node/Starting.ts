/**
 * Starts a replica of this node: opens its journal, makes it from what is there, and hands it to its fiber.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import { seeded } from "../base/Random.ts"
import type { Journal, JournalError, Journals } from "../storage/Journal.ts"
import { makeStore } from "../store/Store.ts"
import type { Tenant } from "../tenants/Tenants.ts"
import type { ReplicaOptions } from "../vr/MakeReplica.ts"
import type { Replica } from "../vr/Replica.ts"
import type { Snapshot } from "../vr/Snapshot.ts"
import { newLearner, newReplica, recoveringReplica, restarting } from "../vr/Step.ts"
import { begin, type Beginning, describeBeginning, type Irreparable } from "./Beginning.ts"
import type { Flushes } from "./Flusher.ts"
import type { Counters } from "./Metrics.ts"
import type { DispatcherInbox, LocalReplica } from "./Queues.ts"
import { makeReadBudget } from "./ReadBudget.ts"
import { Ended, type Forked, type Outdated, runReplica } from "./ReplicaFiber.ts"
import type { Settings } from "./Settings.ts"
import { readPinned, readSnapshot, type Unreadable } from "./Snapshots.ts"

export interface StartingOptions {
  readonly node: string
  readonly dispatcher: DispatcherInbox
  readonly flushes: Flushes
  readonly settings: Settings["Service"]
  readonly metrics: Counters
  readonly leases: {
    /** As long as they last; 0: there are none. */
    readonly lease_ms: number
    /** The longest that an earlier run of a replica may have granted. */
    readonly hold_ms: number
  }
}

/** One replica, from what its journal holds to the end of its fiber. */
export const startReplica = (
  options: StartingOptions,
  journals: Journals["Service"],
  tenant: Tenant,
  local: LocalReplica,
  pinned: Snapshot | null,
  registeredEpoch: () => number
): Effect.Effect<never, Ended | Forked | Outdated | JournalError | Irreparable | Unreadable> =>
  Effect.gen(function*() {
    const { dispatcher, flushes, leases, metrics, node, settings } = options
    const { id } = local
    const journal = yield* journals.journal(tenant.id, id, tenant.durability)
    const { beginning, group, left } = yield* begin(tenant, id, journal, pinned)
    if (beginning._tag === "Leftover") return yield* new Ended({ why: "the rest of it was left", group })
    const store = makeStore()
    const clock = yield* Clock.Clock
    const now = {
      mono: Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n),
      wall: clock.currentTimeMillisUnsafe()
    }
    const seed = Math.floor((yield* Random.next) * 2 ** 32)
    const reads = makeReadBudget(store)
    const replica = yield* makeReplicaFrom(beginning, pinned, journal, {
      id, configuration: group, left, application: reads.application, random: seeded(seed), timers: settings.current, now,
      lease_ms: leases.lease_ms,
      // Whoever begins has promised nothing yet.
      hold_ms: beginning._tag === "Restart" || beginning._tag === "Recovery" ? leases.hold_ms : 0
    })
    yield* Effect.logInfo(`replica ${id} of tenant ${tenant.name ?? tenant.id} ${describeBeginning(beginning)}`)
    yield* Queue.offer(dispatcher, { _tag: "ReplicaStarted", replica: local, group: replica.configuration })
    const doubt = "doubt" in beginning ? beginning.doubt : null
    const data = { tenant: tenant.id, node, durability: tenant.durability, doubt, store }
    const isWhole = doubt === null
    return yield* runReplica({
      local, replica, isWhole, data, reads, journal, dispatcher, flushes, settings, metrics, registeredEpoch
    })
  })

const makeReplicaFrom = (
  beginning: Exclude<Beginning, { readonly _tag: "Leftover" }>,
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
    case "Learner":
      return Effect.succeed(newLearner(options, beginning.promised, beginning.logView))
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
