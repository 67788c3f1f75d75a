/**
 * 16. What is not committed stays within the pipeline, at every replica and in every message; messages fit their frames.
 *
 * @module
 */
import { Limits } from "../../../src/base/Limits.ts"
import { entryBytes } from "../../../src/vr/Log.ts"
import type { Entry, Message } from "../../../src/vr/Message.ts"
import { knownCommit } from "../../../src/vr/states/Backup.ts"
import { atMost, same } from "./Check.ts"
import type { Checker } from "./Checker.ts"

/** The pipeline admits one more operation while it is not full. Read when asked: tests tighten the bounds. */
const pipelineBytes = (): number => Limits.pipeline_bytes_max + Limits.operation_bytes_max

const sizeOf = (entries: ReadonlyArray<Entry>): number => entries.reduce((bytes, entry) => bytes + entryBytes(entry), 0)

/** Of the entries in a message, in bytes. */
const most = (message: Message): number => {
  switch (message._tag) {
    case "Prepare":
      return Math.max(Limits.prepare_bytes_max, Limits.operation_bytes_max)
    case "DoViewChange":
      return pipelineBytes()
    case "StartView":
      return pipelineBytes() + Limits.transfer_chunk_bytes_max
    default:
      return Math.max(Limits.transfer_chunk_bytes_max, Limits.operation_bytes_max)
  }
}

const checkMessage = (id: string, message: Message): void => {
  if (message._tag === "SnapshotPart") {
    atMost(message.bytes.length, Limits.snapshot_part_bytes_max + Limits.operation_bytes_max, id, "bytes of a part")
  }
  if (!("entries" in message)) return
  const bytes = sizeOf(message.entries)
  atMost(bytes, most(message), id, "bytes of a message")
  atMost(bytes, Limits.peer_frame_bytes_max, id, "a message fits a frame")
  message.entries.forEach((entry, i) => same(entry.op, message.first + i, id, "entries on the wire are contiguous"))
  if (message._tag !== "DoViewChange" && message._tag !== "StartView") return
  const uncommitted = message.entries.filter((entry) => entry.op > message.commit).length
  atMost(uncommitted, Limits.pipeline_ops_max, id, "uncommitted operations of a message")
}

export const bounds = (): Checker => ({
  onStep: ({ history, processes }, { id, replica }) => {
    const { clients, commit, configuration, log, lost, probes, state } = replica
    atMost(clients.size, history.sessionsMax, id, "sessions")
    atMost(log.op - knownCommit(replica), Limits.pipeline_ops_max, id, "uncommitted operations")
    atMost(lost.size, configuration.replicas.length, id, "lost replicas")
    atMost(replica.outgoing.size, processes.length - 1, id, "snapshots that are fetched")
    atMost(probes.size, configuration.replicas.length, id, "probes")
    if (state._tag !== "Primary") return
    atMost(state.waiting.size, log.op - commit, id, "clients that wait")
    atMost(state.readsPending, Limits.pending_reads_max, id, "reads that wait")
    const uncommitted = sizeOf(log.range(commit + 1, log.op))
    same(state.uncommittedBytes, uncommitted, id, "uncommitted bytes are counted")
    atMost(uncommitted, pipelineBytes(), id, "uncommitted bytes")
  },
  onSends: (_world, { id }, sends) => {
    for (const { message } of sends) checkMessage(id, message)
  }
})
