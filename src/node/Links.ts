/**
 * Connections to the other nodes' cluster servers, one for each: gossip goes out on them, and calls with their answers.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { Limits } from "../base/Limits.ts"
import type { Member } from "../members/Members.ts"
import { connectFramed, type HelloRejected, impatient, sendAll } from "../network/Framed.ts"
import { Closed, type Network, type NetworkError } from "../network/Network.ts"
import { type ClusterMessage, decodeClusterMessage, encodeClusterMessage } from "../wire/ClusterProtocol.ts"
import type { Hello } from "../wire/Hello.ts"
import { keepConnected, lost_there, settled_ms } from "./Dialing.ts"

/** Another node did not do what it was asked: it cannot be reached, did not answer in time, or said why not. */
export class CallError extends Schema.TaggedError<CallError>()("CallError", {
  node: Schema.String,
  /** `unavailable` and `timeout` are ours; others come from that node. */
  code: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `node ${this.node}: ${this.reason}`
  }
}

export interface LinkStatus {
  readonly connected: boolean
  /** Since when, ms since 1970. */
  readonly since_ms: number
  /** Why it is not connected; null if it is. */
  readonly reason: string | null
}

export interface Links {
  readonly reconcile: (others: ReadonlyArray<Member>) => Effect.Effect<void>
  /** That node has just been heard: if it is not connected, dial it now. */
  readonly nudge: (node: string) => void
  /** That node has lost its connection to us, and so has perhaps ours to it: dials it anew. */
  readonly renew: (node: string) => Effect.Effect<void>
  /** To all that are connected. */
  readonly broadcast: (frame: Uint8Array) => void
  readonly status: (node: string) => LinkStatus
  readonly connected: () => ReadonlyArray<string>
  /** Asks a node to do something; fails after `timeout_ms`. */
  readonly call: (
    node: string,
    method: string,
    args: unknown,
    timeout_ms: number
  ) => Effect.Effect<unknown, CallError>
}

interface Link {
  readonly address: string
  readonly outbox: Queue.Queue<Uint8Array>
  readonly calls: Map<number, Deferred.Deferred<unknown, CallError>>
  readonly wake: Latch.Latch
  lastCall: number
  status: LinkStatus
  /** Ends the connection at hand. */
  end: Deferred.Deferred<never, Closed> | null
}

export interface LinkOptions {
  readonly hello: Hello
  /** All that this node knows, as a whole frame. */
  readonly state: () => Uint8Array
  readonly onState: (message: Extract<ClusterMessage, { readonly _tag: "State" }>, node: string) => Effect.Effect<void>
  /** That node is connected and gives no sign of life. */
  readonly onSilent: (node: string) => Effect.Effect<void>
}

export const makeLinks = Effect.fnUntraced(function*(
  options: LinkOptions
): Effect.fn.Return<Links, never, Scope.Scope | Network> {
  const links = new Map<string, Link>()
  const fibers = yield* FiberMap.make<string>()
  const network = yield* Effect.context<Network>()

  const reconcile = (others: ReadonlyArray<Member>): Effect.Effect<void> =>
    Effect.gen(function*() {
      const wanted = new Map(others.map((member) => [member.name, member.cluster]))
      for (const [node, link] of links) {
        if (wanted.get(node) === link.address) continue
        links.delete(node)
        yield* FiberMap.remove(fibers, node)
        yield* down(node, link, wanted.has(node) ? "its address has changed" : "nothing more is to be said to it")
      }
      for (const [node, address] of wanted) {
        if (links.has(node)) continue
        const link = yield* makeLink(address)
        links.set(node, link)
        const talking = keepConnected("cluster", node, link.wake, talk(options, node, link))
        yield* FiberMap.run(fibers, node, Effect.provideContext(talking, network))
      }
    })

  return {
    reconcile,
    broadcast: (frame) => {
      for (const link of links.values()) if (link.status.connected) Queue.offerUnsafe(link.outbox, frame)
    },
    nudge: (node) => void links.get(node)?.wake.openUnsafe(),
    renew: (node) => Effect.suspend(() => renew(links.get(node))),
    status: (node) => links.get(node)?.status ?? { connected: false, since_ms: 0, reason: "not a member" },
    connected: () => [...links].filter(([, link]) => link.status.connected).map(([node]) => node),
    call: (node, method, args, timeout_ms) =>
      Effect.suspend(() => {
        const link = links.get(node)
        return link === undefined
          ? new CallError({ node, code: "not_found", reason: "not a member of the cluster" })
          : callOver(link, node, method, args, timeout_ms)
      })
  }
})

const makeLink = (address: string): Effect.Effect<Link> =>
  Effect.gen(function*() {
    return {
      address,
      outbox: yield* Queue.dropping<Uint8Array>(Limits.link_outbox_max),
      calls: new Map(),
      wake: Latch.makeUnsafe(),
      lastCall: 0,
      end: null,
      status: { connected: false, since_ms: yield* Clock.currentTimeMillis, reason: "not connected yet" }
    }
  })

/** One connection, from the dial to its end. */
const talk = (
  options: LinkOptions,
  node: string,
  link: Link
): Effect.Effect<never, Closed | HelloRejected | NetworkError, Scope.Scope | Network> =>
  Effect.gen(function*() {
    const framed = yield* connectFramed(link.address, options.hello)
    const send = impatient(framed)
    const end = yield* Deferred.make<never, Closed>()
    yield* Queue.clear(link.outbox)
    yield* send([options.state()])
    link.status = { connected: true, since_ms: yield* Clock.currentTimeMillis, reason: null }
    link.end = end
    yield* Effect.logInfo(`node ${node} is connected`)
    let silent_ms = 0
    const write = sendAll(link.outbox, { send }, () => {})
    const read = Effect.flatMap(framed.receive, (payloads) => {
      silent_ms = 0
      return Effect.forEach(payloads, (payload) => onMessage(options, node, link, decodeClusterMessage(payload)), {
        discard: true
      })
    })
    // Counted in looks: if it is we who stood still, the answers wait to be read.
    const look = Effect.andThen(Effect.sleep(Limits.link_look_ms), Effect.suspend(() => {
      silent_ms += Limits.link_look_ms
      if (silent_ms >= Limits.link_silent_ms) return silent(options, node, silent_ms)
      if (silent_ms >= Limits.link_ping_after_ms) Queue.offerUnsafe(link.outbox, ping(link))
      return Effect.void
    }))
    return yield* Effect.raceAllFirst([
      write, Effect.forever(read), Effect.forever(look), Deferred.await(end)
    ])
  }).pipe(Effect.tapError((failure) => down(node, link, failure.reason)))

const silent = ({ onSilent }: LinkOptions, node: string, ms: number): Effect.Effect<never, Closed> =>
  Effect.andThen(onSilent(node), new Closed({ reason: `silent for ${ms} ms` }))

/** A call whose answer, whatever it is, is all that matters. */
const ping = (link: Link): Uint8Array => encodeClusterMessage({ _tag: "Call", id: ++link.lastCall, method: "ping", args: null })

const renew = (link: Link | undefined): Effect.Effect<void> =>
  Effect.gen(function*() {
    if (link === undefined || link.end === null || !link.status.connected) return
    if ((yield* Clock.currentTimeMillis) - link.status.since_ms < settled_ms) return
    yield* Deferred.fail(link.end, new Closed({ reason: lost_there }))
  })

const down = (node: string, link: Link, reason: string): Effect.Effect<void> =>
  Effect.gen(function*() {
    if (link.status.connected) yield* Effect.logInfo(`node ${node} is disconnected: ${reason}`)
    const since_ms = link.status.connected ? yield* Clock.currentTimeMillis : link.status.since_ms
    link.status = { connected: false, since_ms, reason }
    const waiting = [...link.calls.values()]
    link.calls.clear()
    const error = new CallError({ node, code: "unavailable", reason: `disconnected: ${reason}` })
    yield* Effect.forEach(waiting, (call) => Deferred.fail(call, error), { discard: true })
  })

const onMessage = (
  { onState }: LinkOptions,
  node: string,
  link: Link,
  message: ReturnType<typeof decodeClusterMessage>
): Effect.Effect<unknown, Closed> => {
  switch (message._tag) {
    case "State":
      return onState(message, node)
    case "Return":
      return settle(link, message.id, (call) => Deferred.succeed(call, message.ok))
    case "Failure": {
      const { code, id, message: reason } = message
      if (id === 0) return Effect.fail(new Closed({ reason }))
      return settle(link, id, (call) => Deferred.fail(call, new CallError({ node, code, reason })))
    }
    case "Call":
      return Effect.void // A server is asked on the connection that its caller opened.
    case "Malformed":
      return Effect.fail(new Closed({ reason: `malformed: ${message.reason}`, malformed: true }))
  }
}

const settle = (
  link: Link,
  id: number,
  how: (call: Deferred.Deferred<unknown, CallError>) => Effect.Effect<unknown>
): Effect.Effect<unknown> => {
  const waiting = link.calls.get(id)
  link.calls.delete(id)
  return waiting === undefined ? Effect.void : how(waiting) // It came too late.
}

const callOver = (
  link: Link,
  node: string,
  method: string,
  args: unknown,
  timeout_ms: number
): Effect.Effect<unknown, CallError> => {
  if (!link.status.connected) {
    return Effect.fail(new CallError({ node, code: "unavailable", reason: `not connected: ${link.status.reason}` }))
  }
  const id = ++link.lastCall
  const answer = Deferred.makeUnsafe<unknown, CallError>()
  link.calls.set(id, answer)
  Queue.offerUnsafe(link.outbox, encodeClusterMessage({ _tag: "Call", id, method, args }))
  return Deferred.await(answer).pipe(
    Effect.timeoutOrElse({
      duration: timeout_ms,
      orElse: () => new CallError({ node, code: "timeout", reason: `no answer to ${method} in ${timeout_ms} ms` })
    }),
    Effect.ensuring(Effect.sync(() => link.calls.delete(id)))
  )
}
