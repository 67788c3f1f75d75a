/**
 * The peer server and who sends it messages: only members, and only in the name of replicas that are theirs.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import { Closed } from "../../src/network/Network.ts"
import { Metrics } from "../../src/node/Metrics.ts"
import { makeDispatcherInbox } from "../../src/node/Queues.ts"
import { servePeer } from "../../src/node/servers/Peer.ts"
import { makeHello } from "../../src/wire/Hello.ts"
import { encodeEnvelope, encodeMessage } from "../../src/wire/PeerProtocol.ts"

const tenant = "6f9619ff-8b86-4d01-8b42-00cf4fc964ff"
const heartbeat = encodeMessage({ _tag: "Commit", view: 0, op: 0, commit: 0, round: 0, lease_ms: 0 }).slice()
const from = (replica: string): Uint8Array => encodeEnvelope(tenant, "r1::n1", replica, 0, heartbeat).subarray(4)

/** What the dispatcher gets of these batches, which "n2" sends, and what the log says. `joins`: before which batch. */
const sent = (batches: ReadonlyArray<ReadonlyArray<string>>, joins = 0) =>
  Effect.gen(function*() {
    const dispatcher = yield* makeDispatcherInbox
    const metrics = Context.get(yield* Layer.build(Metrics.layer), Metrics)
    const log: Array<string> = []
    let batch = 0
    const receive = Effect.suspend(() => {
      const [first, ...rest] = (batches[batch++] ?? []).map(from)
      return first === undefined ? new Closed({ reason: "the end" }) : Effect.succeed([first, ...rest] as const)
    })
    yield* servePeer({
      dispatcher, metrics, isMember: (node) => node === "n2" && batch > joins, onHeard: () => {}, onHeardAgain: () => Effect.void
    })({
      remote: "somewhere",
      hello: makeHello("v2r2-peer", { cluster: "test", node: "n2", limits: { frame_bytes_max: 1_000 } }),
      receive,
      send: () => Effect.void,
      sendNow: () => true
    }).pipe(
      Effect.ignore,
      Effect.provide(Logger.layer([Logger.make(({ message }) => void log.push(String(message)))]))
    )
    const got = (yield* Queue.takeAll(dispatcher)).flatMap((input) =>
      input._tag === "FromPeer" ? input.envelopes.map((envelope) => envelope.from) : [])
    return { got, log, refused: metrics.peer_messages_refused }
  })

describe("the peer server", () => {
  it.effect("takes what replicas of the node that sends it say", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* sent([["r2::n2", "other::n2"], ["r2::n2"]]), {
        got: ["r2::n2", "other::n2", "r2::n2"], log: [], refused: 0
      })
    }))

  it.effect("drops what is said in the name of others, and says so once", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* sent([["r3::n3", "r2::n2"], ["r1::n1", "r2::xn2", "r2::n22"]]), {
        got: ["r2::n2"],
        log: [
          "peer connection from somewhere: messages are dropped, as they are not from a replica on node n2, which sent them"
        ],
        refused: 4
      })
    }))

  it.effect("drops what a node says that is not known, until it is", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* sent([["r2::n2"], ["r2::n2"], ["r2::n2"], ["r2::n2"]], 2), {
        got: ["r2::n2", "r2::n2"],
        log: ["peer connection from somewhere: messages are dropped, as node n2 is not known in this cluster"],
        refused: 2
      })
    }))
})
