/**
 * Shows a snapshot file, or all of a folder, as opening and restoring read them. Nothing is changed, and no more than a
 * part of the data is in memory.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { basename, dirname, join } from "node:path"
import { PartsReader, type SeenElement } from "../store/PartsReader.ts"
import { Restoration, type SnapshotHeader } from "../vr/Snapshot.ts"
import { newer_advice } from "./HeadFileLive.ts"
import type { DiskError, ReadableDisk } from "./log/LogDisk.ts"
import { readParts, snapshot_name, type SnapshotContent } from "./SnapshotReadingLive.ts"

export type SnapshotItem =
  | ({ readonly _tag: "Element" } & SeenElement)
  | ({ readonly _tag: "Snapshot" } & SeenSnapshot)

/** What a file came to. It is the last item of its file. */
export interface SeenSnapshot extends Pick<SnapshotContent, "offset" | "total"> {
  readonly file: string
  /** As the name of the file has it: `tmp` was never relied upon, `aside` was found damaged before. */
  readonly role: "snapshot" | "tmp" | "aside"
  /** Of the file, before any part. */
  readonly outer: SnapshotContent["header"]
  readonly header: SnapshotHeader | null
  readonly sessions: number
  readonly elements: number
  /** What is wrong, in words, or null; `refused`: it is as it was written, and this program cannot read it. */
  readonly problem: { readonly message: string; readonly refused: boolean } | null
}

const waiting_max = 1_024

/** The snapshot files of a folder, or this file. */
export const snapshotFiles = Effect.fnUntraced(function*(
  disk: ReadableDisk,
  path: string,
  isFolder: boolean
): Effect.fn.Return<ReadonlyArray<string>, DiskError> {
  if (!isFolder) return [path]
  const names = yield* disk.list(path)
  return names.filter((name) => snapshot_name.test(name) || /\.(?:tmp|damaged)$/.test(name)).sort().map((name) => join(path, name))
})

/** One after the other, as fast as the items are taken. */
export const inspectSnapshots = (
  disk: ReadableDisk,
  files: ReadonlyArray<string>,
  elements: boolean
): Stream.Stream<SnapshotItem> =>
  Stream.callback<SnapshotItem>((queue) =>
    Effect.gen(function*() {
      const show = (item: SnapshotItem) => Effect.asVoid(Queue.offer(queue, item))
      for (const file of files) yield* show({ _tag: "Snapshot", ...yield* inspectOne(disk, file, elements ? show : null) })
      yield* Queue.end(queue)
    }), { bufferSize: waiting_max, strategy: "suspend" })

const inspectOne = Effect.fnUntraced(function*(
  disk: ReadableDisk,
  file: string,
  show: ((item: SnapshotItem) => Effect.Effect<void>) | null
): Effect.fn.Return<SeenSnapshot> {
  let seen: Array<SnapshotItem> = []
  const parts = new PartsReader((element) => {
    if (show !== null) seen.push({ _tag: "Element", ...element })
  })
  const restoration = new Restoration({ restore: () => parts })
  let refusal: string | null = null
  let count = 0
  const take = (part: Uint8Array): Effect.Effect<void> =>
    Effect.suspend(() => {
      count++
      // Behind one that is refused, no part means anything.
      if (refusal === null) {
        const reason = restoration.add(part)
        if (reason !== null) refusal = `part ${count} cannot be read: ${reason}`
      }
      const items = seen
      seen = []
      return show === null || items.length === 0 ? Effect.yieldNow : Effect.forEach(items, show, { discard: true })
    })
  const read = yield* Effect.result(readParts(disk, file, take))
  const { elements } = parts
  const { header, sessionCount: sessions } = restoration
  const shared = { file, role: roleOf(file), header, sessions, elements }
  if (read._tag === "Failure") {
    const problem = { message: `${file}: ${read.failure.reason}`, refused: true }
    return { ...shared, outer: null, offset: 0, total: { parts: 0, bytes: 0, digest: 0 }, problem }
  }
  const { offset, total } = read.success
  return { ...shared, outer: read.success.header, offset, total, problem: problemOf(file, read.success, header, refusal) }
})

const roleOf = (file: string): SeenSnapshot["role"] => {
  if (file.endsWith(".tmp")) return "tmp"
  return file.endsWith(".damaged") || basename(dirname(file)).endsWith(".damaged") ? "aside" : "snapshot"
}

const problemOf = (
  file: string,
  { fault, header, offset }: SnapshotContent,
  inner: SnapshotHeader | null,
  refusal: string | null
): SeenSnapshot["problem"] => {
  if (fault?.newer) return { message: `${file}: ${fault.reason}; ${newer_advice}`, refused: true }
  if (fault !== null) return { message: `${file}, at byte ${offset}: ${fault.reason}`, refused: false }
  // The checksums say that it is as it was written.
  const unread = refusal ?? (inner?.op === header?.op ? null : "it does not hold what it says")
  if (unread !== null) return { message: `${file}: ${unread}; ${newer_advice}`, refused: true }
  const name = basename(file)
  const isOther = snapshot_name.test(name) && Number(name.slice(0, 16)) !== header?.op
  return isOther ? { message: `${file}: it is of op ${header?.op}`, refused: false } : null
}
