/**
 * What one replica must find again after a crash (Liskov & Cowling, §4.3, and why that is not enough: DISC17 §6).
 *
 * The *head* says what the replica has promised: a replica that forgot that it had moved to a view could help an older
 * one to forget acknowledged operations. So the head is durable before any message that follows from it leaves, and the
 * view in which the log was last normal is stored with it, atomically. The *entries* are the log itself. The durability
 * of a tenant says which of the two survive:
 *
 * - `memory`: the head. The replica gets its log from its peers before it takes part in anything.
 * - `disk`: head and entries, and *snapshots*, which take the place of the entries up to their op.
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
import { partRoom, type Snapshot } from "../vr/Snapshot.ts"
import { noParts, withPart } from "../wire/SnapshotFile.ts"
import { afterSave, afterWrite, checkSave, foundIn, type Held, lastOp, nothingHeld, shortened } from "./JournalModel.ts"
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
  /**
   * The group of `epoch`, by their ids: 1 to 7, sorted. A replica that is not in it, and has not `left`, is a learner: it
   * is to join.
   */
  readonly replicas: ReadonlyArray<string>
  /** It was in the group of an earlier epoch, and is in none any more: that is for ever, as ids are never used again. */
  readonly left: boolean
}

/** One atomic change: all of it is found again after a crash, or nothing. */
export interface JournalWrite {
  /** Null: as it was. */
  readonly head: ReplicaHead | null
  /**
   * First *install* this: it replaces all entries and snapshots that are there, and the log begins behind its op. Not
   * below the commit number; entries above it that were not committed are given up. Nothing is cut then. Null: none. It is not
   * read once the write has ended.
   */
  readonly snapshot: Snapshot | null
  /** First keep only the entries up to this op. Null: nothing is cut. */
  readonly truncate_to: number | null
  /** Then append these: contiguous, and right after what is there. */
  readonly entries: ReadonlyArray<Entry>
  /**
   * Everything up to it is committed, as far as the replica has heard: it may not be applied yet. Written along, never a
   * reason to write by itself.
   */
  readonly commit: number
}

/** What there is to be found. */
export interface Stored {
  /** Null: no head was ever written, or it is lost. A replica that had been started must then begin in recovery. */
  readonly head: ReplicaHead | null
  /** The entries begin behind this op: 0, unless a snapshot has what came before. */
  readonly base: number
  /** The op of the snapshot that `restore` gives: within the log. Null: there is none; then `base` is 0. */
  readonly snapshot: number | null
  /** Contiguous, from `base` + 1. None in durability `memory`, and none if they are in doubt. */
  readonly entries: ReadonlyArray<Entry>
  /** The last one that was written, and at least `snapshot`; never above the last op. 0 in durability `memory`. */
  readonly commit: number
  /**
   * Null: this is all that was ever acknowledged. Otherwise what is damaged, in words: the replica recovers from its
   * peers before it takes part in anything, and its owner begins with a `replacement`. `head` is then the highest
   * that can still be read.
   */
  readonly doubt: string | null
  /** What opening does, in words, for the log: "a write that was cut short by a crash is dropped". */
  readonly notes: ReadonlyArray<string>
  /** What was damaged and is set aside, in words, to warn of: nothing is lost by it, as long as the rest is whole. */
  readonly damage: ReadonlyArray<string>
}

/** What a snapshot came to. At equal ops all replicas of a tenant have the same. */
export interface SavedSnapshot {
  readonly op: number
  /** CRC-32 of all parts. */
  readonly digest: number
  /** Of all parts. */
  readonly bytes: number
}

export type Durability = "memory" | "disk"

/** The disk refused. After a failed write nothing is known about the journal: its replica has to stop. */
export class JournalError extends Schema.TaggedError<JournalError>()("JournalError", {
  during: Schema.Literals(["open", "restore", "write", "save"]),
  file: Schema.String,
  /** One line: the file, what happened, and for a damaged file what to do. */
  message: Schema.String
}) {}

/** Owned by one replica. To be opened before it is written. */
export interface Journal {
  /** What survived. */
  readonly open: Effect.Effect<Stored, JournalError>
  /**
   * Gives the parts of the newest snapshot, in order. A part that is given is as it was written, but only once this
   * succeeds are they all there.
   */
  readonly restore: (take: (part: Uint8Array) => void) => Effect.Effect<void, JournalError>
  /** Returns once all that was given is as durable as the mode promises. A failed write is never to be repeated. */
  readonly write: (write: JournalWrite) => Effect.Effect<void, JournalError>
  /**
   * Keeps a snapshot of what the log holds and is committed, and then shortens the log: of two snapshots, and of what
   * follows the older one, nothing is removed. Runs beside `write`, for as long as it takes, and gives others their turn
   * after each part; returns once all is as durable as the mode promises. If there is a newer one by then, which was
   * installed, nothing is kept. One at a time: another one waits. A failed save ends the journal like a failed write;
   * one that is interrupted has happened or not. The snapshot is not read any more then.
   *
   * `onKept`: told once it is durable, or superfluous. It is not read any more from then on: what follows makes room, which may
   * take longer.
   *
   * Durability `memory`: nothing is stored, and still all parts are gone through.
   */
  readonly save: (snapshot: Snapshot, onKept?: (saved: SavedSnapshot) => void) => Effect.Effect<SavedSnapshot, JournalError>
}

export interface HeldReplica {
  readonly tenant: string
  readonly replica: string
}

/** The journals of a node's replicas. */
export class Journals extends Context.Service<Journals, {
  /**
   * `tenantId`: a UUID; `replicaId`: `<replica>::<node>`; always the same durability for one replica. Takes the journal
   * from whoever was given it before: that one can write no more.
   */
  readonly journal: (tenantId: string, replicaId: string, durability: Durability) => Effect.Effect<Journal>
  /**
   * Removes all that was written for a replica that is not needed: it was prepared and never started, or has left. What
   * was damaged and set aside stays. A journal that was given for it is of no use any more. No harm if there is nothing.
   */
  readonly discard: (tenantId: string, replicaId: string) => Effect.Effect<void, JournalError>
  /** All replicas of which anything is here, by tenant and replica: also what a `discard` left that did not end. */
  readonly held: Effect.Effect<ReadonlyArray<HeldReplica>, JournalError>
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
            return memoryJournal({ disk, key, durability, isOwned: () => owners.get(key) === owner })
          }),
        discard: (tenantId, replicaId) =>
          Effect.sync(() => {
            const key = `${tenantId}::${replicaId}`
            owners.delete(key)
            disk.journals.delete(key)
          }),
        held: Effect.sync(() => heldReplicas(disk.journals.keys()))
      }
    })
}

/** Out of `<tenant id>::<replica id>`. Tenant ids are equally long, so whole keys have the order of their parts. */
export const heldReplicas = (keys: Iterable<string>): ReadonlyArray<HeldReplica> =>
  [...new Set(keys)].sort().map((key) => {
    const [tenant = "", ...replica] = key.split("::")
    return { tenant, replica: replica.join("::") }
  })

interface MemoryJournalOptions {
  readonly disk: MemoryDisk
  readonly key: string
  readonly durability: Durability
  readonly isOwned: () => boolean
}

const memoryJournal = ({ disk, durability, isOwned, key }: MemoryJournalOptions): Journal => {
  let opened = false
  let failed: JournalError | null = null
  const held = (): Held => disk.journals.get(key) ?? nothingHeld
  const change = (during: "save" | "write", next: (held: Held) => Held): Effect.Effect<void, JournalError> =>
    Effect.suspend(() => {
      invariant(opened && isOwned(), "a journal is opened before it is written", { key })
      if (disk.failure !== null) failed ??= new JournalError({ during, file: key, message: disk.failure })
      if (failed) return Effect.fail(failed)
      const before = held()
      const after = next(before)
      // Where nothing was to be written, there is nothing: `held` tells.
      if (after !== before) disk.journals.set(key, after)
      return Effect.void
    })
  const save = (snapshot: Snapshot) =>
    Effect.gen(function*() {
      const { doubt, ...log } = held()
      checkSave({ op: lastOp(log), doubt }, snapshot.op)
      const parts: Array<Uint8Array> = []
      const saved = yield* readThrough(snapshot, (part) => parts.push(part.slice()))
      yield* change("save", (held) => shortened(afterSave(held, { op: snapshot.op, parts })))
      return saved
    })
  return {
    open: Effect.suspend(() => {
      opened = true
      return failed ? Effect.fail(failed) : Effect.succeed(foundIn(held()))
    }),
    restore: (take) =>
      Effect.suspend(() => {
        const newest = held().kept.at(-1)
        invariant(opened && newest !== undefined, "there is a snapshot to restore", { key })
        const give = (part: Uint8Array) => Effect.andThen(Effect.sync(() => take(part)), Effect.yieldNow)
        return Effect.forEach(newest.parts, give, { discard: true })
      }),
    write: (write) => change("write", (held) => afterWrite(held, write, durability)),
    save: (snapshot, onKept) => {
      const through: Effect.Effect<SavedSnapshot, JournalError> = readThrough(snapshot, () => {})
      return Effect.tap(durability === "disk" ? save(snapshot) : through, (saved) => Effect.sync(() => onKept?.(saved)))
    }
  }
}

/** Goes through all parts, and lets others have their turn after each. A part is valid until `take` returns. */
export const readThrough = (
  { op, read }: Snapshot,
  take: (part: Uint8Array) => void
): Effect.Effect<SavedSnapshot> =>
  Effect.gen(function*() {
    const reader = read()
    const room = partRoom()
    let total = noParts
    for (let part = reader.next(room); part !== null; part = reader.next(room)) {
      total = withPart(total, part.length, reader.checksum)
      take(part)
      yield* Effect.yieldNow
    }
    return { op, digest: total.digest, bytes: total.bytes }
  })
