/**
 * What does not wait for a turn of the event loop: a message of another node on its way in, and what waited for a disk on its way out.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { Limits } from "../../src/base/Limits.ts"
import { Dispatcher } from "../../src/node/Dispatcher.ts"
import { Intake } from "../../src/node/Intake.ts"
import { Metrics } from "../../src/node/Metrics.ts"
import {
  type DispatcherInput, type LocalReplica, makeAnnouncements, makeDispatcherInbox, makeReplicaInbox, nothingWaits,
  type ReplicaInput, takeInputs
} from "../../src/node/Queues.ts"
import { servePeer } from "../../src/node/servers/Peer.ts"
import { JournalError } from "../../src/storage/Journal.ts"
import { makeConfiguration } from "../../src/vr/Configuration.ts"
import type { Message } from "../../src/vr/Message.ts"
import { encodeEnvelope, encodeMessage } from "../../src/wire/PeerProtocol.ts"
import { makeWire } from "../network/Wire.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { entry, makeNode, register, scene } from "./ReplicaScene.ts"

/** What a dispatcher in the place of the test's has taken, turn by turn: messages by their names, and replies. */
const routed = Effect.fnUntraced(function*({ dispatcher }: Effect.Success<typeof makeNode>) {
  const turns: Array<ReadonlyArray<string>> = []
  const turn = Effect.map(Queue.takeAll(dispatcher), (outputs) => {
    turns.push(outputs.flatMap((output) => output._tag !== "FromReplica" ? [] : [
      ...output.sends.map(({ message }) => message._tag),
      ...output.replies.map(() => "reply")
    ]))
  })
  yield* Effect.forkScoped(Effect.forever(turn, { disableYield: true }))
  return turns
})

const prepare = (op: number): ReplicaInput => {
  const message: Message = { _tag: "Prepare", view: 0, first: op, entries: [entry(op)], commit: 0 }
  return { _tag: "Message", from: "r1::n1", epoch: 0, message }
}

/** A node of two tenants, whose replicas answer each message; what another one sends it, and how often it writes to that. */
const makePeer = Effect.gen(function*() {
  const inbox = yield* makeDispatcherInbox
  const metrics = Context.get(yield* Layer.build(Metrics.layer), Metrics)
  const told: Array<string> = []
  const written: Array<number> = []
  let sent = 0
  const dispatcher = new Dispatcher({
    node: "n2", inbox, announcements: yield* makeAnnouncements, intake: new Intake(), metrics,
    peers: {
      isConnected: () => true, nudge: () => {}, reconcile: () => Effect.void,
      send: () => void sent++,
      flush: () => {
        if (sent > 0) written.push(sent)
        sent = 0
      }
    }
  })
  yield* Effect.forkScoped(dispatcher.run)
  for (const tenant of ["a", "b"]) {
    const local: LocalReplica = { tenant, id: "r2::n2", inbox: yield* makeReplicaInbox, waiting: nothingWaits }
    const turn = Effect.flatMap(takeInputs(local), (inputs) => {
      told.push(...inputs.map((input) => `${tenant} ${input._tag}`))
      const sends = inputs.map(() => ({ to: "r1::n1", epoch: 0, message: { _tag: "PrepareOk", view: 0, op: 1 } } as const))
      return Queue.offer(inbox, { _tag: "FromReplica", replica: local, sends, replies: [] })
    })
    yield* Effect.forkScoped(Effect.forever(turn, { disableYield: true }))
    yield* Queue.offer(inbox, { _tag: "ReplicaStarted", replica: local, group: makeConfiguration(0, ["r1::n1", "r2::n2"]) })
  }
  const { come, framed } = makeWire("v2r2-peer", "n1")
  const server = servePeer({
    dispatcher: inbox, metrics, isMember: () => true, onHeard: () => {}, onHeardAgain: () => Effect.void
  })
  yield* Effect.forkScoped(server(framed))
  // Until all wait for what comes.
  yield* Effect.replicateEffect(Effect.yieldNow, 9, { discard: true })
  return { come, told, written }
})

const envelope = (tenant: string): Uint8Array => {
  const commit = encodeMessage({ _tag: "Commit", view: 0, op: 0, commit: 0, round: 0, lease_ms: 0 })
  return encodeEnvelope(tenant, "r2::n2", "r1::n1", 0, commit).subarray(4)
}

describe("at once", () => {
  it.effect("a replica takes what another node has sent it; what all of those replicas say then leaves in one write", () =>
    Effect.gen(function*() {
      const { come, told, written } = yield* makePeer
      come([envelope("a"), envelope("b"), envelope("a")])
      assert.deepStrictEqual(told, ["a Message", "a Message", "b Message"])
      assert.deepStrictEqual(written, [3])
    }).pipe(Effect.scoped))

  it.effect("a peer's connection waits once the dispatcher has too much to do, and loses nothing", () =>
    Effect.gen(function*() {
      const inbox = yield* makeDispatcherInbox
      const metrics = Context.get(yield* Layer.build(Metrics.layer), Metrics)
      const { come, framed } = makeWire("v2r2-peer", "n1")
      const server = servePeer({
        dispatcher: inbox, metrics, isMember: () => true, onHeard: () => {}, onHeardAgain: () => Effect.void
      })
      yield* Effect.forkScoped(server(framed))
      yield* Effect.yieldNow
      for (let i = 0; i < Limits.dispatcher_queue_max; i++) yield* Queue.offer(inbox, { _tag: "Tick" })
      come([envelope("a")], [envelope("b")])
      const tenants = (inputs: ReadonlyArray<DispatcherInput>) =>
        inputs.flatMap((input) => input._tag === "FromPeer" ? input.envelopes.map(({ tenant }) => tenant) : [])
      const first = tenants(yield* Queue.takeAll(inbox))
      yield* Effect.replicateEffect(Effect.yieldNow, 9, { discard: true })
      assert.deepStrictEqual([...first, ...tenants(yield* Queue.takeAll(inbox))], ["a", "b"])
    }).pipe(Effect.scoped))

  it.effect("leaves what waited for a disk; but while other replicas write, for all of them together with the last", () =>
    Effect.gen(function*() {
      const node = yield* makeNode
      const turns = yield* routed(node)
      const [one, other] = [yield* scene("r2::n2", false, null, node), yield* scene("r2::n2", false, null, node)]
      yield* one.tellOnly(prepare(1))
      one.endWrite()
      assert.deepStrictEqual(turns, [["PrepareOk"]])
      yield* one.tellOnly(prepare(2))
      yield* other.tellOnly(prepare(1))
      one.endWrite()
      assert.deepStrictEqual(turns.length, 1)
      other.endWrite()
      assert.deepStrictEqual(turns.slice(1), [["PrepareOk", "PrepareOk"]])
      // And if no other ends, in the next turn.
      yield* one.tellOnly(prepare(3))
      yield* other.tellOnly(prepare(2))
      one.endWrite()
      yield* Effect.replicateEffect(Effect.yieldNow, 2, { discard: true })
      assert.deepStrictEqual(turns.slice(2), [["PrepareOk"]])
    }).pipe(Effect.scoped))

  it.effect("answers a primary that waited for its own disk only", () =>
    Effect.gen(function*() {
      const node = yield* makeNode
      const turns = yield* routed(node)
      const primary = yield* scene("r1::n1", false, null, node)
      yield* primary.tellOnly(register(1))
      yield* primary.tellOnly({ _tag: "Message", from: "r2::n2", epoch: 0, message: { _tag: "PrepareOk", view: 0, op: 1 } })
      assert.deepStrictEqual(turns, [["Prepare", "Prepare"]])
      primary.endWrite()
      assert.deepStrictEqual(turns.slice(1), [["reply"]])
    }).pipe(Effect.scoped))

  it.effect("leaves what waited for a disk, if the other replica that wrote was stopped, or its disk has refused", () =>
    Effect.gen(function*() {
      for (const refusal of [new JournalError({ during: "write", file: "1.log", message: "full" }), null]) {
        const node = yield* makeNode
        const turns = yield* routed(node)
        const [one, other] = [yield* scene("r2::n2", false, null, node), yield* scene("r2::n2", false, refusal, node)]
        yield* one.tellOnly(prepare(1))
        yield* other.tellOnly(prepare(1))
        if (refusal === null) yield* Fiber.interrupt(other.fiber)
        else other.endWrite()
        yield* Fiber.await(other.fiber)
        one.endWrite()
        assert.deepStrictEqual(turns, [["PrepareOk"]])
      }
    }).pipe(Effect.scoped))

  it.effect("leaves nothing of others while a replica writes the second part of what had gathered", () =>
    Effect.gen(function*() {
      yield* Effect.acquireRelease(Effect.sync(() => squeeze({ journal_segment_bytes_max: 2 })), (release) => Effect.sync(release))
      const node = yield* makeNode
      const turns = yield* routed(node)
      const [one, other] = [yield* scene("r2::n2", false, null, node), yield* scene("r2::n2", false, null, node)]
      yield* one.tellOnly(prepare(1))
      yield* one.tellOnly(prepare(2))
      yield* one.tellOnly(prepare(3))
      one.endWrite()
      one.endWrite()
      assert.strictEqual(one.begun.length, 3)
      const { length } = turns
      yield* other.tellOnly(prepare(1))
      other.endWrite()
      assert.strictEqual(turns.length, length)
    }).pipe(Effect.scoped))
})
