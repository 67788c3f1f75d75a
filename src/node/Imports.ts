/**
 * Snapshots that admins send to this node, so that it makes a tenant's first state of one: taken part by part, checked
 * as they come, and gone once they were used, or when nobody sends any more.
 *
 * @module
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { Limits } from "../base/Limits.ts"
import { isUuid } from "../base/Names.ts"
import { readThrough } from "../storage/Journal.ts"
import { type UploadError, Uploads } from "../storage/Uploads.ts"
import { ClientTable } from "../vr/ClientTable.ts"
import { type Snapshot, takeSnapshot } from "../vr/Snapshot.ts"
import { AdminError, type Args, type Ok } from "../wire/AdminProtocol.ts"
import { SnapshotDecoder } from "../wire/SnapshotFile.ts"
import { SnapshotImage } from "../wire/SnapshotImage.ts"
import { makeCustody } from "./Custody.ts"

/** What a tenant can begin with. */
export interface Image {
  readonly snapshot: Snapshot
  /** CRC-32 of all its parts: the same at every node that was sent the same. */
  readonly digest: number
}

/** An upload that cannot be used. */
export class UnusableUpload extends Schema.TaggedError<UnusableUpload>()("UnusableUpload", { message: Schema.String }) {}

export interface Imports {
  readonly begin: (args: Args<"upload.begin">) => Effect.Effect<Ok<"upload.begin">, AdminError>
  /** The part behind the one that came last; that one again does no harm. */
  readonly part: (args: Args<"upload.part">) => Effect.Effect<Ok<"upload.part">, AdminError>
  /** All has been sent. */
  readonly end: (args: Args<"upload.end">) => Effect.Effect<Ok<"upload.end">, AdminError>
  /** Also while it is used: what is made of it fails. */
  readonly drop: (upload: string) => Effect.Effect<void>
  /**
   * Gives `make` the data of a whole upload, as that of another tenant: without sessions. The upload is gone then,
   * whatever comes of it.
   */
  readonly use: <A, E>(
    upload: string,
    make: (image: Image) => Effect.Effect<A, E>
  ) => Effect.Effect<A, E | UnusableUpload>
}

/** One that is coming in, or has come. */
interface Import {
  readonly decoder: SnapshotDecoder
  /** Parts may come on two connections, if one of them broke. */
  readonly alone: Semaphore.Semaphore
  /** Bytes that were announced. */
  readonly bytes: number
  received: number
  /** Index of the part that is to come. */
  next: number
  isWhole: boolean
}

export const makeImports = Effect.fnUntraced(function*(node: string): Effect.fn.Return<Imports, never, Uploads | Scope.Scope> {
  const uploads = yield* Uploads
  yield* Effect.catch(uploads.clear, ({ message }) => Effect.logWarning(`uploads of an earlier life could not be removed: ${message}`))
  const kept = yield* makeCustody<Import>({
    max: Limits.imports_max,
    idle_ms: Limits.import_idle_ms,
    onIdle: ({ alone }, id) =>
      Effect.andThen(
        alone.withPermits(1)(uploads.remove(id)),
        Effect.logInfo(`the upload ${id}, which nobody has gone on with, is removed`)
      )
  })

  const uses = makeUses(uploads)
  /** By who has it for himself. If it fails, the upload is gone. */
  const orNothing = <A>(upload: string, effect: Effect.Effect<A, AdminError>): Effect.Effect<A, AdminError> =>
    Effect.tapError(effect, () => Effect.andThen(kept.take(upload), uploads.remove(upload)))
  const gone = (upload: string): Effect.Effect<never, AdminError> =>
    refusal("not_found", `node ${node} has no upload ${upload}: it was not gone on with in time, or the node was restarted`)
  const known = (upload: string): Effect.Effect<Import, AdminError> =>
    Effect.flatMap(kept.get(upload), (found) =>
      found === undefined ? gone(upload) : Effect.succeed(found))

  /** Nobody else has it meanwhile: a file that is removed must not be made anew by what is still to be written to it. */
  const alone = <A>(upload: string, use: (found: Import) => Effect.Effect<A, AdminError>): Effect.Effect<A, AdminError> =>
    Effect.flatMap(known(upload), (found) =>
      found.alone.withPermits(1)(Effect.flatMap(known(upload), (still) => still === found ? orNothing(upload, use(found)) : gone(upload))))

  return {
    begin: Effect.fnUntraced(function*({ bytes, upload }) {
      const problem = problemOf(upload, bytes)
      if (problem !== null) return yield* problem
      const decoder = new SnapshotDecoder()
      const added: Import = { decoder, alone: Semaphore.makeUnsafe(1), bytes, received: 0, next: 0, isWhole: false }
      if (!(yield* kept.put(upload, added))) {
        const message = `node ${node} has ${Limits.imports_max} uploads already; one that is not gone on with is removed after ` +
          `${Limits.import_idle_ms / 1_000} s`
        return yield* new AdminError({ code: "unavailable", message })
      }
      return yield* added.alone.withPermits(1)(orNothing(upload, Effect.as(diskOf(node, uploads.begin(upload)), {})))
    }),
    part: (args) => alone(args.upload, (found) => takePart(node, uploads, found, args)),
    end: ({ upload }) =>
      alone(upload, (found) => {
        const { decoder: { header, total }, received } = found
        const fault = found.decoder.finish()
        if (fault !== null || header === null || received !== found.bytes) {
          return refusal("usage", `what was sent is no whole snapshot: ${fault?.reason ?? `it has ${received} bytes`}`)
        }
        found.isWhole = true
        return Effect.succeed({ op: header.op, digest: total.digest })
      }),
    drop: (upload) =>
      Effect.gen(function*() {
        yield* uses.end(upload)
        const found = yield* kept.take(upload)
        if (found !== undefined) yield* found.alone.withPermits(1)(uploads.remove(upload))
      }),
    use: (upload, make) =>
      Effect.flatMap(kept.take(upload), (found) =>
        found?.isWhole === true
          ? uses.run(upload, Effect.flatMap(imageOf(uploads, upload), make))
          : new UnusableUpload({ message: `it has no whole upload ${upload}` }))
  }
})

/** Uploads of which something is being made: it fails once somebody says so. */
const makeUses = (uploads: Uploads["Service"]) => {
  const ends = new Map<string, Deferred.Deferred<never, UnusableUpload>>()
  return {
    end: (upload: string): Effect.Effect<void> => {
      const end = ends.get(upload)
      const reason = new UnusableUpload({ message: "it was told that this is not needed" })
      return end === undefined ? Effect.void : Effect.asVoid(Deferred.fail(end, reason))
    },
    run: <A, E>(upload: string, making: Effect.Effect<A, E>): Effect.Effect<A, E | UnusableUpload> =>
      Effect.gen(function*() {
        const end = yield* Deferred.make<never, UnusableUpload>()
        ends.set(upload, end)
        return yield* Effect.raceFirst(making, Deferred.await(end))
      }).pipe(Effect.ensuring(Effect.suspend(() => {
        ends.delete(upload)
        return uploads.remove(upload)
      })))
  }
}

const refusal = (code: AdminError["code"], message: string): Effect.Effect<never, AdminError> =>
  Effect.fail(new AdminError({ code, message }))

/** What a disk says, as an admin is told. */
const diskOf = (node: string, effect: Effect.Effect<void, UploadError>): Effect.Effect<void, AdminError> =>
  Effect.catch(effect, ({ message }) => refusal("unavailable", `node ${node}: ${message}`))

const problemOf = (upload: string, bytes: number): AdminError | null => {
  if (!isUuid(upload)) return new AdminError({ code: "usage", message: "an upload needs a new UUID as its id" })
  if (bytes <= Limits.import_bytes_max) return null
  return new AdminError({ code: "denied", message: `a snapshot has at most ${Limits.import_bytes_max} bytes, this one has ${bytes}` })
}

const takePart = (
  node: string,
  uploads: Uploads["Service"],
  found: Import,
  { bytes, index, upload }: Args<"upload.part">
): Effect.Effect<Ok<"upload.part">, AdminError> =>
  Effect.gen(function*() {
    if (index === found.next - 1) return {}
    if (index !== found.next || found.isWhole) return yield* refusal("usage", `part ${index} does not follow part ${found.next - 1}`)
    if (found.received + bytes.length > found.bytes) return yield* refusal("usage", "there is more than was announced")
    found.decoder.push(bytes)
    const { fault } = found.decoder
    if (fault !== null) return yield* refusal("usage", `what was sent is no whole snapshot: ${fault.reason}`)
    yield* diskOf(node, uploads.append(upload, bytes))
    found.received += bytes.length
    found.next++
    return {}
  })

/** It may take seconds; others have their turn meanwhile. */
const imageOf = (uploads: Uploads["Service"], upload: string): Effect.Effect<Image, UnusableUpload> =>
  Effect.gen(function*() {
    const image = new SnapshotImage()
    yield* Effect.mapError(uploads.read(upload, (piece) => image.push(piece)), ({ message }) => new UnusableUpload({ message }))
    const facts = image.finish()
    if (facts === null) return yield* new UnusableUpload({ message: `no tenant can be made of the snapshot: ${image.fault?.reason}` })
    const { op, time } = facts.header
    const clients = new ClientTable()
    const snapshot = takeSnapshot({
      history: [], application: image.store, clients, commit: op, commitTime: time, sinceSnapshot: 0
    })
    const { digest } = yield* readThrough(snapshot, () => {})
    return { snapshot, digest }
  })
