/**
 * The node's store on a real disk: three checksummed JSON files under `data_dir`, and a fourth if there were ever leases, each
 * replaced atomically, and a lock against a second process.
 *
 * A folder without an identity becomes a new node only if nothing in it shows that there was one: a lost file is never
 * taken for a first start.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { PlatformError } from "effect/PlatformError"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { randomUUID } from "node:crypto"
import { join } from "node:path"
import type { Parsed } from "../base/Names.ts"
import { type Members, noMembers, toRecords as memberRecords } from "../members/Members.ts"
import { noTenants, type Tenants, toRecords as tenantRecords } from "../tenants/Tenants.ts"
import { parseMembers, parserOf, parseTenants } from "../wire/Records.ts"
import { makeFolder, platformReason, readText, replaceFile, seal, unseal } from "./FilesLive.ts"
import { holdLock, type LockRefusal } from "./LockLive.ts"
import { foreignError, type Identity, NodeStore, NodeStoreError, type Owner } from "./NodeStore.ts"

/** One of the files: its name, what it says it holds, and how to read and write that. */
interface Kind<A> {
  readonly name: string
  /** What to do if it is damaged; undefined: as with the others. */
  readonly remedy?: string
  readonly kind: string
  readonly version: number
  readonly parse: (body: unknown) => Parsed<A>
  readonly toBody: (value: A) => unknown
}

const identityFile: Kind<Identity> = {
  name: "identity.json",
  kind: "v2r2 node identity",
  version: 1,
  parse: parserOf(Schema.Struct({
    id: Schema.String,
    name: Schema.String,
    cluster: Schema.String,
    created_ms: Schema.Natural
  })),
  toBody: (identity) => identity
}
const membersFile: Kind<Members> = {
  name: "members.json",
  kind: "v2r2 members",
  version: 2,
  parse: parseMembers,
  toBody: memberRecords
}
const tenantsFile: Kind<Tenants> = {
  name: "tenants.json",
  kind: "v2r2 tenants",
  version: 1,
  parse: parseTenants,
  toBody: tenantRecords
}

/** Not there: 0. */
const leaseFile: Kind<number> = {
  name: "lease.json",
  remedy: "if this node has been down for two minutes, which is longer than any lease, remove that file",
  kind: "v2r2 longest lease",
  version: 1,
  parse: parserOf(Schema.Natural),
  toBody: (longest_lease_ms) => longest_lease_ms
}

/**
 * Opens `data_dir`, making it if need be, and holds its lock until the layer's scope ends. `lease_ms`: what the node is set to
 * grant now.
 */
export const layer = (
  data_dir: string,
  owner: Owner,
  lease_ms: number
): Layer.Layer<NodeStore, NodeStoreError, FileSystem.FileSystem> =>
  Layer.effect(
    NodeStore,
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      yield* makeFolder(fs, data_dir).pipe(Effect.mapError((error) => unwritable(data_dir, error)))
      yield* holdLock(fs, data_dir).pipe(
        Effect.mapError((error) =>
          error._tag === "PlatformError" ? unwritable(data_dir, error) : lockedError(data_dir, error)
        )
      )
      const identity = (yield* loadIdentity(fs, data_dir)) ?? (yield* bootstrap(fs, data_dir, owner))
      const foreign = foreignError(identity, owner, data_dir)
      if (foreign) return yield* foreign
      const kept = {
        members: yield* demand(fs, data_dir, membersFile),
        tenants: yield* demand(fs, data_dir, tenantsFile)
      }
      const saving = Semaphore.makeUnsafe(1)
      return {
        identity,
        kept,
        longest_lease_ms: yield* keepLease(fs, data_dir, lease_ms),
        saveMembers: (members) => saving.withPermits(1)(save(fs, data_dir, membersFile, members)),
        saveTenants: (tenants) => saving.withPermits(1)(save(fs, data_dir, tenantsFile, tenants))
      }
    })
  )

/** What the next opening finds in each of the files, or why it refuses it; null: the file is not there, and need not be. */
export interface SeenStore {
  readonly identity: Result.Result<Identity | null, NodeStoreError>
  readonly members: Result.Result<Members | null, NodeStoreError>
  readonly tenants: Result.Result<Tenants | null, NodeStoreError>
  readonly longest_lease_ms: Result.Result<number | null, NodeStoreError>
}

/** Judges the files as opening does, and changes nothing. */
export const lookAtStore = (fs: FileSystem.FileSystem, data_dir: string): Effect.Effect<SeenStore> =>
  Effect.gen(function*() {
    const identity = yield* Effect.result(loadIdentity(fs, data_dir))
    const isNew = Result.isSuccess(identity) && identity.success === null
    const look = <A>(file: Kind<A>): Effect.Effect<Result.Result<A | null, NodeStoreError>> =>
      Effect.result(isNew ? load(fs, data_dir, file) : demand(fs, data_dir, file))
    const longest_lease_ms = yield* Effect.result(load(fs, data_dir, leaseFile))
    return { identity, members: yield* look(membersFile), tenants: yield* look(tenantsFile), longest_lease_ms }
  })

/** Null: this is no node yet, and nothing shows that it was one. */
const loadIdentity = Effect.fnUntraced(function*(fs: FileSystem.FileSystem, data_dir: string) {
  const identity = yield* load(fs, data_dir, identityFile)
  if (identity !== null) return identity
  const members = yield* load(fs, data_dir, membersFile)
  const tenants = yield* load(fs, data_dir, tenantsFile)
  if ((members && members.size > 0) || (tenants && tenants.size > 0)) {
    return yield* damaged(data_dir, identityFile.name, "it is missing, though other files show that there was a node")
  }
  return null
})

/** Before anything may be granted. It never gets less: what was granted is not known any more. */
const keepLease = Effect.fnUntraced(function*(fs: FileSystem.FileSystem, data_dir: string, lease_ms: number) {
  const before = (yield* load(fs, data_dir, leaseFile)) ?? 0
  if (lease_ms > before) yield* save(fs, data_dir, leaseFile, lease_ms)
  return Math.max(lease_ms, before)
})

/** The identity is written last: it stands for "all files are there". */
const bootstrap = Effect.fnUntraced(function*(fs: FileSystem.FileSystem, data_dir: string, owner: Owner) {
  yield* save(fs, data_dir, membersFile, noMembers)
  yield* save(fs, data_dir, tenantsFile, noTenants)
  const { name, cluster } = owner
  const identity: Identity = { id: randomUUID(), name, cluster, created_ms: yield* Clock.currentTimeMillis }
  yield* save(fs, data_dir, identityFile, identity)
  return identity
})

const save = <A>(
  fs: FileSystem.FileSystem,
  data_dir: string,
  { name, kind, toBody, version }: Kind<A>,
  value: A
): Effect.Effect<void, NodeStoreError> => {
  const file = join(data_dir, name)
  return Effect.suspend(() => replaceFile(fs, file, seal(kind, toBody(value), version))).pipe(
    Effect.mapError((error) => unwritable(file, error))
  )
}

/** Null if there is no such file. */
const load = Effect.fnUntraced(function*<A>(fs: FileSystem.FileSystem, data_dir: string, kept: Kind<A>) {
  const { name, kind, parse, version } = kept
  const file = join(data_dir, name)
  const text = yield* readText(fs, file).pipe(Effect.mapError((error) => unwritable(file, error)))
  if (text === null) return null
  const body = unseal(kind, text, version)
  const value = body.ok ? parse(body.value) : body
  return value.ok ? value.value : yield* damaged(data_dir, name, value.reason, kept.remedy)
})

const demand = <A>(fs: FileSystem.FileSystem, data_dir: string, file: Kind<A>): Effect.Effect<A, NodeStoreError> =>
  Effect.flatMap(load(fs, data_dir, file), (value) =>
    value === null ? damaged(data_dir, file.name, "it is missing") : Effect.succeed(value))

const damaged = (data_dir: string, name: string, reason: string, remedy?: string): Effect.Effect<never, NodeStoreError> => {
  const file = join(data_dir, name)
  const advice = remedy ??
    `put back a good copy, or move ${data_dir} away to start as a new node (under a new name, and without its replicas)`
  return Effect.fail(new NodeStoreError({ kind: "damaged", file, message: `${file} is damaged: ${reason}; ${advice}` }))
}

const unwritable = (file: string, error: PlatformError): NodeStoreError =>
  new NodeStoreError({
    kind: "unwritable",
    file,
    message: `${file} cannot be read and written: ${platformReason(error)}; ` +
      "data_dir has to be a folder on a working disk that this user may write"
  })

export const lockedError = (data_dir: string, { _tag, file, pid }: LockRefusal): NodeStoreError => {
  const holder = pid === null ? "another process" : `process ${pid}`
  const message = _tag === "Held"
    ? `${data_dir} is in use by ${holder}: stop it first, or set data_dir to a folder of this node's own ` +
      `(if that process is no v2r2 node, remove ${file})`
    : `${data_dir} is being opened by ${holder}: try again (if there is no such v2r2 node, remove ${file})`
  return new NodeStoreError({ kind: "locked", file, message })
}
