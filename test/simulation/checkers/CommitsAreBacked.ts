/**
 * 10. What commits first, commits at a primary, and a quorum has acknowledged it in that primary's view, its own durable
 * copy included; no message carries a commit number that nobody has reached that way.
 *
 * @module
 */
import type { OpNumber, ReplicaId, View } from "../../../src/vr/Message.ts"
import { atLeast, atMost, same } from "./Check.ts"
import type { Checker } from "./Checker.ts"

export const commitsAreBacked = (): Checker => {
  const acknowledged = new Map<View, Map<ReplicaId, OpNumber>>()
  let highest = 0
  return {
    onStep: ({ configuration }, { id, journal, replica }) => {
      const { commit, view } = replica
      if (commit <= highest) return
      same(replica.state._tag, "Primary", id, "what commits first, commits at a primary")
      const acks = new Map(acknowledged.get(view)).set(id, journal.entries.length)
      const backing = [...acks.values()].filter((op) => op >= commit).length
      atLeast(backing, configuration.quorum, id, "a commit is backed by a quorum")
      highest = commit
    },
    onSends: (_world, { id }, sends) => {
      for (const { message } of sends) {
        if (message._tag === "PrepareOk" || message._tag === "CommitOk") {
          const acks = acknowledged.get(message.view) ?? new Map<ReplicaId, OpNumber>()
          acknowledged.set(message.view, acks.set(id, Math.max(acks.get(id) ?? 0, message.op)))
        } else if ("commit" in message) {
          atMost(message.commit, highest, id, "a commit number on the wire was reached")
        }
      }
    }
  }
}
