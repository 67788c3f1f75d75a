/**
 * The fiber of one replica: drains its inbox whole, steps, has the writes made durable, lets the messages out.
 * It fulfils the caller's contract of vr/Replica.ts; that is all it does.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import { invariant } from "../base/Invariant.ts"
import type { Journal, JournalError, JournalWrite } from "../storage/Journal.ts"
import { type Configuration, isMember } from "../vr/Configuration.ts"
import { emptyOutcome, type Input, type Now, type Outcome, type Replica, type Reply, type Send } from "../vr/Replica.ts"
import type { Snapshot } from "../vr/Snapshot.ts"
import { isBehind, knownCommit } from "../vr/states/Backup.ts"
import { awaitsOwnCopy } from "../vr/states/Primary.ts"
import { step, stepAhead } from "../vr/Step.ts"
import { Flusher, type Flushes } from "./Flusher.ts"
import type { Counters } from "./Metrics.ts"
import {
  type DispatcherInbox,
  type LocalReplica,
  makeSavedQueue,
  makeSnapshotQueue,
  type ReplicaInput,
  type SavedQueue,
  takeInputs
} from "./Queues.ts"
import type { ReadBudget } from "./ReadBudget.ts"
import { handOver, saveSnapshots } from "./Snapshots.ts"
import { answerQuestion } from "./Questions.ts"
import type { ReplicaData } from "./Status.ts"
import type { Settings } from "./Settings.ts"

export interface ReplicaFiberOptions {
  readonly local: LocalReplica
  readonly replica: Replica
  /** False: its log is to be replaced by what the group knows; once that is done, the journal is told. */
  readonly isWhole: boolean
  readonly data: ReplicaData
  readonly reads: ReadBudget
  readonly journal: Journal
  readonly dispatcher: DispatcherInbox
  readonly flushes: Flushes
  readonly settings: Settings["Service"]
  readonly metrics: Counters
  /** Of its tenant, as the registry of this node has it. */
  readonly registeredEpoch: () => number
}

/** It has lost what it had promised, and can recover only in the group that there is by now, which is a later one: to be begun again. */
export class Outdated extends Data.TaggedError("Outdated") {}

/** It is in no group, and nobody needs what it has: what it wrote may be removed. */
export class Ended extends Data.TaggedError("Ended")<{ readonly why: string; readonly group: Configuration }> {}

/** Its group was begun anew without what is committed here. What it wrote stays: nobody else may have it. */
export class Forked extends Data.TaggedError("Forked")<{ readonly message: string }> {}

/**
 * Runs until it is interrupted, {@link Ended} or {@link Forked}, its disk fails, or an invariant breaks: all but the first end
 * this replica only.
 */
export const runReplica = (options: ReplicaFiberOptions): Effect.Effect<never, JournalError | Ended | Forked | Outdated> =>
  Effect.flatMap(Effect.all([makeSnapshotQueue, makeSavedQueue]), ([snapshots, saved]) =>
    Effect.flatMap(makeFlusher(options, snapshots), (flusher) =>
      Effect.raceAllFirst([
        takeTurns({ ...options, flusher, saved, snapshots }),
        flusher.run,
        saveSnapshots(options, snapshots, saved)
      ])))

const makeFlusher = (options: ReplicaFiberOptions, snapshots: Queue.Queue<Snapshot>): Effect.Effect<Flusher> =>
  Flusher.make({
    flushes: options.flushes,
    write: (write) => persist(options, write),
    release: (sends) => release(options, sends, []),
    save: (snapshot) => handOver(snapshots, snapshot),
    onDurable: () => {
      const { dispatcher, flushes, local, replica } = options
      const isAwaited = awaitsOwnCopy(replica)
      // Else the next turn is early enough. If the inbox is full, one is coming anyway.
      if (isAwaited) Queue.offerUnsafe(local.inbox, { _tag: "Flushed" })
      // What others have written soon after shares a write to each socket with it, in the next turn of the event loop.
      if (flushes.underWay > 0) return
      if (isAwaited) Queue.flushUnsafe(local.inbox)
      Queue.flushUnsafe(dispatcher)
    }
  })

/** With what runs beside it. */
interface Turns extends ReplicaFiberOptions {
  readonly flusher: Flusher
  readonly snapshots: Queue.Queue<Snapshot>
  readonly saved: SavedQueue
}

const takeTurns = Effect.fnUntraced(function*(
  turns: Turns
): Effect.fn.Return<never, JournalError | Ended | Forked | Outdated> {
  const { flusher, local, metrics, replica, settings } = turns
  const clock = yield* Clock.Clock
  const read = (): Now => ({
    mono: Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n),
    wall: clock.currentTimeMillisUnsafe()
  })
  const whole = { isWhole: turns.isWhole }
  let group = replica.configuration
  while (true) {
    const inputs = yield* takeInputs(local)
    metrics.replica_turns++
    replica.timers = settings.current
    turns.reads.renew()
    const now = read()
    const own = ownNews(turns)
    const news = withoutQuestions(inputs, turns, now)
    if (news === "end") return yield* new Ended({ why: "it is not to join any more", group })
    const outcome = stepAhead(replica, own.length === 0 ? news : [...own, ...news], now)
    if (isUnwanted(turns, group)) return yield* unwanted(turns, outcome)
    yield* carryOut(turns, outcome, now, whole)
    if (isBehind(replica)) {
      // What has left, and what was appended, gets on its way first.
      yield* Effect.yieldNow
      const rest = step(replica, [], now)
      if (isUnwanted(turns, group)) return yield* unwanted(turns, rest)
      yield* carryOut(turns, rest, now, whole)
    }
    // A disk that is slower than the others' holds up the turns: the inbox drops what it cannot take, and the group misses us.
    if (flusher.isFull) yield* flusher.settled
    if (replica.forked !== null) return yield* new Forked({ message: `${replica.forked}. ${forked_advice}` })
    if (isOutdated(replica, turns.registeredEpoch())) return yield* new Outdated()
    group = replica.configuration
    const { state } = replica
    if (state._tag === "Leaving" && state.isRetired) return yield* new Ended({ why: "its successors have begun", group })
  }
})

/**
 * It was to join, and has seen the group become another one, without it. `before`: its group before the step. What a fork has written
 * stays, and one that is outdated begins again: neither is this.
 */
const isUnwanted = ({ registeredEpoch, replica }: Turns, before: Configuration): boolean => {
  const { configuration, forked, id, left } = replica
  if (configuration === before || left || isMember(configuration, id)) return false
  return forked === null && !isOutdated(replica, registeredEpoch())
}

/** What it would say, also to a change that is to take it in after all, it would not keep: nothing of that leaves. */
const unwanted = (turns: Turns, outcome: Outcome): Effect.Effect<never, Ended> =>
  Effect.andThen(
    report(turns, outcome),
    new Ended({ why: "the group has changed, and it is not in it", group: turns.replica.configuration })
  )

/**
 * Writes and lets out what a step gave, in the order of the contract. `whole` is kept from turn to turn: is the log all that
 * was promised, or has the replica recovered since?
 */
const carryOut = Effect.fnUntraced(function*(
  turns: Turns,
  first: Outcome,
  now: Now,
  whole: { isWhole: boolean }
): Effect.fn.Return<void, JournalError> {
  const { flusher, replica } = turns
  let outcome = first
  while (true) {
    // Recovered: what was promised before, and what is promised now, is in this log.
    const recovers = !whole.isWhole && replica.state._tag !== "Recovery"
    whole.isWhole ||= recovers
    const write = writeOf(replica, outcome, { isWhole: whole.isWhole, recovers })
    if (write === null || turns.data.durability === "disk" && isAppendOnly(write)) break
    yield* release(turns, outcome.early, [])
    yield* flusher.settled
    yield* persist(turns, write)
    outcome.install?.release()
    // All that is in the log is durable now; what the flusher has to tell may be of what was cut.
    const isNews = flusher.takeDurable() > 0 || write.entries.length > 0
    yield* letOut(turns, outcome, outcome.sends)
    outcome = isNews ? stepAhead(replica, [{ _tag: "Durable", op: replica.log.op }], now) : emptyOutcome(replica)
  }
  yield* letOutBeside(turns, outcome)
})

/** What the replica's own disk has done since the last turn: it comes before everything else, as that may cut the log. */
const ownNews = ({ flusher, saved }: Turns): ReadonlyArray<Input> => {
  const op = flusher.takeDurable()
  const durable: ReadonlyArray<Input> = op > 0 ? [{ _tag: "Durable", op }] : []
  const written = Queue.takeUnsafe(saved)
  return written !== undefined && Exit.isSuccess(written) ? [...durable, written.value] : durable
}

/** Entries behind those that are there: turns go on while they are written. A promise, or a cut, is waited for. */
const isAppendOnly = ({ head, snapshot, truncate_to }: JournalWrite): boolean =>
  head === null && snapshot === null && truncate_to === null

/** What needs no write leaves; the rest waits for its own write, and for those of the turns before. */
const letOutBeside = (turns: Turns, outcome: Outcome): Effect.Effect<void> => {
  const { configuration, early, entries, replies, sends, snapshot } = outcome
  const { flusher, replica } = turns
  // A turn that enters an epoch has a head, and its outcome was let out behind that.
  invariant(configuration === null, "a new group is written before it is told", { id: replica.id })
  if (entries.length === 0 && flusher.isIdle) return letOut(turns, outcome, early.length === 0 ? sends : [...early, ...sends])
  // First what others have to write: a commit waits longest for them.
  const released = Effect.map(release(turns, early, replies), () => {
    if (entries.length > 0 || sends.length > 0 || snapshot !== null) {
      flusher.append({ entries, commit: knownCommit(replica), sends, snapshot })
      // Nothing has left that somebody waits for: no reason to let the dispatcher go first.
      if (early.length === 0 && replies.length === 0) flusher.begin()
    }
  })
  return outcome.events.length === 0 ? released : Effect.andThen(released, report(turns, outcome))
}

const forked_advice = "It takes part in nothing any more; if what it has is not needed, stop the node, and remove its files"

const isOutdated = ({ configuration, state }: Replica, registered: number): boolean =>
  state._tag === "Recovery" && state.isHeadLost && registered > configuration.epoch

/** One write for all that the turn has changed; null if nothing has. */
const writeOf = (
  replica: Replica,
  { entries, head, install, truncate_to }: Outcome,
  { isWhole, recovers }: { readonly isWhole: boolean; readonly recovers: boolean }
): JournalWrite | null => {
  const { configuration, left, logView, view } = replica
  const promised = recovers ? { epoch: configuration.epoch, view, log_view: logView } : head
  if (promised === null && install === null && truncate_to === null && entries.length === 0) return null
  // A turn that ends in a later epoch has a head of that one: the group is always its own.
  const { replicas } = configuration
  const kept = promised === null ? null : { ...promised, fresh: false, whole: isWhole, replicas, left }
  return { head: kept, snapshot: install, truncate_to, entries, commit: knownCommit(replica) }
}

/** Answers the questions among the inputs; the rest is for the protocol. */
const withoutQuestions = (
  inputs: ReadonlyArray<ReplicaInput>,
  { data, replica }: ReplicaFiberOptions,
  now: Now
): ReadonlyArray<Input> | "end" => {
  const rest: Array<Input> = []
  let isAsked = false
  for (const input of inputs) {
    // The second of two wishes would be judged by what was before the first one: it is to be asked again.
    if (input._tag === "Change" && input.wish !== null && isAsked) {
      input.answer(null)
      continue
    }
    isAsked ||= input._tag === "Change" && input.wish !== null
    if (input._tag === "Flushed") continue
    const next = "answer" in input ? answerQuestion(input, replica, data, now) : input
    if (next === "end") return next
    if (next !== null) rest.push(next)
  }
  return rest
}

const persist = ({ journal, metrics }: ReplicaFiberOptions, write: JournalWrite): Effect.Effect<void, JournalError> => {
  metrics.journal_writes++
  metrics.entries_appended += write.entries.length
  if (write.head !== null) metrics.heads_written++
  return journal.write(write)
}

/** What had to wait until the writes are durable: what a snapshot holds is in the log now. */
const letOut = (turns: Turns, outcome: Outcome, sends: Outcome["sends"]): Effect.Effect<void> => {
  const { configuration: group, events, replies, snapshot } = outcome
  const released = release(turns, sends, replies)
  // Hardly any turn has more than that.
  if (group === null && events.length === 0 && snapshot === null) return released
  return Effect.gen(function*() {
    yield* released
    yield* report(turns, outcome)
    if (group !== null) yield* Queue.offer(turns.dispatcher, { _tag: "GroupChanged", replica: turns.local, group })
    if (snapshot !== null) handOver(turns.snapshots, snapshot)
  })
}

const release = (
  { dispatcher, local, reads }: ReplicaFiberOptions,
  sends: ReadonlyArray<Send>,
  replies: ReadonlyArray<Reply>
): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (sends.length === 0 && replies.length === 0) return Effect.void
    const output = { _tag: "FromReplica", replica: local, sends, replies: reads.settle(replies) } as const
    return Queue.offerUnsafe(dispatcher, output) ? Effect.void : Effect.asVoid(Queue.offer(dispatcher, output))
  })

const report = ({ local, metrics }: ReplicaFiberOptions, outcome: Outcome): Effect.Effect<void> => {
  if (outcome.events.length === 0) return Effect.void
  metrics.state_changes += outcome.events.length
  return Effect.forEach(outcome.events, (event) => Effect.logInfo(event), { discard: true }).pipe(
    Effect.annotateLogs({ tenant: local.tenant, replica: local.id })
  )
}
