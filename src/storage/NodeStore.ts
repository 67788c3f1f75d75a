/**
 * What a node keeps under its `data_dir` beside the journals of its replicas (`Journal.ts`): who it is, and the members
 * and tenants that it knows. With these a restarted node comes back as itself, and knows which replicas it had.
 *
 * This file has the contract and the version in memory; `NodeStoreLive.ts` has the real one.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { uuid } from "../base/Names.ts"
import type { Members } from "../members/Members.ts"
import type { Tenants } from "../tenants/Tenants.ts"
import type { MemoryDisk } from "./MemoryDisk.ts"

/** Made when a node starts for the first time; never changed. */
export interface Identity {
  /** UUID. Tells this node, wherever it moves, from any other that has its name. */
  readonly id: string
  readonly name: string
  readonly cluster: string
  /** Milliseconds since 1970. */
  readonly created_ms: number
}

/** Who wants to use the store. */
export interface Owner {
  readonly name: string
  readonly cluster: string
}

export class NodeStoreError extends Schema.TaggedError<NodeStoreError>()("NodeStoreError", {
  /**
   * `locked`: another process uses it; `foreign`: it belongs to another node or cluster; `damaged`: something in it is
   * missing or not as it was written; `unwritable`: reading or writing failed.
   */
  kind: Schema.Literals(["locked", "foreign", "damaged", "unwritable"]),
  /** The file or folder. */
  file: Schema.String,
  /** One line: the file, what is wrong, and what to do. */
  message: Schema.String
}) {}

/** Open from the moment its layer is built until that layer's scope ends; one owner at a time. */
export class NodeStore extends Context.Service<NodeStore, {
  readonly identity: Identity
  /** As found when the store was opened. */
  readonly kept: { readonly members: Members; readonly tenants: Tenants }
  /** The longest lease that the node was ever set to grant: replicas that are started again may have granted it. */
  readonly longest_lease_ms: number
  /** Replaces what was kept, atomically: returns once it survives a crash. */
  readonly saveMembers: (members: Members) => Effect.Effect<void, NodeStoreError>
  /** Replaces what was kept, atomically: returns once it survives a crash. */
  readonly saveTenants: (tenants: Tenants) => Effect.Effect<void, NodeStoreError>
}>()("v2r2/storage/NodeStore") {
  /** Building the layer anew on the same disk is a restart. `lease_ms`: what the node is set to grant now. */
  static readonly layerMemory = (owner: Owner, lease_ms: number, disk: MemoryDisk): Layer.Layer<NodeStore, NodeStoreError> =>
    Layer.effect(
      NodeStore,
      Effect.gen(function*() {
        yield* Effect.acquireRelease(lockMemory(disk), () => Effect.sync(() => void (disk.locked = false)))
        const identity = disk.identity ?? (yield* newIdentity(owner))
        const foreign = foreignError(identity, owner, "the memory disk")
        if (foreign) return yield* foreign
        disk.identity = identity
        disk.longest_lease_ms = Math.max(disk.longest_lease_ms, lease_ms)
        const save = (change: () => void) =>
          Effect.suspend(() => {
            if (disk.failure !== null) return failure("unwritable", "the memory disk", disk.failure)
            change()
            return Effect.void
          })
        return {
          identity,
          kept: { members: disk.members, tenants: disk.tenants },
          longest_lease_ms: disk.longest_lease_ms,
          saveMembers: (members) => save(() => void (disk.members = members)),
          saveTenants: (tenants) => save(() => void (disk.tenants = tenants))
        }
      })
    )
}

const failure = (kind: NodeStoreError["kind"], file: string, message: string) =>
  Effect.fail(new NodeStoreError({ kind, file, message }))

const lockMemory = (disk: MemoryDisk): Effect.Effect<void, NodeStoreError> =>
  Effect.suspend(() => {
    if (disk.locked) return failure("locked", "the memory disk", "the memory disk is in use by another node")
    disk.locked = true
    return Effect.void
  })

/** For a node that starts for the first time. Chance and time are the services', so that a test can repeat them. */
const newIdentity = Effect.fnUntraced(function*({ name, cluster }: Owner) {
  const random = yield* Random.Random
  const id = uuid({ next: () => random.nextDoubleUnsafe() })
  return { id, name, cluster, created_ms: yield* Clock.currentTimeMillis } satisfies Identity
})

/** Does a store belong to someone else? */
export const foreignError = (identity: Identity, owner: Owner, file: string): NodeStoreError | null =>
  identity.name === owner.name && identity.cluster === owner.cluster ? null : new NodeStoreError({
    kind: "foreign",
    file,
    message: `${file} belongs to node "${identity.name}" of cluster "${identity.cluster}", ` +
      `not to node "${owner.name}" of cluster "${owner.cluster}": ` +
      `set data_dir to a folder of this node's own, or node_name and cluster_name to what they were`
  })
