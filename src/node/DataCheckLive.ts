/**
 * Judges all that a node keeps under its `data_dir`, by the code that a start of the node runs, and changes nothing: what
 * is found, whether it is whole, and what the next start will do about it.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import * as Result from "effect/Result"
import { join } from "node:path"
import { replicaId } from "../base/Names.ts"
import type { ReplicaHead, Stored } from "../storage/Journal.ts"
import { nothingStored } from "../storage/JournalModel.ts"
import { placeOf } from "../storage/JournalsLive.ts"
import { decodeHeadFile } from "../storage/HeadFileLive.ts"
import { lookAtLock, type LockRefusal } from "../storage/LockLive.ts"
import type { DiskError, ReadableDisk } from "../storage/log/LogDisk.ts"
import { makeReadableDisk } from "../storage/LogDiskLive.ts"
import type { LogViewer, Place } from "../storage/LogReaderLive.ts"
import type { Identity, NodeStoreError } from "../storage/NodeStore.ts"
import { lookAtStore } from "../storage/NodeStoreLive.ts"
import { type Opened, readHeadFile, readLog } from "../storage/OpeningLive.ts"
import { problemOf, snapshotName } from "../storage/SnapshotReadingLive.ts"
import { type FoundReplica, type Leftover, survey, type Survey } from "../storage/SurveyLive.ts"
import { type Durability, list, type Tenant, type Tenants } from "../tenants/Tenants.ts"
import { decide, describeBeginning } from "./Beginning.ts"

/** Something that is damaged, and what to do. */
export interface DataProblem {
  readonly message: string
  readonly remedy: string
}

/**
 * `whole`; `torn`: whole after a write that a crash cut short, which the next start drops; `doubt`: it may not be all that
 * was acknowledged; `refused`: it is another's, of a newer program, or cannot be read, and the replica does not start.
 */
export type ReplicaVerdict = "whole" | "torn" | "doubt" | "refused"

export interface ReplicaReport {
  readonly tenant: string
  readonly name: string | null
  readonly replica: string
  readonly durability: Durability
  readonly verdict: ReplicaVerdict
  /** Why, if it is not whole, in the words of the start. */
  readonly reason: string | null
  /** What the next start of the node does with it. */
  readonly next: string
  readonly head: ReplicaHead | null
  /** Null: durability `memory`, or nothing in it can be relied upon. `base`: the last op before its first. */
  readonly log: { readonly base: number; readonly op: number; readonly commit: number } | null
  readonly segments: number
  /** The op of the snapshot that serves. */
  readonly snapshot: number | null
  readonly bytes: number
}

export interface DataReport {
  readonly folder: string
  readonly verdict: "whole" | "damaged"
  /** A process that is at work here: what is said may not hold any more. */
  readonly running: LockRefusal | null
  readonly node: Identity | null
  readonly members: number | null
  readonly tenants: number | null
  readonly bytes: number
  readonly problems: ReadonlyArray<DataProblem>
  /** What is no damage, and happens at the next start. */
  readonly notes: ReadonlyArray<string>
  readonly replicas: ReadonlyArray<ReplicaReport>
  readonly leftovers: ReadonlyArray<Leftover>
}

/** What was found at first, and what the rest will have to read. */
export interface DataSurvey {
  readonly running: LockRefusal | null
  readonly found: Survey
  /** Nothing here shows that there ever was a node. */
  readonly isEmpty: boolean
}

export const surveyData = (fs: FileSystem, data_dir: string): Effect.Effect<DataSurvey, DiskError> =>
  Effect.gen(function*() {
    const running = yield* Effect.orElseSucceed(lookAtLock(fs, data_dir), () => null)
    const found = yield* survey(fs, data_dir)
    const { identity, members, tenants } = yield* lookAtStore(fs, data_dir)
    const none = isAbsent(identity) && isAbsent(members) && isAbsent(tenants)
    return { running, found, isEmpty: none && found.replicas.length === 0 }
  })

const isAbsent = <A>(file: Result.Result<A | null, NodeStoreError>): boolean => Result.isSuccess(file) && file.success === null

/** Opens nothing that could be written. `advance` hears of all bytes that are read of replicas. */
export const checkData = Effect.fnUntraced(function*(
  fs: FileSystem,
  data_dir: string,
  { found, running }: DataSurvey,
  advance: (bytes: number) => Effect.Effect<void>
): Effect.fn.Return<DataReport> {
  const disk = counted(makeReadableDisk(fs), advance)
  const seen = yield* lookAtStore(fs, data_dir)
  const identity = Result.isSuccess(seen.identity) ? seen.identity.success : null
  const tenants = Result.isSuccess(seen.tenants) ? seen.tenants.success : null
  const isNew = isAbsent(seen.identity)
  const nodeProblems = isNew ? [newNode(data_dir)] : storeProblems([seen.identity, seen.members, seen.tenants, seen.longest_lease_ms])
  const chosen = identity === null || tenants === null
    ? { replicas: found.replicas.map(guessed), leftovers: [] }
    : chosenOf(found.replicas, tenants, identity.name)
  const judged: Array<Judged> = []
  for (const replica of chosen.replicas) judged.push(yield* judge(disk, data_dir, replica))
  const replicas = judged.map(({ report }) =>
    nodeProblems.length === 0 ? report : { ...report, next: `does not start, as its node ${isNew ? "is a new one" : "does not"}` })
  const problems = [...nodeProblems, ...judged.flatMap((one) => one.problems)]
  return {
    folder: data_dir,
    verdict: problems.length === 0 ? "whole" : "damaged",
    running,
    node: identity,
    members: Result.isSuccess(seen.members) ? seen.members.success?.size ?? null : null,
    tenants: tenants?.size ?? null,
    bytes: found.bytes,
    problems,
    notes: judged.flatMap(({ notes }) => notes),
    replicas,
    leftovers: [
      ...found.leftovers,
      ...chosen.leftovers,
      ...judged.flatMap(({ useless }) => useless.map((path) => ({ path, bytes: found.sizes.get(path) ?? 0, reason: useless_reason })))
    ]
  }
})

const useless_reason = "nobody needs it: the next start removes it"

const newNode = (data_dir: string): DataProblem => ({
  message: `${join(data_dir, "identity.json")} is missing, and so are the members and tenants: ` +
    "the next start makes a new node of this folder",
  remedy: "put back good copies of identity.json, members.json and tenants.json"
})

/** Of two files that fail for one reason, it is said once. */
const storeProblems = (files: ReadonlyArray<Result.Result<unknown, NodeStoreError>>): ReadonlyArray<DataProblem> => {
  const messages = files.flatMap((file) => Result.isFailure(file) ? [file.failure.message] : [])
  return [...new Set(messages)].map((message) => ({ message, remedy: "until then, the node does not start" }))
}

const counted = ({ list, open, read }: ReadableDisk, advance: (bytes: number) => Effect.Effect<void>): ReadableDisk => ({
  list,
  read: (path) => Effect.tap(read(path), (bytes) => advance(bytes?.length ?? 0)),
  open: (path) =>
    Effect.map(open(path), ({ close, read }) => ({
      close,
      read: (at, length) => Effect.tap(read(at, length), (bytes) => advance(bytes.length))
    }))
})

/** A replica to be judged. `tenant`: what the registry says; without it, nobody knows the rest of the group. */
interface Wanted {
  readonly id: string
  readonly replica: string
  readonly tenant: Tenant | null
  readonly found: FoundReplica | null
}

const guessed = (found: FoundReplica): Wanted => ({ id: found.tenant, replica: found.replica, tenant: null, found })

/** Those that a start of the node runs: what it has of a tenant, or else what the registry names. All others are leftovers. */
const chosenOf = (
  found: ReadonlyArray<FoundReplica>,
  tenants: Tenants,
  node: string
): { readonly replicas: ReadonlyArray<Wanted>; readonly leftovers: ReadonlyArray<Leftover> } => {
  const replicas = list(tenants).flatMap((tenant): ReadonlyArray<Wanted> => {
    const files = found.find((one) => one.tenant === tenant.id && one.node === node) ?? null
    const own = tenant.replicas.find((replica) => replica.node === node)
    if (files !== null) return [{ id: tenant.id, replica: files.replica, tenant, found: files }]
    return own === undefined ? [] : [{ id: tenant.id, replica: replicaId(own), tenant, found: null }]
  })
  const others = found.filter((one) => !replicas.some(({ found }) => found === one))
  return { replicas, leftovers: others.map((one) => leftoverOf(one, tenants.get(one.tenant), node)) }
}

const leftoverOf = (found: FoundReplica, tenant: Tenant | undefined, node: string): Leftover => {
  const path = `tenants/${found.tenant}/${found.replica.replace("::", "@")}.*`
  const why = (): string => {
    if (tenant === undefined) return "its tenant is not known here"
    if (tenant.withdrawn) return "its tenant was withdrawn"
    if (!tenant.confirmed) return "the creation of its tenant has not ended"
    return found.node === node ? "this node has another replica of its tenant" : `it is a replica of node ${found.node}`
  }
  return { path, bytes: found.bytes, reason: `${why()}: nothing reads it` }
}

interface Judged {
  readonly report: ReplicaReport
  readonly problems: ReadonlyArray<DataProblem>
  readonly notes: ReadonlyArray<string>
  /** Paths of what the next start removes. */
  readonly useless: ReadonlyArray<string>
}

/** The entries are not kept. */
const blind: LogViewer = { segment: () => Effect.void, batch: () => Effect.void }

const judge = Effect.fnUntraced(function*(disk: ReadableDisk, data_dir: string, wanted: Wanted): Effect.fn.Return<Judged> {
  const { found, id, replica, tenant } = wanted
  const place = placeOf(data_dir, id, replica)
  const durability = tenant?.durability ?? (yield* durabilityOf(disk, place, found))
  const known = {
    tenant: id,
    name: tenant?.name ?? null,
    replica,
    durability,
    segments: found?.log?.segments ?? 0,
    bytes: found?.bytes ?? 0
  }
  const opened = yield* Effect.result(
    durability === "disk" ? Effect.map(readLog(disk, place, blind), withLog) : withoutLog(disk, place)
  )
  if (Result.isFailure(opened)) {
    const { message } = opened.failure
    const report: ReplicaReport = {
      ...known, verdict: "refused", reason: message, next: "does not start", head: null, log: null, snapshot: null
    }
    return { report, problems: [{ message, remedy: "until then, this replica does not start" }], notes: [], useless: [] }
  }
  const { choice, fold, stored, torn } = opened.success
  const beginning = decide(tenant ?? { ...unknownTenant, id, durability }, replica, stored, null)
  const doubt = beginning._tag === "Irreparable" ? beginning.message : "doubt" in beginning ? beginning.doubt : null
  const log = fold === null || doubt !== null ? null : { base: fold.base, op: fold.op, commit: stored.commit }
  const report: ReplicaReport = {
    ...known,
    verdict: doubt !== null ? "doubt" : torn ? "torn" : "whole",
    reason: doubt ?? stored.notes[0] ?? null,
    // Entries were not kept: the log is described by its last op.
    next: beginning._tag === "Irreparable"
      ? "does not start"
      : describeBeginning(beginning._tag === "Restart" ? { ...beginning, base: fold?.op ?? 0, entries: [] } : beginning),
    head: stored.head,
    log,
    snapshot: stored.snapshot
  }
  const spare = fold === null ? [] : yield* spareProblem(disk, place, opened.success)
  return {
    report,
    problems: [
      ...(doubt === null ? [] : [{
        message: `replica ${replica} of tenant ${known.name ?? id}: ${doubt}`,
        remedy: beginning._tag === "Irreparable" ? "until then, this replica does not start" : recovery_remedy
      }]),
      ...(choice?.damage ?? []).map((message) => ({ message, remedy: snapshot_remedy })),
      ...spare
    ],
    notes: [
      ...(torn ? stored.notes : []),
      ...(doubt === null && stored.head === null ? [`${place.headFile} is not there: this replica was never started here, or lost it`] : [])
    ],
    useless: (choice?.useless ?? []).map((name) => `tenants/${id}/${replica.replace("::", "@")}.snapshots/${name}`)
  }
})

const recovery_remedy = "the next start sets it aside and gets all from the other replicas: see that they are up"
const snapshot_remedy = "nothing is lost; but look after this disk, which did not keep what was written"

/** Any group that is not alone: who knows nothing of it cannot say more. */
const unknownTenant: Omit<Tenant, "id" | "durability"> = {
  name: null,
  epoch: 0,
  replicas: [{ name: "r1", node: "n1" }, { name: "r2", node: "n2" }],
  stamp: 1,
  confirmed: true,
  withdrawn: false,
  coordinator: "n1"
}

interface Read extends Pick<Opened, "stored"> {
  readonly fold: Opened["fold"] | null
  readonly choice: Opened["choice"] | null
  readonly torn: boolean
}

const withLog = ({ choice, end, fold, stored }: Opened): Read =>
  ({ stored, fold, choice, torn: stored.doubt === null && end?.torn_to != null })

const withoutLog = (disk: ReadableDisk, place: Place) =>
  Effect.map(readHeadFile(disk, place), (file): Read => {
    const stored: Stored = { ...nothingStored, head: file?.head ?? null }
    return { stored, fold: null, choice: null, torn: false }
  })

/** By the files alone, where there is no registry. */
const durabilityOf = (disk: ReadableDisk, place: Place, found: FoundReplica | null): Effect.Effect<Durability> =>
  Effect.map(Effect.orElseSucceed(disk.read(place.headFile), () => null), (bytes) => {
    const isDisk = found?.log !== null || bytes !== null && !("reason" in decodeHeadFile(bytes, place, "disk"))
    return isDisk ? "disk" : "memory"
  })

/** A start reads the snapshot that serves. The other one is read here, too: it is there in case that one is damaged. */
const spareProblem = Effect.fnUntraced(function*(
  disk: ReadableDisk,
  place: Place,
  { choice, fold }: Read
): Effect.fn.Return<ReadonlyArray<DataProblem>> {
  const [older, serves] = choice?.kept ?? []
  if (fold === null || older === undefined || serves === undefined) return []
  const name = snapshotName(older)
  const problem = yield* Effect.result(problemOf(disk, place, fold, { op: older, name }))
  const reason = Result.isFailure(problem) ? problem.failure.message : problem.success
  if (reason === null) return []
  return [{
    message: `${join(place.snapshots, name)} is damaged: ${reason}. It is the spare one; that of op ${serves} serves`,
    remedy: snapshot_remedy
  }]
})
