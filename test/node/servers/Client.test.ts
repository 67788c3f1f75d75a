/**
 * How the client server hands over what has come.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { bytesOf } from "../../../src/base/Bytes.ts"
import { Limits } from "../../../src/base/Limits.ts"
import type { Framed } from "../../../src/network/Framed.ts"
import { Intake } from "../../../src/node/Intake.ts"
import { Metrics } from "../../../src/node/Metrics.ts"
import { makeDispatcherInbox } from "../../../src/node/Queues.ts"
import { serveClient } from "../../../src/node/servers/Client.ts"
import { encodeClientMessage } from "../../../src/wire/ClientProtocol.ts"
import { makeHello } from "../../../src/wire/Hello.ts"
import { squeeze } from "../../simulation/Squeeze.ts"

type Payloads = NonEmptyReadonlyArray<Uint8Array>

/** A connection on which portions of payloads come when the test says so: all that it says at once is there at once. */
const makeWire = () => {
  const portions: Array<Payloads> = []
  let reader: ((payloads: Effect.Effect<Payloads>) => void) | null = null
  const receive: Framed["receive"] = Effect.suspend(() => {
    const next = portions.shift()
    if (next !== undefined) return Effect.succeed(next)
    return Effect.callback<Payloads>((resume) => {
      reader = resume
    })
  })
  const come = (...more: ReadonlyArray<Payloads>): void => {
    portions.push(...more)
    const resume = reader
    reader = null
    if (resume !== null) resume(Effect.succeed(portions.shift()!))
  }
  const framed: Framed = {
    remote: "a client",
    hello: makeHello("v2r2-client", { cluster: null, node: null, limits: { frame_bytes_max: Limits.client_frame_bytes_max } }),
    receive,
    send: () => Effect.void,
    sendNow: () => true
  }
  return { come, framed }
}

const pings = (count: number): Payloads => {
  const payload = (id: number): Uint8Array => encodeClientMessage({ _tag: "Ping", id }).subarray(4)
  return [payload(0), ...Array.from({ length: count - 1 }, (_, i) => payload(i + 1))]
}

const serve = Effect.gen(function*() {
  const dispatcher = yield* makeDispatcherInbox
  const metrics = Context.get(yield* Layer.build(Metrics.layer), Metrics)
  const { come, framed } = makeWire()
  const server = serveClient({ dispatcher, metrics, outboxes: { bytes: 0 }, intake: new Intake(), stopping: () => false })
  yield* Effect.forkChild(server(framed), { startImmediately: true })
  // Until it waits for what comes.
  yield* Effect.replicateEffect(Effect.yieldNow, 5, { discard: true })
  return { come, handed: () => Queue.sizeUnsafe(dispatcher) }
})

describe("the client server", () => {
  it.effect("hands over all that came before it was anybody else's turn", () =>
    Effect.gen(function*() {
      const { come, handed } = yield* serve
      come(pings(3))
      come(pings(2))
      come(pings(1), pings(1))
      assert.strictEqual(handed(), 4)
    }))

  it.effect("gives others their turn once there are so many bytes for the dispatcher", () =>
    Effect.gen(function*() {
      const { come, handed } = yield* serve
      const bytes = bytesOf(pings(3))
      yield* Effect.acquireRelease(Effect.sync(() => squeeze({ intake_bytes_max: 2 * bytes })), (release) => Effect.sync(release))
      come(pings(3), pings(3), pings(3))
      assert.strictEqual(handed(), 2)
      yield* Effect.yieldNow
      assert.strictEqual(handed(), 3)
    }))

  it.effect("gives others their turn after each whole slice", () =>
    Effect.gen(function*() {
      const { come, handed } = yield* serve
      come(pings(Limits.intake_slice_max), pings(Limits.intake_slice_max), pings(1))
      assert.strictEqual(handed(), 1)
      yield* Effect.yieldNow
      assert.strictEqual(handed(), 2)
      yield* Effect.yieldNow
      assert.strictEqual(handed(), 3)
    }))
})
