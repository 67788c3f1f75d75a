/**
 * The peer protocol, `v2r2-peer`: replicas' messages between nodes. A connection carries one direction only: a node dials
 * every other one and sends there. Each frame after the hello is one msgpack array
 * `[tenant, to, from, epoch, message]`; `message` is a bin, because one and the same goes to several replicas and is
 * encoded once. Inside: `[type, ...fields]`, in the order of the types in vr/Message.ts.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import { entryKinds, type Entry, type Epoch, type Message, type MessageTag, type ReplicaId } from "../vr/Message.ts"
import { MsgpackReader } from "../base/MsgpackReader.ts"
import { MsgpackWriter } from "../base/MsgpackWriter.ts"

/** One message between two replicas of a tenant. */
export interface Envelope {
  readonly tenant: string
  readonly to: ReplicaId
  readonly from: ReplicaId
  readonly epoch: Epoch
  readonly message: Message
}

export interface Malformed {
  readonly _tag: "Malformed"
  readonly reason: string
}

const types: { readonly [T in MessageTag]: number } = {
  Prepare: 1,
  PrepareOk: 2,
  Commit: 3,
  CommitOk: 4,
  StartViewChange: 5,
  DoViewChange: 6,
  StartView: 7,
  GetState: 8,
  NewState: 9,
  GetCommitted: 10,
  Committed: 11,
  Recovery: 12,
  RecoveryResponse: 13,
  GetSnapshot: 14,
  SnapshotPart: 15,
  StartEpoch: 16,
  EpochStarted: 17
}

const id_bytes_max = 2 * Limits.name_bytes_max + 2
const part_bytes_max = Limits.snapshot_part_bytes_max + Limits.operation_bytes_max
const entry_fields = 7
const frameWriter = new MsgpackWriter()
const messageWriter = new MsgpackWriter()
const frameReader = new MsgpackReader()
const reader = new MsgpackReader()

/** A whole frame, up to the tail, if there is one. `message`: what {@link encodeMessage} gave. */
export const encodeEnvelope = (
  tenant: string,
  to: ReplicaId,
  from: ReplicaId,
  epoch: Epoch,
  message: Uint8Array,
  tail: Uint8Array = nothing
): Uint8Array => {
  const w = frameWriter
  w.begin()
  w.array(5)
  w.string(tenant)
  w.string(to)
  w.string(from)
  w.uint(epoch)
  w.bin(message, tail.length)
  return w.end(tail.length)
}

const nothing = new Uint8Array(0)

/** The end of a message that is sent from where it is: a copy of each part of a snapshot costs the collector dear. */
export const tailOf = (message: Message): Uint8Array => message._tag === "SnapshotPart" ? message.bytes : nothing

/**
 * The message alone, without a frame and without its tail: the same bytes serve every receiver. Valid until the next
 * message is encoded: it is copied into an envelope at once, and memory of their own for large ones costs the collector
 * more than all the rest.
 */
export const encodeMessage = (message: Message): Uint8Array => {
  const w = messageWriter
  w.beginAnew()
  switch (message._tag) {
    case "Prepare":
    case "StartView":
      uints(message._tag, message.view, message.first, message.commit)
      writeEntries(message.entries)
      break
    case "PrepareOk":
      uints(message._tag, message.view, message.op)
      break
    case "Commit":
      uints(message._tag, message.view, message.op, message.commit, message.round, message.lease_ms)
      break
    case "CommitOk":
      uints(message._tag, message.view, message.op, message.round, message.promised ? 1 : 0)
      break
    case "StartViewChange":
      uints(message._tag, message.view, message.probing ? 1 : 0)
      break
    case "DoViewChange":
      uints(message._tag, message.view, message.logView, message.first, message.commit)
      writeEntries(message.entries)
      break
    case "GetState":
      uints(message._tag, message.view, message.after)
      break
    case "NewState":
      uints(message._tag, message.view, message.first, message.op, message.commit)
      writeEntries(message.entries)
      break
    case "GetCommitted":
      uints(message._tag, message.view, message.after, message.last)
      break
    case "Committed":
      uints(message._tag, message.view, message.first)
      writeEntries(message.entries)
      break
    case "GetSnapshot":
      uints(message._tag, message.op, message.index)
      break
    case "SnapshotPart":
      uints(message._tag, message.view, message.op, message.index, message.size)
      w.bin(nothing, message.bytes.length)
      break
    case "StartEpoch":
      uints(message._tag, message.op, message.view)
      break
    case "EpochStarted":
      uints(message._tag)
      break
    case "Recovery":
      uints(message._tag, message.nonce, message.view)
      break
    case "RecoveryResponse":
      uints(message._tag, message.nonce, message.view, message.op, message.commit)
      break
  }
  return w.end().subarray(4)
}

/** Type and numbers; a message with entries, or with bytes, has one more element. */
const uints = (tag: MessageTag, ...numbers: ReadonlyArray<number>): void => {
  messageWriter.array(1 + numbers.length + (hasMore.has(types[tag]) ? 1 : 0))
  messageWriter.uint(types[tag])
  for (const number of numbers) messageWriter.uint(number)
}

const hasMore = new Set([
  types.Prepare, types.DoViewChange, types.StartView, types.NewState, types.Committed, types.SnapshotPart
])

/** Op numbers are implied: the first is in the message. */
const writeEntries = (entries: ReadonlyArray<Entry>): void => {
  const w = messageWriter
  w.array(entries.length * entry_fields)
  for (const entry of entries) {
    w.uint(entry.view)
    w.uint(entry.time)
    w.uint(entryKinds.indexOf(entry.kind))
    w.uint(entry.session)
    w.uint(entry.request)
    w.uint(entry.answered)
    w.bin(entry.operation)
  }
}

/** One payload. Operations are views of it. Never throws. */
export const decodeEnvelope = (payload: Uint8Array): Envelope | Malformed => {
  const r = frameReader
  r.open(payload)
  if (r.array("envelope", 5) !== 5) r.fail("an envelope has 5 elements")
  const tenant = r.string("tenant", Limits.name_bytes_max)
  const to = r.string("receiver", id_bytes_max)
  const from = r.string("sender", id_bytes_max)
  const epoch = r.uint("epoch")
  const bytes = r.bin("message", Limits.peer_frame_bytes_max)
  if (epoch > Limits.epoch_max) r.fail(`an epoch is at most ${Limits.epoch_max}`)
  if (!r.close()) return { _tag: "Malformed", reason: r.fault ?? "malformed" }
  const message = decodeMessage(bytes)
  return message._tag === "Malformed" ? message : { tenant, to, from, epoch, message }
}

const decodeMessage = (bytes: Uint8Array): Message | Malformed => {
  const r = reader
  r.open(bytes)
  const fields = r.array("message", 6)
  const type = r.uint("message type")
  const expected = fieldCounts[type]
  if (expected === undefined) r.fail(`no message type ${type}`)
  else if (fields !== expected) r.fail(`message type ${type} has ${expected} elements, not ${fields}`)
  const message = r.fault === null ? readMessage(type) : null
  return r.close() && message !== null ? message : { _tag: "Malformed", reason: r.fault ?? "malformed" }
}

/** Elements of a message, its type included. */
const fieldCounts: Readonly<Record<number, number>> = {
  1: 5, 2: 3, 3: 6, 4: 5, 5: 3, 6: 6, 7: 5, 8: 3, 9: 6, 10: 4, 11: 4, 12: 3, 13: 5, 14: 3, 15: 6, 16: 3, 17: 1
}

const readMessage = (type: number): Message => {
  const r = reader
  switch (type) {
    case types.Prepare:
    case types.StartView: {
      const view = r.uint("view")
      const first = r.uint("first", 1)
      const commit = r.uint("commit")
      const _tag = type === types.Prepare ? "Prepare" : "StartView"
      return { _tag, view, first, commit, entries: readEntries(first) }
    }
    case types.PrepareOk:
      return { _tag: "PrepareOk", view: r.uint("view"), op: r.uint("op") }
    case types.Commit:
      return {
        _tag: "Commit",
        view: r.uint("view"),
        op: r.uint("op"),
        commit: r.uint("commit"),
        round: r.uint("round"),
        lease_ms: r.uint("lease")
      }
    case types.CommitOk:
      return { _tag: "CommitOk", view: r.uint("view"), op: r.uint("op"), round: r.uint("round"), promised: r.uint("promised") === 1 }
    case types.StartViewChange:
      return { _tag: "StartViewChange", view: r.uint("view"), probing: r.uint("probing") === 1 }
    case types.DoViewChange: {
      const view = r.uint("view")
      const logView = r.uint("log view")
      const first = r.uint("first", 1)
      const commit = r.uint("commit")
      return { _tag: "DoViewChange", view, logView, first, commit, entries: readEntries(first) }
    }
    default:
      return readRepairMessage(type)
  }
}

/** The messages of state transfer, of changes of the group and of recovery. */
const readRepairMessage = (type: number): Message => {
  const r = reader
  switch (type) {
    case types.GetState:
      return { _tag: "GetState", view: r.uint("view"), after: r.uint("after") }
    case types.NewState: {
      const view = r.uint("view")
      const first = r.uint("first", 1)
      const op = r.uint("op")
      const commit = r.uint("commit")
      return { _tag: "NewState", view, first, op, commit, entries: readEntries(first) }
    }
    case types.GetCommitted:
      return { _tag: "GetCommitted", view: r.uint("view"), after: r.uint("after"), last: r.uint("last") }
    case types.Committed: {
      const view = r.uint("view")
      const first = r.uint("first", 1)
      return { _tag: "Committed", view, first, entries: readEntries(first) }
    }
    case types.GetSnapshot:
      return { _tag: "GetSnapshot", op: r.uint("op"), index: r.uint("index") }
    case types.SnapshotPart: {
      const view = r.uint("view")
      const op = r.uint("op", 1)
      const index = r.uint("index")
      const size = r.uint("size")
      return { _tag: "SnapshotPart", view, op, index, size, bytes: r.bin("part", part_bytes_max) }
    }
    case types.StartEpoch:
      return { _tag: "StartEpoch", op: r.uint("op"), view: r.uint("view") }
    case types.EpochStarted:
      return { _tag: "EpochStarted" }
    case types.Recovery:
      return { _tag: "Recovery", nonce: r.uint("nonce"), view: r.uint("view") }
    default: {
      const nonce = r.uint("nonce")
      return { _tag: "RecoveryResponse", nonce, view: r.uint("view"), op: r.uint("op"), commit: r.uint("commit") }
    }
  }
}

const readEntries = (first: number): ReadonlyArray<Entry> => {
  const r = reader
  const values = r.array("entries", Limits.peer_frame_bytes_max)
  if (values % entry_fields !== 0) r.fail(`entries have ${entry_fields} fields each`)
  const entries: Array<Entry> = []
  for (let i = 0; i < values / entry_fields && r.fault === null; i++) {
    const view = r.uint("entry view")
    const time = r.uint("entry time")
    const kind = entryKinds[r.uint("entry kind")]
    const session = r.uint("session")
    const request = r.uint("request")
    const answered = r.uint("answered")
    const operation = r.bin("operation", Limits.operation_bytes_max)
    if (kind === undefined) r.fail("no entry is of this kind")
    else entries.push({ op: first + i, view, time, kind, session, request, answered, operation })
  }
  return entries
}
