/**
 * Snapshots of nothing in particular: what is in one follows from its op.
 *
 * @module
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { crc32 } from "node:zlib"
import { concat } from "../../src/base/Bytes.ts"
import type { Journal, Stored } from "../../src/storage/Journal.ts"
import type { Snapshot, SnapshotParts } from "../../src/vr/Snapshot.ts"
import { entries, write } from "./Journal.ts"

/** As it is at that op: one to four parts. */
export const partsOf = (op: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: 1 + op % 4 }, (_, index) => new Uint8Array(1 + (op * 37 + index * 101) % 900).fill(op + index))

/** These parts, as those of a snapshot. */
export const partsGiven = (next: () => Uint8Array | null): SnapshotParts => {
  const parts = {
    checksum: 0,
    next: () => {
      const part = next()
      if (part !== null) parts.checksum = crc32(part)
      return part
    }
  }
  return parts
}

export const snapshotOf = (op: number, parts = partsOf(op)): Snapshot => ({
  op,
  size: 0,
  read: () => {
    let next = 0
    return partsGiven(() => parts[next++] ?? null)
  },
  release: () => {}
})

export const savedOf = (op: number, parts = partsOf(op)) => {
  const bytes = concat(parts)
  return { op, digest: crc32(bytes), bytes: bytes.length }
}

/** All parts of the newest snapshot. */
export const restored = (journal: Journal) => {
  const parts: Array<Uint8Array> = []
  return Effect.as(journal.restore((part) => parts.push(part.slice())), parts)
}

/** Has one part after another, until it is told that it has come to its end; `begun` once some are given. */
export const endless = (op: number) =>
  Effect.map(Deferred.make<void>(), (begun) => {
    let given = 0
    let ended = false
    const next = () => {
      if (++given === 3) Deferred.doneUnsafe(begun, Effect.void)
      return ended ? null : Uint8Array.of(op)
    }
    const snapshot: Snapshot = { op, size: 0, read: () => partsGiven(next), release: () => {} }
    return { begun: Deferred.await(begun), end: () => void (ended = true), snapshot }
  })

export const ops = (stored: Stored): ReadonlyArray<number> => stored.entries.map(({ op }) => op)
export const range = (first: number, last: number): ReadonlyArray<number> =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

/** `count` writes of one entry, each of which commits the one before. */
export const filled = (journal: Journal, first: number, count: number) =>
  Effect.forEach(range(first, first + count - 1), (op) => journal.write(write({ entries: entries(op, 1), commit: op - 1 })), {
    discard: true
  })
