/**
 * One whole node for a test: the real parts, on a network, a disk and a log that are the test's own.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { Network } from "../../src/network/Network.ts"
import { type Config, ownerOf } from "../../src/node/Config.ts"
import { type Counters, Metrics } from "../../src/node/Metrics.ts"
import { Node, type NodeFailure } from "../../src/node/Node.ts"
import { Settings } from "../../src/node/Settings.ts"
import { type Journal, JournalError, Journals } from "../../src/storage/Journal.ts"
import { makeMemoryDisk, type MemoryDisk } from "../../src/storage/MemoryDisk.ts"
import { Uploads } from "../../src/storage/Uploads.ts"
import { NodeStore, NodeStoreError } from "../../src/storage/NodeStore.ts"
import type { Tenants } from "../../src/tenants/Tenants.ts"

/** Where a node of that name listens. `host` lets two nodes claim one name. */
export const configOf = (name: string, changes: Partial<Config> = {}, host = name): Config => ({
  node_name: name,
  cluster_name: "test",
  cluster_host: `${host}:2000`,
  admin_host: `${host}:2001`,
  client_host: `${host}:2002`,
  peer_host: `${host}:2003`,
  data_dir: "memory",
  advertise_host: null,
  heartbeat_ms: 100,
  view_change_ms: 500,
  gossip_ms: 1_000,
  log_level: "debug",
  log_format: "pretty",
  lease_ms: 0,
  ...changes
})

export class TestNode {
  readonly config: Config
  disk: MemoryDisk = makeMemoryDisk()
  /** Tenants whose journals fail on this node, when they are opened and when they are written, with the disk's words. */
  readonly brokenJournals = new Map<string, string>()
  /** How long the disk takes to save what the node knows. */
  save_ms = 0
  /** How long the disk takes to save what a replica must not forget, up to this, by chance. */
  write_ms = 0
  /** Whether the disk refuses to save these tenants. */
  refuses: (tenants: Tenants) => boolean = () => false
  /** A bug that saving runs into. */
  bug: string | null = null
  readonly log: Array<string> = []
  metrics: Counters | null = null
  scope: Scope.Closeable | null = null
  /** Fails if a part of the node that it cannot do without has died. */
  crashed: Node["Service"]["crashed"] = Effect.never

  constructor(config: Config) {
    this.config = config
  }

  get name(): string {
    return this.config.node_name
  }

  /** A line of its log. */
  say(line: string): void {
    this.log.push(line)
  }

  logged(pattern: RegExp): boolean {
    return this.log.some((line) => pattern.test(line))
  }
}

/** All of the node, running from when it is built until its scope ends. */
export const layerOf = (
  node: TestNode,
  network: Network["Service"]
): Layer.Layer<Node | Metrics, NodeFailure | NodeStoreError> => {
  const { config, disk } = node
  const logger = Logger.make(({ cause, logLevel, message }) => {
    const parts = Array.isArray(message) ? message : [message]
    node.say([logLevel, ...parts, ...(cause.reasons.length > 0 ? [String(cause)] : [])].join(" "))
  })
  const ground = Layer.mergeAll(
    Layer.succeed(Network, network),
    Layer.provide(slowStore(node), NodeStore.layerMemory(ownerOf(config), config.lease_ms, disk)),
    Layer.provide(fragileJournals(node), Journals.layerMemory(disk)),
    Uploads.layerMemory(disk),
    Metrics.layer,
    Settings.layer(config),
    Logger.layer([logger])
  )
  return Layer.provideMerge(Node.layer(config), ground)
}

/** What the node keeps, on a disk that may be slow. */
const slowStore = (node: TestNode): Layer.Layer<NodeStore, never, NodeStore> =>
  Layer.effect(NodeStore, Effect.map(NodeStore, (store) => ({
    ...store,
    saveTenants: (tenants) =>
      node.refuses(tenants)
        ? Effect.fail(new NodeStoreError({ kind: "unwritable", file: "tenants.json", message: "no space left" }))
        : store.saveTenants(tenants),
    saveMembers: (members) =>
      Effect.suspend(() => {
        if (node.bug !== null) throw new Error(node.bug)
        return Effect.andThen(node.save_ms > 0 ? Effect.sleep(node.save_ms) : Effect.void, store.saveMembers(members))
      })
  })))

/** Journals on the node's disk, of which single ones can break. */
const fragileJournals = (node: TestNode): Layer.Layer<Journals, never, Journals> =>
  Layer.effect(Journals, Effect.map(Journals, (journals) => ({
    ...journals,
    journal: (tenant, replica, durability) =>
      Effect.map(journals.journal(tenant, replica, durability), ({ open, restore, save, write }): Journal => ({
        restore,
        save,
        open: Effect.suspend(() => {
          const message = node.brokenJournals.get(tenant)
          return message === undefined
            ? open
            : Effect.fail(new JournalError({ during: "open", file: `${tenant}/head`, message }))
        }),
        write: (change) =>
          Effect.suspend(() => {
            const message = node.brokenJournals.get(tenant)
            if (message !== undefined) {
              return Effect.fail(new JournalError({ during: "write", file: `${tenant}/head`, message }))
            }
            if (node.write_ms === 0) return write(change)
            return Effect.andThen(Effect.flatMap(Random.nextIntBetween(0, node.write_ms), Effect.sleep), write(change))
          })
      }))
  })))
