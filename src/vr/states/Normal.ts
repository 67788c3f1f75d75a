/**
 * What several states share: cutting and growing the log, committing, and putting a snapshot in its place.
 *
 * @module
 */
import { invariant } from "../../base/Invariant.ts"
import { Limits } from "../../base/Limits.ts"
import { primaryOf } from "../Configuration.ts"
import { entryBytes } from "../Log.ts"
import type { Entry, OpNumber, ReplicaId } from "../Message.ts"
import type { Outcome, Replica } from "../Replica.ts"
import { reply } from "../Sending.ts"
import { adoptHistory, enterEpoch } from "../GoingOver.ts"
import { logBetween, type Restoration, takeSnapshot } from "../Snapshot.ts"
import type { Staging } from "../Staging.ts"

/** Records the head for the journal whenever view or logView changed. */
export const writeHead = (replica: Replica, out: Outcome): void => {
  out.head = { epoch: replica.configuration.epoch, view: replica.view, log_view: replica.logView }
}

export const appendEntry = (replica: Replica, entry: Entry, out: Outcome): void => {
  replica.log.append(entry)
  out.entries.push(entry)
}

/** Drops entries above `op`, which must be uncommitted ones. */
export const cutLog = (replica: Replica, op: OpNumber, out: Outcome): void => {
  invariant(op >= replica.commit, "committed entries are never cut", { op, commit: replica.commit })
  if (op >= replica.log.op) return
  // What was appended in this very turn was not written yet, so there is nothing to cut.
  const written = (out.entries[0]?.op ?? replica.log.op + 1) - 1
  replica.log.truncate(op)
  replica.durable = Math.min(replica.durable, op)
  if (op < written) out.truncate_to = op
  out.entries = out.entries.filter((entry) => entry.op <= op)
}

/** Appends those of `entries` that lie above the head; the rest is already held. */
export const appendAbove = (replica: Replica, entries: ReadonlyArray<Entry>, out: Outcome): void => {
  for (const entry of entries) if (entry.op > replica.log.op) appendEntry(replica, entry, out)
}

/** Commits and applies everything up to `op`. The commit number never falls (F3). */
export const commitTo = (replica: Replica, op: OpNumber, out: Outcome): void => {
  invariant(op <= replica.log.op, "only what is held is committed", { op, head: replica.log.op })
  while (replica.commit < op) {
    const last = Math.min(op, replica.commit + Limits.prefetch_entries_max)
    const entries = replica.log.range(replica.commit + 1, last)
    if (entries.length > 1) prefetch(replica, entries)
    for (const entry of entries) {
      replica.commit = entry.op
      applyEntry(replica, entry, out)
    }
  }
  replica.log.settle(op)
}

const prefetch = ({ application }: Replica, entries: ReadonlyArray<Entry>): void => {
  const operations: Array<Uint8Array> = []
  for (const { kind, operation } of entries) if (kind === "request") operations.push(operation)
  application.prefetch(operations)
}

const applyEntry = (replica: Replica, entry: Entry, out: Outcome): void => {
  replica.lastTime = Math.max(replica.lastTime, entry.time)
  replica.commitTime = entry.time
  execute(replica, entry, out)
  countLog(replica, entry)
}

const execute = (replica: Replica, entry: Entry, out: Outcome): void => {
  const primary = replica.state._tag === "Primary" ? replica.state : null
  const request = primary?.waiting.get(entry.op)
  if (primary !== null) {
    primary.uncommittedBytes -= entryBytes(entry)
    primary.waiting.delete(entry.op)
  }
  if (entry.kind === "reconfigure") return enterEpoch(replica, entry, out)
  if (entry.kind === "register") {
    const session = replica.clients.register(entry.op, entry.operation)
    if (request !== undefined) reply(out, request, "ok", { session })
    return
  }
  const result = replica.clients.apply(entry, replica.application)
  if (request === undefined) return
  if (result !== undefined) reply(out, request, "ok", { result })
  else reply(out, request, replica.clients.has(entry.session) ? "stale" : "no session")
}

/** Decides at which ops there are snapshots, by nothing but the log and the data: the same at every replica. */
const countLog = (replica: Replica, entry: Entry): void => {
  replica.sinceSnapshot += entryBytes(entry)
  // It is never less than the first, which is sooner asked.
  if (replica.sinceSnapshot < Limits.snapshot_log_bytes_min || replica.sinceSnapshot < logBetween(replica)) return
  replica.sinceSnapshot = 0
  replica.dueSnapshot?.release()
  replica.dueSnapshot = takeSnapshot(replica)
}

/** The data and the sessions are those of the snapshot; the log stays as it is. */
export const beginWith = (replica: Replica, image: Restoration, out: Outcome): void => {
  const { history, log_bytes, op, time } = image.header!
  invariant(op > replica.commit, "a snapshot that is installed is ahead", { op, commit: replica.commit })
  image.install(replica.clients)
  replica.commit = op
  replica.commitTime = time
  replica.lastTime = Math.max(replica.lastTime, time)
  replica.sinceSnapshot = log_bytes
  replica.dueSnapshot?.release()
  replica.dueSnapshot = null
  replica.incoming = null
  replica.snapshot = { op, digest: image.digest }
  adoptHistory(replica, history, out)
}

/** A whole state takes the place of all that is here. What is here and not in it was never committed. */
export const installSnapshot = (replica: Replica, image: Restoration, out: Outcome): void => {
  beginWith(replica, image, out)
  const { op } = image.header!
  replica.log.reset(op)
  replica.durable = op
  out.entries = []
  out.truncate_to = null
  out.install?.release()
  out.install = takeSnapshot(replica)
  out.events.push(`snapshot of op ${op} installed`)
}

/** What was fetched takes the place of all that is not known to be committed. */
export const replaceSuffix = (replica: Replica, staging: Staging, out: Outcome): void => {
  if (staging.image !== null) installSnapshot(replica, staging.image, out)
  else cutLog(replica, replica.commit, out)
  appendAbove(replica, staging.entries, out)
}

export const isPrimaryOf = (replica: Replica, view: number): boolean =>
  primaryOf(replica.configuration, view) === replica.id

export const indexOf = (replica: Replica, id: ReplicaId): number => replica.configuration.replicas.indexOf(id)
