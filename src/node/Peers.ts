/**
 * Connections to the other nodes' peer servers, one for each, for what this node's replicas send.
 *
 * A frame for a node that is not connected is dropped at once: the protocol resends, and old messages help nobody.
 *
 * @module
 */
import { isArrayNonEmpty } from "effect/Array"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { bytesOf } from "../base/Bytes.ts"
import { Limits } from "../base/Limits.ts"
import type { Member } from "../members/Members.ts"
import { connectFramed, type Framed, impatient, sendAll } from "../network/Framed.ts"
import { Closed, type Network } from "../network/Network.ts"
import type { Hello } from "../wire/Hello.ts"
import { keepConnected, settled_ms } from "./Dialing.ts"
import type { Counters } from "./Metrics.ts"
import { makePeerOutbox } from "./Queues.ts"

export interface PeerLinks {
  readonly isConnected: (node: string) => boolean
  /** Takes a whole frame, with its tail if it has one, or drops it. */
  readonly send: (node: string, frame: Uint8Array, tail: Uint8Array) => void
  /** The end of a turn: what was taken in it leaves in one write for each node, at once if nothing waits before it. */
  readonly flush: () => void
  /** That node has just been heard: if it is not connected, dial it now. */
  readonly nudge: (node: string) => void
  /** Dials these nodes from now on, and no others. */
  readonly reconcile: (others: ReadonlyArray<Member>) => Effect.Effect<void>
}

/** The same with what only the node itself asks for. */
export interface Peers extends PeerLinks {
  /** The connection to that node, unless it is new, is perhaps one to nobody: dials it anew. */
  readonly renew: (node: string, reason: string) => Effect.Effect<void>
}

interface Link {
  readonly address: string
  /** Of this turn. */
  taken: Array<Uint8Array>
  /** What could not be sent at once. */
  readonly outbox: Queue.Queue<Uint8Array>
  sendNow: Framed["sendNow"]
  readonly wake: Latch.Latch
  connected: boolean
  since_ms: number
  /** Ends the connection at hand. */
  end: Deferred.Deferred<never, Closed> | null
  /** Taken, and not sent yet. */
  waitingBytes: number
}

export interface PeerOptions {
  readonly hello: Hello
  readonly metrics: Counters
  /** The transport to that node broke. */
  readonly onLost: (node: string) => Effect.Effect<void>
}

export const makePeers = Effect.fnUntraced(function*(
  options: PeerOptions
): Effect.fn.Return<Peers, never, Scope.Scope | Network> {
  const links = new Map<string, Link>()
  /** Those of which something was taken in this turn. */
  const toFlush: Array<Link> = []
  const fibers = yield* FiberMap.make<string>()
  const network = yield* Effect.context<Network>()

  const reconcile = (others: ReadonlyArray<Member>): Effect.Effect<void> =>
    Effect.gen(function*() {
      const wanted = new Map(others.map((member) => [member.name, member.peer]))
      for (const [node, link] of links) {
        if (wanted.get(node) === link.address) continue
        links.delete(node)
        yield* FiberMap.remove(fibers, node)
      }
      for (const [node, address] of wanted) {
        if (links.has(node)) continue
        const outbox = yield* makePeerOutbox
        const link: Link = {
          address, outbox, taken: [], waitingBytes: 0, sendNow: () => false,
          wake: Latch.makeUnsafe(), connected: false, since_ms: 0, end: null
        }
        links.set(node, link)
        const talking = keepConnected("peer", node, link.wake, talk(options, node, link))
        yield* FiberMap.run(fibers, node, Effect.provideContext(talking, network))
      }
    })

  const renew = (node: string, reason: string): Effect.Effect<void> =>
    Effect.gen(function*() {
      const link = links.get(node)
      if (link?.connected !== true || link.end === null) return
      if ((yield* Clock.currentTimeMillis) - link.since_ms < settled_ms) return
      yield* Deferred.fail(link.end, new Closed({ reason }))
    })

  return {
    isConnected: (node) => links.get(node)?.connected ?? false,
    send: (node, frame, tail) => {
      const link = links.get(node)
      if (link?.connected !== true || !hasRoom(link, frame.length + tail.length)) {
        options.metrics.peer_messages_dropped++
        return
      }
      if (link.taken.length === 0) toFlush.push(link)
      link.taken.push(frame)
      if (tail.length > 0) link.taken.push(tail)
      link.waitingBytes += frame.length + tail.length
      options.metrics.peer_messages_sent++
    },
    flush: () => {
      for (const link of toFlush) leave(link)
      toFlush.length = 0
    },
    nudge: (node) => void links.get(node)?.wake.openUnsafe(),
    renew,
    reconcile
  }
})

/** For a frame and its tail. */
const hasRoom = ({ outbox, taken, waitingBytes }: Link, bytes: number): boolean =>
  waitingBytes + bytes <= Limits.peer_outbox_bytes_max && Queue.sizeUnsafe(outbox) + taken.length + 2 <= Limits.peer_outbox_max

const leave = (link: Link): void => {
  const frames = link.taken
  link.taken = []
  // Empty, if a new connection has begun meanwhile.
  if (!isArrayNonEmpty(frames)) return
  const bytes = bytesOf(frames)
  if (link.waitingBytes === bytes && link.sendNow(frames)) link.waitingBytes = 0
  else Queue.offerAllUnsafe(link.outbox, frames)
}

/** One connection, from the dial to its end. */
const talk = ({ hello, metrics, onLost }: PeerOptions, node: string, link: Link) =>
  Effect.gen(function*() {
    const framed = yield* connectFramed(link.address, hello)
    const end = yield* Deferred.make<never, Closed>()
    yield* Queue.clear(link.outbox)
    link.taken = []
    link.waitingBytes = 0
    link.sendNow = framed.sendNow
    link.connected = true
    link.since_ms = yield* Clock.currentTimeMillis
    link.end = end
    yield* Effect.addFinalizer(() => Effect.suspend(() => {
      link.connected = false
      metrics.peer_connections_lost++
      return onLost(node)
    }))
    const write = sendAll(link.outbox, { send: impatient(framed) }, (bytes) => {
      link.waitingBytes -= bytes
    })
    // Nothing is received here; reading is how the end of the connection is noticed while there is nothing to send.
    return yield* Effect.raceAllFirst([write, Effect.forever(framed.receive), Deferred.await(end)])
  })
