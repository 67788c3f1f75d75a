/**
 * How the client server hands over what has come.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { bytesOf } from "../../../src/base/Bytes.ts"
import { Limits } from "../../../src/base/Limits.ts"
import { Intake } from "../../../src/node/Intake.ts"
import { Metrics } from "../../../src/node/Metrics.ts"
import { makeDispatcherInbox } from "../../../src/node/Queues.ts"
import { serveClient } from "../../../src/node/servers/Client.ts"
import { encodeClientMessage } from "../../../src/wire/ClientProtocol.ts"
import { squeeze } from "../../simulation/Squeeze.ts"
import { makeWire, type Payloads } from "../../network/Wire.ts"

const pings = (count: number): Payloads => {
  const payload = (id: number): Uint8Array => encodeClientMessage({ _tag: "Ping", id }).subarray(4)
  return [payload(0), ...Array.from({ length: count - 1 }, (_, i) => payload(i + 1))]
}

const serve = Effect.gen(function*() {
  const dispatcher = yield* makeDispatcherInbox
  const metrics = Context.get(yield* Layer.build(Metrics.layer), Metrics)
  const { come, framed } = makeWire("v2r2-client", null)
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
