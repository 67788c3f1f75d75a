/**
 * Snapshots between replicas, for those that lack what is no longer in anybody's log (VRR §5.2, by parts). The receiver
 * pulls: one part, one question. What it gathers is valid whatever view comes, so it outlives changes of state, and
 * replaces nothing before it is whole (F2).
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import type { PartReader } from "./Application.ts"
import { noticeHistory } from "./Forked.ts"
import type { MessageOf, Millis, OpNumber, ReplicaId, View } from "./Message.ts"
import { highestView, type Now, type Outcome, type Replica } from "./Replica.ts"
import { logBetween, partRoom, Restoration, type Snapshot, takeSnapshot } from "./Snapshot.ts"
import { send } from "./Sending.ts"

const nothing = new Uint8Array(0)

/** What is sent to one replica. */
export interface Outgoing {
  readonly snapshot: Snapshot
  /** It has arrived, and is released. Of what follows it nothing is forgotten as long as that is asked for. */
  isOver: boolean
  /** What is in it was committed in this view at the latest. */
  readonly view: View
  readonly reader: PartReader
  /** Of `part`, which was read last. */
  index: number
  part: Uint8Array
  /** How often it was sent. */
  copies: number
  /** It lies in here, if it fits. */
  room: Uint8Array
  /** Of the last question. */
  askedAt: Millis
}

/** What is received. */
export interface Incoming {
  readonly from: ReplicaId
  readonly op: OpNumber
  /** What is in it was committed in this view at the latest. */
  readonly view: View
  readonly size: number
  readonly restoration: Restoration
  /** The part that is to come. */
  next: number
  bytes: number
  /** Of the last part. */
  heardAt: Millis
}

// --- the sender

/** Begins with the first part, or goes on where it was: the question may be a repeated one. */
export const offerSnapshot = (replica: Replica, to: ReplicaId, now: Now, out: Outcome): void => {
  const present = replica.outgoing.get(to)
  // One that nobody is done with for so long that there are later ones would keep the log for ever.
  const isCurrent = present !== undefined && !present.isOver && present.snapshot.op >= (replica.snapshot?.op ?? 0)
  if (!isCurrent) forget(replica, to)
  const outgoing = isCurrent ? present : begin(takeSnapshot(replica), highestView(replica), now)
  replica.outgoing.set(to, outgoing)
  sendPart(outgoing, to, now, out)
}

/** A snapshot that ends at `last` at most: of what its receiver knows to be committed. */
export const offerSnapshotUpTo = (replica: Replica, last: OpNumber, to: ReplicaId, now: Now, out: Outcome): void => {
  const present = replica.outgoing.get(to)
  if (present !== undefined && present.snapshot.op > last) forget(replica, to)
  if (replica.outgoing.has(to) || replica.commit <= last) offerSnapshot(replica, to, now, out)
}

const begin = (snapshot: Snapshot, view: View, now: Now): Outgoing => {
  const reader = snapshot.read()
  return { snapshot, isOver: false, view, reader, index: 0, part: reader.next()!, copies: 0, room: nothing, askedAt: now.mono }
}

const sendPart = (outgoing: Outgoing, to: ReplicaId, now: Now, out: Outcome): void => {
  outgoing.askedAt = now.mono
  outgoing.copies++
  const { index, part, snapshot: { op, size }, view } = outgoing
  send(out, to, { _tag: "SnapshotPart", view, op, index, size, bytes: part })
}

/** The part that is asked for; the first one of what there is, if that cannot be had here. */
export const onGetSnapshot = (
  replica: Replica,
  { index, op }: MessageOf<"GetSnapshot">,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  const outgoing = replica.outgoing.get(from)
  // It goes on with what another has begun, or we have, in an earlier life.
  if (outgoing === undefined || outgoing.isOver) return offerSnapshot(replica, from, now, out)
  if (outgoing.snapshot.op !== op || (index === 0 && outgoing.index > 0)) {
    const anew = begin(outgoing.snapshot, outgoing.view, now)
    replica.outgoing.set(from, anew)
    return sendPart(anew, from, now, out)
  }
  readUpTo(outgoing, index)
  // Otherwise it is a question that was overtaken, or one for which there is more to read yet.
  if (outgoing.index === index) sendPart(outgoing, from, now, out)
}

/** In one turn; reading costs about a millisecond each. Normally one is enough. */
const parts_a_turn_max = 8

const readUpTo = (outgoing: Outgoing, index: number): void => {
  for (let i = 0; i < parts_a_turn_max && outgoing.index < index; i++) {
    if (outgoing.room.length === 0 || isUnderWay(outgoing, index)) outgoing.room = partRoom()
    const part = outgoing.reader.next(outgoing.room)
    if (part === null) return
    outgoing.part = part
    outgoing.index++
    outgoing.copies = 0
  }
}

/**
 * Is a copy of the last part perhaps still to leave? A question for the next one says that the only copy has arrived,
 * unless it comes from an earlier life of the receiver, by a connection that is gone: then the digest finds it.
 */
const isUnderWay = ({ copies, index }: Outgoing, asked: number): boolean => copies > 1 || (copies === 1 && asked !== index + 1)

/** On every tick: what nobody asks for any more is let go. */
export const forgetIdle = (replica: Replica, now: Now): void => {
  for (const [to, { askedAt }] of replica.outgoing) if (now.mono - askedAt > Limits.snapshot_idle_ms) forget(replica, to)
}

/** Its receiver asks for the log behind it. */
export const onArrived = (outgoing: Outgoing, now: Now): void => {
  outgoing.askedAt = now.mono
  outgoing.isOver = true
  outgoing.snapshot.release()
}

const forget = ({ outgoing }: Replica, to: ReplicaId): void => {
  outgoing.get(to)?.snapshot.release()
  outgoing.delete(to)
}

/**
 * A snapshot is written. Some of the log before it is kept for those that lag a little, at most from the one before; and all from
 * those that are being fetched, whose receivers will ask for what follows, as long as there is room.
 */
export const onSnapshotted = (
  replica: Replica,
  { digest, op }: { readonly op: OpNumber; readonly digest: number }
): void => {
  const before = replica.snapshot?.op ?? 0
  if (op <= before) return
  replica.snapshot = { op, digest }
  const kept = Math.max(Limits.snapshot_log_bytes_min * Limits.snapshot_log_kept_of_min, logBetween(replica) * Limits.snapshot_log_kept)
  let from = Math.max(before, replica.log.opBehind(op, kept))
  if (replica.log.bytes < Limits.log_bytes_max / 2) {
    for (const outgoing of replica.outgoing.values()) from = Math.min(from, outgoing.snapshot.op)
  }
  replica.forgottenUpTo = Math.max(replica.forgottenUpTo, from)
}

/** Entries that leave a log in one turn: all at once, a long one would stop everything for a while. */
const entries_a_turn_max = 16_384

/** At the end of a turn. */
export const shortenLog = ({ forgottenUpTo, log }: Replica): void => {
  if (log.base < forgottenUpTo) log.shorten(Math.min(forgottenUpTo, log.base + entries_a_turn_max))
}

// --- the receiver

/** After so many time-outs without a part, another one's snapshot is taken instead. */
const patience = 8

/** Is one under way that reaches above `op`, from somebody who still answers? */
export const fetchesSnapshot = ({ incoming, timers }: Replica, op: OpNumber, now: Now): boolean =>
  incoming !== null && incoming.op > op && !incoming.restoration.isWhole &&
  now.mono - incoming.heardAt <= patience * timers.view_change_ms

export const askForPart = ({ incoming }: Replica, out: Outcome): void => {
  if (incoming !== null) send(out, incoming.from, { _tag: "GetSnapshot", op: incoming.op, index: incoming.next })
}

/**
 * Takes a part, if it is the one that is needed, and asks for the next. `held`: what is here already, or on its way to the
 * log. True if it was news; the snapshot is whole then, or not.
 */
export const takePart = (
  replica: Replica,
  message: MessageOf<"SnapshotPart">,
  from: ReplicaId,
  held: OpNumber,
  now: Now,
  out: Outcome
): boolean => {
  if (message.op <= held) return false
  // Late, and still the one that is needed: better than to begin anew.
  if (!fits(replica, message, from) && !fetchesSnapshot(replica, held, now)) replica.incoming = null
  if (message.index === 0 && isBetter(replica, message, from)) {
    const { op, size, view } = message
    const restoration = new Restoration(replica.application)
    replica.incoming = { from, op, view, size, restoration, next: 0, bytes: 0, heardAt: now.mono }
  }
  const { incoming } = replica
  if (incoming === null) {
    // The middle of one that was given up.
    send(out, from, { _tag: "GetSnapshot", op: message.op, index: 0 })
    return false
  }
  if (!fits(replica, message, from)) return false
  const refusal = incoming.restoration.add(message.bytes)
  noticeHistory(replica, incoming.restoration.header?.history ?? [])
  if (replica.forked !== null) return false
  if (refusal !== null || (incoming.next === 0 && incoming.restoration.header?.op !== incoming.op)) {
    out.events.push(`the snapshot of ${from} is refused: ${refusal ?? "it is of another op"}`)
    replica.incoming = null
    return false
  }
  incoming.next++
  incoming.bytes += message.bytes.length
  incoming.heardAt = now.mono
  if (!incoming.restoration.isWhole) askForPart(replica, out)
  return true
}

/** Is this the part that is to come? */
const fits = ({ incoming }: Replica, { index, op }: MessageOf<"SnapshotPart">, from: ReplicaId): boolean =>
  incoming !== null && !incoming.restoration.isWhole && op === incoming.op && index === incoming.next && from === incoming.from

/** Is the snapshot that begins here to be taken in place of the one that is coming? */
const isBetter = ({ incoming }: Replica, { op }: MessageOf<"SnapshotPart">, from: ReplicaId): boolean =>
  incoming === null || (from === incoming.from && op > incoming.op)

/** The snapshot that has come in, if it is whole. It stays here until it is installed, or the replica joins a view without it. */
export const wholeSnapshot = ({ incoming }: Replica): Restoration | null =>
  incoming !== null && incoming.restoration.isWhole ? incoming.restoration : null
