/**
 * Journals of tenants with durability `memory`: the head of each replica in a small file of its own, replaced
 * atomically when it changes, which is once a view change. Entries are not stored, so writing them costs nothing.
 *
 * `<data_dir>/tenants/<tenant id>/<replica>@<node>.head.json`
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { PlatformError } from "effect/PlatformError"
import * as Schema from "effect/Schema"
import { dirname, join } from "node:path"
import { invariant } from "../base/Invariant.ts"
import { isUuid, parseReplicaId } from "../base/Names.ts"
import { parserOf } from "../wire/Records.ts"
import { makeFolder, platformReason, readText, replaceFile, seal, unseal } from "./FilesLive.ts"
import { checkContiguous, checkHead, type Journal, JournalError, Journals, nothingStored, type ReplicaHead } from "./Journal.ts"

const HeadFile = Schema.Struct({
  tenant: Schema.String,
  replica: Schema.String,
  epoch: Schema.Natural,
  view: Schema.Natural,
  log_view: Schema.Natural,
  fresh: Schema.Boolean,
  whole: Schema.Boolean
})
const parseHeadFile = parserOf(HeadFile)
const kind = "v2r2 replica head"

/** To be used only while this process holds the folder, by `NodeStoreLive`. */
export const layer = (data_dir: string): Layer.Layer<Journals, never, FileSystem.FileSystem> =>
  Layer.effect(
    Journals,
    Effect.map(FileSystem.FileSystem, (fs) => ({
      journal: (tenantId, replicaId, _durability) => Effect.sync(() => headJournal(fs, data_dir, tenantId, replicaId))
    }))
  )

const headJournal = (fs: FileSystem.FileSystem, data_dir: string, tenant: string, replica: string): Journal => {
  const file = headFile(data_dir, tenant, replica)
  let opened = false
  let head: ReplicaHead | null = null
  let failed: JournalError | null = null
  const fail = (during: "open" | "write", reason: string) => {
    failed = new JournalError({ during, file, message: `${file}: ${reason}` })
    return Effect.fail(failed)
  }
  const open = Effect.gen(function*() {
    if (failed) return yield* failed
    const text = yield* readText(fs, file).pipe(Effect.catch((error) => fail("open", platformReason(error))))
    const read = text === null ? null : parseHead(text, tenant, replica)
    if (typeof read === "string") return yield* fail("open", read)
    head = read
    opened = true
    return { ...nothingStored, head }
  })
  const write = (next: ReplicaHead): Effect.Effect<void, JournalError> =>
    makeFolder(fs, dirname(file)).pipe(
      Effect.andThen(replaceFile(fs, file, seal(kind, { tenant, replica, ...next }))),
      Effect.catch((error: PlatformError) => fail("write", platformReason(error))),
      Effect.tap(() => Effect.sync(() => void (head = next))),
      Effect.uninterruptible
    )
  return {
    open,
    write: (one) =>
      Effect.suspend(() => {
        invariant(opened, "a journal is opened before it is written", { file })
        checkContiguous(one.entries)
        if (failed) return Effect.fail(failed)
        if (one.head === null) return Effect.void
        checkHead(head, one.head)
        return write(one.head)
      })
  }
}

/** The head, or what is wrong with the file and what to do. */
const parseHead = (text: string, tenant: string, replica: string): ReplicaHead | string => {
  const body = unseal(kind, text)
  const parsed = body.ok ? parseHeadFile(body.value) : body
  if (!parsed.ok) {
    return `the file is damaged: ${parsed.reason}; if the other replicas of this tenant are up, remove it, ` +
      "and this replica recovers from them"
  }
  const { tenant: itsTenant, replica: itsReplica, ...head } = parsed.value
  if (itsTenant === tenant && itsReplica === replica) return head
  return `the file belongs to ${itsTenant}::${itsReplica}, not to ${tenant}::${replica}; put it back where it was`
}

const headFile = (data_dir: string, tenant: string, replica: string): string => {
  const name = parseReplicaId(replica)
  invariant(isUuid(tenant) && name.ok, "a journal belongs to a replica of a tenant", { tenant, replica })
  return join(data_dir, "tenants", tenant, `${name.value.name}@${name.value.node}.head.json`)
}
