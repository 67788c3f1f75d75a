/**
 * The peer server: takes in what other nodes' replicas send. A connection carries one direction only; its end says
 * that the node behind it may be gone.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { Limits } from "../../base/Limits.ts"
import type { Framed } from "../../network/Framed.ts"
import type { Closed } from "../../network/Network.ts"
import { decodeEnvelope, type Envelope } from "../../wire/PeerProtocol.ts"
import type { Counters } from "../Metrics.ts"
import type { DispatcherInbox } from "../Queues.ts"
import { malformed } from "./Connection.ts"

export interface PeerServerOptions {
  readonly dispatcher: DispatcherInbox
  readonly metrics: Counters
  /** A node that dials us is there to be dialled. */
  readonly onHeard: (node: string) => void
  /** It does so a second time: its first connection has ended on its side, by a crash as it may be. */
  readonly onHeardAgain: (node: string) => Effect.Effect<void>
}

export const frame_bytes_max = Limits.peer_frame_bytes_max

export const servePeer = ({ dispatcher, metrics, onHeard, onHeardAgain }: PeerServerOptions) => {
  /** How many connections each node has. */
  const open = new Map<string, number>()
  return (framed: Framed): Effect.Effect<void, Closed> => {
    const node = framed.hello.node ?? ""
    const before = open.get(node) ?? 0
    open.set(node, before + 1)
    onHeard(node)
    const turn = Effect.flatMap(framed.receive, (payloads) => {
      const envelopes: Array<Envelope> = []
      for (const payload of payloads) {
        const envelope = decodeEnvelope(payload)
        if ("_tag" in envelope) {
          metrics.malformed_frames++
          return Effect.fail(malformed(`node ${node} sent no peer message: ${envelope.reason}`))
        }
        envelopes.push(envelope)
      }
      return Queue.offer(dispatcher, { _tag: "FromPeer", envelopes })
    })
    const heard = before > 0 ? onHeardAgain(node) : Effect.void
    return Effect.ensuring(
      Effect.andThen(heard, Effect.forever(turn)),
      Effect.suspend(() => {
        const left = (open.get(node) ?? 1) - 1
        if (left === 0) open.delete(node)
        else open.set(node, left)
        return Queue.offer(dispatcher, { _tag: "NodeLost", node })
      })
    )
  }
}
