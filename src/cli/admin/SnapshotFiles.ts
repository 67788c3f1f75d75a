/**
 * Snapshots of tenants in files on this machine: written from what a node gives, and checked.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { Limits } from "../../base/Limits.ts"
import { uuid } from "../../base/Names.ts"
import type { Call } from "../../client/Admin.ts"
import { SnapshotEncoder } from "../../wire/SnapshotFile.ts"
import { type ImageFacts, type ImageFault, SnapshotImage } from "../../wire/SnapshotImage.ts"
import { Failure } from "../Failure.ts"
import { fileFailure } from "../FileTrouble.ts"
import type { Options } from "../Options.ts"
import { makeProgress } from "../Progress.ts"
import { writeWhole } from "../WholeFile.ts"
import type { Opened } from "./Nodes.ts"

/** What is read of a file at a time, and sent. */
const chunk_bytes = Limits.import_part_bytes_max
/** A node that is asked to let go of something, and does not answer, does so by itself in the end. */
const farewell_ms = 2_000

/** The parts, one after the other, into the file. */
export const saveSnapshot = ({ ask, snapshot: { op, size, snapshot, tenant } }: Opened, path: string, force: boolean, options: Options) =>
  writeWhole(path, force, (put) =>
    Effect.gen(function*() {
      const advance = yield* makeProgress("save", size, options)
      const encoder = new SnapshotEncoder({ tenant, op })
      yield* put([encoder.header])
      let { bytes } = yield* ask("snapshot.part", { snapshot, index: 0 })
      for (let index = 1; bytes !== null; index++) {
        // The next one comes while this one is written.
        const [next] = yield* Effect.all([ask("snapshot.part", { snapshot, index }), put(encoder.part(bytes))], { concurrency: 2 })
        yield* advance(bytes.length)
        bytes = next.bytes
      }
      yield* put([encoder.end()])
      return encoder.total
    }).pipe(Effect.scoped)).pipe(
      Effect.ensuring(Effect.ignore(Effect.timeoutOption(ask("snapshot.close", { snapshot }), farewell_ms)))
    )

/** Every byte of the file, and whether data can be made of it. */
export const verifySnapshot = Effect.fnUntraced(function*(path: string, options: Options) {
  const image = new SnapshotImage()
  const advance = yield* makeProgress("verify", yield* fileSize(path), options)
  yield* inChunks(path, (chunk) => {
    image.push(chunk)
    // The rest tells nothing more.
    return Effect.as(advance(chunk.length), image.fault === null)
  })
  const facts = image.finish()
  return facts ?? (yield* unfit(path, image.fault!))
}, Effect.scoped)

/**
 * Sends the file to all these nodes, each part to all of them before the next: none waits longer than it takes. If what
 * `use` does with it fails, and if anything fails before, the nodes are told that it is not needed.
 */
export const withUpload = <A, E, R>(
  path: string,
  facts: ImageFacts,
  calls: ReadonlyArray<Call>,
  options: Options,
  use: (upload: string) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    const random = yield* Random.Random
    const upload = uuid({ next: () => random.nextDoubleUnsafe() })
    const toAll = <B, F>(ask: (call: Call) => Effect.Effect<B, F>) => Effect.forEach(calls, ask, { concurrency: "unbounded" })
    const drop = toAll((call) => Effect.ignore(Effect.timeoutOption(call("upload.drop", { upload }), farewell_ms)))
    const { bytes, digest, header } = facts
    return yield* Effect.onError(Effect.gen(function*() {
      yield* toAll((call) => call("upload.begin", { upload, bytes }))
      yield* Effect.scoped(Effect.gen(function*() {
        const advance = yield* makeProgress("upload", bytes, options)
        let index = 0
        yield* inChunks(path, (chunk) =>
          toAll((call) => call("upload.part", { upload, index, bytes: chunk })).pipe(
            Effect.andThen(advance(chunk.length)),
            Effect.as(true),
            Effect.tap(() => Effect.sync(() => index++))
          ))
      }))
      for (const sent of yield* toAll((call) => call("upload.end", { upload }))) {
        if (sent.op !== header.op || sent.digest !== digest) return yield* changed(path)
      }
      return yield* use(upload)
    }), () => drop)
  })

const changed = (path: string): Failure =>
  new Failure({
    exit: "conflict",
    code: "file",
    attempt: "",
    message: `the file ${path} was changed while it was sent`,
    hint: "try again when nobody writes it",
    detail: { file: path }
  })

/** In bytes; fails if there is no file. */
export const fileSize = Effect.fnUntraced(function*(path: string) {
  const files = yield* FileSystem.FileSystem
  const { size, type } = yield* Effect.mapError(files.stat(path), fileFailure("read", path))
  if (type === "File") return Number(size)
  const message = `${path} is no file`
  return yield* new Failure({ exit: "conflict", code: "file", attempt: "", message, hint: null, detail: { file: path } })
})

/** Gives the file to `take`, as long as that wants more. */
export const inChunks = <E, R>(path: string, take: (chunk: Uint8Array) => Effect.Effect<boolean, E, R>) =>
  Effect.flatMap(FileSystem.FileSystem, (files) =>
    files.stream(path, { chunkSize: chunk_bytes }).pipe(
      Stream.mapError(fileFailure("read", path)),
      Stream.mapEffect(take),
      Stream.takeWhile((goesOn) => goesOn),
      Stream.runDrain
    ))

const faults: {
  readonly [K in ImageFault["kind"]]: Pick<Failure, "exit" | "code" | "hint"> & { readonly says: (reason: string) => string }
} = {
  foreign: {
    exit: "conflict",
    code: "not_a_snapshot",
    says: (reason) => `this file is not what is needed: ${reason}`,
    hint: "snapshots are made with: snapshot save <tenant> <file>"
  },
  damaged: { exit: "failed", code: "damaged", says: (reason) => `the file is damaged: ${reason}`, hint: "take another copy of it" },
  cut: { exit: "failed", code: "truncated", says: (reason) => `the file is not whole: ${reason}`, hint: "take another copy of it" },
  newer: {
    exit: "conflict",
    code: "newer_version",
    says: (reason) => `this program cannot read the file: ${reason}`,
    hint: "take the program that wrote it, or a newer one"
  }
}

const unfit = (path: string, { kind, reason }: ImageFault): Failure => {
  const { code, exit, hint, says } = faults[kind]
  return new Failure({ exit, code, attempt: "", message: says(reason), hint, detail: { file: path } })
}
