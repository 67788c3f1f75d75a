/**
 * All that lies below a `data_dir`, by name and size: which replicas have files there, and what belongs to nobody.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import { join } from "node:path"
import { isUuid, replicaId } from "../base/Names.ts"
import { platformReason } from "./FilesLive.ts"
import { replicaOf } from "./JournalsLive.ts"
import { DiskError } from "./log/LogDisk.ts"
import { segment_name } from "./LogReaderLive.ts"
import { snapshot_name } from "./SnapshotReadingLive.ts"
import { spare_name } from "./SpareLive.ts"

/** The files of a replica, be they whole or not. */
export interface FoundReplica {
  readonly tenant: string
  /** `<replica>::<node>` */
  readonly replica: string
  readonly node: string
  readonly bytes: number
  /** Of these, what is in spares: nobody reads it. */
  readonly spare_bytes: number
  readonly log: { readonly segments: number; readonly bytes: number } | null
}

/** What no node reads, or the next start removes. `path`: below the folder. */
export interface Leftover {
  readonly path: string
  readonly bytes: number
  readonly reason: string
}

export interface Survey {
  readonly bytes: number
  readonly replicas: ReadonlyArray<FoundReplica>
  readonly leftovers: ReadonlyArray<Leftover>
  /** In bytes, by path below the folder. */
  readonly sizes: ReadonlyMap<string, number>
}

const node_files = new Set(["identity.json", "members.json", "tenants.json", "lease.json", "lock", "tenants"])

interface Found {
  /** From the folder on. */
  readonly parts: ReadonlyArray<string>
  readonly bytes: number
  readonly isFolder: boolean
}

/** A file that goes away meanwhile was not there. */
export const survey = (fs: FileSystem, data_dir: string): Effect.Effect<Survey, DiskError> =>
  Effect.gen(function*() {
    const names = yield* fs.readDirectory(data_dir, { recursive: true })
    const found: Array<Found> = []
    for (const name of names.sort()) {
      const info = yield* unlessGone(fs.stat(join(data_dir, name)))
      if (info === null) continue
      const { size, type } = info
      found.push({ parts: name.split("/"), bytes: type === "File" ? Number(size) : 0, isFolder: type === "Directory" })
    }
    return {
      bytes: found.reduce((sum, { bytes }) => sum + bytes, 0),
      replicas: replicasOf(found),
      leftovers: leftoversOf(found),
      sizes: new Map(found.map(({ bytes, parts }) => [parts.join("/"), bytes]))
    }
  }).pipe(Effect.mapError((error) => new DiskError({ file: data_dir, reason: platformReason(error) })))

const unlessGone = <A>(effect: Effect.Effect<A, PlatformError>): Effect.Effect<A | null, PlatformError> =>
  Effect.catchIf(effect, (error) => error.reason._tag === "NotFound", () => Effect.succeed(null))

/** Whose file it is: `tenants/<tenant id>/<replica>@<node>.…`. */
const ownerOf = ([top, tenant, file]: ReadonlyArray<string>): Pick<FoundReplica, "node" | "replica" | "tenant"> | null => {
  if (top !== "tenants" || tenant === undefined || file === undefined || !isUuid(tenant)) return null
  const name = replicaOf(file)
  return name === null ? null : { tenant, node: name.node, replica: replicaId(name) }
}

const replicasOf = (found: ReadonlyArray<Found>): ReadonlyArray<FoundReplica> => {
  const byOwner = new Map<string, FoundReplica>()
  for (const { bytes, isFolder, parts } of found) {
    const owner = ownerOf(parts)
    if (owner === null) continue
    const key = `${owner.tenant}::${owner.replica}`
    const known = byOwner.get(key) ?? { ...owner, bytes: 0, spare_bytes: 0, log: null }
    const [, , folder = "", file] = parts
    const isLog = folder.endsWith(".log")
    const isSegment = isLog && file !== undefined && segment_name.test(file)
    const before = known.log ?? { segments: 0, bytes: 0 }
    const log = isSegment ? { segments: before.segments + 1, bytes: before.bytes + bytes } : isLog && isFolder ? before : known.log
    const isSpare = isLog && file !== undefined && spare_name.test(file)
    byOwner.set(key, { ...known, bytes: known.bytes + bytes, spare_bytes: known.spare_bytes + (isSpare ? bytes : 0), log })
  }
  return [...byOwner.values()]
}

/** What was set aside as a folder is one leftover. */
const leftoversOf = (found: ReadonlyArray<Found>): ReadonlyArray<Leftover> => {
  const byPath = new Map<string, Leftover>()
  for (const { bytes, isFolder, parts } of found) {
    const seen = leftoverAt(parts, isFolder)
    if (seen === null) continue
    byPath.set(seen.path, { ...seen, bytes: (byPath.get(seen.path)?.bytes ?? 0) + bytes })
  }
  return [...byPath.values()]
}

const unfinished = "a write that did not end: nobody relies on it, and the next one replaces it"
const aside = "it was set aside: nothing reads it; remove it once it is not needed to find out what happened"
const unknown = "it is no file of a node: nothing reads it"
const upload = "somebody was sending it: the next start removes it"

const leftoverAt = (parts: ReadonlyArray<string>, isFolder: boolean): Omit<Leftover, "bytes"> | null => {
  const at = parts.findIndex((part) => part.endsWith(".damaged"))
  if (at >= 0) return { path: parts.slice(0, at + 1).join("/"), reason: aside }
  const path = parts.join("/")
  const name = parts.at(-1)!
  if (name === "lock.break") return { path, reason: "a start that did not end left it behind: remove it if no node is starting" }
  // Whatever a save or an install left is looked at with the snapshots.
  if (name.endsWith(".tmp") && !isFolder) return parts[2]?.endsWith(".snapshots") ? null : { path, reason: unfinished }
  if (parts[0] === "uploads") return isFolder && parts.length === 1 ? null : { path, reason: upload }
  if (isKnown(parts, isFolder)) return null
  // A folder that is none of ours is one leftover.
  const ours = parts[0] !== "tenants" ? 1 : ownerOf(parts) === null ? 3 : 4
  return { path: parts.slice(0, ours).join("/"), reason: unknown }
}

const isKnown = (parts: ReadonlyArray<string>, isFolder: boolean): boolean => {
  const [top = "", tenant, file = "", inner] = parts
  if (top !== "tenants") return parts.length === 1 && node_files.has(top)
  if (tenant === undefined) return isFolder
  if (parts.length === 2) return isFolder && isUuid(tenant)
  if (ownerOf(parts) === null || parts.length > 4) return false
  if (inner === undefined) return isFolder !== file.endsWith(".json")
  // A spare belongs to a log as a segment does, but there is nothing in it to be read.
  const names = file.endsWith(".log") ? [segment_name, spare_name] : [snapshot_name]
  return !isFolder && names.some((name) => name.test(inner))
}
