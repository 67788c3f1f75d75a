/**
 * The fiber of one replica: drains its inbox whole, steps, makes the writes durable, lets the messages out.
 * It fulfils the caller's contract of vr/Replica.ts, in that order; that is all it does.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { Journal, JournalError } from "../storage/Journal.ts"
import type { Input, Now, Outcome, Replica } from "../vr/Replica.ts"
import { step } from "../vr/Step.ts"
import type { Counters } from "./Metrics.ts"
import type { DispatcherInbox, LocalReplica, ReplicaInput } from "./Queues.ts"
import type { ReadBudget } from "./ReadBudget.ts"
import { describeReplica, type ReplicaData } from "./Status.ts"
import type { Settings } from "./Settings.ts"

export interface ReplicaFiberOptions {
  readonly local: LocalReplica
  readonly replica: Replica
  readonly data: ReplicaData
  readonly reads: ReadBudget
  readonly journal: Journal
  readonly dispatcher: DispatcherInbox
  readonly settings: Settings["Service"]
  readonly metrics: Counters
}

/** Runs until it is interrupted, its disk fails, or an invariant breaks: the last two end this replica only. */
export const runReplica = Effect.fnUntraced(function*(
  options: ReplicaFiberOptions
): Effect.fn.Return<never, JournalError> {
  const { local, metrics, replica, settings } = options
  const clock = yield* Clock.Clock
  const read = (): Now => ({
    mono: Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n),
    wall: clock.currentTimeMillisUnsafe()
  })
  while (true) {
    const inputs = yield* Queue.takeAll(local.inbox)
    metrics.replica_turns++
    replica.timers = settings.current
    options.reads.renew()
    const now = read()
    let outcome = step(replica, withoutQuestions(inputs, options, now), now)
    while (writes(outcome)) {
      const appended = outcome.entries.length > 0
      yield* release(options, outcome.early, [])
      yield* persist(options, outcome)
      yield* release(options, outcome.sends, outcome.replies)
      yield* report(options, outcome)
      if (!appended) break
      outcome = step(replica, [{ _tag: "Durable", op: replica.log.op }], now)
    }
    if (!writes(outcome)) {
      yield* release(options, [...outcome.early, ...outcome.sends], outcome.replies)
      yield* report(options, outcome)
    }
  }
})

const writes = (outcome: Outcome): boolean =>
  outcome.head !== null || outcome.truncate_to !== null || outcome.entries.length > 0

/** Answers the questions among the inputs; the rest is for the protocol. */
const withoutQuestions = (
  inputs: ReadonlyArray<ReplicaInput>,
  { data, replica }: ReplicaFiberOptions,
  now: Now
): ReadonlyArray<Input> => {
  const rest: Array<Input> = []
  for (const input of inputs) {
    if (input._tag !== "Inspect") rest.push(input)
    else Deferred.doneUnsafe(input.answer, Effect.succeed(describeReplica(replica, data, now)))
  }
  return rest
}

const persist = (
  { journal, metrics, replica }: ReplicaFiberOptions,
  outcome: Outcome
): Effect.Effect<void, JournalError> => {
  metrics.entries_appended += outcome.entries.length
  if (outcome.head !== null) metrics.heads_written++
  return journal.write({
    head: outcome.head === null ? null : { ...outcome.head, fresh: false, whole: true },
    truncate_to: outcome.truncate_to,
    entries: outcome.entries,
    commit: replica.commit
  })
}

const release = (
  { dispatcher, local, reads }: ReplicaFiberOptions,
  sends: Outcome["sends"],
  replies: Outcome["replies"]
): Effect.Effect<void> =>
  sends.length === 0 && replies.length === 0
    ? Effect.void
    : Effect.asVoid(Queue.offer(dispatcher, { _tag: "FromReplica", replica: local, sends, replies: reads.settle(replies) }))

const report = ({ local, metrics }: ReplicaFiberOptions, outcome: Outcome): Effect.Effect<void> => {
  if (outcome.events.length === 0) return Effect.void
  metrics.state_changes += outcome.events.length
  return Effect.forEach(outcome.events, (event) => Effect.logInfo(event), { discard: true }).pipe(
    Effect.annotateLogs({ tenant: local.tenant, replica: local.id })
  )
}
