/**
 * One process at a time: a lock file in a folder, that names the process which holds it.
 *
 * The file appears with its whole content at once (it is linked, not created), so whoever finds it can judge it. It is
 * stale when its process is gone, or when that process id belongs to a process that started at another time, as it does
 * after a reboot or in a container. Breaking a stale lock is itself done under a lock, `lock.break`, and only after
 * looking again: otherwise two processes that judged at the same time could each remove the other's new lock.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Schema from "effect/Schema"
import type { Scope } from "effect/Scope"
import { randomUUID } from "node:crypto"
import { join } from "node:path"
import { parserOf } from "../wire/Records.ts"
import { readText, writeSynced } from "./FilesLive.ts"

/** Why the lock was not given. Process ids are null where the file does not say one. */
export type LockRefusal =
  /** A living process holds it. */
  | { readonly _tag: "Held"; readonly file: string; readonly pid: number }
  /** Another process is about to break a stale lock; or it died while it did. */
  | { readonly _tag: "Contended"; readonly file: string; readonly pid: number | null }

const Holder = Schema.Struct({
  /** Process id. */
  pid: Schema.Natural,
  /** When it started, in the system's own terms; null where the system does not tell. */
  started: Schema.NullOr(Schema.String),
  /** Unlike that of any other lock. */
  token: Schema.String
})
const parseHolder = parserOf(Holder)
type Holder = typeof Holder["Type"]

/** Holds the lock of a folder (which exists) until the scope ends. Does not wait. */
export const holdLock = (fs: FileSystem, folder: string): Effect.Effect<void, LockRefusal | PlatformError, Scope> =>
  Effect.gen(function*() {
    const me: Holder = { pid: process.pid, started: yield* startOf(fs, process.pid), token: randomUUID() }
    yield* Effect.acquireRelease(take(fs, folder, me), () => release(fs, join(folder, "lock"), me))
  })

/** Why the lock of a folder would not be given now, or null. It is not taken, and nothing is changed. */
export const lookAtLock = (fs: FileSystem, folder: string): Effect.Effect<LockRefusal | null, PlatformError> =>
  Effect.gen(function*() {
    const file = join(folder, "lock")
    const text = yield* readText(fs, file)
    if (text === null) return null
    const held = yield* refusalIfAlive(fs, file, holderIn(text))
    if (held !== null) return held
    // It is stale, but someone is about to break it.
    const breaking = join(folder, "lock.break")
    const breaker = yield* readText(fs, breaking)
    return breaker === null ? null : { _tag: "Contended", file: breaking, pid: holderIn(breaker)?.pid ?? null }
  })

const take = Effect.fnUntraced(function*(fs: FileSystem, folder: string, me: Holder) {
  const file = join(folder, "lock")
  if (yield* place(fs, file, me)) return
  yield* refuseIfHeld(fs, file)
  const breaking = join(folder, "lock.break")
  if (!(yield* place(fs, breaking, me))) {
    const pid = (yield* readHolder(fs, breaking))?.pid ?? null
    return yield* Effect.fail<LockRefusal>({ _tag: "Contended", file: breaking, pid })
  }
  const taken = yield* breakStale(fs, file).pipe(
    Effect.andThen(place(fs, file, me)),
    Effect.ensuring(release(fs, breaking, me))
  )
  if (taken) return
  yield* refuseIfHeld(fs, file)
  return yield* Effect.fail<LockRefusal>({ _tag: "Contended", file, pid: null })
})

/** Makes the file appear with its content, unless it is there: then false. */
const place = (fs: FileSystem, file: string, me: Holder): Effect.Effect<boolean, PlatformError> => {
  const draft = `${file}.${me.token}.tmp`
  return writeSynced(fs, draft, `${JSON.stringify(me)}\n`).pipe(
    Effect.andThen(fs.link(draft, file)),
    Effect.as(true),
    Effect.catchIf((error) => error.reason._tag === "AlreadyExists", () => Effect.succeed(false)),
    Effect.ensuring(Effect.ignore(fs.remove(draft, { force: true })))
  )
}

/** Only for one who may break. What is not there is not removed either: by then it could be another one's new lock. */
const breakStale = (fs: FileSystem, file: string): Effect.Effect<void, LockRefusal | PlatformError> =>
  Effect.gen(function*() {
    const text = yield* readText(fs, file)
    if (text === null) return
    yield* refuseIfAlive(fs, file, holderIn(text))
    yield* fs.remove(file, { force: true })
  })

const refuseIfHeld = (fs: FileSystem, file: string): Effect.Effect<void, LockRefusal | PlatformError> =>
  Effect.flatMap(readHolder(fs, file), (holder) => refuseIfAlive(fs, file, holder))

const refuseIfAlive = (
  fs: FileSystem,
  file: string,
  holder: Holder | null
): Effect.Effect<void, LockRefusal | PlatformError> =>
  Effect.flatMap(refusalIfAlive(fs, file, holder), (refusal) => refusal === null ? Effect.void : Effect.fail(refusal))

const refusalIfAlive = (fs: FileSystem, file: string, holder: Holder | null): Effect.Effect<LockRefusal | null> =>
  Effect.gen(function*() {
    if (holder === null || !isAlive(holder.pid)) return null
    const started = yield* startOf(fs, holder.pid)
    if (started === zombie) return null
    if (started !== null && holder.started !== null && started !== holder.started) return null
    return { _tag: "Held", file, pid: holder.pid }
  })

const readHolder = (fs: FileSystem, file: string): Effect.Effect<Holder | null, PlatformError> =>
  Effect.map(readText(fs, file), (text) => holderIn(text ?? "null"))

/** Null if the text says nothing: no lock looks like that while it is held. */
const holderIn = (text: string): Holder | null => {
  try {
    const holder = parseHolder(JSON.parse(text))
    return holder.ok && holder.value.pid > 0 ? holder.value : null
  } catch {
    return null
  }
}

/** Whoever broke our lock meanwhile keeps theirs. */
const release = (fs: FileSystem, file: string, me: Holder): Effect.Effect<void> =>
  readHolder(fs, file).pipe(
    Effect.flatMap((holder) => holder?.token === me.token ? fs.remove(file) : Effect.void),
    Effect.ignore
  )

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives, and is someone else's.
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** A process that has ended, but whose parent has not asked how. */
const zombie = "zombie"

/** Boot and start time of a process, or {@link zombie}, where the system has /proc; else null. */
const startOf = (fs: FileSystem, pid: number): Effect.Effect<string | null> =>
  Effect.gen(function*() {
    const boot = yield* fs.readFileString("/proc/sys/kernel/random/boot_id")
    const stat = yield* fs.readFileString(`/proc/${pid}/stat`)
    // The second field, the command, is in parentheses and may hold anything. Third: the state; 22nd: the start time.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    if (fields[0] === "Z" || fields[0] === "X") return zombie
    return fields[19] === undefined ? null : `${boot.trim()}:${fields[19]}`
  }).pipe(Effect.catch(() => Effect.succeed(null)))
