/**
 * 3, 11 and 12. Committed prefixes agree, against an ever-growing history; timestamps along it do not fall; and equal
 * prefixes have made equal data and equal sessions.
 *
 * @module
 */
import type { Replica } from "../../../src/vr/Replica.ts"
import { atLeast, same } from "./Check.ts"
import type { Checker } from "./Checker.ts"

/** All of the client table but what belongs to a primary alone. Seldom: it is the costliest check. */
const sessionsOf = (replica: Replica): string =>
  JSON.stringify(replica.clients, (key, value: unknown) => {
    if (key === "pending" || key === "pendingRegistrations") return undefined
    if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1")
    return value instanceof Map ? [...(value as Map<unknown, unknown>)] : value
  })

/** Where a step ends there. What went apart stays apart, so a later look sees it too. */
const everyNthOp = 4

export const committedPrefix = (): Checker => {
  const sessions = new Map<number, string>()
  /** The model's data, by op. */
  const wholes = new Map<number, string>()
  return {
    onStep: ({ history }, { data, id, replica }, before) => {
      const { commit, log } = replica
      if (commit === before.commit) return
      for (let op = before.commit + 1; op <= commit; op++) {
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
    onRestart: ({ history }, { data, id, replica }) => {
      const { commit, log } = replica
      for (let op = 1; op <= commit; op++) history.commit(log.get(op))
      same(data.digest, history.digests[commit], id, "equal commits make equal data")
      const mine = sessionsOf(replica)
      same(mine, sessions.get(commit) ?? mine, id, "equal commits make equal sessions")
    }
  }
}
