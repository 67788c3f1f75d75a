/**
 * A cluster to test the client against: nodes in a network in memory that speak the real client protocol, over one real
 * store and one real table of sessions for all of them. Tests move the primary, stop, freeze and cut nodes, and answer
 * messages in their own way.
 *
 * @module
 */
import { isArrayNonEmpty } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"
import { Limits } from "../../src/base/Limits.ts"
import { acceptFramed, type Framed } from "../../src/network/Framed.ts"
import { type Duplex, Network } from "../../src/network/Network.ts"
import { makeStore } from "../../src/store/Store.ts"
import {
  type ClientMessage, decodeClientMessage, encodeServerMessage, type Outcome, type ServerMessage, type TenantListing
} from "../../src/wire/ClientProtocol.ts"
import { makeHello } from "../../src/wire/Hello.ts"

interface FakeSession {
  readonly id: number
  answered: number
  readonly replies: Map<number, Uint8Array>
}

/** The replicated state of one tenant: the same whatever node is asked. */
export class FakeTenant {
  readonly id: string
  readonly name: string
  readonly store = makeStore()
  readonly sessions = new Map<number, FakeSession>()
  /** `session/request` of every write that was executed, in order. */
  readonly executed: Array<string> = []
  /** Their operations. */
  readonly operations: Array<Uint8Array> = []
  private readonly nonces = new Map<string, FakeSession>()
  private op = 0

  constructor(id: string, name: string) {
    this.id = id
    this.name = name
  }

  open(nonce: Uint8Array): number {
    const key = nonce.join()
    const known = this.nonces.get(key)
    if (known !== undefined && this.sessions.has(known.id)) return known.id
    const session = { id: ++this.op, answered: 0, replies: new Map() }
    this.nonces.set(key, session)
    this.sessions.set(session.id, session)
    return session.id
  }

  write(id: number, request: number, answered: number, operation: Uint8Array): Outcome {
    const session = this.sessions.get(id)
    if (session === undefined) return { _tag: "NoSession", message: "the session was evicted" }
    if (request > answered + Limits.session_window_max) return { _tag: "Refused", message: "beyond the window" }
    session.answered = Math.max(session.answered, answered)
    for (const number of session.replies.keys()) if (number <= session.answered) session.replies.delete(number)
    if (request <= session.answered) return { _tag: "Stale", message: `request ${request} is answered` }
    const reply = session.replies.get(request) ?? this.execute(id, request, operation)
    session.replies.set(request, reply)
    return { _tag: "Ok", result: reply }
  }

  private execute(session: number, request: number, operation: Uint8Array): Uint8Array {
    this.executed.push(`${session}/${request}`)
    this.operations.push(operation)
    return this.store.apply(operation, { op: ++this.op, time: 0, session })
  }
}

/** What a test lets a node do with a message instead of what is usual (`undefined`: as usual). */
export type Reaction = "ignore" | "hang up" | ReadonlyArray<ServerMessage> | Uint8Array | undefined

export class FakeNode {
  readonly name: string
  address: string
  /** Every message that came, over all connections. */
  readonly received: Array<ClientMessage> = []
  connections = 0
  /** How many times bytes came, in whatever number of frames. */
  batches = 0
  /** Connections that are open now. */
  readonly open = new Set<Latch.Latch>()
  /** Closed while the node does nothing at all. */
  readonly running = Latch.makeUnsafe(true)
  /** While this is an array, answers are put there instead of being sent. */
  held: Array<ServerMessage> | null = null
  newest: Framed | null = null
  intercept: (message: ClientMessage) => Reaction = () => undefined
  scope: Scope.Closeable | null = null

  constructor(name: string, address: string) {
    this.name = name
    this.address = address
  }

  count(tag: ClientMessage["_tag"]): number {
    return this.received.filter((message) => message._tag === tag).length
  }
}

interface Channel {
  readonly tenant: FakeTenant
  readonly session: number
}

export class FakeCluster {
  readonly tenants: Array<FakeTenant>
  readonly nodes: ReadonlyArray<FakeNode>
  /** Where the primary of all tenants is; null: nowhere. */
  primary: string | null = "n1"

  constructor(nodes: number, tenants = ["dev"]) {
    this.nodes = Array.from({ length: nodes }, (_, i) => new FakeNode(`n${i + 1}`, `host${i + 1}:2`))
    this.tenants = tenants.map((name, i) => new FakeTenant(`00000000-0000-4000-8000-00000000000${i}`, name))
  }

  node(name: string): FakeNode {
    const node = this.nodes.find((node) => node.name === name)
    if (node === undefined) throw new Error(`no node ${name}`)
    return node
  }

  get dev(): FakeTenant {
    return this.tenants[0]!
  }

  readonly startAll = Effect.suspend(() => Effect.forEach(this.nodes, (node) => this.start(node), { discard: true }))

  /** Listens until it is stopped, or the test ends. */
  start(node: FakeNode) {
    return Effect.gen({ self: this }, function*() {
      const network = yield* Network
      const scope = yield* Scope.make()
      node.scope = scope
      yield* Effect.addFinalizer(() => this.stop(node))
      node.address = yield* Scope.provide(network.listen(node.address, (duplex) => this.serve(node, duplex)), scope)
    })
  }

  stop(node: FakeNode): Effect.Effect<void> {
    const scope = node.scope
    node.scope = null
    return scope === null ? Effect.void : Scope.close(scope, Exit.void)
  }

  /** Ends all connections of this node; it goes on listening. */
  cut(node: FakeNode): Effect.Effect<void> {
    return Effect.sync(() => {
      for (const latch of node.open) latch.openUnsafe()
    })
  }

  /** Sends what was held back, over the newest connection. */
  release(node: FakeNode): Effect.Effect<void> {
    const frames = (node.held ?? []).map(encodeServerMessage)
    node.held = null
    return node.newest === null || !isArrayNonEmpty(frames) ? Effect.void : Effect.ignore(node.newest.send(frames))
  }

  private serve(node: FakeNode, duplex: Duplex): Effect.Effect<void> {
    const frame_bytes_max = Limits.client_frame_bytes_max
    const hello = makeHello("v2r2-client", { cluster: "test", node: node.name, limits: { frame_bytes_max } })
    const cutting = Latch.makeUnsafe(false)
    node.connections += 1
    node.open.add(cutting)
    return node.running.await.pipe(
      Effect.andThen(acceptFramed(duplex, hello, { frame_bytes_max })),
      Effect.flatMap((framed) => this.converse(node, framed, new Map())),
      Effect.raceFirst(cutting.await),
      Effect.ignore,
      Effect.ensuring(Effect.sync(() => node.open.delete(cutting)))
    )
  }

  private converse(node: FakeNode, framed: Framed, channels: Map<number, Channel>): Effect.Effect<void> {
    node.newest = framed
    return Effect.gen({ self: this }, function*() {
      for (;;) {
        const payloads = yield* framed.receive
        node.batches += 1
        yield* node.running.await
        const frames: Array<Uint8Array> = []
        for (const payload of payloads) {
          const message = decodeClientMessage(payload)
          if (message._tag === "Malformed") throw new Error(`the client sent ${message.reason}`)
          node.received.push(message)
          const reaction = node.intercept(message)
          if (reaction === "hang up") return
          if (reaction === "ignore") continue
          if (reaction instanceof Uint8Array) frames.push(reaction)
          else for (const answer of reaction ?? this.react(node, channels, message)) this.put(node, frames, answer)
        }
        if (isArrayNonEmpty(frames)) yield* framed.send(frames)
      }
    }).pipe(Effect.ignore)
  }

  private put(node: FakeNode, frames: Array<Uint8Array>, answer: ServerMessage): void {
    const isReply = answer._tag === "Written" || answer._tag === "Answer"
    if (node.held !== null && isReply) node.held.push(answer)
    else frames.push(encodeServerMessage(answer))
  }

  /** What an honest node answers. Executes writes. */
  react(node: FakeNode, channels: Map<number, Channel>, message: ClientMessage): ReadonlyArray<ServerMessage> {
    switch (message._tag) {
      case "Ping":
        return [{ _tag: "Pong", id: message.id }]
      case "Tenants":
        return [{ _tag: "Tenants", id: message.id, tenants: this.listing() }]
      case "Close":
        channels.delete(message.channel)
        return []
      case "Open":
      case "Attach":
        return this.bind(node, channels, message)
      case "Write": {
        const { channel, request, answered, operation } = message
        const bound = channels.get(channel)
        const outcome = this.elsewhere(node)
          ?? bound?.tenant.write(bound.session, request, answered, operation) ?? unknownChannel
        return [{ _tag: "Written", channel, request, outcome }]
      }
      case "Read": {
        const { channel, id, operation } = message
        const bound = channels.get(channel)
        const outcome: Outcome = this.elsewhere(node)
          ?? (bound === undefined ? unknownChannel : { _tag: "Ok", result: bound.tenant.store.query(operation) })
        return [{ _tag: "Answer", channel, id, outcome }]
      }
    }
  }

  private bind(
    node: FakeNode,
    channels: Map<number, Channel>,
    message: Extract<ClientMessage, { readonly _tag: "Open" | "Attach" }>
  ): ReadonlyArray<ServerMessage> {
    const { channel } = message
    const tenant = this.tenants.find(({ id, name }) => id === message.tenant || name === message.tenant)
    const failed = (outcome: Outcome): ReadonlyArray<ServerMessage> => [{ _tag: "Failed", channel, outcome }]
    if (tenant === undefined) return failed({ _tag: "NoTenant", message: `${message.tenant} is unknown here` })
    const elsewhere = this.elsewhere(node)
    if (elsewhere !== undefined) return failed(elsewhere)
    if (message._tag === "Open") {
      const session = tenant.open(message.nonce)
      channels.set(channel, { tenant, session })
      return [{ _tag: "Opened", channel, session, tenant: tenant.id }]
    }
    if (!tenant.sessions.has(message.session)) return failed({ _tag: "NoSession", message: "the session was evicted" })
    channels.set(channel, { tenant, session: message.session })
    return []
  }

  private elsewhere(node: FakeNode): Outcome | undefined {
    if (this.primary === node.name) return undefined
    if (this.primary === null) return { _tag: "Retry", ms: 100, reason: "no primary known" }
    return { _tag: "Redirect", address: this.node(this.primary).address, node: this.primary }
  }

  private listing(): ReadonlyArray<TenantListing> {
    const replicas = this.nodes.map(({ name, address }, i) => ({ name: `r${i + 1}`, node: name, address }))
    return this.tenants.map(({ id, name }) => ({ id, name, replicas }))
  }
}

const unknownChannel: Outcome = { _tag: "Refused", message: "the channel is unknown" }
