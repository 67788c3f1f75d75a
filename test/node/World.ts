/**
 * Whole nodes in one process: the real parts over a network, disks and time that are the test's own. Nodes start, stop
 * and come back with their disks; connections between any two can be held up, as by a network that swallows everything.
 *
 * @module
 */
import { it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { makeAdmin } from "../../src/client/Admin.ts"
import { type ClientOptions, V2R2 } from "../../src/client/index.ts"
import { Closed, type Duplex, Network, NetworkError } from "../../src/network/Network.ts"
import type { Config } from "../../src/node/Config.ts"
import { Metrics } from "../../src/node/Metrics.ts"
import { Node, type NodeFailure } from "../../src/node/Node.ts"
import type { NodeStoreError } from "../../src/storage/NodeStore.ts"
import type { AdminError, Args, ClusterStatus, CommandName, Durability, Ok, ReplicaStatus } from "../../src/wire/AdminProtocol.ts"
import { configOf, layerOf, TestNode } from "./TestNode.ts"

export { TestNode } from "./TestNode.ts"

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (data: Uint8Array): string => new TextDecoder().decode(data)

/** Of each node's log, when a test fails. */
const shown_lines_max = 300

export class World {
  private readonly network: Network["Service"]
  private readonly nodes: Array<TestNode> = []
  /** By `<host> → <host>`: closed while nothing gets through in that direction. */
  /** By host. */
  private readonly losses = new Map<string, number>()
  private readonly held = new Map<string, Latch.Latch>()
  /** Whatever is sent takes up to so long, by chance. */
  latency_ms = 0
  /** How long the end of a connection takes, as if the other side did not read. */
  linger_ms = 0

  constructor(network: Network["Service"]) {
    this.network = network
  }

  /** A node, not started. */
  make(name: string, changes: Partial<Config> = {}, host = name): TestNode {
    const node = new TestNode(configOf(name, changes, host))
    this.nodes.push(node)
    return node
  }

  /** Returns once it listens. */
  start(node: TestNode): Effect.Effect<void, NodeFailure | NodeStoreError> {
    const layer = layerOf(node, this.networkOf(hostOf(node.config.cluster_host)))
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer, scope).pipe(
        Effect.onError(() => Scope.close(scope, Exit.void))
      )
      node.scope = scope
      node.metrics = Context.get(context, Metrics)
      node.crashed = Context.get(context, Node).crashed
    })
  }

  /** As SIGTERM would. Returns once it has ended. */
  stop(node: TestNode): Effect.Effect<void> {
    const scope = node.scope
    node.scope = null
    return scope === null ? Effect.void : Scope.close(scope, Exit.void)
  }

  /**
   * All these lose their power at the same moment: what is on their disks by then is there when they start again, and
   * nobody hears of them any more.
   */
  crash(nodes: ReadonlyArray<TestNode>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const others = this.nodes.filter((node) => node.scope !== null)
      for (const node of nodes) {
        node.disk = { ...node.disk, locked: false, journals: new Map(node.disk.journals) }
        this.losses.set(placeOf(node), this.powerLosses(placeOf(node)) + 1)
        for (const other of others) this.hold(node, other)
        this.latch("client", placeOf(node)).closeUnsafe()
        this.latch(placeOf(node), "client").closeUnsafe()
      }
      yield* Effect.forEach(nodes, (node) => this.stop(node), { discard: true, concurrency: "unbounded" })
      for (const node of nodes) {
        for (const other of others) this.release(node, other)
        this.latch("client", placeOf(node)).openUnsafe()
        this.latch(placeOf(node), "client").openUnsafe()
      }
    })
  }

  private powerLosses(host: string): number {
    return this.losses.get(host) ?? 0
  }

  get stopAll(): Effect.Effect<void> {
    return Effect.forEach(this.nodes, (node) => this.stop(node), { discard: true, concurrency: "unbounded" })
  }

  /** What is sent between the two waits, both ways; new connections time out. */
  hold(a: TestNode, b: TestNode): void {
    this.latch(placeOf(a), placeOf(b)).closeUnsafe()
    this.latch(placeOf(b), placeOf(a)).closeUnsafe()
  }

  /** Ends {@link hold}. */
  release(a: TestNode, b: TestNode): void {
    this.latch(placeOf(a), placeOf(b)).openUnsafe()
    this.latch(placeOf(b), placeOf(a)).openUnsafe()
  }

  /** The network as seen by whoever sits at `host`. */
  networkOf(host: string): Network["Service"] {
    const { network } = this
    return {
      listen: (address, onConnection) =>
        network.listen(address, (duplex) => Effect.ensuring(onConnection(duplex), this.linger)),
      connect: Effect.fnUntraced({ self: this }, function*(address: string) {
        const there = this.latch(host, hostOf(address))
        const back = this.latch(hostOf(address), host)
        if (!there.isOpen() || !back.isOpen()) {
          yield* Effect.sleep(2_000)
          return yield* new NetworkError({ address, reason: "timed out" })
        }
        const { pull, remote, write } = yield* network.connect(address)
        const before = this.powerLosses(hostOf(address))
        yield* Effect.addFinalizer(() => this.linger)
        return {
          remote,
          pull: Effect.flatMap(pull, (chunks) => back.await.pipe(
            Effect.andThen(this.delay),
            // What the machine there said while it was ending, after it had lost its power, nobody may hear.
            Effect.andThen(Effect.suspend(() =>
              this.powerLosses(hostOf(address)) === before ? Effect.succeed(chunks) : new Closed({ reason: "reset" })))
          )),
          write: (chunks) => there.await.pipe(Effect.andThen(this.delay), Effect.andThen(write(chunks))),
          writeNow: () => false
        } satisfies Duplex
      })
    }
  }

  /** An admin command to one node. */
  ask<C extends CommandName>(node: TestNode, command: C, args: Args<C>): Effect.Effect<Ok<C>, AdminError> {
    return Effect.gen({ self: this }, function*() {
      const admin = yield* makeAdmin({ endpoints: [node.config.admin_host], deadline: "20 seconds" })
      return yield* admin.call(command, args)
    }).pipe(
      Effect.scoped,
      Effect.provideService(Network, this.networkOf("operator")),
      Effect.catch((error) => error._tag === "AdminError" ? Effect.fail(error) : Effect.die(error))
    )
  }

  client(nodes: ReadonlyArray<TestNode>, options: Partial<ClientOptions> = {}) {
    const endpoints = nodes.map(({ config }) => config.client_host)
    const layer = V2R2.layer({ endpoints, deadline: "20 seconds", ...options })
    return Effect.map(
      Layer.build(Layer.provide(layer, Layer.succeed(Network, this.networkOf("client")))),
      (context) => Context.get(context, V2R2)
    )
  }

  /** Nodes n1, n2, …, started and joined, every one connected to every other. */
  cluster(count: number, changes: Partial<Config> = {}) {
    return Effect.gen({ self: this }, function*() {
      const nodes = Array.from({ length: count }, (_, index) => this.make(`n${index + 1}`, changes))
      yield* Effect.forEach(nodes, (node) => this.start(node), { discard: true })
      for (const other of nodes.slice(1)) yield* this.ask(nodes[0]!, "cluster.join", { address: other.config.cluster_host })
      yield* this.meshed(nodes)
      return nodes
    })
  }

  meshed(nodes: ReadonlyArray<TestNode>): Effect.Effect<void> {
    return this.until("every node is connected to every other", Effect.map(
      Effect.forEach(nodes, (node) => this.ask(node, "cluster.status", {})),
      (statuses) => statuses.every((status) =>
        status.filter(({ state }) => state === "self" || state === "connected").length === nodes.length &&
        status.every(({ state }) => state !== "disconnected"))
    ))
  }

  /** With a replica r<i> on each of the nodes; returns its id once it has a primary, which is on the first node. */
  tenant(name: string, nodes: ReadonlyArray<TestNode>, durability: Durability = "disk") {
    return Effect.gen({ self: this }, function*() {
      const replicas = nodes.map((node, index) => ({ name: `r${index + 1}`, node: node.name }))
      const { id } = yield* this.ask(nodes[0]!, "vr.create", { name, replicas, durability })
      yield* this.until(`${name} has a primary`, Effect.map(this.ask(nodes[0]!, "vr.primary", { tenant: name }), ({ primary }) =>
        primary === `r1::${nodes[0]!.name}`))
      yield* this.until(`${name} has all its backups`, Effect.map(
        Effect.forEach(nodes.slice(1), (node) => this.replica(node, name)),
        (replicas) => replicas.every(({ state }) => state === "backup")
      ))
      return id
    })
  }

  /** The state of a node's replica, by the node itself. */
  replica(node: TestNode, tenant: string): Effect.Effect<ReplicaStatus, AdminError> {
    return Effect.gen({ self: this }, function*() {
      const tenants = yield* this.ask(node, "vr.tenants", {})
      const own = tenants.find(({ id, name }) => id === tenant || name === tenant)?.replicas
        .find((replica) => replica.node === node.name)
      return yield* this.ask(node, "vr.replica", { tenant, replica: own?.name ?? "?", node: node.name })
    })
  }

  status(node: TestNode): Effect.Effect<ClusterStatus, AdminError> {
    return this.ask(node, "status", {})
  }

  /** Asks again and again, while time passes. A refusal counts as "not yet". */
  until(what: string, probe: Effect.Effect<boolean, AdminError>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      let last = ""
      for (let turn = 0; turn < 2_000; turn++) {
        const holds = yield* Effect.catch(probe, (error) => Effect.sync(() => {
          last = error.message
          return false
        }))
        if (holds) return
        yield* Effect.sleep(10)
      }
      throw new Error(`it never happened: ${what}. ${last}`)
    })
  }

  get logs(): string {
    return this.nodes.flatMap(({ log, name }) => log.slice(-shown_lines_max).map((line) => `${name} | ${line}`)).join("\n")
  }

  private readonly linger: Effect.Effect<void> = Effect.suspend(() =>
    this.linger_ms === 0 ? Effect.void : Effect.sleep(this.linger_ms))

  private readonly delay: Effect.Effect<void> = Effect.suspend(() =>
    this.latency_ms === 0 ? Effect.void : Effect.flatMap(Random.nextIntBetween(0, this.latency_ms), Effect.sleep)
  )

  private latch(from: string, to: string): Latch.Latch {
    const way = `${from} → ${to}`
    const known = this.held.get(way) ?? Latch.makeUnsafe(true)
    this.held.set(way, known)
    return known
  }
}

const placeOf = (node: TestNode): string => hostOf(node.config.peer_host)

const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(":"))

/** Time passes whenever nobody has anything to do. */
const timeFlows: Effect.Effect<void, never, Scope.Scope> = TestClock.adjust(5).pipe(
  Effect.forever,
  Effect.forkScoped,
  Effect.asVoid
)

/** A test in a world of its own. At its end all nodes are stopped. If it fails, the logs are shown. */
export const story = <E>(
  name: string,
  test: (world: World) => Effect.Effect<void, E, Scope.Scope>,
  { seed = 1, timeout = 20_000 }: { readonly seed?: number; readonly timeout?: number } = {}
) =>
  it.effect(name, () => run(test, seed), timeout)

/** As a real clock, the test's one tells whole milliseconds only, however long somebody has slept. */
const wholeMilliseconds = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Clock.Clock, (clock) => {
    // All else, what tests do with it included, is as it was.
    const whole: Clock.Clock = Object.assign(Object.create(clock), {
      currentTimeMillis: Effect.map(clock.currentTimeMillis, Math.floor),
      currentTimeMillisUnsafe: () => Math.floor(clock.currentTimeMillisUnsafe())
    })
    return Effect.provideService(effect, Clock.Clock, whole)
  })

/** The same without a test around it: for many seeds in one. */
export const run = <E>(test: (world: World) => Effect.Effect<void, E, Scope.Scope>, seed: number): Effect.Effect<void, E> =>
  Effect.gen(function*() {
    const world = new World(yield* Network)
    yield* timeFlows
    yield* Effect.addFinalizer(() => world.stopAll)
    yield* Effect.tapCause(test(world), () => Effect.sync(() => console.error(world.logs)))
  }).pipe(Effect.scoped, Effect.provide(Network.layerMemory), Random.withSeed(seed), wholeMilliseconds)
