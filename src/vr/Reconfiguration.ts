/**
 * Changes of the group (VRR §7): the last operation of an epoch names the group of the next one. Those that join catch up
 * first; then a primary puts it into its log, and nothing behind it.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import { type Change, makeChange } from "./Change.ts"
import { isMember } from "./Configuration.ts"
import type { Millis, ReplicaId } from "./Message.ts"
import { encodeNextGroup } from "./NextGroup.ts"
import { quorum } from "./Quorum.ts"
import type { Now, Outcome, PrimaryState, Replica } from "./Replica.ts"
import { admit, obstacle } from "./Requests.ts"

/** An admin asks for it, again and again as long as it is wanted; to ask for the present group withdraws what can be. */
export const onReconfigure = (
  replica: Replica,
  replicas: ReadonlyArray<ReplicaId>,
  now: Now,
  out: Outcome
): void => {
  const { configuration, state } = replica
  if (state._tag !== "Primary" || state.abdicated || state.change?.op != null) return
  const refusal = refuseGroup(replica, replicas)
  if (refusal !== null) return void out.events.push(`does not become ${replicas.join(", ")}: ${refusal}`)
  const sorted = [...replicas].sort()
  if (state.change !== null) state.change.askedAt = now.mono
  if (sorted.join() === (state.change?.next ?? configuration).replicas.join()) return
  const isPresent = sorted.join() === configuration.replicas.join()
  const leaving = configuration.replicas.filter((id) => !sorted.includes(id))
  state.change = isPresent ? null : makeChange(replica, { epoch: configuration.epoch + 1, replicas: sorted, leaving }, null, now.mono)
  out.events.push(isPresent ? "the change of the group is withdrawn" : `asked to become ${sorted.join(", ")}`)
}

/** Why these cannot be the next group, in words; null if they can. */
export const refuseGroup = ({ configuration, history }: Replica, replicas: ReadonlyArray<ReplicaId>): string | null => {
  if (replicas.length === 0 || replicas.length > Limits.replicas_max) return `a group has 1 to ${Limits.replicas_max} replicas`
  if (new Set(replicas).size < replicas.length) return "its replicas are distinct"
  const former = replicas.find((id) => !isMember(configuration, id) && history.some(({ leaving }) => leaving.includes(id)))
  return former === undefined ? null : `${former} has left before, and ids are never used again`
}

/** At the end of a turn: once all that join have caught up, it is put into the log, and nothing after it. */
export const proposeChange = (replica: Replica, state: PrimaryState, now: Now, out: Outcome): void => {
  const { change } = state
  if (change === null || change.op !== null) return
  if (now.mono - change.askedAt > Limits.change_asked_ms) {
    state.change = null
    out.events.push(`is not to become ${change.next.replicas.join(", ")} any more: nobody asks for it`)
    return
  }
  if (state.abdicated || replica.commit < state.viewStart) return
  if (obstacle(replica, state) !== null) return
  if (!isReady(replica, state, change, now)) return
  const operation = encodeNextGroup(change.next)
  change.op = admit(replica, state, { kind: "reconfigure", session: 0, request: 0, answered: 0, operation }, now, out)
}

/** All that join are there and have caught up; and the next group has a quorum that is heard, or it would stand still. */
const isReady = (
  { commit, configuration, id, timers }: Replica,
  { heardAt }: PrimaryState,
  { learners, next: { replicas } }: Change,
  now: Now
): boolean => {
  const isRecent = (at: Millis | null): boolean => at !== null && now.mono - at <= timers.view_change_ms * 2
  for (const learner of learners.values()) {
    if (!isRecent(learner.heardAt) || learner.acked + Limits.learner_lag_ops_max < commit) return false
  }
  const present = replicas.filter((each) => each === id || learners.has(each) || isRecent(heardAt[configuration.replicas.indexOf(each)]!))
  return present.length >= quorum(replicas.length)
}
