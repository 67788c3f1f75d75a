/**
 * 3, 11 and 12. Committed prefixes agree, against an ever-growing history; timestamps along it do not fall; and equal
 * prefixes have made equal data, equal sessions and equal snapshots.
 *
 * @module
 */
import { Window } from "../../../src/base/Window.ts"
import type { Replica } from "../../../src/vr/Replica.ts"
import { atLeast, same } from "./Check.ts"
import type { Process } from "../Process.ts"
import type { Checker } from "./Checker.ts"

/** All of the client table but what belongs to one replica alone. Seldom: it is the costliest check. */
const sessionsOf = (replica: Replica): string =>
  JSON.stringify(replica.clients, (key, value: unknown) => {
    if (key === "pending" || key === "pendingRegistrations" || key === "epoch") return undefined
    if (!(value instanceof Map || value instanceof Window)) return value
    const entries = [...(value as Iterable<readonly [unknown, unknown]>)].map(([of, held]) =>
      [of, held instanceof Uint8Array ? Buffer.from(held).toString("latin1") : held])
    // In no order: it is looked up only.
    return key === "byNonce" ? entries.sort(([a], [b]) => String(a) < String(b) ? -1 : 1) : entries
  })

/** Where a step ends there. What went apart stays apart, so a later look sees it too. */
const everyNthOp = 4

export const committedPrefix = (): Checker => {
  const sessions = new Map<number, string>()
  /** The model's data, by op. */
  const wholes = new Map<number, string>()
  const snapshots = new Map<number, number>()
  /** By op: what decides where the next snapshot is. */
  const counted = new Map<number, number>()
  const count = (op: number, { id, replica: { sinceSnapshot } }: Process): void => {
    same(sinceSnapshot, counted.get(op) ?? sinceSnapshot, id, "equal commits count the log alike")
    counted.set(op, sinceSnapshot)
  }
  return {
    onStep: ({ history }, process, before) => {
      const { data, id, replica } = process
      const { commit, log } = replica
      if (commit === before.commit) return
      count(commit, process)
      // What came in a snapshot is known by what it made.
      for (let op = Math.max(before.commit, log.base) + 1; op <= commit; op++) {
        const entry = log.get(op)
        if (op > history.op && op > 1) {
          atLeast(entry.time, history.entries[op - 2]!.time, id, "time never falls along the log")
        }
        history.commit(entry)
      }
      same(data.digest, history.digests[commit], id, "equal commits make equal data")
      if (commit % everyNthOp !== 0) return
      const whole = wholes.get(commit) ?? (commit === history.op ? history.model.whole() : undefined)
      if (whole !== undefined) {
        wholes.set(commit, whole)
        same(data.whole(), whole, id, "equal commits make equal data")
      }
      const mine = sessionsOf(replica)
      same(mine, sessions.get(commit) ?? mine, id, "equal commits make equal sessions")
      sessions.set(commit, mine)
    },
    onSnapshot: (_world, { id }, op, digest) => {
      same(digest, snapshots.get(op) ?? digest, id, "equal commits make equal snapshots")
      snapshots.set(op, digest)
    },
    onRestart: ({ history }, process) => {
      const { data, id, replica } = process
      const { commit, log } = replica
      count(commit, process)
      for (let op = log.base + 1; op <= commit; op++) history.commit(log.get(op))
      same(data.digest, history.digests[commit], id, "equal commits make equal data")
      const mine = sessionsOf(replica)
      same(mine, sessions.get(commit) ?? mine, id, "equal commits make equal sessions")
    }
  }
}
