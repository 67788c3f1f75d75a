/**
 * Which step received what another one sent: the simulation hands on the very objects, so that identity tells.
 *
 * @module
 */
import type { Message, ReplicaId } from "../../../src/vr/Message.ts"
import type { TraceLine } from "../Trace.ts"

export interface Arrow {
  readonly message: Message
  readonly from: ReplicaId
  readonly to: ReplicaId
  /** Index of the line that sent it. */
  readonly sent: number
  /** Index of the line that got it; null: nobody did, in this run. */
  received: number | null
  /** The network doubled it, and this is the copy. */
  readonly isCopy: boolean
}

/**
 * The message of a send may be sent again later, the same object to the same replica; then the latest that was not
 * received yet is taken for the one that arrives.
 */
export const arrowsOf = (lines: ReadonlyArray<TraceLine>): ReadonlyArray<Arrow> => {
  const arrows: Array<Arrow> = []
  const sentBy = new Map<Message, Array<Arrow>>()
  const receive = (message: Message, to: ReplicaId, line: number): void => {
    const candidates = sentBy.get(message)?.filter((arrow) => arrow.to === to) ?? []
    const expected = candidates.findLast((arrow) => arrow.received === null)
    if (expected !== undefined) {
      expected.received = line
      return
    }
    const original = candidates.at(-1)
    if (original !== undefined) arrows.push({ ...original, received: line, isCopy: true })
  }
  lines.forEach((line, index) => {
    if (line.kind === "note") return
    for (const input of line.inputs) if (input._tag === "Message") receive(input.message, line.id, index)
    for (const { message, to } of [...line.out.early, ...line.out.sends]) {
      const arrow: Arrow = { message, from: line.id, to, sent: index, received: null, isCopy: false }
      arrows.push(arrow)
      const same = sentBy.get(message)
      if (same === undefined) sentBy.set(message, [arrow])
      else same.push(arrow)
    }
  })
  return arrows
}

/** What was sent in the first `lines` lines and not received in them, the oldest first. */
export const underWay = (arrows: ReadonlyArray<Arrow>, lines: number): ReadonlyArray<Arrow> =>
  arrows.filter(({ received, sent }) => sent < lines && (received === null || received >= lines))
    .sort((a, b) => a.sent - b.sent)
