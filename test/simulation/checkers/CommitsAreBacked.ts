/**
 * 10. What commits first, commits at a primary, and a quorum's acknowledgements in its view have arrived, its own durable
 * copy included; in disk mode each of them has it on its disk, or has lost that since; no message carries a commit number
 * that nobody has reached that way. Nobody is in a view before the one in which its data was committed, and a snapshot says
 * in which that was at the latest.
 *
 * @module
 */
import { isMember } from "../../../src/vr/Configuration.ts"
import {
  epochOf,
  type Message,
  type MessageOf,
  type OpNumber,
  type ReplicaId,
  type View
} from "../../../src/vr/Message.ts"
import type { Input } from "../../../src/vr/Replica.ts"
import { atLeast, atMost, holds } from "./Check.ts"
import type { Checker } from "./Checker.ts"

interface Acknowledged {
  readonly op: OpNumber
  /** How often the sender had lost its log when it said so. */
  readonly losses: number
}

const isAcknowledgement = (message: Message): message is MessageOf<"PrepareOk"> | MessageOf<"CommitOk"> =>
  message._tag === "PrepareOk" || message._tag === "CommitOk"

export const commitsAreBacked = (): Checker => {
  const acknowledged = new Map<View, Map<ReplicaId, Acknowledged>>()
  /** By acknowledgement: the losses of its sender. */
  const lossesAt = new WeakMap<Message, number>()
  let highest = 0
  /** By op: the earliest view in which a primary has counted a quorum; it may find that out after a later one did. */
  const committedIn: Array<View> = [0]
  const arrive = (input: Input): void => {
    if (input._tag !== "Message" || !isAcknowledgement(input.message)) return
    const { from, message } = input
    const acks = acknowledged.get(message.view) ?? new Map<ReplicaId, Acknowledged>()
    if (message.op < (acks.get(from)?.op ?? 0)) return
    acknowledged.set(message.view, acks.set(from, { op: message.op, losses: lossesAt.get(message) ?? 0 }))
  }
  return {
    onStep: ({ groupOf, processes }, { id, journal, losses, replica }, before, _out, inputs) => {
      for (const input of inputs) arrive(input)
      const { commit, log } = replica
      // With the last operation of its epoch a primary goes over to the next one, and one that hands off leaves behind what
      // it commits.
      const hasLed = before.tag === "Primary" && (replica.state._tag !== "Primary" || epochOf(replica.view) > epochOf(before.view))
      const view = hasLed ? before.view : replica.view
      const leads = hasLed || replica.state._tag === "Primary"
      if (leads) {
        for (let op = before.commit + 1; op <= commit; op++) committedIn[op] = Math.min(committedIn[op] ?? view, view)
      }
      if (replica.state._tag === "Backup") atMost(committedIn[commit]!, view, id, "nobody is in a view before that of its data")
      if (commit <= highest) return
      holds(leads, id, "what commits first, commits at a primary")
      const acks = new Map(acknowledged.get(view)).set(id, { op: journal.op, losses })
      let backing = 0
      for (const other of processes) {
        const ack = acks.get(other.id)
        if (ack === undefined || ack.op < commit || !isMember(groupOf(view), other.id)) continue
        backing++
        if (!other.journal.isTrusted || other.isGone || other.losses > ack.losses) continue
        holds(other.journal.holds(log.get(commit)), other.id, "what is acknowledged and commits is on disk", commit)
      }
      atLeast(backing, groupOf(view).quorum, id, "a commit is backed by a quorum")
      highest = commit
    },
    onSends: (_world, { id, losses }, sends) => {
      for (const { message } of sends) {
        if (message._tag === "SnapshotPart") {
          atLeast(message.view, committedIn[message.op]!, id, "a snapshot is of no later view than it says")
        }
        if (isAcknowledgement(message)) lossesAt.set(message, losses)
        else if ("commit" in message) atMost(message.commit, highest, id, "a commit number on the wire was reached")
      }
    }
  }
}
