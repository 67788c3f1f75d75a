/**
 * A connection in the test's hands, for one server or one client.
 *
 * @module
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Framed } from "../../src/network/Framed.ts"
import { makeHello, type Protocol } from "../../src/wire/Hello.ts"

export type Payloads = NonEmptyReadonlyArray<Uint8Array>

/**
 * A connection on which portions of payloads come when the test says so: all that it says at once is there at once. `sent`: how many frames
 * left in each write. While `room` is closed, one has to wait.
 */
export const makeWire = (protocol: Protocol, node: string | null) => {
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
  const sent: Array<number> = []
  const room = Latch.makeUnsafe(true)
  const write = (frames: Payloads): void => void sent.push(frames.length)
  const framed: Framed = {
    remote: "somebody",
    hello: makeHello(protocol, { cluster: null, node, limits: { frame_bytes_max: 1 } }),
    receive,
    send: (frames) => Effect.andThen(room.await, Effect.sync(() => write(frames))),
    sendNow: (frames) => {
      const isRoom = room.isOpen()
      if (isRoom) write(frames)
      return isRoom
    }
  }
  return { come, framed, sent, room }
}
