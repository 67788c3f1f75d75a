/**
 * The order in which a replica's fiber writes and speaks, on a disk that takes its time.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import type { ReplicaInput } from "../../src/node/Queues.ts"
import { JournalError } from "../../src/storage/Journal.ts"
import { firstView, type Message } from "../../src/vr/Message.ts"
import type { Input } from "../../src/vr/Replica.ts"
import { takeSnapshot } from "../../src/vr/Snapshot.ts"
import { newReplica, step } from "../../src/vr/Step.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { changeTo, entry, group, lease_ms, optionsOf, read, register, scene } from "./ReplicaScene.ts"

/** Of each turn: how many writes had begun when it was over. */
const begunInTurn = ({ begun, metrics }: Pick<Effect.Success<ReturnType<typeof scene>>, "begun" | "metrics">) => {
  const inTurn: Array<number> = []
  let turns = metrics.replica_turns
  Object.defineProperty(metrics, "replica_turns", {
    get: () => turns,
    set: (count: number) => {
      turns = count
      // All of a turn is one task of the event loop.
      queueMicrotask(() => inTurn.push(begun.length))
    }
  })
  return inTurn
}

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

  it.effect("hands nothing to its disk before the Prepares are handed over, as others' copies take longer", () =>
    Effect.gen(function*() {
      const primary = yield* scene("r1::n1")
      yield* primary.choke
      yield* primary.tellOnly(register(1))
      assert.deepStrictEqual([primary.replica.log.op, primary.begun.length], [1, 0])
      yield* primary.settle
      yield* primary.settle
      assert.deepStrictEqual([primary.said("Prepare").length, primary.begun.length], [2, 1])
    }).pipe(Effect.scoped))

  it.effect("begins to write in its turn if that has nothing to let out first, as a primary has", () =>
    Effect.gen(function*() {
      const backup = yield* scene("r2::n2")
      const prepare = { _tag: "Prepare", view: 0, first: 1, entries: [entry(1)], commit: 0 } as const
      yield* backup.settle
      const inTurn = begunInTurn(backup)
      yield* backup.hear("r1::n1", prepare)
      assert.deepStrictEqual(inTurn, [1])
      yield* backup.flushed
      // The answers of the same turn leave first.
      const message = (message: Message): ReplicaInput => ({ _tag: "Message", from: "r1::n1", epoch: 0, message })
      const commit = { _tag: "Commit", view: 0, op: 1, commit: 0, round: 1, lease_ms: 0 } as const
      yield* backup.tell(message(commit), message({ ...prepare, first: 2, entries: [entry(2)] }))
      yield* backup.flushed
      yield* backup.tell(register(1), message({ ...prepare, first: 3, entries: [entry(3)] }))
      assert.deepStrictEqual([inTurn, backup.begun.length], [[1, 1, 2], 3])
      const primary = yield* scene("r1::n1")
      yield* primary.settle
      const inItsTurn = begunInTurn(primary)
      yield* primary.tell(register(1))
      assert.deepStrictEqual([inItsTurn, primary.begun.length], [[0], 1])
    }).pipe(Effect.scoped))

  it.effect("takes no turn for what its own disk has written, unless that commits something", () =>
    Effect.gen(function*() {
      const backup = yield* scene("r2::n2")
      yield* backup.hear("r1::n1", { _tag: "Prepare", view: 0, first: 1, entries: [entry(1)], commit: 0 })
      yield* backup.flushed
      assert.deepStrictEqual([backup.metrics.replica_turns, backup.said("PrepareOk").length], [1, 1])

      const primary = yield* scene("r1::n1")
      yield* primary.tell(register(1))
      yield* primary.flushed
      assert.strictEqual(primary.metrics.replica_turns, 1)
      yield* primary.hear("r2::n2", { _tag: "PrepareOk", view: 0, op: 1 })
      assert.deepStrictEqual([primary.replies(), primary.metrics.replica_turns], [1, 2])
      yield* primary.tell(register(2))
      yield* primary.hear("r2::n2", { _tag: "PrepareOk", view: 0, op: 2 })
      assert.deepStrictEqual([primary.replies(), primary.metrics.replica_turns], [1, 4])
      yield* primary.flushed
      assert.deepStrictEqual([primary.replies(), primary.metrics.replica_turns], [2, 5])
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
      yield* backup.tell({ _tag: "Tick" })
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
      yield* backup.hear("r1::n1", { _tag: "Prepare", view: 0, first: 1, entries: [changeTo(replicas, ["r2::n2"])], commit: 1 })
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
      const last = changeTo(["r1::n1"], group.slice(1))
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

  it.effect("keeps what it has if it is a fork, though the group has changed without it in that same turn", () =>
    Effect.gen(function*() {
      const learner = yield* scene("r4::n4")
      // Found in the turn itself, behind the change.
      Object.defineProperty(learner.replica, "forked", { get: () => learner.replica.configuration.epoch === 1 ? "it is one" : null })
      const last = changeTo(["r1::n1"], group.slice(1))
      yield* learner.hear("r1::n1", { _tag: "Prepare", view: 0, first: 1, entries: [last], commit: 1 })
      for (let write = 0; write < 3; write++) yield* learner.flushed
      assert.match(String(yield* Fiber.await(learner.fiber)), /Forked/)
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

  it.effect("are let go, and the replica knows, while the disk still makes room", () =>
    Effect.gen(function*() {
      const backup = yield* due
      backup.room.closeUnsafe()
      yield* Deferred.succeed(backup.saving, undefined)
      yield* backup.settle
      yield* backup.tell({ _tag: "Tick" })
      assert.deepStrictEqual([backup.pins(), backup.replica.snapshot], [0, { op: 1, digest: 7 }])
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
