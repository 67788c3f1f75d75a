/**
 * Snapshots that admins read: taken by a replica of this node, and given away part by part, while the replica goes on.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { Limits } from "../base/Limits.ts"
import { replicaId, uuid } from "../base/Names.ts"
import type { Tenant } from "../tenants/Tenants.ts"
import type { PartReader } from "../vr/Application.ts"
import { partRoom, type Snapshot } from "../vr/Snapshot.ts"
import { AdminError, type Args, type Ok } from "../wire/AdminProtocol.ts"
import { askReplica } from "./Asking.ts"
import { makeCustody } from "./Custody.ts"
import type { DispatcherInbox, TakenSnapshot } from "./Queues.ts"

export interface Exports {
  /** Takes a snapshot of the tenant's replica here. */
  readonly open: (tenant: Tenant, from: Args<"snapshot.open">["from"]) => Effect.Effect<Ok<"snapshot.open">, AdminError>
  /** The part behind the one that was given last; or that one again. */
  readonly part: (args: Args<"snapshot.part">) => Effect.Effect<Ok<"snapshot.part">, AdminError>
  readonly close: (snapshot: string) => Effect.Effect<void>
}

/** One that is being read. */
interface Export {
  readonly snapshot: Snapshot
  readonly reader: PartReader
  /** One piece of memory for all parts. */
  readonly room: Uint8Array
  /** Of `bytes`, which was given last. */
  index: number
  bytes: Uint8Array | null
}

/** How long a replica may take to answer. */
const answer_ms = 5_000

export const makeExports = Effect.fnUntraced(function*(
  { dispatcher, node }: { readonly node: string; readonly dispatcher: DispatcherInbox }
): Effect.fn.Return<Exports, never, Scope.Scope> {
  const kept = yield* makeCustody<Export>({
    max: Limits.exports_max,
    idle_ms: Limits.export_idle_ms,
    onIdle: ({ snapshot }, id) =>
      Effect.suspend(() => {
        snapshot.release()
        return Effect.logInfo(`the snapshot ${id}, which nobody has asked for of late, is let go`)
      })
  })

  /** Keeps it under an id, for whoever asked. */
  const keep = Effect.fnUntraced(function*({ elements, snapshot }: TakenSnapshot) {
    const random = yield* Random.Random
    const id = uuid({ next: () => random.nextDoubleUnsafe() })
    const { op, read, size } = snapshot
    const isKept = yield* kept.put(id, { snapshot, reader: read(), room: partRoom(), index: -1, bytes: null })
    return isKept ? { snapshot: id, op, elements, size } : yield* unavailable(
      `${Limits.exports_max} snapshots are being read from node ${node} already; one that is not asked for is let go ` +
        `after ${Limits.export_idle_ms / 1_000} s`
    )
  })

  const open: Exports["open"] = (tenant, from) =>
    Effect.uninterruptibleMask((restore) => Effect.gen(function*() {
      const label = tenant.name ?? tenant.id
      const own = tenant.replicas.find((replica) => replica.node === node)
      if (own === undefined) return yield* unavailable(`tenant ${label} has no replica on node ${node}`)
      const replica = replicaId(own)
      const taken = yield* restore(takeFrom(dispatcher, tenant))
      if (taken === null) return yield* unavailable(`replica ${replica} of tenant ${label} does not serve at this moment`)
      const isRefused = from === "primary" && !taken.isPrimary
      const given = isRefused ? unavailable(`replica ${replica} is not the primary of tenant ${label}`) : keep(taken)
      const { snapshot, ...facts } = yield* Effect.onError(given, () => Effect.sync(taken.snapshot.release))
      return { snapshot, tenant: tenant.id, name: tenant.name, replica, ...facts }
    }))

  return {
    open,
    part: ({ index, snapshot }) =>
      Effect.flatMap(kept.get(snapshot), (known) => {
        if (known === undefined) {
          const message = `node ${node} has no snapshot ${snapshot}: it was not asked for in time, or the node was restarted`
          return Effect.fail(new AdminError({ code: "not_found", message }))
        }
        const isNext = index === known.index + 1 && (index === 0 || known.bytes !== null)
        if (isNext) {
          known.bytes = known.reader.next(known.room)
          known.index = index
        }
        return index === known.index
          ? Effect.succeed({ bytes: known.bytes })
          : Effect.fail(new AdminError({ code: "usage", message: `part ${index} does not follow part ${known.index}` }))
      }),
    close: (snapshot) => Effect.uninterruptible(Effect.map(kept.take(snapshot), (known) => known?.snapshot.release()))
  }
})

const takeFrom = (dispatcher: DispatcherInbox, { id }: Tenant): Effect.Effect<TakenSnapshot | null> =>
  askReplica<TakenSnapshot>(dispatcher, id, (answer) => ({ _tag: "TakeSnapshot", answer }), answer_ms, ({ snapshot }) =>
    snapshot.release())

const unavailable = (message: string): Effect.Effect<never, AdminError> =>
  Effect.fail(new AdminError({ code: "unavailable", message }))
