/**
 * Reads the snapshots of a replica when it starts, and chooses the one that serves. It changes nothing on the disk.
 *
 * Nothing but a whole file says that there is a snapshot. What is committed at an op is the same for ever, so any
 * snapshot of the tenant serves whose op the log reaches, if the log has all that follows it.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { header_bytes, type PartsTotal, SnapshotDecoder, type SnapshotFault, type SnapshotHeader } from "../wire/SnapshotFile.ts"
import { newer_advice } from "./HeadFileLive.ts"
import type { JournalError } from "./Journal.ts"
import type { Fold } from "./log/Fold.ts"
import type { DiskError, ReadableDisk } from "./log/LogDisk.ts"
import { openError, orFail, type Place } from "./LogReaderLive.ts"

/** What it is called while it is written by a save, and by an install: until then the log may rely on the latter only. */
export const save_name = "save.tmp"
export const install_name = "install.tmp"
/** Is it what a write left behind that did not come to its end? */
export const isUnfinished = (name: string): boolean => name === save_name || name === install_name
export const snapshot_name = /^\d{16}\.snapshot$/
export const snapshotName = (op: number): string => `${String(op).padStart(16, "0")}.snapshot`

/** What is read of a file at once. */
const read_bytes = 1 * 1024 * 1024

/** Which file serves, and what is to become of the others. */
export interface Choice {
  /** The ops of at most two, the older one first: the last one serves. None: the log has all. */
  readonly kept: ReadonlyArray<number>
  /** The last one still has the name that it was written under. */
  readonly isUnnamed: boolean
  /** Names of files: to be set aside, and to be removed. */
  readonly damaged: ReadonlyArray<string>
  readonly useless: ReadonlyArray<string>
  /** What there is to say of the damaged ones. */
  readonly damage: ReadonlyArray<string>
  /** Why the log cannot be used, or null. */
  readonly doubt: string | null
}

interface Candidate {
  readonly op: number
  readonly name: string
}

export const noChoice: Choice = { kept: [], isUnnamed: false, damaged: [], useless: [], damage: [], doubt: null }

/** `fold`: the log, which is whole by itself. `isWhole`: it has all that its replica acknowledged. */
export const chooseSnapshot = Effect.fnUntraced(function*(
  disk: ReadableDisk,
  place: Place,
  fold: Fold,
  isWhole: boolean
): Effect.fn.Return<Choice, JournalError> {
  const names = yield* orFail(disk.list(place.snapshots))
  const all: Array<Candidate> = []
  const damaged: Array<Candidate & { readonly reason: string }> = []
  // Before any is believed by its name.
  for (const name of names.filter((name) => snapshot_name.test(name))) {
    const candidate = { op: Number(name.slice(0, 16)), name }
    const reason = yield* problemSeen(disk, place, candidate, readHeader)
    if (reason === null) all.push(candidate)
    else damaged.push({ ...candidate, reason })
  }
  all.sort((one, other) => other.op - one.op)
  const newest = all[0]
  // It was saved when the log had its op, durably. What a log that is not whole left behind says nothing.
  if (newest !== undefined && newest.op > fold.op && isWhole) {
    const doubt = `${join(place.snapshots, newest.name)} was saved, though the log ends with op ${fold.op}`
    return { ...noChoice, doubt }
  }
  const candidates: Array<Candidate> = all.filter(({ op }) => op >= fold.base && op <= fold.op)
  if (fold.installed !== null && names.includes(install_name)) candidates.push({ op: fold.installed.op, name: install_name })
  for (const [index, candidate] of candidates.entries()) {
    const reason = yield* problemOf(disk, place, fold, candidate)
    if (reason !== null) damaged.push({ ...candidate, reason })
    else return choiceOf(place, names, candidate, candidates.slice(index + 1), damaged)
  }
  if (fold.base === 0) return choiceOf(place, names, null, [], damaged)
  const seen = damaged.map(({ name, reason }) => `; ${join(place.snapshots, name)} is damaged: ${reason}`)
  const doubt = `the log in ${place.folder} begins behind op ${fold.base}, and no snapshot has what came before${seen.join("")}`
  return { ...noChoice, doubt }
})

const choiceOf = (
  { snapshots }: Place,
  names: ReadonlyArray<string>,
  chosen: Candidate | null,
  older: ReadonlyArray<Candidate>,
  damaged: ReadonlyArray<Candidate & { readonly reason: string }>
): Choice => {
  const second = older.find(({ name, op }) => name !== install_name && op < chosen!.op)
  const aside = damaged.filter(({ name }) => name !== install_name)
  const needed = [second, chosen, ...aside].map((candidate) => candidate?.name)
  const serves = chosen === null ? "the log has all from its beginning" : `that of op ${chosen.op} serves`
  return {
    kept: [second, chosen].flatMap((candidate) => candidate ? [candidate.op] : []),
    isUnnamed: chosen?.name === install_name,
    damaged: aside.map(({ name }) => name),
    useless: names.filter((name) => !needed.includes(name) && (isUnfinished(name) || snapshot_name.test(name))),
    damage: aside.map(({ name, reason }) => `${join(snapshots, name)} is damaged: ${reason}. It is set aside; ${serves}`),
    doubt: null
  }
}

interface Seen {
  readonly header: SnapshotHeader | null
  readonly fault: SnapshotFault | null
}

/** Why a file, which is read whole, does not serve beside the log `fold`; null if it does. */
export const problemOf = (
  disk: ReadableDisk,
  place: Place,
  fold: Fold,
  candidate: Candidate
): Effect.Effect<string | null, JournalError> =>
  problemSeen(disk, place, candidate, (disk, file) => readWhole(disk, file, fold))

/** The same, by what `read` sees of it, as far as that goes. */
const problemSeen = (
  disk: ReadableDisk,
  place: Place,
  { name, op }: Candidate,
  read: (disk: ReadableDisk, file: string) => Effect.Effect<Seen, DiskError>
): Effect.Effect<string | null, JournalError> => {
  const file = join(place.snapshots, name)
  return Effect.flatMap(orFail(read(disk, file)), ({ fault, header }) => {
    if (fault?.newer) return Effect.fail(openError(file, `${fault.reason}; ${newer_advice}`))
    if (header !== null && header.tenant !== place.tenant) {
      const reason = `the snapshot is of tenant ${header.tenant}, not ${place.tenant}; put it back where it was`
      return Effect.fail(openError(file, reason))
    }
    if (fault !== null || header === null) return Effect.succeed(fault?.reason ?? null)
    return Effect.succeed(header.op === op ? null : `it is of op ${header.op}`)
  })
}

const readHeader = (disk: ReadableDisk, file: string): Effect.Effect<Seen, DiskError> =>
  Effect.acquireUseRelease(
    disk.open(file),
    ({ read }) =>
      Effect.map(read(0, header_bytes), (bytes) => {
        const decoder = new SnapshotDecoder()
        decoder.push(bytes)
        return { header: decoder.header, fault: decoder.header === null ? decoder.finish() : null }
      }),
    ({ close }) => close
  )

const readWhole = (disk: ReadableDisk, file: string, { installed }: Fold): Effect.Effect<Seen, DiskError> =>
  Effect.map(readSnapshot(disk, file, () => {}), ({ fault, header, total }) => {
    const isOther = installed !== null && installed.op === header?.op && installed.digest !== total.digest
    const other = { newer: false, reason: "it is not the one that the log was begun with" }
    return { header, fault: fault ?? (isOther ? other : null) }
  })

export interface SnapshotContent {
  readonly header: SnapshotHeader | null
  readonly total: PartsTotal
  /** What is wrong with the file, or null. */
  readonly fault: SnapshotFault | null
  /** How many bytes are as they were written. */
  readonly offset: number
}

/** Reads a file to its end, or to what is wrong with it. Each part that is as it was written is given, then others get their turn. */
export const readSnapshot = (
  disk: ReadableDisk,
  file: string,
  take: (part: Uint8Array) => void
): Effect.Effect<SnapshotContent, DiskError> =>
  readParts(disk, file, (part) => Effect.andThen(Effect.sync(() => take(part)), Effect.yieldNow))

/** The same, for one who takes its time over each part. */
export const readParts = (
  disk: ReadableDisk,
  file: string,
  take: (part: Uint8Array) => Effect.Effect<void>
): Effect.Effect<SnapshotContent, DiskError> =>
  Effect.acquireUseRelease(
    disk.open(file),
    ({ read }) =>
      Effect.gen(function*() {
        const decoder = new SnapshotDecoder()
        let at = 0
        while (decoder.fault === null) {
          const chunk = yield* read(at, read_bytes)
          for (const part of decoder.push(chunk)) yield* take(part)
          if (chunk.length < read_bytes) break
          at += chunk.length
        }
        return { header: decoder.header, total: decoder.total, fault: decoder.finish(), offset: decoder.offset }
      }),
    ({ close }) => close
  )
