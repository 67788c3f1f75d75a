/**
 * Reads what is left of a tenant in the folders of several nodes, and begins it anew from one of them. `Recovering.ts` knows
 * which one, and what is written.
 *
 * @module
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { type Journal, Journals, type ReplicaHead, type Stored } from "../storage/Journal.ts"
import { lastOp } from "../storage/JournalModel.ts"
import { platformReason } from "../storage/FilesLive.ts"
import * as JournalsLive from "../storage/JournalsLive.ts"
import { holdLock, lookAtLock, type LockRefusal } from "../storage/LockLive.ts"
import type { DiskError } from "../storage/log/LogDisk.ts"
import { makeReadableDisk } from "../storage/LogDiskLive.ts"
import type { Identity } from "../storage/NodeStore.ts"
import { lookAtStore } from "../storage/NodeStoreLive.ts"
import { readLog } from "../storage/OpeningLive.ts"
import { survey } from "../storage/SurveyLive.ts"
import { makeStore } from "../store/Store.ts"
import { find, merge, noTenants, type Tenant, type Tenants } from "../tenants/Tenants.ts"
import { replicaId } from "../base/Names.ts"
import type { Millis } from "../vr/Message.ts"
import { type Plan, recoveryWrite, type Survivor, survivorOf } from "./Recovering.ts"
import { readSnapshot } from "./Snapshots.ts"

/** What was asked for cannot be done, and nothing was. */
export class NotRecovered extends Data.TaggedError("NotRecovered")<{
  readonly exit: "usage" | "not_found" | "conflict" | "failed"
  readonly code: string
  readonly message: string
  readonly hint: string | null
}> {}

/** What the files of a node say, beside its replicas. */
interface NodeFolder {
  readonly folder: string
  readonly identity: Identity
  readonly tenants: Tenants
}

export interface Remains {
  readonly tenant: Tenant
  readonly survivors: ReadonlyArray<Survivor>
}

/** Changes nothing. `wanted`: the tenant, by name or id. */
export const readRemains = (
  fs: FileSystem.FileSystem,
  wanted: string,
  folders: ReadonlyArray<string>
): Effect.Effect<Remains, NotRecovered> =>
  Effect.gen(function*() {
    const nodes = yield* Effect.forEach(folders, (folder) => lookAt(fs, folder))
    yield* checkDistinct(nodes)
    const tenant = yield* tenantIn(nodes.reduce((all, { tenants }) => merge(all, tenants), noTenants), wanted)
    const survivors: Array<Survivor> = []
    for (const node of nodes) survivors.push(yield* readReplica(fs, tenant, node))
    return { tenant, survivors }
  })

const lookAt = (fs: FileSystem.FileSystem, folder: string): Effect.Effect<NodeFolder, NotRecovered> =>
  Effect.gen(function*() {
    yield* checkFree(fs, folder)
    const { identity, tenants } = yield* lookAtStore(fs, folder)
    if (Result.isFailure(identity)) return yield* refusal("failed", "file", identity.failure.message)
    if (Result.isFailure(tenants)) return yield* refusal("failed", "file", tenants.failure.message)
    if (identity.success === null) {
      return yield* refusal("not_found", "no_node", `there is nothing of a node in ${folder}`,
        "give the data_dir of a node, as its config.json names it, or a copy of that folder")
    }
    return { folder, identity: identity.success, tenants: tenants.success ?? noTenants }
  })

/** No node may run there: it would go on writing, and know nothing of what is written to its files. */
const checkFree = (fs: FileSystem.FileSystem, folder: string): Effect.Effect<void, NotRecovered> =>
  lookAtLock(fs, folder).pipe(
    Effect.mapError((error) => refusal("failed", "file", `cannot read ${folder}: ${platformReason(error)}`)),
    Effect.flatMap((held) => held === null ? Effect.void : Effect.fail(inUse(folder, held)))
  )

const inUse = (folder: string, { file, pid }: LockRefusal): NotRecovered =>
  refusal("conflict", "in_use", `${pid === null ? "another process" : `process ${pid}`} is at work in ${folder}`,
    `stop that node first (if that process is no v2r2 node, remove ${file})`)

const checkDistinct = (nodes: ReadonlyArray<NodeFolder>): Effect.Effect<void, NotRecovered> => {
  for (const [index, { folder, identity }] of nodes.entries()) {
    const same = nodes.slice(0, index).find((other) => other.identity.id === identity.id || other.identity.name === identity.name)
    if (same !== undefined) {
      return Effect.fail(refusal("usage", "twice", `${same.folder} and ${folder} are both of node ${identity.name}`,
        "give each node once; of two copies, the one that its node wrote to last"))
    }
    const other = nodes.find((one) => one.identity.cluster !== identity.cluster)
    if (other !== undefined) {
      return Effect.fail(refusal("usage", "clusters", `${other.folder} is of cluster ${other.identity.cluster}, and ${folder} of ` +
        `cluster ${identity.cluster}`, "give nodes of one cluster"))
    }
  }
  return Effect.void
}

const tenantIn = (tenants: Tenants, wanted: string): Effect.Effect<Tenant, NotRecovered> => {
  const tenant = find(tenants, wanted)
  if (tenant?.durability === "disk") return Effect.succeed(tenant)
  if (tenant !== undefined) {
    return Effect.fail(refusal("conflict", "memory", `tenant ${wanted} has durability memory: its replicas keep on their disks what ` +
      "they have promised, and nothing of its data, so there is nothing to recover it from",
    "make a new tenant, of a backup if there is one: snapshot restore <file> --tenant <name>"))
  }
  const known = [...tenants.values()].filter(({ id, name }) => id === wanted || name === wanted)
  if (known.some(({ withdrawn }) => withdrawn)) {
    return Effect.fail(refusal("conflict", "withdrawn", `tenant ${wanted} was deleted, or its creation was given up, for good`,
      "make a new tenant, of a backup if there is one: snapshot restore <file> --tenant <name>"))
  }
  const names = [...tenants.values()].filter((one) => one.confirmed && !one.withdrawn).map(({ id, name }) => name ?? id)
  return Effect.fail(refusal("not_found", "no_such_tenant", known.length > 0
    ? `the creation of tenant ${wanted} has not ended: there is nothing in it`
    : `none of these nodes knows a tenant ${wanted}`, `they know: ${names.length === 0 ? "none" : names.join(", ")}`))
}

/** What its node has of the tenant; without that, what it should have. */
const readReplica = (
  fs: FileSystem.FileSystem,
  tenant: Tenant,
  { folder, identity: { name: node } }: NodeFolder
): Effect.Effect<Survivor, NotRecovered> =>
  Effect.gen(function*() {
    const { replicas } = yield* Effect.mapError(survey(fs, folder), unreadable)
    const found = replicas.find((one) => one.tenant === tenant.id && one.node === node)
    const named = tenant.replicas.find((one) => one.node === node)
    if (found === undefined && named === undefined) {
      return yield* refusal("conflict", "no_replica", `node ${node} has no replica of that tenant in ${folder}`, `leave ${folder} out`)
    }
    const replica = found?.replica ?? replicaId(named!)
    const who = { folder, node, replica, bytes: found?.bytes ?? 0 }
    const opened = yield* Effect.result(readLog(makeReadableDisk(fs), JournalsLive.placeOf(folder, tenant.id, replica)))
    return Result.isSuccess(opened)
      ? survivorOf(tenant, who, opened.success.stored)
      : { ...who, head: null, log: null, problem: opened.failure.message }
  })

const unreadable = ({ file, reason }: DiskError): NotRecovered => refusal("failed", "file", `cannot read ${file}: ${reason}`)

const refusal = (exit: NotRecovered["exit"], code: string, message: string, hint: string | null = null): NotRecovered =>
  new NotRecovered({ exit, code, message, hint })

/**
 * Carries out a plan, in one write of the chosen replica's journal: cut off at any moment, it has happened or not, and can be
 * repeated. Meanwhile no node can start there.
 */
export const recover = (fs: FileSystem.FileSystem, { survivors }: Remains, plan: Plan): Effect.Effect<void, NotRecovered> =>
  Effect.gen(function*() {
    const { chosen, tenant } = plan
    yield* Effect.mapError(holdLock(fs, chosen.folder), (error) =>
      error._tag === "PlatformError"
        ? refusal("failed", "file", `cannot write to ${chosen.folder}: ${platformReason(error)}`)
        : inUse(chosen.folder, error))
    for (const { folder } of survivors) if (folder !== chosen.folder) yield* checkFree(fs, folder)
    const journal = yield* journalOf(fs, chosen.folder, tenant, chosen.replica)
    const stored = yield* journal.open
    if (!isAsPlanned(stored, plan)) {
      return yield* refusal("conflict", "changed", `what is in ${chosen.folder} has changed meanwhile`, "begin again")
    }
    yield* journal.write(recoveryWrite(plan, yield* timeOf(journal, stored)))
  }).pipe(
    Effect.scoped,
    Effect.catch((error) =>
      error._tag === "NotRecovered" ? Effect.fail(error) : Effect.fail(refusal("failed", "file", error.message)))
  )

const journalOf = (
  fs: FileSystem.FileSystem,
  folder: string,
  { id }: Tenant,
  replica: string
): Effect.Effect<Journal, never, Scope.Scope> =>
  Effect.gen(function*() {
    const layer = Layer.provide(JournalsLive.layer(folder), Layer.succeed(FileSystem.FileSystem, fs))
    const journals = yield* Effect.provide(Journals, yield* Layer.build(layer))
    return yield* journals.journal(id, replica, "disk")
  })

const isAsPlanned = (stored: Stored, { chosen: { head, log } }: Plan): boolean =>
  stored.doubt === null && sameHead(stored.head, head) && lastOp(stored) === log.op && stored.commit === log.commit

const sameHead = (one: ReplicaHead | null, other: ReplicaHead): boolean =>
  one !== null && one.epoch === other.epoch && one.view === other.view && one.log_view === other.log_view

/** Of the last operation, here or in the snapshot. That is read as a start reads it: a replica that cannot start is no help. */
const timeOf = Effect.fnUntraced(function*(journal: Journal, { entries, snapshot }: Stored) {
  const image = snapshot === null ? null : yield* readSnapshot(journal, makeStore())
  const time: Millis = entries.at(-1)?.time ?? image?.header?.time ?? 0
  return time
})
