/**
 * 10. What commits first, commits at a primary, and a quorum has acknowledged it in that primary's view, its own durable
 * copy included; in disk mode each of them has it on its disk, or has lost that since; no message carries a commit number
 * that nobody has reached that way.
 *
 * @module
 */
import type { OpNumber, ReplicaId, View } from "../../../src/vr/Message.ts"
import { atLeast, atMost, same } from "./Check.ts"
import type { Checker } from "./Checker.ts"

interface Acknowledged {
  readonly op: OpNumber
  /** Of the sender, until then. */
  readonly losses: number
}

export const commitsAreBacked = (): Checker => {
  const acknowledged = new Map<View, Map<ReplicaId, Acknowledged>>()
  let highest = 0
  return {
    onStep: ({ configuration, processes }, { id, journal, losses, replica }) => {
      const { commit, log, view } = replica
      if (commit <= highest) return
      same(replica.state._tag, "Primary", id, "what commits first, commits at a primary")
      const acks = new Map(acknowledged.get(view)).set(id, { op: journal.entries.length, losses })
      let backing = 0
      for (const other of processes) {
        const ack = acks.get(other.id)
        if (ack === undefined || ack.op < commit) continue
        backing++
        if (!other.journal.isTrusted || other.isGone || other.losses > ack.losses) continue
        same(other.journal.entries[commit - 1], log.get(commit), other.id, "what is acknowledged and commits is on disk")
      }
      atLeast(backing, configuration.quorum, id, "a commit is backed by a quorum")
      highest = commit
    },
    onSends: (_world, { id, losses }, sends) => {
      for (const { message } of sends) {
        if (message._tag === "PrepareOk" || message._tag === "CommitOk") {
          const acks = acknowledged.get(message.view) ?? new Map<ReplicaId, Acknowledged>()
          acknowledged.set(message.view, acks.set(id, { op: Math.max(acks.get(id)?.op ?? 0, message.op), losses }))
        } else if ("commit" in message) {
          atMost(message.commit, highest, id, "a commit number on the wire was reached")
        }
      }
    }
  }
}
