/**
 * A client's connection as the dispatcher sees it: its channels, how answers leave at once, and the outbox for those that
 * cannot, which its writer fiber empties.
 *
 * @module
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import { bytesOf } from "../base/Bytes.ts"
import { Limits } from "../base/Limits.ts"
import { Window } from "../base/Window.ts"
import type { Framed } from "../network/Framed.ts"
import type { ReplyTo } from "../vr/Replica.ts"
import { makeConnectionOutbox } from "./Queues.ts"

/** One session of one tenant on one connection. */
export interface Channel {
  readonly tenant: string
  readonly to: ReplyTo
  /** 0 while the registration is under way. */
  session: number
  /** The requests that were handed to a replica and not answered yet. One that is sent twice is answered once. */
  readonly writes: Window<true>
  /** Counts the reads, of which each is answered. */
  reads: number
}

export const makeChannel = (tenant: string, to: ReplyTo, session: number): Channel =>
  ({ tenant, to, session, writes: new Window(), reads: 0 })

export interface ClientConnection {
  readonly id: number
  readonly remote: string
  /** What could not be sent at once. */
  readonly outbox: Queue.Queue<Uint8Array>
  readonly sendNow: Framed["sendNow"]
  /** Open while the reader of this connection may go on. */
  readonly room: Latch.Latch
  /** Owned by the dispatcher. */
  readonly channels: Map<number, Channel>
  /** Queued or about to be, and not yet written. */
  outboxBytes: number
  /** The same of all connections of this node. */
  readonly together: Outboxes
  /** Why the connection has to end, once it has to. */
  fault: string | null
}

/** What waits for all clients of a node. */
export interface Outboxes {
  bytes: number
}

export const makeClientConnection = (
  id: number,
  { remote, sendNow }: Pick<Framed, "remote" | "sendNow">,
  together: Outboxes
): Effect.Effect<ClientConnection> =>
  Effect.map(makeConnectionOutbox, (outbox) => ({
    id,
    remote,
    outbox,
    sendNow,
    room: Latch.makeUnsafe(true),
    channels: new Map<number, Channel>(),
    outboxBytes: 0,
    together,
    fault: null
  }))

/**
 * How many answers clients wait for that are not in an outbox yet. A session that moved from one channel to another
 * is answered on the newer one: what it wrote on the older is not waited for.
 */
export const countUnanswered = (connections: Iterable<ClientConnection>): number => {
  let sum = 0
  const newest = new Map<string, Channel>()
  for (const { channels } of connections) {
    for (const channel of channels.values()) {
      sum += channel.reads
      if (channel.session === 0) sum++
      else newest.set(`${channel.tenant} ${channel.session}`, channel)
    }
  }
  for (const { writes } of newest.values()) sum += writes.size
  return sum
}

/**
 * Counts a frame that is to be queued, before it costs anything more. False: a client that does not read its replies
 * is cut off before it takes more than its share of memory.
 */
export const admit = (connection: ClientConnection, bytes: number): boolean => {
  if (connection.fault !== null) return false
  count(connection, bytes)
  if (connection.outboxBytes <= Limits.connection_outbox_bytes_max) return true
  condemn(connection, `the client does not read its replies: ${connection.outboxBytes} bytes wait`)
  return false
}

/** May an answer of this size be queued? If not, the client may ask again: a read costs nothing until it is answered. */
export const hasRoom = ({ outboxBytes, together }: ClientConnection, bytes: number): boolean =>
  outboxBytes + bytes <= Limits.connection_outbox_bytes_reads &&
  together.bytes + bytes <= Limits.outboxes_bytes_max * (outboxBytes === 0 ? 2 : 1)

/** Sends frames that were admitted, at once if nothing waits before them. */
export const answer = (connection: ClientConnection, frames: NonEmptyReadonlyArray<Uint8Array>): void => {
  if (connection.fault !== null) return
  const bytes = bytesOf(frames)
  if (connection.outboxBytes === bytes && connection.sendNow(frames)) return count(connection, -bytes)
  if (connection.outboxBytes > Limits.connection_outbox_bytes_soft) connection.room.closeUnsafe()
  Queue.offerAllUnsafe(connection.outbox, frames)
}

/** The writer fiber says what it has written. */
export const dequeued = (connection: ClientConnection, bytes: number): void => {
  if (connection.fault !== null) return
  count(connection, -bytes)
  if (connection.outboxBytes <= Limits.connection_outbox_bytes_soft) connection.room.openUnsafe()
}

/** Ends the connection: its fibers see the outbox close. */
export const condemn = (connection: ClientConnection, reason: string): void => {
  if (connection.fault !== null) return
  connection.fault = reason
  count(connection, -connection.outboxBytes)
  Queue.shutdownUnsafe(connection.outbox)
  connection.room.openUnsafe()
}

const count = (connection: ClientConnection, bytes: number): void => {
  connection.outboxBytes += bytes
  connection.together.bytes += bytes
}
