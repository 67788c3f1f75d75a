/**
 * One replica and its fiber, with the disk in the test's hands.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { Limits } from "../../src/base/Limits.ts"
import { seeded } from "../../src/base/Random.ts"
import { Metrics } from "../../src/node/Metrics.ts"
import { type LocalReplica, makeDispatcherInbox, makeReplicaInbox, nothingWaits, type ReplicaInput } from "../../src/node/Queues.ts"
import { makeReadBudget } from "../../src/node/ReadBudget.ts"
import { runReplica } from "../../src/node/ReplicaFiber.ts"
import type { Journal, JournalError, JournalWrite } from "../../src/storage/Journal.ts"
import { makeStore } from "../../src/store/Store.ts"
import { makeConfiguration } from "../../src/vr/Configuration.ts"
import type { Message, MessageOf, MessageTag, OpNumber } from "../../src/vr/Message.ts"
import { encodeNextGroup } from "../../src/vr/NextGroup.ts"
import { newLearner, newReplica, recoveringReplica } from "../../src/vr/Step.ts"
import { configOf } from "./TestNode.ts"

export const lease_ms = 400
export const group = ["r1::n1", "r2::n2", "r3::n3"]
const tenant = "6f9619ff-8b86-4d01-8b42-00cf4fc964ff"

export const optionsOf = (id: string) => {
  const store = makeStore()
  const reads = makeReadBudget(store)
  const configuration = makeConfiguration(0, group)
  const timers = configOf("n1")
  const now = { mono: 0, wall: 0 }
  const options = { id, configuration, timers, lease_ms, application: reads.application, random: seeded(1), now }
  return { options, reads, store, timers }
}

/** What the replicas of a node share. */
export const makeNode = Effect.map(makeDispatcherInbox, (dispatcher) => ({ dispatcher, flushes: { underWay: 0 } }))

/** Runs one replica of three, or one that is to join them. `begun`: the writes; each ends when the test lets it. */
export const scene = Effect.fnUntraced(function*(
  id: string,
  recovering = false,
  refusal: JournalError | null = null,
  node: Effect.Success<typeof makeNode> | null = null
) {
  const inbox = yield* makeReplicaInbox
  const { dispatcher, flushes } = node ?? (yield* makeNode)
  const metrics = Context.get(yield* Layer.build(Metrics.layer), Metrics)
  const { options, reads, store, timers } = optionsOf(id)
  const start = group.includes(id) ? newReplica : newLearner
  const replica = recovering ? recoveringReplica(options, 0) : start(options)
  const begun: Array<JournalWrite> = []
  /** The commit numbers of the replica when they began. */
  const applied: Array<OpNumber> = []
  /** A save ends when the test says so, and how. */
  const saving = yield* Deferred.make<void, JournalError>()
  /** While it is closed, a save is still making room. */
  const room = yield* Latch.make(true)
  /** Writes that wait for their end, and ends that wait for a write. */
  const disk = { waiting: new Array<() => void>(), ends: 0 }
  const journal: Journal = {
    open: Effect.die("is open"),
    restore: () => Effect.die("no snapshots"),
    save: ({ op }, onKept) =>
      Effect.flatMap(Deferred.await(saving), () => {
        const saved = { op, digest: 7, bytes: 9 }
        onKept?.(saved)
        return Effect.as(room.await, saved)
      }),
    write: (write) => Effect.suspend(() => {
      begun.push(write)
      applied.push(replica.commit)
      const end = refusal ?? Effect.void
      if (disk.ends > 0) {
        disk.ends--
        return end
      }
      return Effect.callback((resume) => void disk.waiting.push(() => resume(end)))
    })
  }
  const local: LocalReplica = { tenant, id, inbox, waiting: nothingWaits }
  const data = { tenant, node: "n1", durability: "disk" as const, doubt: null, store }
  const fiber = yield* Effect.forkScoped(runReplica({
    local, replica, data, reads, journal, dispatcher, flushes, metrics,
    isWhole: !recovering, settings: { current: timers }, registeredEpoch: () => 0
  }))
  const sent: Array<Message> = []
  let replies = 0
  const turns = Effect.gen(function*() {
    for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
  })
  /** Lets everybody do what they can. */
  const settle = Effect.gen(function*() {
    yield* turns
    for (const output of yield* Queue.clear(dispatcher)) {
      if (output._tag !== "FromReplica") continue
      sent.push(...output.sends.map(({ message }) => message))
      replies += output.replies.length
    }
  })
  /** The dispatcher takes nothing any more, until somebody is told something. */
  const choke = Effect.forEach(Array.from({ length: Limits.dispatcher_queue_max }), () =>
    Queue.offer(dispatcher, { _tag: "Tick" }), { discard: true })
  const tellOnly = (...inputs: ReadonlyArray<ReplicaInput>) => Effect.andThen(Queue.offerAll(inbox, inputs), turns)
  const tell = (...inputs: ReadonlyArray<ReplicaInput>) => Effect.andThen(Queue.offerAll(inbox, inputs), settle)
  const hear = (from: string, message: Message) => tell({ _tag: "Message", from, epoch: 0, message })
  /** The write under way ends, or the next one at once; who waited for it goes on before this returns. */
  const endWrite = (): void => {
    const end = disk.waiting.shift()
    if (end === undefined) disk.ends++
    else end()
  }
  const flushed = Effect.andThen(Effect.sync(endWrite), settle)
  const said = <T extends MessageTag>(tag: T): ReadonlyArray<MessageOf<T>> =>
    sent.filter((message): message is MessageOf<T> => message._tag === tag)
  const { pins } = store
  return {
    applied, begun, choke, endWrite, fiber, metrics, replica, room, saving, sent, tell, tellOnly, hear, flushed,
    settle, said, pins, replies: () => replies
  }
})

export const register = (channel: number): ReplicaInput => ({
  _tag: "Requests",
  requests: [{ kind: "register", to: { connection: 1, channel }, nonce: new Uint8Array(16).fill(channel) }]
})

export const read: ReplicaInput = {
  _tag: "Requests",
  requests: [{ kind: "read", to: { connection: 1, channel: 1 }, request: 1, operation: new Uint8Array(0) }]
}

export const entry = (op: number) => ({
  op, view: 0, time: op, kind: "register" as const, session: 0, request: 0, answered: 0, operation: new Uint8Array(16).fill(op)
})

export const changeTo = (replicas: ReadonlyArray<string>, leaving: ReadonlyArray<string>) =>
  ({ ...entry(1), kind: "reconfigure" as const, operation: encodeNextGroup({ epoch: 1, replicas, leaving }) })
