/**
 * The inbox of a replica that does not get to it: bounded by what its inputs hold, not only by their number.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { Limits } from "../../src/base/Limits.ts"
import { Dispatcher } from "../../src/node/Dispatcher.ts"
import { Intake } from "../../src/node/Intake.ts"
import { Metrics } from "../../src/node/Metrics.ts"
import {
  type LocalReplica, makeAnnouncements, makeDispatcherInbox, makeReplicaInbox, nothingWaits, takeInputs
} from "../../src/node/Queues.ts"
import { makeConfiguration } from "../../src/vr/Configuration.ts"
import type { Envelope } from "../../src/wire/PeerProtocol.ts"

const tenant = "6f9619ff-8b86-4d01-8b42-00cf4fc964ff"
const operation = new Uint8Array(1024 * 1024)
const most = Limits.replica_queue_bytes_max / operation.length

const prepare: Envelope = {
  tenant, to: "r1::n1", from: "r2::n2", epoch: 0,
  message: {
    _tag: "Prepare", view: 1, first: 1, commit: 0,
    entries: [{ op: 1, view: 1, time: 0, kind: "request", session: 1, request: 1, answered: 0, operation }]
  }
}

describe("the inbox of a replica", () => {
  it.effect("takes so many bytes, and again once the replica has taken them", () =>
    Effect.gen(function*() {
      const inbox = yield* makeDispatcherInbox
      const metrics = Context.get(yield* Layer.build(Metrics.layer), Metrics)
      const dispatcher = new Dispatcher({
        node: "n1", inbox, metrics, intake: new Intake(), announcements: yield* makeAnnouncements,
        peers: { isConnected: () => true, send: () => {}, flush: () => {}, nudge: () => {}, reconcile: () => Effect.void }
      })
      const replica: LocalReplica = { tenant, id: "r1::n1", inbox: yield* makeReplicaInbox, waiting: nothingWaits }
      yield* Effect.forkChild(dispatcher.run, { startImmediately: true })
      yield* Queue.offer(inbox, { _tag: "ReplicaStarted", replica, group: makeConfiguration(0, ["r1::n1", "r2::n2"]) })
      const getsTo = Effect.gen(function*() {
        const before = metrics.peer_messages_received
        yield* Queue.offer(inbox, { _tag: "FromPeer", envelopes: Array.from({ length: most + 10 }, () => prepare) })
        while (metrics.peer_messages_received < before + most + 10) yield* Effect.yieldNow
        return (yield* takeInputs(replica)).length
      })
      assert.strictEqual(yield* getsTo, most)
      assert.strictEqual(metrics.replica_inputs_dropped, 10)
      assert.strictEqual(yield* getsTo, most)
    }))
})
