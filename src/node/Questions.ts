/**
 * What a replica answers when it is asked, and the inputs that a question comes to.
 *
 * @module
 */
import { pendingChange } from "../vr/Change.ts"
import { isMember } from "../vr/Configuration.ts"
import { refuseHandOff } from "../vr/HandOff.ts"
import { refuseGroup } from "../vr/Reconfiguration.ts"
import { type Input, isNormal, type Now, type PrimaryState, type Replica } from "../vr/Replica.ts"
import { takeSnapshot } from "../vr/Snapshot.ts"
import type { ChangeReport, GroupWish } from "../wire/Changes.ts"
import type { Question, TakenSnapshot } from "./Queues.ts"
import { describeReplica, type ReplicaData } from "./Status.ts"

/** Answers at once, from the state as it is. Gives what the protocol is to do beside that; "end": the replica is to end. */
export const answerQuestion = (question: Question, replica: Replica, data: ReplicaData, now: Now): Input | "end" | null => {
  switch (question._tag) {
    case "Inspect":
      question.answer(describeReplica(replica, data, now))
      return null
    case "TakeSnapshot":
      question.answer(taken(replica, data))
      return null
    case "Change": {
      const report = reportChange(replica, question.wish, data, now)
      question.answer(report)
      if (report === null || report.refusal !== null || question.wish?.epoch !== report.epoch) return null
      return { _tag: "Reconfigure", replicas: question.wish.replicas }
    }
    case "HandOff": {
      const state = leading(replica)
      const refusal = state === null ? null : refuseHandOff(replica, state, question.to)
      question.answer(state === null ? null : { refusal })
      return state === null || refusal !== null ? null : { _tag: "HandOff", to: question.to }
    }
    case "Forget": {
      // Where it has the change in its log, a quorum may count on it; and who asks may go by a primary that leads no longer.
      const isToJoin = pendingChange(replica)?.next.replicas.includes(replica.id) === true
      const { configuration, id, left } = replica
      const isOutside = !isMember(configuration, id)
      // Who asks may go by a group that is over: a member of a later one, or of that one, is never meant.
      const { begun } = question
      const isLeftBehind = begun !== null && (configuration.epoch < begun || (left && configuration.epoch === begun))
      const isToEnd = id === question.id && (isLeftBehind || (isOutside && !left && !isToJoin))
      question.answer(isToEnd)
      return isToEnd ? "end" : null
    }
  }
}

/** It leads its group, as far as it knows. */
const leading = ({ state }: Replica): PrimaryState | null => state._tag === "Primary" && !state.abdicated ? state : null

const taken = (replica: Replica, { store }: ReplicaData): TakenSnapshot | null =>
  isNormal(replica)
    ? { snapshot: takeSnapshot(replica), elements: store.stats().elements, isPrimary: leading(replica) !== null }
    : null

/** Of two that are asked for at the same time, the first one goes on, until it has come about or is taken back. */
const refuseWish = (replica: Replica, { change }: PrimaryState, { epoch, of, replicas }: GroupWish): string | null => {
  if (change === null || epoch !== replica.configuration.epoch || change.next.replicas.join() === of.join()) {
    return refuseGroup(replica, replicas)
  }
  return `another change of the group is under way: it is to become ${change.next.replicas.join(", ")}; wait for it, or take it back ` +
    "with vr withdraw"
}

/** Before the wish is heard. */
const reportChange = (replica: Replica, wish: GroupWish | null, { store }: ReplicaData, now: Now): ChangeReport | null => {
  const state = leading(replica)
  if (state === null) return null
  const { application, commit, configuration, history, log, timers } = replica
  const { change } = state
  const isRecent = (at: number | null): boolean => at !== null && now.mono - at <= timers.view_change_ms * 2
  return {
    epoch: configuration.epoch,
    replicas: configuration.replicas,
    former: history.flatMap(({ leaving }) => leaving),
    refusal: wish === null ? null : refuseWish(replica, state, wish),
    stage: change === null ? "none" : change.op === null ? "catching up" : "in the log",
    next: change?.next.replicas ?? null,
    learners: [...change?.learners ?? []].map(([id, { acked, heardAt }]) => ({ id, op: acked, heard: isRecent(heardAt) })),
    commit,
    elements: store.stats().elements,
    bytes: application.size() + log.bytes
  }
}
