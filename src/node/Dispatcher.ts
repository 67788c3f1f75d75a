/**
 * The dispatcher: the one place that routes. It takes batches from the servers and the replicas, hands requests to
 * local replicas, replicas' messages to the connections of their nodes, and replies to clients.
 *
 * It waits for nothing but its inbox, and one bad message or one dead replica does not stop it.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { Limits } from "../base/Limits.ts"
import type { Configuration } from "../vr/Configuration.ts"
import type { Message } from "../vr/Message.ts"
import type { ClientRequest, Send } from "../vr/Replica.ts"
import { encodeEnvelope, encodeMessage, type Envelope, tailOf } from "../wire/PeerProtocol.ts"
import { admit, answer, type ClientConnection, countUnanswered } from "./ClientConnection.ts"
import { onClientMessage, onOverload, onReplicaStopped, onReply, type Routes } from "./Clients.ts"
import { Directory } from "./Directory.ts"
import type { Intake } from "./Intake.ts"
import { Laggards } from "./Laggards.ts"
import type { Counters } from "./Metrics.ts"
import type { PeerLinks } from "./Peers.ts"
import {
  type Announcement, type DispatcherInbox, type DispatcherInput, inputBytes, type LocalReplica, type ReplicaInput
} from "./Queues.ts"

export interface DispatcherOptions {
  readonly node: string
  readonly inbox: DispatcherInbox
  readonly peers: PeerLinks
  /** Of groups that have changed, and of those that replicas start with: what is told twice does no harm. */
  readonly announcements: Queue.Enqueue<Announcement>
  /** Is told what has been routed. */
  readonly intake: Intake
  readonly metrics: Counters
}

export class Dispatcher {
  private readonly directory = new Directory()
  private readonly replicas = new Map<string, LocalReplica>()
  private readonly groups = new Map<LocalReplica, Configuration>()
  private readonly laggards = new Laggards()
  private readonly connections = new Map<number, ClientConnection>()
  /** Of this turn. Anew in each: a map that is cleared keeps what was in it for the collector, which copies it. */
  private requests = new Map<LocalReplica, [ClientRequest, ...Array<ClientRequest>]>()
  private answers = new Map<ClientConnection, [Uint8Array, ...Array<Uint8Array>]>()
  /** Those that other nodes have told something in this turn. */
  private told = new Set<LocalReplica>()
  private readonly routes: Routes
  private readonly options: DispatcherOptions
  /** The message encoded last: one message goes to several replicas in a row. */
  private lastMessage: Message | null = null
  private lastBytes: Uint8Array = new Uint8Array(0)

  constructor(options: DispatcherOptions) {
    this.options = options
    this.routes = {
      self: options.node,
      directory: this.directory,
      local: (tenant) => this.replicas.get(tenant),
      isConnected: (node) => options.peers.isConnected(node),
      connection: (id) => this.connections.get(id),
      request: (replica, request) => gather(this.requests, replica, request),
      answer: (connection, frame) => {
        if (admit(connection, frame.length)) gather(this.answers, connection, frame)
      },
      metrics: options.metrics
    }
  }

  /** Runs until it is interrupted. It waits where there is nothing to take; a yield beside that would be a turn for nothing. */
  readonly run: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(Effect.flatMap(Queue.takeAll(this.options.inbox), (inputs) => this.turn(inputs)), { disableYield: true })
  )

  /** How many requests of clients are under way and not answered: what a graceful stop waits for. */
  get inFlight(): number {
    return countUnanswered(this.connections.values())
  }

  private turn(inputs: ReadonlyArray<DispatcherInput>): Effect.Effect<void> {
    const failures: Array<unknown> = []
    let taken = 0
    for (const input of inputs) {
      if (input._tag === "FromClient") taken += input.messages.length
      try {
        this.route(input)
      } catch (failure) {
        failures.push(failure)
      }
    }
    this.flushRequests()
    this.flushAnswers()
    this.options.peers.flush()
    this.lastMessage = null
    this.options.intake.routed(taken)
    this.wake()
    return failures.length === 0
      ? Effect.void
      : Effect.forEach(failures, (failure) => Effect.logError("the dispatcher could not route an input", failure), {
        discard: true
      })
  }

  private route(input: DispatcherInput): void {
    switch (input._tag) {
      case "FromClient":
        this.connections.set(input.connection.id, input.connection)
        for (const message of input.messages) onClientMessage(this.routes, input.connection, message)
        return
      case "FromPeer":
        for (const envelope of input.envelopes) this.deliver(envelope)
        return
      case "FromReplica":
        for (const send of input.sends) this.send(input.replica, send)
        for (const reply of input.replies) onReply(this.routes, input.replica, reply)
        return
      case "Tick":
        return this.tick()
      case "NodeLost":
        return this.nodeLost(input.node)
      case "ClientGone":
        this.connections.delete(input.connection.id)
        return
      case "Topology":
        return this.directory.update(input.members, input.tenants)
      case "ReplicaStarted":
        this.replicas.set(input.replica.tenant, input.replica)
        return this.learn(input.replica, input.group)
      case "GroupChanged":
        return this.learn(input.replica, input.group)
      case "ReplicaStopped":
        return this.forget(input.replica)
      case "Ask": {
        const replica = this.replicas.get(input.tenant)
        if (replica === undefined || !this.offer(replica, input.question)) input.question.answer(null)
      }
    }
  }

  private tick(): void {
    for (const [replica, { epoch }] of this.groups) {
      this.offer(replica, { _tag: "Tick" })
      const call = this.laggards.onTick(replica, epoch, this.directory.tenant(replica.tenant))
      if (call !== null) this.send(replica, call)
    }
  }

  private learn(replica: LocalReplica, group: Configuration): void {
    if (this.replicas.get(replica.tenant) !== replica) return
    this.groups.set(replica, group)
    Queue.offerUnsafe(this.options.announcements, { tenant: replica.tenant, group })
  }

  private forget(replica: LocalReplica): void {
    this.groups.delete(replica)
    this.laggards.forget(replica)
    // Another one of the tenant may have started here.
    if (this.replicas.get(replica.tenant) !== replica) return
    this.replicas.delete(replica.tenant)
    for (const connection of this.connections.values()) onReplicaStopped(this.routes, connection, replica.tenant)
  }

  private deliver({ epoch, from, message, tenant, to }: Envelope): void {
    this.options.metrics.peer_messages_received++
    const replica = this.replicas.get(tenant)
    // Not ours: the sender's registry is older than ours, or newer. Its protocol resends what matters.
    if (replica?.id !== to || !this.offer(replica, { _tag: "Message", from, epoch, message })) return
    this.told.add(replica)
  }

  /** A commit waits for what another node has sent: who it is for takes it now, if it waits, and what that says is in the next turn. */
  private wake(): void {
    const { told } = this
    if (told.size === 0) return
    this.told = new Set()
    for (const replica of told) Queue.flushUnsafe(replica.inbox)
  }

  private offer(replica: LocalReplica, input: ReplicaInput): boolean {
    const { waiting } = replica
    const bytes = waiting.bytes + inputBytes(input)
    const requests = waiting.requests + (input._tag === "Requests" ? input.requests.length : 0)
    const fits = bytes <= Limits.replica_queue_bytes_max && requests <= Limits.replica_requests_max
    const taken = fits && Queue.offerUnsafe(replica.inbox, input)
    if (taken) replica.waiting = { bytes, requests }
    else this.options.metrics.replica_inputs_dropped++
    return taken
  }

  private send(from: LocalReplica, { epoch, message, to }: Send): void {
    const node = this.directory.nodeOf(to)
    if (node === undefined) return
    if (message !== this.lastMessage) {
      // Whatever becomes of this one: the bytes of the last one are overwritten.
      this.lastMessage = null
      this.lastBytes = encodeMessage(message)
      this.lastMessage = message
    }
    const tail = tailOf(message)
    this.options.peers.send(node, encodeEnvelope(from.tenant, to, from.id, epoch, this.lastBytes, tail), tail)
  }

  private nodeLost(node: string): void {
    for (const [replica, group] of this.groups) {
      const lost = group.replicas.find((id) => this.directory.nodeOf(id) === node)
      if (lost !== undefined) this.offer(replica, { _tag: "PeerLost", replica: lost })
    }
  }

  private flushRequests(): void {
    const { requests: all } = this
    if (all.size === 0) return
    this.requests = new Map()
    for (const [replica, requests] of all) {
      if (!this.offer(replica, { _tag: "Requests", requests })) onOverload(this.routes, replica, requests)
    }
  }

  private flushAnswers(): void {
    const { answers } = this
    if (answers.size === 0) return
    this.answers = new Map()
    for (const [connection, frames] of answers) answer(connection, frames)
  }
}

const gather = <K, V>(map: Map<K, [V, ...Array<V>]>, key: K, value: V): void => {
  const values = map.get(key)
  if (values === undefined) map.set(key, [value])
  else values.push(value)
}
