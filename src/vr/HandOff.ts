/**
 * A planned change of the primary (not in the paper): it lets what is under way come to an end, waits until the other one
 * holds all of it, and then leaves for that one's view, together with everybody. No time-out has to pass.
 *
 * @module
 */
import { isMember, primaryOf } from "./Configuration.ts"
import type { ReplicaId, View } from "./Message.ts"
import type { Now, Outcome, PrimaryState, Replica } from "./Replica.ts"
import { indexOf } from "./states/Normal.ts"
import { enterViewChange, turnClientsAway } from "./Transitions.ts"

/** One that does not catch up in `view_change_ms` is not waited for: clients are. Not while the group changes. */
export const onHandOff = (replica: Replica, to: ReplicaId, now: Now, out: Outcome): void => {
  const { state, timers } = replica
  if (state._tag !== "Primary" || state.abdicated) return
  const refusal = refuseHandOff(replica, state, to)
  if (refusal !== null) return void out.events.push(`does not hand off to ${to}: ${refusal}`)
  state.handOff = { to, until: now.mono + timers.view_change_ms }
  out.events.push(`is to hand off to ${to}`)
}

/** Why a primary does not hand off to that one, in words; null if it does. */
export const refuseHandOff = ({ configuration, id }: Replica, { change }: PrimaryState, to: ReplicaId): string | null => {
  if (change !== null) return "its group is about to change"
  if (to === id) return "it is the primary itself"
  return isMember(configuration, to) ? null : "it is not in the group"
}

/** At the end of a turn. */
export const handOff = (replica: Replica, state: PrimaryState, now: Now, out: Outcome): void => {
  if (state.handOff === null || state.abdicated) return
  const { to, until } = state.handOff
  if (now.mono >= until) {
    state.handOff = null
    out.events.push(`${to} has not caught up: the hand-off is given up`)
    return
  }
  const { commit, log } = replica
  if (commit !== log.op || state.acked[indexOf(replica, to)] !== log.op) return
  turnClientsAway(state, out, to)
  enterViewChange(replica, viewOf(replica, to), now, out)
  if (replica.state._tag === "ViewChange") replica.state.successor = to
}

/** The next one that it leads. */
const viewOf = ({ configuration, view }: Replica, leader: ReplicaId): View => {
  let next = view + 1
  while (primaryOf(configuration, next) !== leader) next++
  return next
}
