/**
 * Which messages met a replica in which state: what a search has tried.
 *
 * @module
 */
import type { MessageTag } from "../../src/vr/Message.ts"
import type { StateTag } from "../../src/vr/Replica.ts"

export const stateTags = [
  "Primary", "Backup", "ViewChange", "StateTransfer", "Recovery", "Leaving"
] as const satisfies ReadonlyArray<StateTag>

export const messageTags = [
  "Prepare", "PrepareOk", "Commit", "CommitOk", "StartViewChange", "DoViewChange", "StartView", "GetState", "NewState",
  "GetCommitted", "Committed", "GetSnapshot", "SnapshotPart", "StartEpoch", "EpochStarted", "Recovery", "RecoveryResponse"
] as const satisfies ReadonlyArray<MessageTag>

/** How often each message met each state. Plain data: adds up over threads. */
export type Counts = Record<StateTag, Record<MessageTag, number>>

/** How often a replica came back in each state. */
export type Restarts = Partial<Record<StateTag, number>>

const zeros = (): Counts => {
  const none = () => Object.fromEntries(messageTags.map((tag) => [tag, 0])) as Record<MessageTag, number>
  return Object.fromEntries(stateTags.map((tag) => [tag, none()])) as Counts
}

export class Coverage {
  readonly counts: Counts = zeros()
  readonly restarts: Restarts = {}

  restarted(state: StateTag, times = 1): void {
    this.restarts[state] = (this.restarts[state] ?? 0) + times
  }

  add(other: Counts, restarts: Restarts): void {
    for (const state of stateTags) if (restarts[state] !== undefined) this.restarted(state, restarts[state])
    for (const state of stateTags) for (const message of messageTags) this.counts[state][message] += other[state][message]
  }

  /** A table: a row a message, a column a state. */
  table(): string {
    const width = Math.max(...messageTags.map((tag) => tag.length))
    const row = (name: string, cells: ReadonlyArray<string>): string =>
      name.padEnd(width) + cells.map((cell) => cell.padStart(14)).join("")
    const lines = messageTags.map((message) =>
      row(message, stateTags.map((state) => String(this.counts[state][message] || "-"))))
    return [row("", stateTags), ...lines].join("\n")
  }
}
