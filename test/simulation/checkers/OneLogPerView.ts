/**
 * 5 and 9. There is one log per view: replicas of one logView differ only in how much of it they hold, and the view's
 * primary holds most. Committed entries are left out: they are the same in all views, and a transfer may take them
 * in before it adopts the view that they came from.
 *
 * @module
 */
import type { Entry, View } from "../../../src/vr/Message.ts"
import { atMost, same } from "./Check.ts"
import type { Checker } from "./Checker.ts"

export const oneLogPerView = (): Checker => {
  const logs = new Map<View, Array<Entry | undefined>>()
  return {
    onStep: ({ processes }, { id, replica }, before, out) => {
      const { commit, log, logView, state } = replica
      if (state._tag === "Recovery") return
      const known = logs.get(logView) ?? []
      logs.set(logView, known)
      const changed = logView !== before.logView || before.tag === "Recovery" ? commit + 1 : out.entries[0]?.op ?? log.op + 1
      for (let op = Math.max(changed, commit + 1); op <= log.op; op++) {
        const entry = log.get(op)
        same(entry, known[op] ?? entry, id, "one log per view")
        atMost(entry.view, logView, id, "no entry is of a later view than its log")
        known[op] = entry
      }
      if (state._tag === "Backup" && log.op > before.op) {
        const primary = processes.find((other) => other.isUp && other.state === "Primary" && other.view === logView)
        if (primary !== undefined) atMost(log.op, primary.op, id, "the primary's log is the longest")
      }
    }
  }
}
