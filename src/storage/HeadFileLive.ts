/**
 * The head file of a replica: a small JSON file that is replaced atomically. In durability `memory` it is all that is
 * kept. In durability `disk` it stands beside the log, and gives damage of the log away: the promise in it holds even if
 * the log is lost, and it says how much of the log was durable at the time.
 *
 * @module
 */
import * as Schema from "effect/Schema"
import { parserOf } from "../wire/Records.ts"
import { seal, unseal } from "./FilesLive.ts"
import type { Durability, ReplicaHead } from "./Journal.ts"
import { isGroup } from "./JournalModel.ts"

export interface HeadFile {
  /** As of the last write that had one; null if none had. */
  readonly head: ReplicaHead | null
  /** Durability `disk`: the id of the log, and its last write that is known to be durable. */
  readonly log: { readonly id: string; readonly sequence: number } | null
}

/** The replica that a file belongs to. */
export interface Owner {
  readonly tenant: string
  readonly replica: string
}

const parseHeadFile = parserOf(Schema.Struct({
  tenant: Schema.String,
  replica: Schema.String,
  head: Schema.NullOr(Schema.Struct({
    epoch: Schema.Natural,
    view: Schema.Natural,
    log_view: Schema.Natural,
    fresh: Schema.Boolean,
    whole: Schema.Boolean,
    replicas: Schema.Array(Schema.String),
    left: Schema.Boolean
  })),
  log: Schema.NullOr(Schema.Struct({ id: Schema.String, sequence: Schema.Natural }))
}))
const kind = "v2r2 replica head"
/** Format 1 had no group. A program that knows only that one would take whatever it finds elsewhere for the group. */
const format_version = 2

export const encodeHeadFile = ({ replica, tenant }: Owner, { head, log }: HeadFile): Uint8Array =>
  new TextEncoder().encode(seal(kind, { tenant, replica, head, log }, format_version))

/** Or what is wrong: `damaged`, or not to be touched, for it is another's or of another program. */
export const decodeHeadFile = (
  bytes: Uint8Array,
  owner: Owner,
  durability: Durability
): HeadFile | { readonly damaged: boolean; readonly reason: string } => {
  const body = unseal(kind, new TextDecoder().decode(bytes), format_version)
  if (!body.ok) {
    const { reason, version } = body
    if (version === null) return { damaged: true, reason }
    return foreign(`${reason}; ${version === "newer" ? newer_advice : older_advice}`)
  }
  const parsed = parseHeadFile(body.value)
  if (!parsed.ok) return { damaged: true, reason: parsed.reason }
  const { head, log, replica, tenant } = parsed.value
  if (head !== null && !isGroup(head.replicas)) return { damaged: true, reason: "its replicas are no group" }
  if (tenant !== owner.tenant || replica !== owner.replica) return foreign(othersReason("file", { tenant, replica }, owner))
  const its = log === null ? "memory" : "disk"
  return its === durability
    ? { head, log }
    : foreign(`the file is of a tenant with durability ${its}, not ${durability}; put back what was there`)
}

const foreign = (reason: string) => ({ damaged: false, reason })

/** What to do about a file that a newer program wrote. */
export const newer_advice = "start the program that wrote it, or a newer one"
/** The same if it was an older one. */
export const older_advice = "start the program that wrote it"

export const othersReason = (what: string, its: Owner, owner: Owner): string =>
  `the ${what} belongs to ${its.tenant}::${its.replica}, not to ${owner.tenant}::${owner.replica}; ` +
  "put it back where it was"
