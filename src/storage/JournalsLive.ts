/**
 * The journals of a node's replicas on a real disk.
 *
 * Durability `memory`: the head of each replica in a small file of its own, replaced atomically when it changes, which
 * is once a view change; entries and snapshots are not stored, so writing them costs nothing. Durability `disk`:
 * `DiskJournalLive.ts`.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { dirname, join } from "node:path"
import { invariant } from "../base/Invariant.ts"
import { Limits } from "../base/Limits.ts"
import { isUuid, parseReplicaId, replicaId, type ReplicaName } from "../base/Names.ts"
import { DiskJournal, setAsideNames } from "./DiskJournalLive.ts"
import { encodeHeadFile } from "./HeadFileLive.ts"
import { type HeldReplica, heldReplicas, type Journal, JournalError, Journals, readThrough, type ReplicaHead } from "./Journal.ts"
import { checkContiguous, checkHead, nothingStored } from "./JournalModel.ts"
import type { LogDisk } from "./log/LogDisk.ts"
import { makeLogDisk } from "./LogDiskLive.ts"
import { orFail, type Place } from "./LogReaderLive.ts"
import { readHeadFile } from "./OpeningLive.ts"
import type { Layout } from "./SegmentsLive.ts"

const usualLayout: Layout = {
  segment_bytes_max: Limits.journal_segment_bytes_max,
  step_bytes: Limits.journal_step_bytes
}

/** To be used only while this process holds the folder, by `NodeStoreLive`. */
export const layer = (data_dir: string): Layer.Layer<Journals, never, FileSystem.FileSystem> =>
  Layer.unwrap(Effect.map(FileSystem.FileSystem, (fs) => layerOn(makeLogDisk(fs), data_dir, usualLayout)))

/** The same on any disk. */
export const layerOn = (disk: LogDisk, data_dir: string, layout: Layout): Layer.Layer<Journals> =>
  Layer.effect(
    Journals,
    Effect.gen(function*() {
      const logs = new Map<string, DiskJournal>()
      /** The head files of all replicas whose journal somebody has. */
      const given = new Set<string>()
      yield* Effect.addFinalizer(() => Effect.forEach(logs.values(), (log) => log.close, { discard: true }))
      const logJournal = (place: Place): Effect.Effect<Journal> =>
        Effect.gen(function*() {
          const earlier = logs.get(place.folder)
          if (earlier && !earlier.failed) yield* earlier.close
          // What a failed write left is known to nobody, not even to one who reads it again. Closing waits for the head file,
          // which may fail only then.
          if (earlier?.failed) return earlier
          const journal = new DiskJournal(disk, place, layout)
          logs.set(place.folder, journal)
          return journal
        })
      return {
        journal: (tenant, replica, durability) =>
          Effect.suspend(() => {
            const place = placeOf(data_dir, tenant, replica)
            given.add(place.headFile)
            return durability === "disk" ? logJournal(place) : Effect.sync(() => headJournal(disk, place))
          }),
        discard: (tenant, replica) =>
          Effect.suspend(() => {
            const place = placeOf(data_dir, tenant, replica)
            const log = logs.get(place.folder)
            logs.delete(place.folder)
            given.delete(place.headFile)
            // Another replica of the tenant may be about to write its first file there.
            const isFree = () => ![...given].some((file) => dirname(file) === dirname(place.headFile))
            return Effect.andThen(log?.close ?? Effect.void, removeAll(disk, place, isFree))
          }),
        held: heldOn(disk, join(data_dir, "tenants"))
      }
    })
  )

/**
 * The head file first: without it, what is left is never taken for a replica's. The folder of the tenant last, if there is
 * nothing else in it.
 */
const removeAll = (disk: LogDisk, place: Place, isFree: () => boolean): Effect.Effect<void, JournalError> =>
  Effect.gen(function*() {
    const { folder, headFile, snapshots } = place
    const tenant = dirname(headFile)
    const names = new Set(yield* disk.list(tenant))
    if (names.size > 0) yield* disk.remove(headFile)
    for (const path of [snapshots, folder]) {
      const inside = yield* disk.list(path)
      for (const name of inside) if (!name.endsWith(".damaged")) yield* disk.remove(join(path, name))
      if (!inside.some((name) => name.endsWith(".damaged"))) yield* disk.removeFolder(path)
      // Single snapshots that were set aside. Under this name they are nobody's.
      else yield* disk.rename(path, setAsideNames(place, names)(path))
    }
    if ((yield* disk.list(tenant)).length === 0 && isFree()) yield* disk.removeFolder(tenant)
  }).pipe(Effect.mapError(({ file, reason }) => new JournalError({ during: "write", file, message: `${file}: ${reason}` })))

/** Whatever has the name of something that a replica has, be it whole or not. */
const heldOn = (disk: LogDisk, folder: string): Effect.Effect<ReadonlyArray<HeldReplica>, JournalError> =>
  Effect.gen(function*() {
    const keys: Array<string> = []
    for (const tenant of (yield* orFail(disk.list(folder))).filter(isUuid)) {
      for (const name of yield* orFail(disk.list(join(folder, tenant)))) {
        const replica = replicaOf(name)
        if (replica !== null) keys.push(`${tenant}::${replicaId(replica)}`)
      }
    }
    return heldReplicas(keys)
  })

const headJournal = (disk: LogDisk, place: Place): Journal => {
  const file = place.headFile
  let opened = false
  let head: ReplicaHead | null = null
  let failed: JournalError | null = null
  const fail = (during: "open" | "write", reason: string) => {
    failed = new JournalError({ during, file, message: `${file}: ${reason}` })
    return Effect.fail(failed)
  }
  const open = Effect.gen(function*() {
    if (failed) return yield* failed
    const found = yield* Effect.tapError(readHeadFile(disk, place), (error) => Effect.sync(() => void (failed = error)))
    // It may have been written just before a crash: it is durable before anyone acts on it.
    if (found !== null) yield* disk.syncNames(dirname(file)).pipe(Effect.catch(({ reason }) => fail("open", reason)))
    head = found?.head ?? null
    opened = true
    return { ...nothingStored, head }
  })
  const write = (next: ReplicaHead): Effect.Effect<void, JournalError> =>
    disk.put(file, encodeHeadFile(place, { head: next, log: null })).pipe(
      Effect.catch(({ reason }) => fail("write", reason)),
      Effect.tap(() => Effect.sync(() => void (head = next))),
      Effect.uninterruptible
    )
  return {
    open,
    restore: () => Effect.sync(() => invariant(false, "there is a snapshot to restore", { file })),
    save: (snapshot, onKept) =>
      Effect.suspend(() => failed ? Effect.fail(failed) : readThrough(snapshot, () => {})).pipe(
        Effect.tap((saved) => Effect.sync(() => onKept?.(saved)))
      ),
    write: (one) =>
      Effect.suspend(() => {
        invariant(opened, "a journal is opened before it is written", { file })
        checkContiguous(one.entries)
        if (failed) return Effect.fail(failed)
        if (one.head === null) return Effect.void
        checkHead(head, one.head)
        return write(one.head)
      })
  }
}

/** Of a file, or a folder, in the folder of a tenant: whose it is, by its name. Null: nobody's. */
export const replicaOf = (file: string): ReplicaName | null => {
  const [, name = "", node = ""] = /^([^@]+)@([^@]+)\.(?:head\.json|log|snapshots)$/.exec(file) ?? []
  const parsed = parseReplicaId(replicaId({ name, node }))
  return parsed.ok ? parsed.value : null
}

/** Where a replica's files are. */
export const placeOf = (data_dir: string, tenant: string, replica: string): Place => {
  const name = parseReplicaId(replica)
  invariant(isUuid(tenant) && name.ok, "a journal belongs to a replica of a tenant", { tenant, replica })
  const path = join(data_dir, "tenants", tenant, `${name.value.name}@${name.value.node}`)
  return { tenant, replica, headFile: `${path}.head.json`, folder: `${path}.log`, snapshots: `${path}.snapshots` }
}
