/**
 * A node, whole: which parts there are, who gets whose queue, and in what order they start and stop.
 *
 * Start: gossip's view of the cluster, the dispatcher, then the servers that feed it, peer first and client last.
 * Stop: no new connections and requests, answers to what is under way, then everything in the reverse order.
 *
 * @module
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { Limits } from "../base/Limits.ts"
import * as Members from "../members/Members.ts"
import type { Network } from "../network/Network.ts"
import type { Journals } from "../storage/Journal.ts"
import { NodeStore } from "../storage/NodeStore.ts"
import type { Uploads } from "../storage/Uploads.ts"
import { type Hello, makeHello, type Protocol } from "../wire/Hello.ts"
import { adopt, runAdoption } from "./Adoption.ts"
import { type Calls, makeCalls } from "./Calls.ts"
import type { Outboxes } from "./ClientConnection.ts"
import { advertisedAddress, type Config } from "./Config.ts"
import { Dispatcher } from "./Dispatcher.ts"
import { type Exports, makeExports } from "./Exports.ts"
import { lost_there } from "./Dialing.ts"
import { dutiesOf, type Gossip, makeGossip, type State, stopping_refusal } from "./Gossip.ts"
import { type Links, makeLinks } from "./Links.ts"
import { Metrics } from "./Metrics.ts"
import { makePeers, type Peers } from "./Peers.ts"
import { type Announcement, type DispatcherInbox, makeAnnouncements, makeDispatcherInbox } from "./Queues.ts"
import { type Imports, makeImports } from "./Imports.ts"
import { Intake } from "./Intake.ts"
import { makeReplicas } from "./Replicas.ts"
import * as AdminServer from "./servers/Admin.ts"
import * as ClientServer from "./servers/Client.ts"
import * as ClusterServer from "./servers/Cluster.ts"
import { type ServerOptions, startServer } from "./servers/Connection.ts"
import * as PeerServer from "./servers/Peer.ts"
import { Settings } from "./Settings.ts"
import { runGossipTicker, runTicker } from "./Ticker.ts"

/** One of the fibers that a node cannot do without has died: a bug. */
export class NodeCrashed extends Schema.TaggedError<NodeCrashed>()("NodeCrashed", { message: Schema.String }) {}

/** A running node: where it can be reached, and what says that it has crashed (else it waits for ever). */
export class Node extends Context.Service<Node, {
  readonly self: Members.Member
  readonly crashed: Effect.Effect<never, NodeCrashed>
}>()("v2r2/node/Node") {
  /** Runs from when the layer is built until its scope ends. */
  static readonly layer = (
    config: Config
  ): Layer.Layer<Node, NodeFailure, Ground> =>
    Layer.effect(Node, startNode(config))
}

/** An address of the configuration cannot be had: in use, or not of this machine. */
export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", {
  /** Of the configuration, such as `client_host`. */
  key: Schema.String,
  address: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.key}: cannot listen on ${this.address}: ${this.reason}; expected a free address of this machine`
  }
}

export type NodeFailure = ListenError

/** What a node stands on. */
type Ground = Network | Journals | NodeStore | Uploads | Settings | Metrics

const startNode = Effect.fnUntraced(function*(
  config: Config
): Effect.fn.Return<
  Node["Service"],
  NodeFailure,
  Ground | Scope.Scope
> {
  const settings = yield* Settings
  const parts = yield* makeParts(config)
  const { announcements, dispatcher, gossip, inbox, self } = parts
  const crash = yield* Deferred.make<never, NodeCrashed>()
  // Half a node is worse than none: its peers would go on waiting for it.
  const essential = (name: string, run: Effect.Effect<never>) =>
    run.pipe(
      Effect.tapCause((cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.andThen(
          Effect.logFatal(`the ${name} has died, and the node with it`, cause),
          Deferred.fail(crash, new NodeCrashed({ message: `the ${name} has died: ${String(Cause.squash(cause))}` }))
        )
      ),
      Effect.forkScoped
    )
  yield* essential("dispatcher", dispatcher.run)
  // Known before the first client can ask: what this node has kept is no news to it.
  yield* Queue.offer(inbox, { _tag: "Topology", ...gossip.state() })
  yield* Scope.provide(startServers(config, parts), yield* together)
  yield* essential("gossip", gossip.run)
  yield* essential("adoption", runAdoption(gossip, announcements))
  yield* essential("ticker", runTicker(inbox, settings))
  yield* essential("gossip ticker", runGossipTicker(gossip, settings))
  yield* Effect.addFinalizer(() => {
    parts.stopping = true
    return drain(dispatcher, parts.outboxes)
  })
  yield* Effect.logInfo(
    `node ${self.name} of cluster ${config.cluster_name} is ready: client ${self.client}, admin ${self.admin}, ` +
      `cluster ${self.cluster}, peer ${self.peer}`
  )
  return Node.of({ self, crashed: Deferred.await(crash) })
})

/** Parts whose connections take leave at the same time: each may take `linger_ms` if the other side does not read. */
const together: Effect.Effect<Scope.Scope, never, Scope.Scope> =
  Effect.flatMap(Effect.scope, (scope) => Scope.fork(scope, "parallel"))

/** In a scope of its own within one that closes many at the same time: what is in it closes in order. */
const inOrder = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) =>
    Effect.flatMap(Scope.fork(scope, "sequential"), (own) => Scope.provide(effect, own)))

/** What a node consists of, beside its servers. */
interface Parts {
  readonly self: Members.Member
  readonly inbox: DispatcherInbox
  readonly announcements: Queue.Queue<Announcement>
  readonly gossip: Gossip["Service"]
  readonly peers: Peers
  readonly links: Links
  readonly calls: Calls
  readonly dispatcher: Dispatcher
  readonly exports: Exports
  readonly imports: Imports
  readonly outboxes: Outboxes
  readonly intake: Intake
  stopping: boolean
}

const makeParts = Effect.fnUntraced(function*(
  config: Config
): Effect.fn.Return<Parts, never, Ground | Scope.Scope> {
  const store = yield* NodeStore
  const settings = yield* Settings
  const metrics = yield* Metrics
  const inbox = yield* makeDispatcherInbox
  const node = config.node_name
  const self = announce(config, store.identity.id)
  const announcements = yield* makeAnnouncements
  const replicas = yield* makeReplicas({
    node, dispatcher: inbox, flushes: { underWay: 0 }, settings, metrics,
    leases: { lease_ms: config.lease_ms, hold_ms: store.longest_lease_ms },
    adopt: (announcement) =>
      Effect.andThen(Effect.suspend(() => adopt(gossip, [announcement])), Effect.suspend(() => store.saveTenants(gossip.state().tenants)))
  })
  const outward = yield* together
  const peers = yield* Scope.provide(makePeers({
    hello: helloOf(config, "v2r2-peer", PeerServer.frame_bytes_max),
    metrics,
    onLost: (lost) => Effect.asVoid(Queue.offer(inbox, { _tag: "NodeLost", node: lost }))
  }), outward)
  const links: Links = yield* Scope.provide(makeLinks({
    hello: helloOf(config, "v2r2-cluster", ClusterServer.frame_bytes_max),
    state: () => gossip.frame(),
    onState: (message, from) =>
      Effect.flatMap(gossip.merge(message), (refusal) =>
        refusal === null || refusal === stopping_refusal
          ? Effect.void
          : Effect.logWarning(`what node ${from} says of the cluster is refused: ${refusal}`)),
    onSilent: (silent) => peers.renew(silent, "it gives no sign of life")
  }), outward)
  let unsaved: string | null = null
  const spread = (state: State): Effect.Effect<void> =>
    Effect.gen(function*() {
      metrics.gossip_changes++
      unsaved = yield* keep(store, state)
      yield* Queue.offer(inbox, { _tag: "Topology", ...state })
      const { others, tenants } = dutiesOf(state, self)
      yield* peers.reconcile(others)
      yield* links.reconcile(others)
      yield* replicas.reconcile(tenants)
    })
  const gossip: Gossip["Service"] = yield* makeGossip({
    self, kept: store.kept, onChange: spread, unsaved: () => unsaved, broadcast: links.broadcast
  })
  const imports = yield* makeImports(node)
  const calls = makeCalls({ node, gossip, links, replicas, imports, dispatcher: inbox })
  const intake = new Intake()
  const dispatcher = new Dispatcher({ node, inbox, peers, announcements, intake, metrics })
  const exports = yield* makeExports({ node, dispatcher: inbox })
  const outboxes: Outboxes = { bytes: 0 }
  return { self, inbox, announcements, gossip, peers, links, calls, dispatcher, exports, imports, outboxes, intake, stopping: false }
})

const startServers = Effect.fnUntraced(function*(
  config: Config,
  parts: Parts
): Effect.fn.Return<void, ListenError, Network | Settings | Metrics | Scope.Scope> {
  const { calls, exports, gossip, imports, inbox, links, peers, self } = parts
  const settings = yield* Settings
  const metrics = yield* Metrics
  const network = yield* Effect.context<Network>()
  const stopping = (): boolean => parts.stopping
  const start = (
    what: "admin" | "client" | "cluster" | "peer",
    options: Pick<ServerOptions, "frame_bytes_max" | "portions" | "serve" | "verify">
  ) => {
    const key = `${what}_host` as const
    const hello = helloOf(config, `v2r2-${what}`, options.frame_bytes_max)
    return inOrder(startServer({ what, address: config[key], hello, metrics, stopping, ...options })).pipe(
      Effect.mapError(({ address, reason }) => new ListenError({ key, address, reason }))
    )
  }
  yield* start("peer", {
    frame_bytes_max: PeerServer.frame_bytes_max,
    serve: PeerServer.servePeer({
      dispatcher: inbox,
      metrics,
      isMember: (node) => node !== self.name && Members.find(gossip.state().members, node) !== undefined,
      onHeard: peers.nudge,
      onHeardAgain: (node) => Effect.andThen(peers.renew(node, lost_there), links.renew(node))
    })
  })
  yield* start("cluster", {
    frame_bytes_max: ClusterServer.frame_bytes_max,
    verify: ClusterServer.verifyNode(self.name, self.cluster),
    serve: ClusterServer.serveCluster({ gossip, calls, metrics, onHeard: links.nudge })
  })
  const clusterHello = helloOf(config, "v2r2-cluster", ClusterServer.frame_bytes_max)
  const started_ms = yield* Clock.currentTimeMillis
  const serveAdmin = AdminServer.serveAdmin({ config, clusterHello, gossip, links, calls, exports, imports, settings, metrics, started_ms })
  yield* start("admin", {
    frame_bytes_max: AdminServer.frame_bytes_max,
    serve: (framed) => Effect.provideContext(serveAdmin(framed), network)
  })
  yield* start("client", {
    frame_bytes_max: ClientServer.frame_bytes_max,
    portions: parts.intake,
    serve: ClientServer.serveClient({ dispatcher: inbox, metrics, outboxes: parts.outboxes, intake: parts.intake, stopping })
  })
})

const helloOf = ({ cluster_name, node_name }: Config, protocol: Protocol, frame_bytes_max: number): Hello =>
  makeHello(protocol, { cluster: cluster_name, node: node_name, limits: { frame_bytes_max, ...clientLimits } })

/** Told to clients in the hello, so that a refusal surprises nobody. */
const clientLimits = {
  value_bytes_max: Limits.value_bytes_max,
  path_bytes_max: Limits.path_bytes_max,
  path_depth_max: Limits.path_depth_max,
  session_window_max: Limits.session_window_max
}

/** The addresses that others are told. */
const announce = (config: Config, id: string): Members.Member => ({
  id,
  name: config.node_name,
  admin: advertisedAddress(config, config.admin_host),
  client: advertisedAddress(config, config.client_host),
  cluster: advertisedAddress(config, config.cluster_host),
  peer: advertisedAddress(config, config.peer_host)
})

/** What cannot be kept is kept in memory, and said: a restart would then have to join again. */
const keep = (store: NodeStore["Service"], state: State): Effect.Effect<string | null> =>
  Effect.andThen(store.saveMembers(state.members), store.saveTenants(state.tenants)).pipe(
    Effect.as(null),
    Effect.catch(({ message }) => Effect.as(Effect.logError(`members and tenants could not be saved: ${message}`), message))
  )

const drain_poll_ms = 10

/** Waits until what clients asked for is answered and written, but not for ever, and not for who does not read. */
const drain = (dispatcher: Dispatcher, outboxes: Outboxes): Effect.Effect<void> =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    let now = start
    let written = { bytes: outboxes.bytes, at: start }
    const waits = (): boolean =>
      dispatcher.inFlight > 0 || (outboxes.bytes > 0 && now - written.at < Limits.shutdown_stalled_ms)
    // First of all a moment for what was read and is not counted yet.
    do {
      yield* Effect.sleep(drain_poll_ms)
      now = yield* Clock.currentTimeMillis
      if (outboxes.bytes !== written.bytes) written = { bytes: outboxes.bytes, at: now }
    } while (waits() && now - start < Limits.shutdown_ms / 2)
  })
