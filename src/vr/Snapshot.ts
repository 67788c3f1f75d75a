/**
 * A snapshot: all that a replica has made of the log up to one op. With it, the log up to there is not needed.
 *
 * It is a sequence of parts; the first byte says what a part is, the rest is msgpack or the application's own:
 *
 * ```
 * 1  header: [format, op, time, log_bytes, [[epoch, op, view, [replica, …]], …]], the groups that the log up to there has
 *    named, the last ones
 * 2  sessions, in order of last committed use: [record, …], a record being a session, [id, nonce, answered], or an answer
 *    of the session before it, [request, result], in the order of their numbers
 * 3  data: a part of the application
 * 4  end: [parts, digest], the parts before this one and the CRC-32 of them, one after the other
 * ```
 *
 * Equal ops make equal snapshots, byte for byte, at every replica of a tenant.
 *
 * @module
 */
import { crc32, joinedCrc32 } from "../base/Checksum.ts"
import { Limits } from "../base/Limits.ts"
import { MsgpackReader } from "../base/MsgpackReader.ts"
import { MsgpackWriter } from "../base/MsgpackWriter.ts"
import { Window } from "../base/Window.ts"
import type { Application, PartReader, StateBuilder } from "./Application.ts"
import type { ClientTable, KeptSession } from "./ClientTable.ts"
import type { Millis, OpNumber } from "./Message.ts"
import { type EpochStart, readIds, writeIds } from "./NextGroup.ts"

/** As of the moment in which it was taken. It holds memory until it is released. */
export interface Snapshot {
  readonly op: OpNumber
  /** About how many bytes all parts have. */
  readonly size: number
  /** From its beginning, as often as is needed. */
  readonly read: () => SnapshotParts
  /** As `PinnedState.release`. */
  readonly release: () => void
}

/** The parts, one after the other. */
export interface SnapshotParts extends PartReader {
  /** The CRC-32 of the last part by itself, so that whoever needs it does not go through the part again. Of no meaning before the first. */
  readonly checksum: number
}

/** Room for the parts of a snapshot, one after the other: what `PartReader.next` takes. */
export const partRoom = (): Uint8Array => new Uint8Array(1 + Limits.snapshot_part_bytes_max)

/** What a snapshot says beside sessions and data. */
export interface SnapshotHeader {
  readonly op: OpNumber
  /** Of the last entry. */
  readonly time: Millis
  /** Of the log since the last op at which a snapshot was due: when the next one is. */
  readonly log_bytes: number
  /** The groups that the log has named, in order, the last ones. */
  readonly history: ReadonlyArray<EpochStart>
}

/** Raise it when an older program could misread a newer snapshot. */
const format_version = 2
const kinds = { header: 1, sessions: 2, data: 3, end: 4 } as const

/** What a snapshot is taken of. */
export interface Whole {
  readonly history: ReadonlyArray<EpochStart>
  readonly application: Application
  readonly clients: ClientTable
  readonly commit: OpNumber
  readonly commitTime: Millis
  readonly sinceSnapshot: number
}

/** Between two snapshots lies so much log, in bytes: as much as there is data, within bounds. So both come to about as much to write. */
export const logBetween = ({ application }: Pick<Whole, "application">): number =>
  Math.max(Limits.snapshot_log_bytes_min, Math.min(application.size(), Limits.snapshot_log_bytes_max))

/** The state as it is now. Costs next to nothing; what is written to later is copied first. */
export const takeSnapshot = (replica: Whole): Snapshot => {
  const { application, clients, commit, commitTime, history, sinceSnapshot } = replica
  const header: SnapshotHeader = { op: commit, time: commitTime, log_bytes: sinceSnapshot, history }
  const sessions = clients.pin()
  const data = application.pin()
  return {
    op: commit,
    size: application.size(),
    read: () => new SnapshotReader(beginningOf(header, sessions), data.read()),
    release: data.release
  }
}

const encodeHeader = ({ history, log_bytes, op, time }: SnapshotHeader): Uint8Array => {
  const w = new MsgpackWriter().start().array(5).uint(format_version).uint(op).uint(time).uint(log_bytes)
  w.array(history.length)
  for (const { epoch, leaving, op: at, replicas, view } of history) {
    w.array(5).uint(epoch).uint(at).uint(view)
    writeIds(w, replicas)
    writeIds(w, leaving)
  }
  return w.take()
}

function* beginningOf(header: SnapshotHeader, sessions: ReadonlyArray<KeptSession>): Generator<Uint8Array> {
  yield part(kinds.header, encodeHeader(header))
  yield* sessionParts(sessions)
}

const part = (kind: number, body: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(1 + body.length)
  bytes[0] = kind
  bytes.set(body, 1)
  return bytes
}

/** What msgpack puts before bytes, at most. */
const bin_header_bytes = 5

function* sessionParts(sessions: ReadonlyArray<KeptSession>): Generator<Uint8Array> {
  let records: Array<Uint8Array> = []
  let bytes = 0
  const w = new MsgpackWriter()
  const whole = (): Uint8Array => {
    const body = new MsgpackWriter().start().array(records.length)
    for (const record of records) body.bin(record)
    records = []
    bytes = 0
    return part(kinds.sessions, body.take())
  }
  for (const record of recordsOf(sessions, w)) {
    const isFull = records.length >= Limits.snapshot_part_elements_max || bytes + record.length > Limits.snapshot_part_bytes_max
    if (isFull && records.length > 0) yield whole()
    records.push(record)
    bytes += bin_header_bytes + record.length
  }
  if (bytes > 0) yield whole()
}

function* recordsOf(sessions: ReadonlyArray<KeptSession>, w: MsgpackWriter): Generator<Uint8Array> {
  for (const { answered, id, nonce, results } of sessions) {
    yield w.start().array(3).uint(id).bin(nonce).uint(answered).take()
    for (const [request, result] of results) yield w.start().array(2).uint(request).bin(result).take()
  }
}

/** Header and sessions, the data, and the end, which is known last. */
class SnapshotReader implements SnapshotParts {
  checksum = 0
  private readonly beginning: Generator<Uint8Array>
  private readonly data: PartReader
  private stage: "beginning" | "data" | "over" = "beginning"
  private digest = 0
  private count = 0

  constructor(beginning: Generator<Uint8Array>, data: PartReader) {
    this.beginning = beginning
    this.data = data
  }

  next(room?: Uint8Array): Uint8Array | null {
    if (this.stage === "beginning") {
      const { done, value } = this.beginning.next()
      if (done !== true) return this.counted(value)
      this.stage = "data"
    }
    if (this.stage === "over") return null
    const body = this.data.next(room?.subarray(1))
    if (body !== null) return this.counted(inRoom(body, room) ?? part(kinds.data, body))
    this.stage = "over"
    const { count, digest } = this
    return this.counted(part(kinds.end, new MsgpackWriter().start().array(2).uint(count).uint(digest).take()))
  }

  private counted(bytes: Uint8Array): Uint8Array {
    this.checksum = crc32(bytes, 0)
    this.digest = joinedCrc32(this.digest, this.checksum, bytes.length)
    this.count++
    return bytes
  }
}

/** The part whose body lies in the room, behind its first byte; null if it lies elsewhere. */
const inRoom = (body: Uint8Array, room: Uint8Array | undefined): Uint8Array | null => {
  if (room === undefined || body.buffer !== room.buffer || body.byteOffset !== room.byteOffset + 1) return null
  room[0] = kinds.data
  return room.subarray(0, 1 + body.length)
}

/** A snapshot that comes in, part by part. It changes nothing before it is installed. */
export class Restoration {
  header: SnapshotHeader | null = null
  /** All is there, and as it was sent. */
  isWhole = false
  /** Of all parts so far. */
  digest = 0
  private count = 0
  private kind: number = 0
  private readonly sessions: Array<KeptSession & { readonly results: Window<Uint8Array> }> = []
  private readonly data: StateBuilder

  constructor(application: Pick<Application, "restore">) {
    this.data = application.restore()
  }

  /** How many sessions have come. */
  get sessionCount(): number {
    return this.sessions.length
  }

  /** Takes the next part. Why it cannot be one, in words; null if it can. After a refusal nothing more can be taken. */
  add(bytes: Uint8Array): string | null {
    const kind = bytes[0] ?? 0
    const body = bytes.subarray(1)
    if (this.isWhole) return "a part follows the end"
    if (kind < this.kind || (this.kind === 0) !== (kind === kinds.header)) return "a part is out of order"
    if (kind === kinds.header && this.kind === kinds.header) return "a second header"
    this.kind = kind
    if (kind === kinds.end) return this.end(body, bytes)
    this.digest = crc32(bytes, this.digest)
    this.count++
    switch (kind) {
      case kinds.header:
        return this.readHeader(body)
      case kinds.sessions:
        return this.readSessions(body)
      case kinds.data:
        return this.data.add(body)
      default:
        return `no part has kind ${kind}`
    }
  }

  /** The sessions and the data take the place of those that are there. Without the sessions it is another tenant's data. */
  install(clients: ClientTable | null): void {
    this.data.install()
    clients?.install(this.sessions)
  }

  private end(body: Uint8Array, bytes: Uint8Array): string | null {
    const r = new MsgpackReader()
    r.open(body)
    if (r.array("end", 2) !== 2) r.fail("the end has 2 elements")
    const count = r.uint("parts")
    const digest = r.uint("digest")
    if (!r.close()) return r.fault ?? "the end cannot be read"
    if (count !== this.count) return `it has ${this.count} parts, and had ${count}`
    if (digest !== this.digest) return "its digest does not match its content"
    this.digest = crc32(bytes, digest)
    const incomplete = this.data.finish()
    this.isWhole = incomplete === null
    return incomplete
  }

  private readHeader(body: Uint8Array): string | null {
    const r = new MsgpackReader()
    r.open(body)
    if (r.array("header", 5) !== 5) r.fail("the header has 5 elements")
    const version = r.uint("format version")
    if (r.fault === null && version !== format_version) {
      return `it has format version ${version}; this program knows version ${format_version}`
    }
    const [op, time, log_bytes] = [r.uint("op"), r.uint("time"), r.uint("bytes of log")]
    const count = r.array("history", Limits.history_max)
    const history: Array<EpochStart> = []
    for (let i = 0; i < count && r.fault === null; i++) {
      if (r.array("group", 5) !== 5) r.fail("a group has 5 elements")
      const [epoch, at, view] = [r.uint("epoch"), r.uint("its op"), r.uint("its view")]
      history.push({ epoch, replicas: readIds(r, "replicas"), leaving: readIds(r, "leaving"), op: at, view })
    }
    if (!r.close()) return r.fault ?? "the header cannot be read"
    this.header = { op, time, log_bytes, history }
    return null
  }

  private readSessions(body: Uint8Array): string | null {
    const all = new MsgpackReader()
    all.open(body)
    for (let left = all.array("records", body.length); left > 0 && all.fault === null; left--) {
      const refusal = this.readRecord(all.bin("record", body.length))
      if (refusal !== null) return refusal
    }
    return all.close() ? null : all.fault ?? "the sessions cannot be read"
  }

  private readRecord(record: Uint8Array): string | null {
    const r = new MsgpackReader()
    r.open(record)
    const fields = r.array("record", 3)
    const last = this.sessions[this.sessions.length - 1]
    if (fields === 3) {
      if (this.sessions.length === Limits.sessions_max) r.fail(`there are more than ${Limits.sessions_max} sessions`)
      const id = r.uint("session")
      const nonce = r.bin("nonce", record.length).slice()
      this.sessions.push({ id, nonce, answered: r.uint("answered"), results: new Window() })
    } else if (fields === 2 && last !== undefined) {
      const request = r.uint("request")
      const result = r.bin("result", record.length)
      // Of others there are none.
      if (request > last.answered && request <= last.answered + Limits.session_window_max) last.results.set(request, result.slice())
      else r.fail(`request ${request} is not in the window of its session`)
    } else r.fail("an answer belongs to a session")
    return r.close() ? null : r.fault ?? "a session cannot be read"
  }
}
