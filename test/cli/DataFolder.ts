/**
 * What a node keeps on its disk, in a temporary folder, made by what makes it in a node; and `v2r2-admin`, which looks at
 * it without a node.
 *
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { createHash } from "node:crypto"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import { adminProgram } from "../../src/cli/admin/Program.ts"
import { main } from "../../src/cli/Main.ts"
import { Network } from "../../src/network/Network.ts"
import { type Durability, type Journal, Journals } from "../../src/storage/Journal.ts"
import * as JournalsLive from "../../src/storage/JournalsLive.ts"
import { makeLogDisk } from "../../src/storage/LogDiskLive.ts"
import { NodeStore, type Owner } from "../../src/storage/NodeStore.ts"
import * as NodeStoreLive from "../../src/storage/NodeStoreLive.ts"
import type { Layout } from "../../src/storage/SegmentsLive.ts"
import { encodeOperation, type Operation } from "../../src/store/Operation.ts"
import type { Tenant } from "../../src/tenants/Tenants.ts"
import type { Entry } from "../../src/vr/Message.ts"
import { entries, head, tenant, write } from "../contracts/Journal.ts"
import { snapshotOf } from "../wire/SnapshotOf.ts"
import { runIn, type Situation } from "./Terminal.ts"

export { tenant } from "../contracts/Journal.ts"

const node = { name: "dev1", cluster: "test" }
const others = [{ name: "r2", node: "dev2" }, { name: "r3", node: "dev3" }]

export const tenantOf = (change: Partial<Tenant> = {}): Tenant => ({
  id: tenant,
  name: "orders",
  epoch: 0,
  replicas: [{ name: "r1", node: "dev1" }, ...others],
  durability: "disk",
  stamp: 1,
  confirmed: true,
  withdrawn: false,
  coordinator: "dev1",
  ...change
})

/** What the node knows, as it keeps it. */
export const asNode = (folder: string, ...tenants: ReadonlyArray<Tenant>): Effect.Effect<void> => asOwner(folder, node, tenants)

export const asOwner = (folder: string, owner: Owner, tenants: ReadonlyArray<Tenant>, lease_ms = 0): Effect.Effect<void> =>
  Effect.gen(function*() {
    const store = yield* NodeStore
    yield* store.saveTenants(new Map(tenants.map((one) => [one.id, one])))
  }).pipe(Effect.provide(NodeStoreLive.layer(folder, owner, lease_ms)), Effect.provide(NodeFileSystem.layer), Effect.orDie)

/** Small files that grow by little. */
export const layout: Layout = { segment_bytes_max: 4096, step_bytes: 1024 }

/** An empty folder, which is removed when the scope ends. */
export const emptyFolder = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  fs.makeTempDirectoryScoped({ prefix: "v2r2-data-" })).pipe(Effect.provide(NodeFileSystem.layer), Effect.orDie)

/** Uses a journal in it, as a node would. */
export const withJournal = <A, E>(
  folder: string,
  use: (journal: Journal) => Effect.Effect<A, E>,
  { durability = "disk", id = tenant, replica = "r1::dev1" }: { durability?: Durability; id?: string; replica?: string } = {}
): Effect.Effect<A> =>
  Effect.gen(function*() {
    const disk = makeLogDisk(yield* FileSystem.FileSystem)
    return yield* Effect.gen(function*() {
      const journal = yield* (yield* Journals).journal(id, replica, durability)
      yield* journal.open
      return yield* use(journal)
    }).pipe(Effect.provide(JournalsLive.layerOn(disk, folder, layout)))
  }).pipe(Effect.provide(NodeFileSystem.layer), Effect.orDie)

export const time = 1_700_000_000_123

const registered = (op: number): Entry => ({ ...entries(op, 1)[0]!, time, kind: "register", session: 0, operation: new Uint8Array(16) })
const asked = (op: number, operation: Operation): Entry => ({ ...entries(op, 1)[0]!, time, operation: encodeOperation(operation) })
const create = (op: number): Entry =>
  asked(op, { _tag: "Create", path: `/e${op - 3}`, type: "blob", data: new Uint8Array(900).fill(op), parents: false })

/** What {@link filled} writes: two sessions, six elements, and two operations on them. */
export const script = [
  write({ head: head(0, 0, { fresh: true }) }),
  write({ head: head(1), entries: [registered(1), registered(2)] }),
  write({ entries: [create(3), create(4)], commit: 2 }),
  write({ entries: [create(5)], commit: 4 }),
  write({ entries: [create(6), create(7)], commit: 5 }),
  write({ head: head(3, 3), truncate_to: 6, entries: [create(7), create(8)], commit: 6 }),
  write({ entries: [asked(9, { _tag: "Put", path: "/e1", data: new Uint8Array(5), version: 4 })], commit: 8 }),
  write({ entries: [asked(10, { _tag: "Delete", path: "/e2", version: null, recursive: true })], commit: 9 }),
  write({ entries: [{ ...entries(11, 1)[0]!, time }], commit: 10 })
]

/** A replica with a log in several files, and snapshots of these ops. `group`: the one that it is in. */
export const filled = (
  folder: string,
  ops: ReadonlyArray<number> = [],
  replica?: Parameters<typeof withJournal>[2],
  group = head(0).replicas
) =>
  withJournal(folder, (journal) =>
    Effect.gen(function*() {
      for (const one of script) yield* journal.write(one.head === null ? one : { ...one, head: { ...one.head, replicas: group } })
      for (const op of ops) yield* journal.save(snapshotOf(op - 2))
    }), replica)

export const replicaFile = (folder: string, ...path: ReadonlyArray<string>): string => join(folder, "tenants", tenant, ...path)
export const segment = (folder: string, number: number): string =>
  replicaFile(folder, "r1@dev1.log", `${String(number).padStart(8, "0")}.log`)
export const snapshotFile = (folder: string, op: number): string =>
  replicaFile(folder, "r1@dev1.snapshots", `${String(op).padStart(16, "0")}.snapshot`)

/** Every file below a folder, with what is in it and when it was written. */
export const stateOf = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).sort().map((name) => {
    const path = join(folder, name)
    const { mode, mtimeMs } = statSync(path)
    const content = statSync(path).isFile() ? createHash("sha256").update(readFileSync(path)).digest("hex") : "folder"
    return `${name} ${mode} ${mtimeMs} ${content}`
  })

export const change = (file: string, edit: (bytes: Uint8Array) => Uint8Array | void): void => {
  const bytes = new Uint8Array(readFileSync(file))
  writeFileSync(file, edit(bytes) ?? bytes)
}

/** The same file, but as a newer program would have made it. */
export const madeNewer = (file: string, header_bytes: number): void =>
  change(file, (bytes) => {
    bytes[11]! += 1
    const view = new DataView(bytes.buffer)
    view.setUint32(12, crc32(bytes.subarray(16, header_bytes), crc32(bytes.subarray(8, 12))))
  })

/** `v2r2-admin …` on real files, without an address. */
export const offline = (args: ReadonlyArray<string>, situation?: Situation) =>
  runIn(main(adminProgram, args).pipe(Effect.provide(NodeFileSystem.layer)), situation).pipe(
    Effect.provide(Network.layerMemory)
  )
