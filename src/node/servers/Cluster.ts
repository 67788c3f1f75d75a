/**
 * The cluster server: takes in gossip from other nodes, answers it with this node's own, and serves their calls.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Semaphore from "effect/Semaphore"
import { Limits } from "../../base/Limits.ts"
import type { Framed } from "../../network/Framed.ts"
import { Closed } from "../../network/Network.ts"
import { type ClusterMessage, decodeClusterMessage, encodeClusterMessage } from "../../wire/ClusterProtocol.ts"
import { type Hello, type Reject, reject } from "../../wire/Hello.ts"
import type { Calls } from "../Calls.ts"
import { type Gossip, stopping_refusal } from "../Gossip.ts"
import type { Counters } from "../Metrics.ts"
import { complain, malformed } from "./Connection.ts"

export interface ClusterServerOptions {
  readonly gossip: Gossip["Service"]
  readonly calls: Calls
  readonly metrics: Counters
  /** A node that dials us is there to be dialled. */
  readonly onHeard: (node: string) => void
}

export const frame_bytes_max = Limits.cluster_frame_bytes_max

/** A node that has our name is turned away at once. */
export const verifyNode = (self: string, address: string) => (hello: Hello): Reject | null =>
  hello.node === self
    ? reject("name", `the node name "${self}" is already taken by the node with cluster address ${address}`)
    : null

export const serveCluster = ({ calls, gossip, metrics, onHeard }: ClusterServerOptions) => (framed: Framed) =>
  Effect.gen(function*() {
    const outbox = yield* Queue.bounded<Uint8Array>(Limits.link_calls_max)
    const permits = yield* Semaphore.make(Limits.link_calls_max)
    const node = framed.hello.node ?? ""
    onHeard(node)
    let told: Uint8Array | null = null

    const onState = (message: Extract<ClusterMessage, { readonly _tag: "State" }>): Effect.Effect<void, Closed> =>
      Effect.gen(function*() {
        metrics.gossip_received++
        const refusal = yield* gossip.merge(message)
        if (refusal !== null) {
          yield* complain(framed, failureFrame("conflict", refusal))
          if (refusal !== stopping_refusal) yield* Effect.logWarning(`what node ${node} says of the cluster is refused: ${refusal}`)
          return yield* new Closed({ reason: refusal })
        }
        const frame = gossip.frame()
        if (frame === told) return
        told = frame
        yield* Queue.offer(outbox, frame)
      })

    // A call may take long: each has a fiber of its own, and not too many at once.
    const onCall = ({ args, id, method }: Extract<ClusterMessage, { readonly _tag: "Call" }>) =>
      Effect.andThen(
        permits.take(1),
        calls.serve(method, args).pipe(
          Effect.map((ok): ClusterMessage => ({ _tag: "Return", id, ok })),
          Effect.catch(({ code, reason }) => Effect.succeed<ClusterMessage>({ _tag: "Failure", id, code, message: reason })),
          Effect.flatMap((answer) => Queue.offer(outbox, encodeClusterMessage(answer))),
          Effect.ensuring(permits.release(1)),
          Effect.forkChild
        )
      )

    const onPayload = (payload: Uint8Array): Effect.Effect<unknown, Closed> => {
      const message = decodeClusterMessage(payload)
      switch (message._tag) {
        case "State":
          return onState(message)
        case "Call":
          return onCall(message)
        case "Return":
        case "Failure":
          return Effect.void // This side asks nothing on this connection.
        case "Malformed":
          metrics.malformed_frames++
          return Effect.fail(malformed(`node ${node} sent no cluster message: ${message.reason}`))
      }
    }

    const read = Effect.flatMap(framed.receive, (payloads) => Effect.forEach(payloads, onPayload, { discard: true }))
    const write = Effect.flatMap(Queue.takeAll(outbox), framed.send)
    return yield* Effect.raceFirst(
      Effect.forever(read).pipe(Effect.tapError(({ malformed, reason }) =>
        malformed === true ? complain(framed, failureFrame("usage", reason)) : Effect.void)),
      Effect.forever(write)
    )
  })

/** Not the answer to a call, but to the whole connection. */
const failureFrame = (code: string, message: string): Uint8Array =>
  encodeClusterMessage({ _tag: "Failure", id: 0, code, message })
