/**
 * A replica's snapshots, on the way to its disk and back: written in the background, part by part, while the replica
 * goes on; read when it starts.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type { Journal, JournalError } from "../storage/Journal.ts"
import type { Application } from "../vr/Application.ts"
import { Restoration, type Snapshot } from "../vr/Snapshot.ts"
import type { Counters } from "./Metrics.ts"
import type { SavedQueue } from "./Queues.ts"

export interface SavingOptions {
  readonly journal: Journal
  readonly metrics: Counters
}

/** A snapshot that is whole on the disk, and that this program cannot make data of. */
export class Unreadable extends Schema.TaggedError<Unreadable>()("Unreadable", { message: Schema.String }) {}

/** Hands over a snapshot to be written. One that has waited since before takes up memory for nothing. */
export const handOver = (snapshots: Queue.Queue<Snapshot>, snapshot: Snapshot): void => {
  const before = Queue.takeUnsafe(snapshots)
  if (before !== undefined && Exit.isSuccess(before)) before.value.release()
  Queue.offerUnsafe(snapshots, snapshot)
}

/** Writes what comes on the queue, one after the other, releases it and says so. A disk that refuses stops the replica. */
export const saveSnapshots = (
  { journal, metrics }: SavingOptions,
  snapshots: Queue.Queue<Snapshot>,
  saved: SavedQueue
): Effect.Effect<never, JournalError> =>
  Effect.forever(Effect.gen(function*() {
    const snapshot = yield* Queue.take(snapshots)
    yield* journal.save(snapshot, ({ bytes, digest, op }) => {
      snapshot.release()
      metrics.snapshots_written++
      metrics.snapshot_bytes_written += bytes
      Queue.offerUnsafe(saved, { _tag: "Snapshotted", op, digest })
    })
  }))

/** The snapshot that an opened journal begins with, as what `application` can become. */
export const readSnapshot = (
  journal: Journal,
  application: Application
): Effect.Effect<Restoration, JournalError | Unreadable> =>
  Effect.gen(function*() {
    const image = new Restoration(application)
    let refusal: string | null = null
    yield* journal.restore((part) => {
      refusal ??= image.add(part)
    })
    return yield* whole(image, refusal)
  })

/** One that is in memory, as what `application` can become. Others have their turn meanwhile. */
export const readPinned = ({ read }: Snapshot, application: Application): Effect.Effect<Restoration, Unreadable> =>
  Effect.gen(function*() {
    const image = new Restoration(application)
    const reader = read()
    let refusal: string | null = null
    for (let part = reader.next(); part !== null; part = reader.next()) {
      refusal ??= image.add(part)
      yield* Effect.yieldNow
    }
    return yield* whole(image, refusal)
  })

const whole = (image: Restoration, refusal: string | null): Effect.Effect<Restoration, Unreadable> => {
  const problem = refusal ?? (image.isWhole ? null : "it ends too early")
  return problem === null ? Effect.succeed(image) : Effect.fail(new Unreadable({
    message: `its snapshot cannot be used: ${problem}; start the program that wrote it, or a newer one`
  }))
}
