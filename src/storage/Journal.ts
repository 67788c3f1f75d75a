/**
 * What one replica must find again after a crash (Liskov & Cowling, §4.3, and why that is not enough: DISC17 §6).
 *
 * The *head* says what the replica has promised: a replica that forgot that it had moved to a view could help an older
 * one to forget acknowledged operations. So the head is durable before any message that follows from it leaves, and the
 * view in which the log was last normal is stored with it, atomically. The *entries* are the log itself. A mode says
 * which of the two survive:
 *
 * - `memory`: the head. The replica gets its log from its peers before it takes part in anything.
 * - `disk`: head and entries.
 *
 * This file has the contract, the model of it, and the version of it in memory; `JournalsLive.ts` has the real one.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { invariant } from "../base/Invariant.ts"
import type { Entry } from "../vr/Message.ts"
import type { MemoryDisk } from "./MemoryDisk.ts"

export interface ReplicaHead {
  readonly epoch: number
  readonly view: number
  /** The last view in which the replica was normal; never above `view`. */
  readonly log_view: number
  /** Bootstrapped, but never started: there is nothing to recover, it may start as a new replica. */
  readonly fresh: boolean
}

/** One atomic change: all of it is found again after a crash, or nothing. */
export interface JournalWrite {
  /** Null: as it was. */
  readonly head: ReplicaHead | null
  /** First keep only the entries up to this op. Null: nothing is cut. */
  readonly truncate_to: number | null
  /** Then append these: contiguous, and right after what is there. */
  readonly entries: ReadonlyArray<Entry>
}

/** What there is to be found. */
export interface Stored {
  /** Null: no head was ever written, or it is lost. A replica that had been started must then begin in recovery. */
  readonly head: ReplicaHead | null
  /** Contiguous. */
  readonly entries: ReadonlyArray<Entry>
}

export type Durability = "memory" | "disk"

/** The disk refused. After a failed write nothing is known about the journal: its replica has to stop. */
export class JournalError extends Schema.TaggedError<JournalError>()("JournalError", {
  during: Schema.Literals(["open", "write"]),
  file: Schema.String,
  /** One line: the file, what happened, and for a damaged file what to do. */
  message: Schema.String
}) {}

/** Owned by one replica. To be opened before it is written. */
export interface Journal {
  /** What survived. */
  readonly open: Effect.Effect<Stored, JournalError>
  /** Returns once all that was given is as durable as the mode promises. A failed write is never to be repeated. */
  readonly write: (write: JournalWrite) => Effect.Effect<void, JournalError>
}

/** The journals of a node's replicas. */
export class Journals extends Context.Service<Journals, {
  /** `tenantId`: a UUID; `replicaId`: `<replica>::<node>`. */
  readonly journal: (tenantId: string, replicaId: string) => Effect.Effect<Journal>
}>()("v2r2/storage/Journals") {
  /** Building the layer anew on the same disk is a restart after a crash. */
  static readonly layerMemory = (disk: MemoryDisk, durability: Durability = "memory"): Layer.Layer<Journals> =>
    Layer.sync(Journals, () => {
      for (const [key, stored] of disk.journals) disk.journals.set(key, afterCrash(stored, durability))
      return {
        journal: (tenantId, replicaId) =>
          Effect.sync(() => memoryJournal(disk, `${tenantId}::${replicaId}`, durability))
      }
    })
}

const memoryJournal = (disk: MemoryDisk, key: string, durability: Durability): Journal => {
  let opened = false
  let failed: JournalError | null = null
  return {
    open: Effect.suspend(() => {
      opened = true
      return failed ? Effect.fail(failed) : Effect.succeed(disk.journals.get(key) ?? nothingStored)
    }),
    write: (write) =>
      Effect.suspend(() => {
        invariant(opened, "a journal is opened before it is written", { key })
        if (disk.failure !== null) failed ??= new JournalError({ during: "write", file: key, message: disk.failure })
        if (failed) return Effect.fail(failed)
        disk.journals.set(key, afterCrash(afterWrite(disk.journals.get(key) ?? nothingStored, write), durability))
        return Effect.void
      })
  }
}

export const nothingStored: Stored = { head: null, entries: [] }

/** The model: what a write makes of what is stored. Dies if the write breaks the contract. */
export const afterWrite = (stored: Stored, { head, truncate_to, entries }: JournalWrite): Stored => {
  checkContiguous(entries)
  if (head) checkHead(stored.head, head)
  const kept = truncate_to === null ? stored.entries : stored.entries.filter((entry) => entry.op <= truncate_to)
  const last = kept.at(-1)
  const next = entries[0]
  if (last && next) invariant(next.op === last.op + 1, "entries follow the log", { last: last.op, next: next.op })
  return { head: head ?? stored.head, entries: [...kept, ...entries] }
}

/** The model: what a crash leaves of what is stored. */
export const afterCrash = (stored: Stored, durability: Durability): Stored =>
  durability === "disk" ? stored : { head: stored.head, entries: [] }

/** Promises are never taken back: view and log view do not fall within an epoch, and a started replica stays one. */
export const checkHead = (before: ReplicaHead | null, after: ReplicaHead): void => {
  invariant(after.log_view <= after.view, "the log view is not above the view", after)
  if (before === null) return
  invariant(before.fresh || !after.fresh, "a replica that was started is not fresh again", { before, after })
  invariant(after.epoch >= before.epoch, "the epoch never falls", { before, after })
  if (after.epoch > before.epoch) return
  invariant(after.view >= before.view, "the view never falls", { before, after })
  invariant(after.log_view >= before.log_view, "the log view never falls", { before, after })
}

export const checkContiguous = (entries: ReadonlyArray<Entry>): void => {
  for (let index = 1; index < entries.length; index++) {
    invariant(entries[index]!.op === entries[0]!.op + index, "entries are contiguous", { first: entries[0]!.op, index })
  }
}
