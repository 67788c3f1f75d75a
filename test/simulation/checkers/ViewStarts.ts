/**
 * 6 and 7. A view is started at most once, by its own primary, from votes of a quorum that have arrived; and a vote
 * covers every operation that its sender ever acknowledged in the view that the vote is based on.
 *
 * @module
 */
import { primaryOf } from "../../../src/vr/Configuration.ts"
import { countOf, type OpNumber, type ReplicaId, type View } from "../../../src/vr/Message.ts"
import { atLeast, holds, same } from "./Check.ts"
import type { Checker } from "./Checker.ts"

export const viewStarts = (): Checker => {
  const started = new Set<View>([0])
  /** Whose votes have arrived at the view's primary, in its present life. */
  const voters = new Map<View, Set<ReplicaId>>()
  /** By sender and view. */
  const acknowledged = new Map<string, OpNumber>()
  return {
    onStep: ({ groupOf }, { id, replica }, before, _out, inputs) => {
      const { state, view } = replica
      for (const input of inputs) {
        if (input._tag !== "Message" || input.message._tag !== "DoViewChange") continue
        voters.set(input.message.view, (voters.get(input.message.view) ?? new Set()).add(input.from))
      }
      if (state._tag === "Backup") holds(id !== primaryOf(groupOf(view), view), id, "a primary does not follow itself")
      if (state._tag !== "Primary" || state.restarted || (before.tag === "Primary" && before.view === view)) return
      same(id, primaryOf(groupOf(view), view), id, "a view is started by its primary")
      holds(!started.has(view), id, "a view is started once", view)
      started.add(view)
      // An epoch begins without a vote.
      if (countOf(view) === 0) return
      const votes = new Set(voters.get(view)).add(id)
      atLeast(votes.size, groupOf(view).quorum, id, "a view is started from a quorum of votes")
    },
    onCrash: ({ groupOf }, { id, journal }) => {
      for (const view of voters.keys()) if (primaryOf(groupOf(view), view) === id) voters.delete(view)
      // What it had started and not written was known to nobody else: it may start that view again.
      for (const view of started) {
        if (view > journal.head.log_view && primaryOf(groupOf(view), view) === id) started.delete(view)
      }
    },
    onSends: (_world, { id }, sends) => {
      for (const { message } of sends) {
        if (message._tag === "PrepareOk" || message._tag === "CommitOk") {
          const key = `${id} ${message.view}`
          acknowledged.set(key, Math.max(acknowledged.get(key) ?? 0, message.op))
        } else if (message._tag === "DoViewChange") {
          const head = message.first + message.entries.length - 1
          const promised = acknowledged.get(`${id} ${message.logView}`) ?? 0
          atLeast(head, promised, id, "a vote covers what its sender acknowledged")
        }
      }
    }
  }
}
