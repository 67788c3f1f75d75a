/**
 * 5 and 9. There is one log per view: replicas of one logView differ only in how much of it they hold, and the view's
 * primary holds most. Committed entries are left out: they are the same in all views, and a transfer may take them
 * in before it adopts the view that they came from.
 *
 * @module
 */
import { primaryOf } from "../../../src/vr/Configuration.ts"
import type { Entry, OpNumber, View } from "../../../src/vr/Message.ts"
import type { Process } from "../Process.ts"
import { atMost, sameEntry } from "./Check.ts"
import type { Checker } from "./Checker.ts"

/** A primary that has restarted may have lost what it had not written. */
const leads = (process: Process, view: View): boolean => {
  if (!process.isUp) return false
  const { state } = process.replica
  return state._tag === "Primary" && process.view === view && !state.restarted
}

export const oneLogPerView = (): Checker => {
  const logs = new Map<View, Array<Entry | undefined>>()
  const compare = ({ id, replica }: Process, first: OpNumber): void => {
    const { commit, log, logView } = replica
    const known = logs.get(logView) ?? []
    logs.set(logView, known)
    for (let op = Math.max(first, commit + 1); op <= log.op; op++) {
      const entry = log.get(op)
      sameEntry(entry, known[op] ?? entry, id, "one log per view")
      atMost(entry.view, logView, id, "no entry is of a later view than its log")
      known[op] = entry
    }
  }
  return {
    onStep: ({ processes }, process, before, out) => {
      const { id, replica } = process
      const { log, logView, state } = replica
      if (state._tag === "Recovery") return
      compare(process, logView !== before.logView || before.tag === "Recovery" ? 1 : out.entries[0]?.op ?? log.op + 1)
      if (state._tag === "Backup" && log.op > before.op) {
        const primary = processes.find((other) => leads(other, logView))
        if (primary !== undefined) atMost(log.op, primary.op, id, "the primary's log is the longest")
      }
    },
    onCrash: ({ groupOf }, { id, journal }) => {
      // A view that its primary had started and not written was known to nobody else.
      for (const view of logs.keys()) {
        if (view > journal.head.log_view && primaryOf(groupOf(view), view) === id) logs.delete(view)
      }
    },
    onRestart: (_world, process) => {
      if (process.state !== "Recovery") compare(process, 1)
    }
  }
}
