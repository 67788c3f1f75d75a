/**
 * A node, whole: which parts there are, who gets whose queue, and in what order they start and stop.
 *
 * Start: gossip's view of the cluster, the dispatcher, then the servers that feed it, peer first and client last.
 * Stop: no new connections and requests, answers to what is under way, then everything in the reverse order.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { Limits } from "../base/Limits.ts"
import * as Members from "../members/Members.ts"
import type { Network, NetworkError } from "../network/Network.ts"
import type { Journals } from "../storage/Journal.ts"
import { NodeStore } from "../storage/NodeStore.ts"
import { type Hello, makeHello, type Protocol } from "../wire/Hello.ts"
import { makeCalls } from "./Calls.ts"
import { advertisedAddress, type Config } from "./Config.ts"
import { Dispatcher } from "./Dispatcher.ts"
import { type Gossip, makeGossip, type State } from "./Gossip.ts"
import { type Links, makeLinks } from "./Links.ts"
import { Metrics } from "./Metrics.ts"
import { makePeers } from "./Peers.ts"
import { makeDispatcherInbox } from "./Queues.ts"
import { makeReplicas } from "./Replicas.ts"
import * as AdminServer from "./servers/Admin.ts"
import * as ClientServer from "./servers/Client.ts"
import * as ClusterServer from "./servers/Cluster.ts"
import { startServer } from "./servers/Connection.ts"
import * as PeerServer from "./servers/Peer.ts"
import { Settings } from "./Settings.ts"
import { runGossipTicker, runTicker } from "./Ticker.ts"

/** A running node: where it can be reached. */
export class Node extends Context.Service<Node, { readonly self: Members.Member }>()("v2r2/node/Node") {
  /** Runs from when the layer is built until its scope ends. */
  static readonly layer = (
    config: Config
  ): Layer.Layer<Node, NodeFailure, Network | Journals | NodeStore | Settings | Metrics> =>
    Layer.effect(Node, startNode(config))
}

export type NodeFailure = NetworkError

const startNode = Effect.fnUntraced(function*(
  config: Config
): Effect.fn.Return<
  Node["Service"],
  NodeFailure,
  Network | Journals | NodeStore | Settings | Metrics | Scope.Scope
> {
  const store = yield* NodeStore
  const settings = yield* Settings
  const metrics = yield* Metrics
  const inbox = yield* makeDispatcherInbox
  const node = config.node_name
  const self = announce(config, store.identity.id)
  const hello = (protocol: Protocol, frame_bytes_max: number): Hello =>
    makeHello(protocol, { cluster: config.cluster_name, node, limits: { frame_bytes_max, ...clientLimits } })
  let stopping = false

  const replicas = yield* makeReplicas({ node, dispatcher: inbox, settings, metrics })
  const peers = yield* makePeers({
    hello: hello("v2r2-peer", PeerServer.frame_bytes_max),
    metrics,
    onLost: (lost) => Effect.asVoid(Queue.offer(inbox, { _tag: "NodeLost", node: lost }))
  })
  const links: Links = yield* makeLinks({
    hello: hello("v2r2-cluster", ClusterServer.frame_bytes_max),
    state: () => gossip.frame(),
    onState: (message, from) =>
      Effect.flatMap(gossip.merge(message), (refusal) =>
        refusal === null ? Effect.void : Effect.logWarning(`what node ${from} says of the cluster is refused: ${refusal}`))
  })
  const spread = (state: State): Effect.Effect<void> =>
    Effect.gen(function*() {
      metrics.gossip_changes++
      yield* keep(store, state)
      yield* Queue.offer(inbox, { _tag: "Topology", ...state })
      const others = Members.list(state.members).filter(({ name }) => name !== node)
      yield* peers.reconcile(others)
      yield* links.reconcile(others)
      yield* replicas.reconcile(state.tenants)
    })
  const gossip: Gossip["Service"] = yield* makeGossip({ self, kept: store.kept, onChange: spread, broadcast: links.broadcast })
  const calls = makeCalls({ node, gossip, links, replicas, dispatcher: inbox })
  const dispatcher = new Dispatcher({ node, inbox, peers, metrics })

  yield* Effect.forkScoped(dispatcher.run)
  const clusterHello = hello("v2r2-cluster", ClusterServer.frame_bytes_max)
  yield* startServer({
    what: "peer",
    address: config.peer_host,
    hello: hello("v2r2-peer", PeerServer.frame_bytes_max),
    frame_bytes_max: PeerServer.frame_bytes_max,
    serve: PeerServer.servePeer({ dispatcher: inbox, metrics })
  })
  yield* startServer({
    what: "cluster",
    address: config.cluster_host,
    hello: clusterHello,
    frame_bytes_max: ClusterServer.frame_bytes_max,
    verify: ClusterServer.verifyNode(node, self.cluster),
    serve: ClusterServer.serveCluster({ gossip, calls, metrics })
  })
  const network = yield* Effect.context<Network>()
  const serveAdmin = AdminServer.serveAdmin({ config, clusterHello, gossip, links, calls, settings, metrics })
  yield* startServer({
    what: "admin",
    address: config.admin_host,
    hello: hello("v2r2-admin", AdminServer.frame_bytes_max),
    frame_bytes_max: AdminServer.frame_bytes_max,
    serve: (framed) => Effect.provideContext(serveAdmin(framed), network)
  })
  yield* startServer({
    what: "client",
    address: config.client_host,
    hello: hello("v2r2-client", ClientServer.frame_bytes_max),
    frame_bytes_max: ClientServer.frame_bytes_max,
    serve: ClientServer.serveClient({ dispatcher: inbox, metrics, stopping: () => stopping })
  })
  yield* Effect.forkScoped(gossip.run)
  yield* Effect.forkScoped(runTicker(inbox, settings))
  yield* Effect.forkScoped(runGossipTicker(gossip, settings))
  yield* Effect.addFinalizer(() => {
    stopping = true
    return drain(dispatcher)
  })
  yield* Effect.logInfo(
    `node ${node} of cluster ${config.cluster_name} is ready: client ${self.client}, admin ${self.admin}, ` +
      `cluster ${self.cluster}, peer ${self.peer}`
  )
  return Node.of({ self })
})

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
const keep = (store: NodeStore["Service"], state: State): Effect.Effect<void> =>
  Effect.andThen(store.saveMembers(state.members), store.saveTenants(state.tenants)).pipe(
    Effect.catch((error) => Effect.logError(`members and tenants could not be saved: ${error.message}`))
  )

const drain_poll_ms = 10

/** Waits until what clients asked for is answered and written, but not for ever. */
const drain = (dispatcher: Dispatcher): Effect.Effect<void> =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    while (dispatcher.inFlight > 0 && (yield* Clock.currentTimeMillis) - start < Limits.shutdown_ms / 2) {
      yield* Effect.sleep(drain_poll_ms)
    }
  })
