/**
 * Listens in on what nodes say to each other: nothing that a replica says follows from a promise that its disk does not
 * have yet (the rule of checkers/Gates.ts, on the wire).
 *
 * @module
 */
import { Limits } from "../../../src/base/Limits.ts"
import type { Durability, ReplicaHead, Stored } from "../../../src/storage/Journal.ts"
import { FrameDecoder } from "../../../src/wire/Frame.ts"
import { decodeEnvelope, type Envelope } from "../../../src/wire/PeerProtocol.ts"
import { checkGate } from "../checkers/Gates.ts"
import { Violation } from "../checkers/Check.ts"
import type { Cluster } from "./Cluster.ts"

/** For one connection to a peer server: takes what is written to it. */
export const listenIn = (cluster: Cluster, from: string): (chunk: Uint8Array) => void => {
  const decoder = new FrameDecoder(Limits.peer_frame_bytes_max)
  const machine = cluster.machines.find(({ name }) => name === from)
  let isHello = true
  return (chunk) => {
    for (const payload of decoder.push(chunk)) {
      const envelope = isHello ? null : decodeEnvelope(payload)
      isHello = false
      if (envelope === null || "_tag" in envelope) continue
      const key = `${envelope.tenant}::${envelope.from}`
      const stored = machine?.disk.journals.get(key)
      if (stored?.head != null) {
        cluster.spoken.add(key)
        hear(cluster, stored, stored.head, envelope)
      } else if (!cluster.spoken.has(key)) {
        // What one says whose files are gone by then was written down when it said it.
        cluster.fail(`${envelope.from} speaks, and has written nothing`)
      }
    }
  }
}

/** What a replica may say that has not got its log again: questions, and which epoch it is in, so that later ones tell it. */
const fetches: ReadonlySet<string> = new Set(["Recovery", "GetState", "GetSnapshot", "EpochStarted"])

const hear = (cluster: Cluster, { base, entries }: Stored, head: ReplicaHead, { from, message, tenant }: Envelope): void => {
  check(cluster, () => checkGate(from, head, message))
  if (durabilityOf(cluster, tenant) !== "disk") return
  if (!head.whole && !fetches.has(message._tag)) {
    cluster.fail(`${from} says ${message._tag}, and has not got its log again`)
  }
  if ((message._tag === "PrepareOk" || message._tag === "CommitOk") && message.view === head.log_view) {
    const { op } = message
    const last = base + entries.length
    if (op > last) cluster.fail(`${from} acknowledges op ${op}, and its disk has ${last}`)
  }
}

const durabilityOf = (cluster: Cluster, id: string): Durability | undefined =>
  cluster.machines.map(({ disk }) => disk.tenants.get(id)?.durability).find((durability) => durability !== undefined)

const check = (cluster: Cluster, gate: () => void): void => {
  try {
    gate()
  } catch (cause) {
    if (!(cause instanceof Violation)) throw cause
    cluster.fail(cause.message)
  }
}
