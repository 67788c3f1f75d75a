/**
 * The snapshots of a replica on the disk, in a folder beside its log: at most two that are kept, and what is being
 * written. A file gets its name once all of it is durable.
 *
 * `<data_dir>/tenants/<tenant id>/<replica>@<node>.snapshots/0000000000001234.snapshot`
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dirname, join } from "node:path"
import type { Snapshot } from "../vr/Snapshot.ts"
import { block_bytes_max, block_header_bytes, SnapshotEncoder } from "../wire/SnapshotFile.ts"
import type { SavedSnapshot } from "./Journal.ts"
import type { DiskError, LogDisk, LogFile } from "./log/LogDisk.ts"
import type { Place } from "./LogReaderLive.ts"
import { PageWriter } from "./PageWriter.ts"
import {
  type Choice,
  install_name,
  isUnfinished,
  readSnapshot,
  save_name,
  type SnapshotContent,
  snapshotName
} from "./SnapshotReadingLive.ts"

export class SnapshotFolder {
  /** Ops, the older one first. */
  kept: ReadonlyArray<number> = []
  /** Names of files that nobody needs any more. */
  private useless: ReadonlyArray<string> = []
  private readonly disk: LogDisk
  private readonly place: Place

  constructor(disk: LogDisk, place: Place) {
    this.disk = disk
    this.place = place
  }

  /** The op of the one that serves; null: there is none. */
  get newest(): number | null {
    return this.kept.at(-1) ?? null
  }

  /** Takes over what was found. */
  begin({ damaged, isUnnamed, kept, useless }: Choice): Effect.Effect<void, DiskError> {
    const { disk, place } = this
    return Effect.gen({ self: this }, function*() {
      this.kept = kept
      this.useless = useless.filter((name) => !isUnfinished(name))
      // First of all: on a full disk, all that follows may need their room.
      for (const name of useless.filter(isUnfinished)) yield* disk.remove(join(place.snapshots, name))
      for (const name of damaged) yield* this.setAside(name)
      if (isUnnamed) yield* this.name(install_name, this.newest!)
      // It may have got its name just before a crash.
      yield* disk.syncNames(place.snapshots)
    })
  }

  /**
   * Writes all parts to a file that has no name yet. It is durable when this returns; null: `goesOn` said no. Else nothing
   * is left of it, if the disk lets it go: it would keep a full disk full, for all that have their files there.
   */
  write(
    name: typeof save_name | typeof install_name,
    snapshot: Snapshot,
    goesOn: () => boolean
  ): Effect.Effect<SavedSnapshot | null, DiskError> {
    const { disk, place: { snapshots, tenant } } = this
    const file = join(snapshots, name)
    return Effect.acquireUseRelease(
      disk.create(file),
      (file) => writeParts(file, tenant, snapshot, goesOn),
      ({ close }) => close
    ).pipe(
      Effect.tap((saved) =>
        saved === null ? Effect.void : Effect.andThen(disk.syncNames(snapshots), disk.syncNames(dirname(snapshots)))
      ),
      Effect.onExit((exit) => Exit.isSuccess(exit) && exit.value !== null ? Effect.void : Effect.ignore(disk.remove(file)))
    )
  }

  /** What was saved is one of the two. */
  keep(op: number): Effect.Effect<void, DiskError> {
    return Effect.andThen(this.name(save_name, op), Effect.sync(() => this.keepOnly([...this.kept.slice(-1), op])))
  }

  /** What was installed is the only one. */
  install(op: number): Effect.Effect<void, DiskError> {
    return Effect.andThen(this.name(install_name, op), Effect.sync(() => this.keepOnly([op])))
  }

  /** All others are of no use any more. */
  keepOnly(kept: ReadonlyArray<number>): void {
    const useless = this.kept.filter((op) => !kept.includes(op)).map(snapshotName)
    this.useless = [...this.useless, ...useless]
    this.kept = kept
  }

  /** What was written by a save is of no use. */
  readonly drop: Effect.Effect<void, DiskError> = Effect.suspend(() =>
    this.disk.remove(join(this.place.snapshots, save_name))
  )

  /** Removes a file that nobody needs. Was there one? */
  readonly removeOne: Effect.Effect<boolean, DiskError> = Effect.suspend(() => {
    const [name, ...rest] = this.useless
    if (name === undefined) return Effect.succeed(false)
    this.useless = rest
    return Effect.as(this.disk.remove(join(this.place.snapshots, name)), true)
  })

  /** The log is in doubt, and what is here with it. */
  forget(): void {
    this.kept = []
    this.useless = []
  }

  /** The parts of the newest one, up to the first that is not as it was written. */
  read(take: (part: Uint8Array) => void): Effect.Effect<SnapshotContent, DiskError> {
    return readSnapshot(this.disk, this.pathOfNewest, take)
  }

  get pathOfNewest(): string {
    return join(this.place.snapshots, snapshotName(this.newest ?? 0))
  }

  private name(from: string, op: number): Effect.Effect<void, DiskError> {
    const { snapshots } = this.place
    return this.disk.rename(join(snapshots, from), join(snapshots, snapshotName(op)))
  }

  private setAside(name: string): Effect.Effect<void, DiskError> {
    const { disk, place: { snapshots } } = this
    return Effect.flatMap(disk.list(snapshots), (names) => {
      let number = 1
      while (names.includes(`${name}.${number}.damaged`)) number++
      return disk.rename(join(snapshots, name), join(snapshots, `${name}.${number}.damaged`))
    })
  }
}

/** Lets others have their turn after each part. */
const writeParts = (
  file: LogFile,
  tenant: string,
  snapshot: Snapshot,
  goesOn: () => boolean
): Effect.Effect<SavedSnapshot | null, DiskError> =>
  Effect.gen(function*() {
    const encoder = new SnapshotEncoder({ tenant, op: snapshot.op })
    const writer = new PageWriter(file, block_bytes_max)
    const reader = snapshot.read()
    const next = () => reader.next(writer.room(block_header_bytes))
    writer.add(encoder.header)
    for (let part = next(); part !== null; part = next()) {
      for (const bytes of encoder.part(part, reader.checksum)) writer.add(bytes)
      if (writer.isFull) yield* writer.write
      yield* Effect.yieldNow
      if (!goesOn()) return null
    }
    writer.add(encoder.end())
    yield* writer.end
    return { op: snapshot.op, bytes: encoder.total.bytes, digest: encoder.total.digest }
  })
