/**
 * Drawn writes to a journal of durability `disk`, each legal after the ones before, and where its files are.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type { Random } from "../../src/base/Random.ts"
import { DiskJournal } from "../../src/storage/DiskJournalLive.ts"
import type { JournalWrite, ReplicaHead, Stored } from "../../src/storage/Journal.ts"
import { afterWrite, foundIn, type Held, lastOp, nothingHeld } from "../../src/storage/JournalModel.ts"
import type { LogDisk } from "../../src/storage/log/LogDisk.ts"
import type { Place } from "../../src/storage/LogReaderLive.ts"
import type { Layout } from "../../src/storage/SegmentsLive.ts"
import type { Entry } from "../../src/vr/Message.ts"
import { entries, head as headOf, tenant, write } from "../contracts/Journal.ts"
import { squeeze } from "../simulation/Squeeze.ts"

export const place: Place = {
  tenant,
  replica: "r1::dev1",
  headFile: "/data/r1@dev1.head.json",
  folder: "/data/r1@dev1.log",
  snapshots: "/data/r1@dev1.snapshots"
}
export const segment = (number: number): string => `${place.folder}/${String(number).padStart(8, "0")}.log`
export const spare = (number: number): string => segment(number).replace(/log$/, "spare")
/** No more of them are kept, until the scope ends. */
export const twoSpares = Effect.acquireRelease(
  Effect.sync(() => squeeze({ journal_spares_max: 2 })),
  (release) => Effect.sync(release)
)
export const snapshotFile = (op: number): string => `${place.snapshots}/${String(op).padStart(16, "0")}.snapshot`

/** Small files that grow by little, so that a few writes come to several of them. */
export const small: Layout = { segment_bytes_max: 6144, step_bytes: 2048 }

export const journalOn = (disk: LogDisk, layout = small): DiskJournal => new DiskJournal(disk, place, layout)

export const entryOf = (op: number, bytes: number): Entry =>
  ({ ...entries(op, 1)[0]!, operation: new Uint8Array(bytes).fill(op) })
/** Two of these are too long for one {@link small} file. */
export const longWrite = (op: number, bytes = 4000): JournalWrite => write({ entries: [entryOf(op, bytes)], commit: op - 1 })

export const below = (random: Random, bound: number): number => Math.floor(random.next() * bound)

const sizes = [0, 5, 40, 100, 600, 1500]

export const drawEntries = (random: Random, last: number, view: number): ReadonlyArray<Entry> =>
  Array.from({ length: below(random, 4) }, (_, index) => ({
    op: last + 1 + index,
    view,
    time: below(random, 2 ** 41),
    kind: random.next() < 0.2 ? "register" : "request",
    session: below(random, 100),
    request: below(random, 1000),
    answered: below(random, 1000),
    operation: new Uint8Array(sizes[below(random, sizes.length)]!).fill(below(random, 3))
  }))

const drawHead = (random: Random, head: ReplicaHead | null): ReplicaHead => {
  const view = (head?.view ?? -1) + 1
  const log_view = random.next() < 0.5 ? view : head?.log_view ?? 0
  return headOf(view, log_view)
}

export const drawWrite = (random: Random, stored: Stored): JournalWrite => {
  const { commit, head } = stored
  const op = lastOp(stored)
  const truncate_to = random.next() < 0.2 ? commit + below(random, op - commit + 1) : null
  const nextHead = head === null || random.next() < 0.2 ? drawHead(random, head) : null
  const next = drawEntries(random, truncate_to ?? op, nextHead?.view ?? head?.view ?? 0)
  const last = (truncate_to ?? op) + next.length
  const nextCommit = commit + below(random, Math.min(last - commit, 5) + 1)
  return { head: nextHead, snapshot: null, truncate_to, entries: next, commit: nextCommit }
}

/** `count` writes, and what is stored before each of them and after the last. */
export const drawScript = (random: Random, count: number) => {
  const held: Array<Held> = [nothingHeld]
  const writes = Array.from({ length: count }, (_, index) => {
    const write = drawWrite(random, held[index]!)
    held.push(afterWrite(held[index]!, write, "disk"))
    return write
  })
  return { writes, stored: held.map(foundIn) }
}
