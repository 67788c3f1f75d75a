/**
 * 1 and 2. commit ≤ op; commit, view and logView never fall, except that a crash in memory mode takes commit and
 * logView away, and one in disk mode takes back what was not durable; logView ≤ view, and they are equal in normal
 * operation. What is durable is what is in memory.
 *
 * @module
 */
import { isMember } from "../../../src/vr/Configuration.ts"
import { atLeast, atMost, holds, same, sameEntry } from "./Check.ts"
import type { Checker } from "./Checker.ts"

export const monotone = (): Checker => ({
  onStep: (_world, process, before, out) => {
    const { id, journal, lastHandedOver, replica } = process
    const { commit, log, logView, state, view } = replica
    atMost(commit, log.op, id, "commit ≤ op")
    atLeast(commit, before.commit, id, "commit never falls")
    atLeast(view, before.view, id, "view never falls")
    atLeast(view, journal.head.view, id, "view is not below what was promised")
    atLeast(logView, before.logView, id, "logView never falls")
    atMost(logView, view, id, "logView ≤ view")
    if (state._tag === "Primary" || state._tag === "Backup") same(logView, view, id, "normal means logView = view")
    if (view !== before.view || logView !== before.logView) holds(out.head !== null, id, "a new head is written")
    const kept = out.truncate_to ?? out.install?.op ?? lastHandedOver?.op ?? journal.op
    same(kept + out.entries.length, log.op, id, "what is written is the log")
    const last = out.entries[out.entries.length - 1] ?? (out.install === null ? process.handedOver(kept) ?? journal.entry(kept) : undefined)
    if (last === undefined) holds(out.install !== null || kept <= journal.base, id, "what is written is the log")
    else if (log.op > log.base) sameEntry(log.get(log.op), last, id, "what is written is the log")
  },
  onRestart: (_world, { id, journal, replica }) => {
    const { commit, configuration, durable, log, logView, state, view } = replica
    same(view, journal.head.view, id, "a restart keeps the view")
    const hasNothing = log.op === 0 && commit === 0 && !isMember(configuration, id)
    if (state._tag === "Recovery" || hasNothing) return
    same(logView, journal.head.log_view, id, "a restart with a log keeps its view")
    same(commit, Math.max(journal.commit, journal.newest?.op ?? 0), id, "a restart knows what was committed")
    same(log.op, journal.op, id, "a restart keeps the log")
    same(log.base, journal.base, id, "a restart keeps the log")
    same(durable, log.op, id, "a restart keeps the log")
  }
})
