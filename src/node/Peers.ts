/**
 * Connections to the other nodes' peer servers, one for each, for what this node's replicas send.
 *
 * A frame for a node that is not connected is dropped at once: the protocol resends, and old messages help nobody.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { Limits } from "../base/Limits.ts"
import type { Member } from "../members/Members.ts"
import { connectFramed, sendAll } from "../network/Framed.ts"
import { Closed, type Network } from "../network/Network.ts"
import type { Hello } from "../wire/Hello.ts"
import { keepConnected, settled_ms } from "./Dialing.ts"
import type { Counters } from "./Metrics.ts"
import { makePeerOutbox } from "./Queues.ts"

export interface PeerLinks {
  readonly isConnected: (node: string) => boolean
  /** Queues a whole frame, with its tail if it has one, or drops it. */
  readonly send: (node: string, frame: Uint8Array, tail: Uint8Array) => void
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
  readonly outbox: Queue.Queue<Uint8Array>
  readonly wake: Latch.Latch
  connected: boolean
  since_ms: number
  /** Ends the connection at hand. */
  end: Deferred.Deferred<never, Closed> | null
  queuedBytes: number
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
          address, outbox, wake: Latch.makeUnsafe(), connected: false, since_ms: 0, end: null, queuedBytes: 0
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
      Queue.offerUnsafe(link.outbox, frame)
      if (tail.length > 0) Queue.offerUnsafe(link.outbox, tail)
      link.queuedBytes += frame.length + tail.length
      options.metrics.peer_messages_sent++
    },
    nudge: (node) => void links.get(node)?.wake.openUnsafe(),
    renew,
    reconcile
  }
})

/** For a frame and its tail. */
const hasRoom = ({ outbox, queuedBytes }: Link, bytes: number): boolean =>
  queuedBytes + bytes <= Limits.peer_outbox_bytes_max && Queue.sizeUnsafe(outbox) + 2 <= Limits.peer_outbox_max

/** One connection, from the dial to its end. */
const talk = ({ hello, metrics, onLost }: PeerOptions, node: string, link: Link) =>
  Effect.gen(function*() {
    const framed = yield* connectFramed(link.address, hello)
    const end = yield* Deferred.make<never, Closed>()
    yield* Queue.clear(link.outbox)
    link.queuedBytes = 0
    link.connected = true
    link.since_ms = yield* Clock.currentTimeMillis
    link.end = end
    yield* Effect.addFinalizer(() => Effect.suspend(() => {
      link.connected = false
      metrics.peer_connections_lost++
      return onLost(node)
    }))
    const write = sendAll(link.outbox, framed, (bytes) => {
      link.queuedBytes -= bytes
    })
    // Nothing is received here; reading is how the end of the connection is noticed while there is nothing to send.
    return yield* Effect.raceAllFirst([write, Effect.forever(framed.receive), Deferred.await(end)])
  })
