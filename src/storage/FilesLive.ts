/**
 * Small files that are replaced as a whole: after a crash, the old content is there or the new one, and damage shows.
 *
 * A file is one JSON object, `{ kind, version, checksum, body }`, readable by people. The checksum is the SHA-256 of
 * the body as compact JSON, so that rewriting the white space does no harm.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import { createHash } from "node:crypto"
import { dirname } from "node:path"
import { Limits } from "../base/Limits.ts"

/** The format of a file, unless its kind has a number of its own. Raise it when an older program could misread a newer file. */
const format_version = 1

/** The text of a file. `kind` says what it holds; `body` is plain data. */
export const seal = (kind: string, body: unknown, version = format_version): string =>
  `${JSON.stringify({ kind, version, checksum: checksum(body), body }, null, 2)}\n`

interface Unreadable {
  readonly ok: false
  readonly reason: string
  /** Null: nobody can read it. Otherwise a program of another version can. */
  readonly version: "older" | "newer" | null
}

/** The body of a file that {@link seal} made, or what is wrong with it. */
export const unseal = (
  kind: string,
  text: string,
  version = format_version
): { readonly ok: true; readonly value: unknown } | Unreadable => {
  let file: unknown
  try {
    file = JSON.parse(text)
  } catch {
    return damaged("it is not valid JSON")
  }
  if (!isSealed(file)) return damaged("it is not a file that v2r2 wrote")
  if (file.kind !== kind) return damaged(`it holds ${JSON.stringify(file.kind)}, expected "${kind}"`)
  if (file.version !== version) {
    const reason = `it has format version ${String(file.version)}; this program knows version ${version}`
    return { ok: false, reason, version: typeof file.version === "number" && file.version < version ? "older" : "newer" }
  }
  return file.checksum === checksum(file.body)
    ? { ok: true, value: file.body }
    : damaged("its checksum does not match its content")
}

const damaged = (reason: string): Unreadable => ({ ok: false, reason, version: null })

/** The text, or null if there is no such file. */
export const readText = (fs: FileSystem, path: string): Effect.Effect<string | null, PlatformError> =>
  fs.readFileString(path).pipe(
    Effect.catchIf((error) => error.reason._tag === "NotFound", () => Effect.succeed(null))
  )

/**
 * Replaces a file. When this returns, the new content survives the loss of power; until then, the old one does. Not
 * interruptible. Two replacements of one file must not overlap.
 */
export const replaceFile = (
  fs: FileSystem,
  path: string,
  content: string | Uint8Array
): Effect.Effect<void, PlatformError> =>
  writeSynced(fs, `${path}.tmp`, content).pipe(
    // A full disk is no fuller for it.
    Effect.onError(() => Effect.ignore(fs.remove(`${path}.tmp`))),
    Effect.andThen(fs.rename(`${path}.tmp`, path)),
    Effect.andThen(syncFolder(fs, dirname(path))),
    Effect.uninterruptible
  )

/** Writes a file whose name nobody reads yet. Its content is durable when this returns, its name is not. */
export const writeSynced = (
  fs: FileSystem,
  path: string,
  content: string | Uint8Array
): Effect.Effect<void, PlatformError> =>
  Effect.scoped(
    Effect.flatMap(fs.open(path, { flag: "w" }), (file) => {
      const pieces = inPieces(typeof content === "string" ? new TextEncoder().encode(content) : content)
      return Effect.andThen(Effect.forEach(pieces, (piece) => file.writeAll(piece), { discard: true }), file.sync)
    })
  )

const inPieces = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => {
  const { file_piece_bytes } = Limits
  const count = Math.ceil(bytes.length / file_piece_bytes)
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * file_piece_bytes, (i + 1) * file_piece_bytes))
}

/** Makes the names in a folder durable. */
export const syncFolder = (fs: FileSystem, path: string): Effect.Effect<void, PlatformError> =>
  Effect.scoped(Effect.flatMap(fs.open(path, { flag: "r" }), (folder) => folder.sync))

/** Makes a folder, with its parents, durably. No harm if it is there. */
export const makeFolder = (fs: FileSystem, path: string): Effect.Effect<void, PlatformError> =>
  Effect.gen(function*() {
    if (yield* fs.exists(path)) return
    const parent = dirname(path)
    yield* makeFolder(fs, parent)
    yield* fs.makeDirectory(path, { recursive: true })
    yield* syncFolder(fs, parent)
  })

/** What the platform says, in words: "permission denied", "no space left on device". */
export const platformReason = (error: PlatformError): string => {
  const cause = error.reason.cause
  return systemReason(cause instanceof Error ? cause : error)
}

/** The same for an error of the system itself. */
export const systemReason = ({ message: text }: Error): string => {
  // Node writes "ENOSPC: no space left on device, write '/path'": the middle is for people, the path is said elsewhere.
  return /^[A-Z0-9]+: ([^,]+)/.exec(text)?.[1] ?? text
}

interface Sealed {
  readonly kind: unknown
  readonly version: unknown
  readonly checksum: unknown
  readonly body: unknown
}

const isSealed = (file: unknown): file is Sealed =>
  typeof file === "object" && file !== null && ["kind", "version", "checksum", "body"].every((key) => key in file)

const checksum = (body: unknown): string =>
  `sha256:${createHash("sha256").update(JSON.stringify(body)).digest("hex")}`
