/**
 * Reads without asking anybody (not in the paper): a quorum promises a primary to vote for no later view for a while, so until
 * then nobody else can have committed anything. Off unless it is set: it rests on clocks that run about equally fast.
 *
 * A round (see Requests.ts) asks for it, and who confirms the round promises. The holder counts from when it sent the round,
 * the others from when they received it, and both allow for clocks that differ by `lease_drift`. A promise lives in memory:
 * whoever is started again keeps what it may have promised before. Only a vote breaks it. An epoch begins without votes, but the
 * primary of the one before has committed its end itself, unless there was a later view. An epoch that `recover` has begun has no
 * such end: its first primary waits as long as the longest lease that its own node was ever set to.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import { primaryOf } from "./Configuration.ts"
import type { ReplicaOptions } from "./MakeReplica.ts"
import { epochOf, firstView, type MessageOf, type Millis, type ReplicaId, type View } from "./Message.ts"
import { quorumth } from "./Quorum.ts"
import type { Now, PrimaryState, Replica } from "./Replica.ts"

/** What a primary has of it. */
export interface Lease {
  /** Rounds that asked for it and that no quorum has granted yet, and when they were sent. */
  readonly asked: Array<{ readonly round: number; readonly at: Millis }>
  /** Latest round that each replica has granted, by index in the configuration. */
  readonly granted: Array<number>
  /** It is held before then. */
  until: Millis
  /** When somebody read last: for nothing, nobody is bound. */
  readAt: Millis
}

/** What a replica has promised: to vote for no view later than `view` before `until`. */
export interface Promised {
  readonly view: View
  readonly until: Millis
}

/** Clocks may be read in whole ms, cut off. */
const rounding_ms = 1

/** By the holder's clock. */
const shortest = (lease_ms: Millis): Millis => lease_ms / (1 + Limits.lease_drift) - rounding_ms
/** By the clock of who has promised. */
const longest = (lease_ms: Millis): Millis => lease_ms * (1 + Limits.lease_drift) + rounding_ms

// --- the holder

/** To itself a primary promises always: having left its view it does not read any more. */
export const makeLease = (replicas: ReadonlyArray<ReplicaId>, id: ReplicaId): Lease =>
  ({ asked: [], granted: replicas.map((each) => (each === id ? Infinity : 0)), until: -Infinity, readAt: -Infinity })

/** What the round that is sent now asks for; 0: nothing. */
export const askForLease = ({ lease_ms }: Replica, { lease: { asked }, round }: PrimaryState, now: Now): Millis => {
  // What would be over is not waited for.
  while (asked.length > 0 && asked[0]!.at + shortest(lease_ms) <= now.mono) asked.shift()
  if (lease_ms === 0 || asked.length >= Limits.lease_rounds_max) return 0
  asked.push({ round, at: now.mono })
  return lease_ms
}

/** Has anybody read since so short a time that another read is to be expected? */
export const isWanted = ({ lease_ms }: Replica, { lease }: PrimaryState, now: Now): boolean =>
  now.mono - lease.readAt < lease_ms

export const onGranted = ({ configuration, lease_ms }: Replica, { lease }: PrimaryState, index: number, round: number): void => {
  const { asked, granted } = lease
  if (round <= granted[index]!) return
  granted[index] = round
  const byQuorum = quorumth(granted, configuration.quorum)
  while (asked.length > 0 && asked[0]!.round <= byQuorum) {
    lease.until = asked.shift()!.at + shortest(lease_ms)
  }
}

/** May it read without a round? What the view has inherited must be committed. */
export const isHeld = ({ commit }: Replica, { lease, viewStart }: PrimaryState, now: Now): boolean =>
  now.mono < lease.until && commit >= viewStart

// --- those that have promised

/**
 * What one that is started again may have promised before, in the last view that it was in; null: that is lost. A former primary of
 * that view has promised nobody else, and does not read any more; unless the operator has begun the group anew with it.
 */
export const promisedBefore = ({ configuration, hold_ms = 0, id, now }: ReplicaOptions, logView: View | null): Promised => {
  const isOwn = logView !== null && primaryOf(configuration, logView) === id && !mayBeRecovered(logView)
  return { view: logView ?? Infinity, until: hold_ms === 0 || isOwn ? -Infinity : now.mono + longest(hold_ms) }
}

/** The first view of an epoch that the operator may have begun, for others that were taken for dead. */
const mayBeRecovered = (view: View): boolean => epochOf(view) >= Limits.recovery_epochs && view === firstView(epochOf(view))

/** It is normal in `view`: that could not begin before what was promised to earlier primaries was over. */
export const settlePromise = (replica: Replica, view: View): void => {
  const { promised } = replica
  replica.promised = { view, until: promised.view >= view ? promised.until : -Infinity }
}

/**
 * To the primary of its view. Not for longer than its own setting says, as after a restart it would not know of that. What it promised
 * to earlier primaries no longer matters: the view began by a quorum whose promises were over, so no earlier lease is held.
 */
export const promiseTo = (replica: Replica, { lease_ms, view }: MessageOf<"Commit">, now: Now): boolean => {
  if (lease_ms === 0 || lease_ms > replica.lease_ms) return false
  replica.promised = { view, until: now.mono + longest(lease_ms) }
  return true
}

export const isBound = ({ promised }: Replica, now: Now): boolean => now.mono < promised.until

/** The primary itself says that it has left the view: it reads nothing there any more. (One that only asks may be there yet.) */
export const releaseIfLeft = (replica: Replica, { probing, view }: MessageOf<"StartViewChange">, from: ReplicaId): void => {
  const { configuration, promised } = replica
  if (probing || view <= promised.view) return
  if (from === primaryOf(configuration, promised.view)) replica.promised = { ...promised, until: -Infinity }
}
