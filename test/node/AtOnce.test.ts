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
import { Dispatcher } from "../../src/node/Dispatcher.ts"
import { Intake } from "../../src/node/Intake.ts"
import { Metrics } from "../../src/node/Metrics.ts"
import {
  type LocalReplica, makeAnnouncements, makeDispatcherInbox, makeReplicaInbox, nothingWaits, takeInputs
} from "../../src/node/Queues.ts"
import { servePeer } from "../../src/node/servers/Peer.ts"
import { JournalError } from "../../src/storage/Journal.ts"
import { makeConfiguration } from "../../src/vr/Configuration.ts"
import type { Message } from "../../src/vr/Message.ts"
import { encodeEnvelope, encodeMessage } from "../../src/wire/PeerProtocol.ts"
import { makeWire } from "../network/Wire.ts"
import { entry, register, scene } from "./ReplicaScene.ts"

/** What a dispatcher in the place of the test's has taken: messages by their names, and replies. */
const routed = Effect.fnUntraced(function*({ dispatcher }: Pick<Effect.Success<ReturnType<typeof scene>>, "dispatcher">) {
  const taken: Array<string> = []
  const turn = Effect.map(Queue.takeAll(dispatcher), (outputs) => {
    for (const output of outputs) {
      if (output._tag !== "FromReplica") continue
      for (const { message } of output.sends) taken.push(message._tag)
      for (const _ of output.replies) taken.push("reply")
    }
  })
  yield* Effect.forkScoped(Effect.forever(turn, { disableYield: true }))
  return taken
})

/** A node of two tenants, whose replicas answer each message; what another one sends it, and how often it writes to that. */
const makeNode = Effect.gen(function*() {
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
      const { come, told, written } = yield* makeNode
      come([envelope("a"), envelope("b"), envelope("a")])
      assert.deepStrictEqual(told, ["a Message", "a Message", "b Message"])
      assert.deepStrictEqual(written, [3])
    }).pipe(Effect.scoped))

  it.effect("lets out what waited for its disk at once, unless disks of other replicas write: those share a turn of the dispatcher", () =>
    Effect.gen(function*() {
      const prepare = (op: number): Message => ({ _tag: "Prepare", view: 0, first: op, entries: [entry(op)], commit: 0 })
      const backup = yield* scene("r2::n2")
      const said = yield* routed(backup)
      yield* backup.tellOnly({ _tag: "Message", from: "r1::n1", epoch: 0, message: prepare(1) })
      backup.endWrite()
      assert.deepStrictEqual(said, ["PrepareOk"])
      backup.flushes.underWay++
      yield* backup.tellOnly({ _tag: "Message", from: "r1::n1", epoch: 0, message: prepare(2) })
      assert.strictEqual(backup.flushes.underWay, 2)
      backup.endWrite()
      assert.deepStrictEqual(said, ["PrepareOk"])
      yield* Effect.replicateEffect(Effect.yieldNow, 2, { discard: true })
      assert.deepStrictEqual([said, backup.flushes.underWay], [["PrepareOk", "PrepareOk"], 1])

      // With its own copy the primary has a quorum.
      const primary = yield* scene("r1::n1")
      const answered = yield* routed(primary)
      yield* primary.tellOnly(register(1))
      yield* primary.tellOnly({ _tag: "Message", from: "r2::n2", epoch: 0, message: { _tag: "PrepareOk", view: 0, op: 1 } })
      assert.deepStrictEqual(answered, ["Prepare", "Prepare"])
      primary.endWrite()
      assert.deepStrictEqual(answered, ["Prepare", "Prepare", "reply"])
    }).pipe(Effect.scoped))

  it.effect("writes no more once its disk has refused, or it has been stopped, though that may still be busy", () =>
    Effect.gen(function*() {
      for (const refusal of [new JournalError({ during: "write", file: "1.log", message: "full" }), null]) {
        const primary = yield* scene("r1::n1", false, refusal)
        yield* primary.tellOnly(register(1))
        assert.strictEqual(primary.flushes.underWay, 1)
        if (refusal === null) yield* Fiber.interrupt(primary.fiber)
        else yield* primary.flushed
        yield* Fiber.await(primary.fiber)
        assert.strictEqual(primary.flushes.underWay, 0)
      }
    }).pipe(Effect.scoped))
})
