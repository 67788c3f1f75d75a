/**
 * A client's connection as the dispatcher sees it: its channels, and the outbox that its writer fiber empties.
 *
 * @module
 */
import * as Queue from "effect/Queue"
import { Limits } from "../base/Limits.ts"
import type { ReplyTo } from "../vr/Replica.ts"
import { makeConnectionOutbox } from "./Queues.ts"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"

/** One session of one tenant on one connection. */
export interface Channel {
  readonly tenant: string
  readonly to: ReplyTo
  /** 0 while the registration is under way. */
  session: number
}

export interface ClientConnection {
  readonly id: number
  readonly remote: string
  readonly outbox: Queue.Queue<Uint8Array>
  /** Open while the reader of this connection may go on. */
  readonly room: Latch.Latch
  /** Owned by the dispatcher. */
  readonly channels: Map<number, Channel>
  /** Queued and not yet written. */
  outboxBytes: number
  /** Handed to a replica and not answered yet. */
  inFlight: number
  /** Why the connection has to end, once it has to. */
  fault: string | null
}

export const makeClientConnection = (id: number, remote: string): Effect.Effect<ClientConnection> =>
  Effect.map(makeConnectionOutbox, (outbox) => ({
    id,
    remote,
    outbox,
    room: Latch.makeUnsafe(true),
    channels: new Map<number, Channel>(),
    outboxBytes: 0,
    inFlight: 0,
    fault: null
  }))

/** Queues frames. A client that does not read its replies is cut off before it costs more than its share of memory. */
export const enqueue = (connection: ClientConnection, frames: ReadonlyArray<Uint8Array>): void => {
  if (connection.fault !== null) return
  for (const frame of frames) connection.outboxBytes += frame.length
  if (connection.outboxBytes > Limits.connection_outbox_bytes_max) {
    return condemn(connection, `the client does not read its replies: ${connection.outboxBytes} bytes wait`)
  }
  if (connection.outboxBytes > Limits.connection_outbox_bytes_soft) connection.room.closeUnsafe()
  Queue.offerAllUnsafe(connection.outbox, frames)
}

/** The writer fiber says what it has written. */
export const dequeued = (connection: ClientConnection, bytes: number): void => {
  connection.outboxBytes -= bytes
  if (connection.outboxBytes <= Limits.connection_outbox_bytes_soft) connection.room.openUnsafe()
}

/** Ends the connection: its fibers see the outbox close. */
export const condemn = (connection: ClientConnection, reason: string): void => {
  if (connection.fault !== null) return
  connection.fault = reason
  Queue.shutdownUnsafe(connection.outbox)
  connection.room.openUnsafe()
}
