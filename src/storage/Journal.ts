/**
 * What one replica must find again after a crash (Liskov & Cowling, §4.3, and why that is not enough: DISC17 §6).
 *
 * The *head* says what the replica has promised: a replica that forgot that it had moved to a view could help an older
 * one to forget acknowledged operations. So the head is durable before any message that follows from it leaves, and the
 * view in which the log was last normal is stored with it, atomically. The *entries* are the log itself. The durability
 * of a tenant says which of the two survive:
 *
 * - `memory`: the head. The replica gets its log from its peers before it takes part in anything.
 * - `disk`: head and entries.
 *
 * This file has the contract and the version of it in memory; `JournalModel.ts` has the model of both, `JournalsLive.ts`
 * the real one.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { invariant } from "../base/Invariant.ts"
import type { Entry } from "../vr/Message.ts"
import { afterWrite, nothingStored } from "./JournalModel.ts"
import type { MemoryDisk } from "./MemoryDisk.ts"

export interface ReplicaHead {
  readonly epoch: number
  readonly view: number
  /** The last view in which the replica was normal; never above `view`. */
  readonly log_view: number
  /** Bootstrapped, but never started: there is nothing to recover, it may start as a new replica. */
  readonly fresh: boolean
  /**
   * Durability `disk`: the log here holds all that this replica ever acknowledged. False from the moment in which damage
   * is found until the recovery from the peers is done; durable, so that a crash in between is not taken for a whole,
   * empty log. Durability `memory`: true.
   */
  readonly whole: boolean
}

/** One atomic change: all of it is found again after a crash, or nothing. */
export interface JournalWrite {
  /** Null: as it was. */
  readonly head: ReplicaHead | null
  /** First keep only the entries up to this op. Null: nothing is cut. */
  readonly truncate_to: number | null
  /** Then append these: contiguous, and right after what is there. */
  readonly entries: ReadonlyArray<Entry>
  /** The replica's commit number: everything up to it is committed. Written along, never a reason to write by itself. */
  readonly commit: number
}

/** What there is to be found. */
export interface Stored {
  /** Null: no head was ever written, or it is lost. A replica that had been started must then begin in recovery. */
  readonly head: ReplicaHead | null
  /** Contiguous, from op 1. None in durability `memory`, and none if they are in doubt. */
  readonly entries: ReadonlyArray<Entry>
  /** The last one that was written; never above the last entry. 0 in durability `memory`. */
  readonly commit: number
  /**
   * Null: this is all that was ever acknowledged. Otherwise what is damaged, in words: the replica recovers from its
   * peers before it takes part in anything, and its owner begins with a `replacement`. `head` is then the highest
   * that can still be read.
   */
  readonly doubt: string | null
  /** What opening did, in words, for the log: "a write that was cut short by a crash was dropped". */
  readonly notes: ReadonlyArray<string>
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
  /**
   * `tenantId`: a UUID; `replicaId`: `<replica>::<node>`; always the same durability for one replica. Takes the journal
   * from whoever was given it before: that one can write no more.
   */
  readonly journal: (tenantId: string, replicaId: string, durability: Durability) => Effect.Effect<Journal>
}>()("v2r2/storage/Journals") {
  /** Building the layer anew on the same disk is a restart after a crash. */
  static readonly layerMemory = (disk: MemoryDisk): Layer.Layer<Journals> =>
    Layer.sync(Journals, () => {
      const owners = new Map<string, symbol>()
      return {
        journal: (tenantId, replicaId, durability) =>
          Effect.sync(() => {
            const key = `${tenantId}::${replicaId}`
            const owner = Symbol(key)
            owners.set(key, owner)
            return memoryJournal(disk, key, durability, () => owners.get(key) === owner)
          })
      }
    })
}

const memoryJournal = (disk: MemoryDisk, key: string, durability: Durability, isOwned: () => boolean): Journal => {
  let opened = false
  let failed: JournalError | null = null
  return {
    open: Effect.suspend(() => {
      opened = true
      return failed ? Effect.fail(failed) : Effect.succeed(disk.journals.get(key) ?? nothingStored)
    }),
    write: (write) =>
      Effect.suspend(() => {
        invariant(opened && isOwned(), "a journal is opened before it is written", { key })
        if (disk.failure !== null) failed ??= new JournalError({ during: "write", file: key, message: disk.failure })
        if (failed) return Effect.fail(failed)
        disk.journals.set(key, afterWrite(disk.journals.get(key) ?? nothingStored, write, durability))
        return Effect.void
      })
  }
}
