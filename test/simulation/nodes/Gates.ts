/**
 * Listens in on what nodes say to each other: nothing that a replica says follows from a promise that its disk does not
 * have yet (the rule of checkers/Gates.ts, on the wire).
 *
 * @module
 */
import { Limits } from "../../../src/base/Limits.ts"
import { FrameDecoder } from "../../../src/wire/Frame.ts"
import { decodeEnvelope } from "../../../src/wire/PeerProtocol.ts"
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
      const head = machine?.disk.journals.get(`${envelope.tenant}::${envelope.from}`)?.head
      if (head === null || head === undefined) cluster.fail(`${envelope.from} speaks, and has written nothing`)
      else check(cluster, () => checkGate(envelope.from, head, envelope.message))
    }
  }
}

const check = (cluster: Cluster, gate: () => void): void => {
  try {
    gate()
  } catch (cause) {
    if (!(cause instanceof Violation)) throw cause
    cluster.fail(cause.message)
  }
}
