/**
 * When to leave a view. Nobody leaves alone: a replica that does not hear the primary asks first (a probe) and stays
 * normal until a quorum agrees, so one that cannot hear cannot disturb the others (F15).
 *
 * @module
 */
import { isMember, primaryOf } from "./Configuration.ts"
import type { Millis, ReplicaId, View } from "./Message.ts"
import { highestView, type Now, type Outcome, type Replica } from "./Replica.ts"
import { broadcast } from "./Sending.ts"
import { enterViewChange } from "./Transitions.ts"

/** Since when nothing was heard of a primary; null where that question makes no sense. */
const silentSince = (replica: Replica): Millis | null => {
  const state = replica.state
  switch (state._tag) {
    case "Backup":
    case "StateTransfer":
      return state.heardAt
    case "ViewChange":
      // No view starts before it may vote.
      return Math.max(state.startedAt, replica.promised.until)
    case "Primary":
    case "Recovery":
    case "Leaving":
      return null
  }
}

const primaryIsLost = (replica: Replica): boolean =>
  replica.state._tag !== "Recovery" && replica.lost.has(primaryOf(replica.configuration, highestView(replica)))

const isFollowing = ({ state }: Replica): boolean => state._tag === "Backup" || state._tag === "StateTransfer"

/** Would agree if another asks: after the shortest silence that may make one ask. */
export const suspects = (replica: Replica, now: Now): boolean => {
  if (replica.state._tag === "Primary") return replica.state.abdicated
  const since = silentSince(replica)
  if (since === null) return false
  return primaryIsLost(replica) || now.mono - since >= replica.timers.view_change_ms / 2
}

/** Asks by itself: after its own, randomised patience. */
const outOfPatience = (replica: Replica, now: Now): boolean => {
  const state = replica.state
  if (state._tag === "Primary") return state.abdicated
  if (state._tag === "Recovery" || state._tag === "Leaving") return false
  return primaryIsLost(replica) || now.mono - silentSince(replica)! >= state.patience * replica.timers.view_change_ms
}

/** On every tick and when a transport breaks. */
export const probeIfSilent = (replica: Replica, now: Now, out: Outcome): void => {
  if (isMember(replica.configuration, replica.id) && outOfPatience(replica, now)) probe(replica, now, out)
}

/** The next view whose primary may be there, or a higher one that others ask for already (F5: adopt, do not add). */
const candidateView = (replica: Replica, now: Now): View => {
  const current = highestView(replica)
  let view = current + 1
  for (let i = 1; i < replica.configuration.replicas.length; i++) {
    if (!replica.lost.has(primaryOf(replica.configuration, view))) break
    view++
  }
  for (const [from, seen] of replica.probes) {
    if (from !== replica.id && fresh(replica, seen.at, now) && seen.view > view) view = seen.view
  }
  return view
}

const fresh = (replica: Replica, at: Millis, now: Now): boolean => now.mono - at <= replica.timers.view_change_ms

const probe = (replica: Replica, now: Now, out: Outcome): void => {
  const view = candidateView(replica, now)
  const own = replica.probes.get(replica.id)
  // Up at once, down in its time: two that follow each other to and fro between two views would not come to rest.
  if (own === undefined || view > own.view || now.mono >= replica.probeAt) {
    replica.probes.set(replica.id, { view, at: now.mono })
    replica.probeAt = now.mono + replica.timers.heartbeat_ms
    broadcast(replica, out, { _tag: "StartViewChange", view, probing: true })
  }
  let agreeing = 0
  for (const seen of replica.probes.values()) if (seen.view === view && fresh(replica, seen.at, now)) agreeing++
  if (agreeing >= replica.configuration.quorum) enterViewChange(replica, view, now, out)
}

/** Another asks. It is heeded only if this replica has lost sight of the primary too. */
export const onProbe = (replica: Replica, view: View, from: ReplicaId, now: Now, out: Outcome): void => {
  if (view <= highestView(replica)) return
  replica.probes.set(from, { view, at: now.mono })
  // The primary itself asks: it has given up, or lost its place by a restart. There is nobody to wait for.
  if (isFollowing(replica) && from === primaryOf(replica.configuration, highestView(replica))) replica.lost.add(from)
  if (suspects(replica, now)) probe(replica, now, out)
}
