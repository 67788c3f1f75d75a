/**
 * The order in which a replica's fiber writes and speaks, on a disk that takes its time.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Semaphore from "effect/Semaphore"
import * as TestClock from "effect/testing/TestClock"
import { seeded } from "../../src/base/Random.ts"
import { Metrics } from "../../src/node/Metrics.ts"
import { type LocalReplica, makeDispatcherInbox, makeReplicaInbox, nothingWaits, type ReplicaInput } from "../../src/node/Queues.ts"
import { makeReadBudget } from "../../src/node/ReadBudget.ts"
import { runReplica } from "../../src/node/ReplicaFiber.ts"
import { type Journal, JournalError, type JournalWrite } from "../../src/storage/Journal.ts"
import { makeStore } from "../../src/store/Store.ts"
import { makeConfiguration } from "../../src/vr/Configuration.ts"
import { firstView, type Message, type MessageOf, type MessageTag, type OpNumber } from "../../src/vr/Message.ts"
import { encodeNextGroup } from "../../src/vr/NextGroup.ts"
import type { Input } from "../../src/vr/Replica.ts"
import { takeSnapshot } from "../../src/vr/Snapshot.ts"
import { newLearner, newReplica, recoveringReplica, step } from "../../src/vr/Step.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { configOf } from "./TestNode.ts"

const lease_ms = 400
const group = ["r1::n1", "r2::n2", "r3::n3"]
const tenant = "6f9619ff-8b86-4d01-8b42-00cf4fc964ff"

const optionsOf = (id: string) => {
  const store = makeStore()
  const reads = makeReadBudget(store)
  const configuration = makeConfiguration(0, group)
  const timers = configOf("n1")
  const now = { mono: 0, wall: 0 }
  const options = { id, configuration, timers, lease_ms, application: reads.application, random: seeded(1), now }
  return { options, reads, store, timers }
}

/** Runs one replica of three, or one that is to join them. `begun`: the writes; each ends when the test lets it. */
const scene = Effect.fnUntraced(function*(id: string, recovering = false, refusal: JournalError | null = null) {
  const inbox = yield* makeReplicaInbox
  const dispatcher = yield* makeDispatcherInbox
  const metrics = Context.get(yield* Layer.build(Metrics.layer), Metrics)
  const { options, reads, store, timers } = optionsOf(id)
  const start = group.includes(id) ? newReplica : newLearner
  const replica = recovering ? recoveringReplica(options, 0) : start(options)
  const begun: Array<JournalWrite> = []
  /** The commit numbers of the replica when they began. */
  const applied: Array<OpNumber> = []
  /** A save ends when the test says so, and how. */
  const saving = yield* Deferred.make<void, JournalError>()
  const disk = yield* Semaphore.make(1)
  yield* disk.take(1)
  const journal: Journal = {
    open: Effect.die("is open"),
    restore: () => Effect.die("no snapshots"),
    save: ({ op }) => Effect.andThen(Deferred.await(saving), Effect.succeed({ op, digest: 7, bytes: 9 })),
    write: (write) => Effect.suspend(() => {
      begun.push(write)
      applied.push(replica.commit)
      return Effect.andThen(disk.take(1), refusal ?? Effect.void)
    })
  }
  const local: LocalReplica = { tenant, id, inbox, waiting: nothingWaits }
  const data = { tenant, node: "n1", durability: "disk" as const, doubt: null, store }
  const fiber = yield* Effect.forkScoped(runReplica({
    local, replica, data, reads, journal, dispatcher, metrics, isWhole: !recovering, settings: { current: timers }, registeredEpoch: () => 0
  }))
  const sent: Array<Message> = []
  let replies = 0
  /** Lets everybody do what they can. */
  const settle = Effect.gen(function*() {
    for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
    for (const output of yield* Queue.clear(dispatcher)) {
      if (output._tag !== "FromReplica") continue
      sent.push(...output.sends.map(({ message }) => message))
      replies += output.replies.length
    }
  })
  const tell = (...inputs: ReadonlyArray<ReplicaInput>) => Effect.andThen(Queue.offerAll(inbox, inputs), settle)
  const hear = (from: string, message: Message) => tell({ _tag: "Message", from, epoch: 0, message })
  /** The write under way ends. */
  const flushed = Effect.andThen(disk.release(1), settle)
  const said = <T extends MessageTag>(tag: T): ReadonlyArray<MessageOf<T>> =>
    sent.filter((message): message is MessageOf<T> => message._tag === tag)
  const { pins } = store
  return { applied, begun, fiber, metrics, replica, saving, sent, tell, hear, flushed, settle, said, pins, replies: () => replies }
})

const register = (channel: number): ReplicaInput => ({
  _tag: "Requests",
  requests: [{ kind: "register", to: { connection: 1, channel }, nonce: new Uint8Array(16).fill(channel) }]
})

const read: ReplicaInput = {
  _tag: "Requests",
  requests: [{ kind: "read", to: { connection: 1, channel: 1 }, request: 1, operation: new Uint8Array(0) }]
}

const entry = (op: number) => ({
  op, view: 0, time: op, kind: "register" as const, session: 0, request: 0, answered: 0, operation: new Uint8Array(16).fill(op)
})

describe("the fiber of a replica", () => {
  it.effect("lets Prepares out before the primary's own flush; one turn is one write, and the next gathers meanwhile", () =>
    Effect.gen(function*() {
      const primary = yield* scene("r1::n1")
      yield* primary.tell(register(1), register(2), register(3))
      assert.deepStrictEqual(primary.begun.map(({ entries }) => entries.map(({ op }) => op)), [[1, 2, 3]])
      assert.deepStrictEqual(primary.said("Prepare").map(({ entries }) => entries.length), [3, 3])
      yield* primary.tell(register(4))
      yield* primary.tell(register(5))
      assert.strictEqual(primary.begun.length, 1)
      // Both others have it: with the primary's own copy not durable yet, two of three are.
      yield* primary.hear("r2::n2", { _tag: "PrepareOk", view: 0, op: 3 })
      assert.strictEqual(primary.replies(), 0)
      yield* primary.flushed
      assert.deepStrictEqual(primary.begun.map(({ entries }) => entries.map(({ op }) => op)), [[1, 2, 3], [4, 5]])
      assert.strictEqual(primary.metrics.journal_writes, 2)
      assert.strictEqual(primary.replies(), 3)
    }).pipe(Effect.scoped))

  it.effect("acknowledges nothing as a backup before it is flushed, and writes the commit number along", () =>
    Effect.gen(function*() {
      const backup = yield* scene("r2::n2")
      yield* backup.hear("r1::n1", { _tag: "Prepare", view: 0, first: 1, entries: [entry(1), entry(2)], commit: 1 })
      assert.deepStrictEqual(backup.begun.map(({ commit, entries }) => [commit, entries.length]), [[1, 2]])
      // What is committed is applied while the entries are written.
      assert.deepStrictEqual(backup.applied, [0])
      assert.strictEqual(backup.replica.commit, 1)
      assert.isEmpty(backup.said("PrepareOk"))
      yield* backup.flushed
      assert.deepStrictEqual(backup.said("PrepareOk"), [{ _tag: "PrepareOk", view: 0, op: 2 }])
      // A commit number alone is no reason to write.
      yield* backup.hear("r1::n1", { _tag: "Commit", view: 0, op: 2, commit: 2, round: 1, lease_ms: 0 })
      assert.strictEqual(backup.begun.length, 1)
    }).pipe(Effect.scoped))

  it.effect("answers what a quorum holds, and confirms rounds, while something is being written", () =>
    Effect.gen(function*() {
      const primary = yield* scene("r1::n1")
      yield* primary.tell(register(1))
      yield* primary.flushed
      yield* primary.tell(register(2))
      // Both others have both, and the primary has not written the second one.
      for (const from of ["r2::n2", "r3::n3"]) yield* primary.hear(from, { _tag: "PrepareOk", view: 0, op: 2 })
      assert.deepStrictEqual([primary.begun.length, primary.replies()], [2, 2])
      yield* primary.tell(read)
      assert.strictEqual(primary.said("Commit").filter(({ round }) => round === 1).length, 2)
      yield* primary.hear("r2::n2", { _tag: "CommitOk", view: 0, op: 1, round: 1, promised: false })
      assert.strictEqual(primary.replies(), 3)

      const backup = yield* scene("r2::n2")
      yield* backup.hear("r1::n1", { _tag: "Prepare", view: 0, first: 1, entries: [entry(1)], commit: 0 })
      yield* backup.hear("r1::n1", { _tag: "Commit", view: 0, op: 1, commit: 0, round: 1, lease_ms: 0 })
      assert.deepStrictEqual(backup.said("CommitOk"), [{ _tag: "CommitOk", view: 0, op: 0, round: 1, promised: false }])
      assert.isEmpty(backup.said("PrepareOk"))
      yield* backup.flushed
      assert.deepStrictEqual(backup.said("PrepareOk"), [{ _tag: "PrepareOk", view: 0, op: 1 }])
      yield* backup.hear("r1::n1", { _tag: "Commit", view: 0, op: 1, commit: 0, round: 2, lease_ms: 0 })
      assert.strictEqual(backup.said("CommitOk")[1]?.op, 1)
    }).pipe(Effect.scoped))

  it.effect("lets nothing out that waits for an earlier turn's write, in whatever turn it was said", () =>
    Effect.gen(function*() {
      const backup = yield* scene("r2::n2")
      yield* backup.hear("r1::n1", { _tag: "Prepare", view: 0, first: 1, entries: [entry(1)], commit: 1 })
      // Nothing to write, and an answer that tells of the entry.
      yield* backup.hear("r3::n3", { _tag: "GetCommitted", view: 0, after: 0, last: 1 })
      yield* backup.hear("r1::n1", { _tag: "Prepare", view: 0, first: 2, entries: [entry(2)], commit: 1 })
      assert.deepStrictEqual(backup.sent, [])
      yield* backup.flushed
      assert.deepStrictEqual(backup.sent.map(({ _tag }) => _tag), ["PrepareOk", "Committed"])
      assert.deepStrictEqual(backup.begun.map(({ entries }) => entries.map(({ op }) => op)), [[1], [2]])
      yield* backup.flushed
      assert.deepStrictEqual(backup.said("PrepareOk").map(({ op }) => op), [1, 2])
    }).pipe(Effect.scoped))

  it.effect("writes a view, and what it cuts, after all that was written before, and counts nothing that was cut", () =>
    Effect.gen(function*() {
      const backup = yield* scene("r3::n3")
      yield* backup.hear("r1::n1", { _tag: "Prepare", view: 0, first: 1, entries: [entry(1), entry(2)], commit: 0 })
      const started = { ...entry(1), view: 1, time: 9 }
      yield* backup.hear("r2::n2", { _tag: "StartView", view: 1, first: 1, entries: [started], commit: 0 })
      yield* backup.hear("r2::n2", { _tag: "Prepare", view: 1, first: 2, entries: [{ ...entry(2), view: 1, time: 9 }], commit: 0 })
      assert.strictEqual(backup.begun.length, 1, "the view waits for the write before, and the next turn for the view")
      yield* backup.flushed
      assert.deepStrictEqual(backup.begun[1], {
        head: { epoch: 0, view: 1, log_view: 1, fresh: false, whole: true, replicas: group, left: false },
        snapshot: null, truncate_to: 0, entries: [started], commit: 0
      })
      yield* backup.flushed
      assert.deepStrictEqual(backup.begun[2]?.entries.map(({ op, view }) => [op, view]), [[2, 1]])
      // The second entry of view 1 is not written, though one of its number was.
      yield* backup.hear("r2::n2", { _tag: "Commit", view: 1, op: 2, commit: 0, round: 1, lease_ms: 0 })
      assert.deepStrictEqual(backup.said("CommitOk"), [{ _tag: "CommitOk", view: 1, op: 1, round: 1, promised: false }])
      yield* backup.flushed
      assert.strictEqual(backup.replica.durable, 2)
    }).pipe(Effect.scoped))

  it.effect("knows what was written before a view that adds nothing to it", () =>
    Effect.gen(function*() {
      const backup = yield* scene("r3::n3")
      yield* backup.hear("r1::n1", { _tag: "Prepare", view: 0, first: 1, entries: [entry(1)], commit: 1 })
      yield* backup.hear("r2::n2", { _tag: "StartView", view: 1, first: 2, entries: [], commit: 1 })
      yield* backup.flushed
      yield* backup.flushed
      assert.deepStrictEqual([backup.replica.view, backup.replica.durable], [1, 1])
    }).pipe(Effect.scoped))

  it.effect("takes no more turns while too much waits for the disk", () =>
    Effect.gen(function*() {
      const release = squeeze({ appends_max: 2 })
      yield* Effect.addFinalizer(() => Effect.sync(release))
      const backup = yield* scene("r2::n2")
      for (const op of [1, 2, 3]) {
        yield* backup.hear("r1::n1", { _tag: "Prepare", view: 0, first: op, entries: [entry(op)], commit: 0 })
      }
      assert.strictEqual(backup.replica.log.op, 2)
      yield* backup.flushed
      assert.strictEqual(backup.replica.log.op, 2)
      yield* backup.flushed
      assert.strictEqual(backup.replica.log.op, 3)
    }).pipe(Effect.scoped))

  it.effect("ends when the disk refuses, and lets nothing out that waited", () =>
    Effect.gen(function*() {
      const refusal = new JournalError({ during: "write", file: "f", message: "f: no space left on device" })
      const backup = yield* scene("r2::n2", false, refusal)
      yield* backup.hear("r1::n1", { _tag: "Prepare", view: 0, first: 1, entries: [entry(1)], commit: 0 })
      yield* backup.flushed
      assert.deepStrictEqual(yield* Fiber.await(backup.fiber), Exit.fail(refusal))
      assert.isEmpty(backup.sent)
    }).pipe(Effect.scoped))

  it.effect("writes the group with the head that it changes with, and that it has left", () =>
    Effect.gen(function*() {
      const backup = yield* scene("r2::n2")
      const replicas = ["r1::n1", "r3::n3", "r4::n4"]
      const next = { epoch: 1, replicas, leaving: ["r2::n2"] }
      const last = { ...entry(1), kind: "reconfigure" as const, operation: encodeNextGroup(next) }
      yield* backup.hear("r1::n1", { _tag: "Prepare", view: 0, first: 1, entries: [last], commit: 1 })
      assert.deepStrictEqual(backup.begun.map(({ entries, head }) => [entries.length, head]), [[1, null]])
      yield* backup.flushed
      const view = firstView(1)
      assert.deepStrictEqual(backup.begun[1]?.head, { epoch: 1, view, log_view: view, fresh: false, whole: true, replicas, left: true })
    }).pipe(Effect.scoped))

  it.effect("looks at the clock when there is something to do, not before: a lease that ended meanwhile is over", () =>
    Effect.gen(function*() {
      const primary = yield* scene("r1::n1")
      yield* primary.tell(read)
      yield* primary.hear("r2::n2", { _tag: "CommitOk", view: 0, op: 0, round: 1, promised: true })
      assert.strictEqual(primary.replies(), 1)
      yield* primary.tell(read)
      assert.strictEqual(primary.replies(), 2)
      yield* TestClock.adjust(lease_ms)
      yield* primary.tell(read)
      assert.strictEqual(primary.replies(), 2)
      assert.deepInclude(primary.said("Commit").at(-1), { round: 2, lease_ms })
    }).pipe(Effect.scoped))

  it.effect("says nothing any more once it has seen the group become one without it, though it is to join the next one", () =>
    Effect.gen(function*() {
      const learner = yield* scene("r4::n4")
      const next = { epoch: 1, replicas: ["r1::n1"], leaving: group.slice(1) }
      const last = { ...entry(1), kind: "reconfigure" as const, operation: encodeNextGroup(next) }
      const again = { ...entry(2), view: firstView(1) }
      yield* learner.tell(
        { _tag: "Message", from: "r1::n1", epoch: 0, message: { _tag: "Prepare", view: 0, first: 1, entries: [last], commit: 1 } },
        { _tag: "Message", from: "r1::n1", epoch: 1, message: { _tag: "Prepare", view: again.view, first: 2, entries: [again], commit: 1 } }
      )
      assert.strictEqual(learner.replica.log.op, 2)
      yield* learner.flushed
      yield* learner.flushed
      assert.isEmpty(learner.sent)
      assert.isEmpty(learner.begun)
      assert.match(String(yield* Fiber.await(learner.fiber)), /Ended/)
    }).pipe(Effect.scoped))
})

describe("the snapshots of a replica", () => {
  /** Every commit makes one due. */
  const often = Effect.acquireRelease(Effect.sync(() => squeeze({ snapshot_log_bytes_min: 1 })), (release) => Effect.sync(release))

  const due = Effect.gen(function*() {
    yield* often
    const backup = yield* scene("r2::n2")
    yield* backup.hear("r1::n1", { _tag: "Prepare", view: 0, first: 1, entries: [entry(1)], commit: 1 })
    yield* backup.flushed
    return backup
  })

  it.effect("are written while turns go on; then the replica knows", () =>
    Effect.gen(function*() {
      const backup = yield* due
      yield* backup.hear("r1::n1", { _tag: "Prepare", view: 0, first: 2, entries: [entry(2)], commit: 1 })
      yield* backup.flushed
      assert.deepStrictEqual(backup.said("PrepareOk").map(({ op }) => op), [1, 2])
      assert.isNull(backup.replica.snapshot)
      assert.strictEqual(backup.pins(), 1)
      yield* Deferred.succeed(backup.saving, undefined)
      yield* backup.settle
      assert.strictEqual(backup.pins(), 0)
      yield* backup.tell({ _tag: "Tick" })
      assert.deepStrictEqual(backup.replica.snapshot, { op: 1, digest: 7 })
      assert.strictEqual(backup.metrics.snapshots_written, 1)
    }).pipe(Effect.scoped))

  it.effect("of which the newer takes the place of the one that waits are written one after the other", () =>
    Effect.gen(function*() {
      const backup = yield* due
      for (const op of [2, 3, 4]) {
        yield* backup.hear("r1::n1", { _tag: "Prepare", view: 0, first: op, entries: [entry(op)], commit: op })
        yield* backup.flushed
      }
      // The one that is being written, and the last one.
      assert.strictEqual(backup.pins(), 2)
      yield* Deferred.succeed(backup.saving, undefined)
      yield* backup.settle
      yield* backup.tell({ _tag: "Tick" })
      assert.deepStrictEqual([backup.replica.snapshot?.op, backup.pins()], [4, 0])
    }).pipe(Effect.scoped))

  it.effect("end it when the disk refuses them", () =>
    Effect.gen(function*() {
      const backup = yield* due
      const refusal = new JournalError({ during: "save", file: "f", message: "f: no space left on device" })
      yield* Deferred.fail(backup.saving, refusal)
      assert.deepStrictEqual(yield* Fiber.await(backup.fiber), Exit.fail(refusal))
    }).pipe(Effect.scoped))

  it.effect("that were fetched are installed in the turn's write, before anything is said of them", () =>
    Effect.gen(function*() {
      const sender = newReplica(optionsOf("r1::n1").options)
      step(sender, [register(1) as Input, register(2) as Input, { _tag: "Durable", op: 2 }], { mono: 0, wall: 0 })
      step(sender, [{ _tag: "Message", from: "r2::n2", epoch: 0, message: { _tag: "PrepareOk", view: 0, op: 2 } }], { mono: 0, wall: 0 })
      const reader = takeSnapshot(sender).read()
      const backup = yield* scene("r3::n3")
      yield* backup.hear("r1::n1", { _tag: "Commit", view: 0, op: 2, commit: 2, round: 0, lease_ms: 0 })
      for (let index = 0, bytes = reader.next(); bytes !== null; index++, bytes = reader.next()) {
        yield* backup.hear("r1::n1", { _tag: "SnapshotPart", view: 0, op: 2, index, size: 0, bytes })
      }
      assert.deepStrictEqual(backup.begun.map(({ commit, snapshot }) => [commit, snapshot?.op]), [[2, 2]])
      assert.deepStrictEqual(backup.said("GetState").map(({ after }) => after), [0])
      assert.strictEqual(backup.pins(), 1)
      yield* backup.flushed
      assert.strictEqual(backup.pins(), 0)
      assert.deepStrictEqual(backup.said("GetState").map(({ after }) => after), [0, 2])
    }).pipe(Effect.scoped))
})

describe("a replica whose log was given up", () => {
  /** Up to the question for the log. */
  const recovering = Effect.gen(function*() {
    const replica = yield* scene("r3::n3", true)
    yield* replica.tell({ _tag: "Tick" })
    const nonce = replica.said("Recovery")[0]!.nonce
    return { replica, answer: (op: number) => ({ _tag: "RecoveryResponse" as const, nonce, view: 0, op, commit: op }) }
  })

  it.effect("is whole once it has recovered, in the write that completes its log, and speaks after that", () =>
    Effect.gen(function*() {
      const { answer, replica } = yield* recovering
      yield* replica.hear("r1::n1", answer(3))
      yield* replica.hear("r2::n2", answer(3))
      yield* replica.hear("r1::n1", { _tag: "NewState", view: 0, first: 1, entries: [entry(1), entry(2)], op: 3, commit: 3 })
      assert.deepStrictEqual(replica.begun.map(({ entries, head }) => [head, entries.length]), [[null, 2]])
      yield* replica.flushed
      yield* replica.hear("r1::n1", { _tag: "NewState", view: 0, first: 3, entries: [entry(3)], op: 3, commit: 3 })
      const head = { epoch: 0, view: 0, log_view: 0, fresh: false, whole: true, replicas: group, left: false }
      assert.deepInclude(replica.begun[1], { head, commit: 3 })
      assert.isEmpty(replica.said("PrepareOk"))
      yield* replica.flushed
      assert.deepStrictEqual(replica.said("PrepareOk"), [{ _tag: "PrepareOk", view: 0, op: 3 }])
      yield* replica.hear("r1::n1", { _tag: "Prepare", view: 0, first: 4, entries: [entry(4)], commit: 3 })
      assert.isNull(replica.begun[2]!.head)
    }).pipe(Effect.scoped))

  it.effect("is whole also where there was nothing to fetch", () =>
    Effect.gen(function*() {
      const { answer, replica } = yield* recovering
      yield* replica.hear("r1::n1", answer(0))
      yield* replica.hear("r2::n2", answer(0))
      yield* replica.hear("r1::n1", { _tag: "NewState", view: 0, first: 1, entries: [], op: 0, commit: 0 })
      assert.deepStrictEqual(replica.begun.map(({ head }) => head?.whole), [true])
    }).pipe(Effect.scoped))
})
