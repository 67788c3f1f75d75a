/**
 * The client server: decodes what has come into batches for the dispatcher, in turn with the other connections, and writes
 * what the dispatcher queued, one write for all that waits. It stops reading from a client that does not read its replies.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { bytesOf } from "../../base/Bytes.ts"
import { Limits } from "../../base/Limits.ts"
import { type Framed, sendAll } from "../../network/Framed.ts"
import type { Closed } from "../../network/Network.ts"
import { type ClientMessage, decodeClientMessage, encodeServerMessage } from "../../wire/ClientProtocol.ts"
import {
  admit, answer, type ClientConnection, condemn, dequeued, makeClientConnection, type Outboxes
} from "../ClientConnection.ts"
import type { Intake } from "../Intake.ts"
import type { Counters } from "../Metrics.ts"
import type { DispatcherInbox } from "../Queues.ts"
import { complain, malformed } from "./Connection.ts"

export interface ClientServerOptions {
  readonly dispatcher: DispatcherInbox
  readonly metrics: Counters
  readonly outboxes: Outboxes
  readonly intake: Intake
  /** True once the node stops: what is under way is answered, nothing more is read. */
  readonly stopping: () => boolean
}

export const frame_bytes_max = Limits.client_frame_bytes_max

let lastConnection = 0

export const serveClient = (options: ClientServerOptions) => (framed: Framed): Effect.Effect<void, Closed> =>
  Effect.gen(function*() {
    const { dispatcher, metrics, outboxes } = options
    const connection = yield* makeClientConnection(++lastConnection, framed, outboxes)
    metrics.client_connections++
    yield* Effect.raceFirst(
      Effect.forever(read(options, framed, connection), { disableYield: true }).pipe(
        Effect.tapError(({ malformed, reason }) => malformed === true ? complain(framed, errorFrame(reason)) : Effect.void)
      ),
      write(framed, connection)
    ).pipe(
      Effect.ensuring(Effect.suspend(() => {
        metrics.client_connections--
        condemn(connection, "the connection has ended")
        return Queue.offer(dispatcher, { _tag: "ClientGone", connection })
      }))
    )
  })

/**
 * What has come. Others get their turn only once there is enough for the dispatcher: a socket hands over 64 KiB at a time, and a batch
 * of requests that came to it in two turns would be two Prepares, and two flushes on each disk.
 */
const read = (
  { dispatcher, intake, metrics, stopping }: ClientServerOptions,
  framed: Framed,
  connection: ClientConnection
): Effect.Effect<void, Closed> =>
  Effect.flatMap(Effect.andThen(connection.room.await, framed.receive), (payloads) => {
    if (stopping()) return Effect.never
    const messages: Array<ClientMessage> = []
    for (const payload of payloads) {
      const message = decodeClientMessage(payload)
      if (message._tag !== "Malformed") {
        messages.push(message)
        continue
      }
      metrics.malformed_frames++
      if (!message.ignorable) return Effect.fail(malformed(message.reason))
      const complaint = errorFrame(message.reason)
      if (admit(connection, complaint.length)) answer(connection, [complaint])
    }
    const input = { _tag: "FromClient", connection, messages } as const
    intake.took(messages.length, bytesOf(payloads))
    if (Queue.offerUnsafe(dispatcher, input)) return intake.isEnough ? Effect.yieldNow : Effect.void
    return Effect.onInterrupt(Queue.offer(dispatcher, input), () => Effect.sync(() => intake.routed(messages.length)))
  })

const errorFrame = (message: string): Uint8Array => encodeServerMessage({ _tag: "Error", message })

/** Until the connection ends, or is condemned. */
const write = (framed: Framed, connection: ClientConnection): Effect.Effect<never, Closed> =>
  sendAll(connection.outbox, framed, (bytes) => dequeued(connection, bytes)).pipe(
    Effect.catchCause((cause) =>
      connection.fault === null ? Effect.failCause(cause) : Effect.fail(malformed(connection.fault)))
  )
