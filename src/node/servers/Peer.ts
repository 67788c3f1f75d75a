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
  /** Is that another node of the cluster? One that joins may dial us before we have heard of it. */
  readonly isMember: (node: string) => boolean
  /** A node that dials us is there to be dialled. */
  readonly onHeard: (node: string) => void
  /** It does so a second time: its first connection has ended on its side, by a crash as it may be. */
  readonly onHeardAgain: (node: string) => Effect.Effect<void>
}

export const frame_bytes_max = Limits.peer_frame_bytes_max

export const servePeer = ({ dispatcher, isMember, metrics, onHeard, onHeardAgain }: PeerServerOptions) => {
  /** How many connections each node has. */
  const open = new Map<string, number>()
  return (framed: Framed): Effect.Effect<void, Closed> => {
    const node = framed.hello.node ?? ""
    const before = open.get(node) ?? 0
    open.set(node, before + 1)
    onHeard(node)
    let known = false
    let said = false
    // A commit waits for it: if the dispatcher waits, it takes it now. To gather with what other nodes have sent would take a turn of the
    // event loop.
    const tell = (envelopes: ReadonlyArray<Envelope>) =>
      Effect.map(Queue.offer(dispatcher, { _tag: "FromPeer", envelopes }), () => Queue.flushUnsafe(dispatcher))
    const turn = Effect.flatMap(framed.receive, (payloads) => {
      known ||= isMember(node)
      const envelopes: Array<Envelope> = []
      let refused = 0
      for (const payload of payloads) {
        const envelope = decodeEnvelope(payload)
        if ("_tag" in envelope) {
          metrics.malformed_frames++
          return Effect.fail(malformed(`node ${node} sent no peer message: ${envelope.reason}`))
        }
        // Its protocol resends what matters, should it be a member that we do not know yet.
        if (known && envelope.from.endsWith(`::${node}`)) envelopes.push(envelope)
        else refused++
      }
      metrics.peer_messages_refused += refused
      const say = refused > 0 && !said
      said ||= say
      return Effect.andThen(
        say ? Effect.logWarning(refusal(framed.remote, node, known)) : Effect.void,
        envelopes.length > 0 ? tell(envelopes) : Effect.void
      )
    })
    const heard = before > 0 ? onHeardAgain(node) : Effect.void
    return Effect.ensuring(
      Effect.andThen(heard, Effect.forever(turn, { disableYield: true })),
      Effect.suspend(() => {
        const left = (open.get(node) ?? 1) - 1
        if (left === 0) open.delete(node)
        else open.set(node, left)
        return Queue.offer(dispatcher, { _tag: "NodeLost", node })
      })
    )
  }
}

/** Said once a connection: there may be very many. */
const refusal = (remote: string, node: string, known: boolean): string =>
  `peer connection from ${remote}: messages are dropped, as ${
    known ? `they are not from a replica on node ${node}, which sent them` : `node ${node} is not known in this cluster`
  }`
