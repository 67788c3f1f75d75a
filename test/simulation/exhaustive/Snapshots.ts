/**
 * Snapshots in the model: every commit makes one, which is written at once, and the log is as short as can be from then on.
 *
 * All operations are registrations, so the sessions are what a snapshot holds: with the op of each its name, they say which
 * operations were committed, and in which order.
 *
 * @module
 */
import { invariant } from "../../../src/base/Invariant.ts"
import type { PartReader } from "../../../src/vr/Application.ts"
import type { ClientTable, KeptSession } from "../../../src/vr/ClientTable.ts"
import type { Replica } from "../../../src/vr/Replica.ts"
import { Restoration, type Snapshot, takeSnapshot } from "../../../src/vr/Snapshot.ts"
import type { Incoming, Outgoing } from "../../../src/vr/SnapshotTransfer.ts"
import type { Tight } from "../Squeeze.ts"

/** Every commit makes a snapshot; what is not asked for during a long silence is let go. */
export const tight: Tight = { snapshot_log_bytes_min: 1, snapshot_idle_ms: 0 }

const known = new WeakMap<Snapshot, ReadonlyArray<Uint8Array>>()

export const partsOf = (snapshot: Snapshot): ReadonlyArray<Uint8Array> => {
  const before = known.get(snapshot)
  if (before !== undefined) return before
  const parts: Array<Uint8Array> = []
  const reader = snapshot.read()
  for (let part = reader.next(); part !== null; part = reader.next()) parts.push(part)
  known.set(snapshot, parts)
  return parts
}

/** As it is read from a disk, or comes in from another replica, whole. */
export const restored = (snapshot: Snapshot, replica: Replica): Restoration => {
  const restoration = new Restoration(replica.application)
  for (const part of partsOf(snapshot)) {
    const refusal = restoration.add(part)
    invariant(refusal === null, "what was written as a snapshot can be read as one", { refusal })
  }
  return restoration
}

export const digestOf = (snapshot: Snapshot, replica: Replica): number => restored(snapshot, replica).digest

/** What a replica restarts from, if its disk has not forgotten: the last snapshot that it wrote, or that was installed. */
export const imageOf = (replica: Replica): Restoration | null => {
  if (replica.snapshot === null) return null
  // There is one of every commit number, so the last one is of the present one.
  const image = restored(takeSnapshot(replica), replica)
  invariant(image.header?.op === replica.snapshot.op, "the last snapshot is of what is committed", { ...replica.snapshot })
  return image
}

/** By all that goes into a snapshot. */
const digests = new Map<string, number>()

/** Is what was written, or installed, a snapshot of what this replica has committed? */
export const snapshotHolds = (replica: Replica): boolean => {
  const { clients, commit, commitTime, configuration, sinceSnapshot, snapshot } = replica
  if (snapshot === null) return true
  const content = JSON.stringify([commit, commitTime, sinceSnapshot, configuration.replicas, committedWords(clients)])
  const digest = digests.get(content) ?? digestOf(takeSnapshot(replica), replica)
  digests.set(content, digest)
  return digest === snapshot.digest
}

// --- sessions

const wordOf = ({ id, nonce }: KeptSession): string => `${id}.${nonce.join()}`

/** What the table says was committed, in order. */
export const committedWords = (clients: ClientTable): ReadonlyArray<string> => clients.pin().map(wordOf)

// --- copies, which share nothing that changes

const copyRestoration = (restoration: Restoration): Restoration =>
  restoration.isWhole
    ? restoration
    : Object.assign(Object.create(Restoration.prototype) as Restoration, restoration, { sessions: [...restoration["sessions"]] })

/** What is committed here already is of no use: no question is asked about it, and no part of it is taken. */
export const copyIncoming = ({ commit, incoming }: Replica): Incoming | null =>
  incoming === null || incoming.op <= commit
    ? null
    : { ...incoming, restoration: copyRestoration(incoming.restoration), heardAt: 0 }

const readerAt = (snapshot: Snapshot, next: number): PartReader => {
  const parts = partsOf(snapshot)
  let at = next
  return { next: () => parts[at++] ?? null }
}

/** Each part has memory of its own here. */
const unused = new Uint8Array(1)

export const copyOutgoing = ({ outgoing }: Replica): Replica["outgoing"] => {
  const copy: Replica["outgoing"] = new Map()
  for (const [to, { index, isOver, part, snapshot, view }] of [...outgoing].sort(([a], [b]) => a < b ? -1 : 1)) {
    const reader = readerAt(snapshot, index + 1)
    copy.set(to, { snapshot, isOver, view, reader, index, part, copies: 0, room: unused, askedAt: 0 })
  }
  return copy
}

// --- keys: equal for what will act equally for ever

export const imageKey = (image: Restoration | null): unknown =>
  image === null
    ? null
    : [image.header?.op, image.isWhole, image.digest, image["count"], image["kind"], image["sessions"].map(wordOf)]

export const incomingKey = (incoming: Incoming | null): unknown =>
  incoming === null ? null : [incoming.from, incoming.op, incoming.next, imageKey(incoming.restoration)]

const outgoingKey = ({ index, isOver, part, snapshot, view }: Outgoing): unknown =>
  [snapshot.op, isOver, view, index, part.join(), partsOf(snapshot).map((each) => each.join())]

export const outgoingsKey = (outgoing: Replica["outgoing"]): unknown => [...outgoing].map(([to, each]) => [to, outgoingKey(each)])
