/**
 * What must hold in every state, compactly (numbers are those of the protocol brief, §7). The checkers of the simulation
 * keep a past of their own; here all that a rule needs is in the state.
 *
 * @module
 */
import { isMember } from "../../../src/vr/Configuration.ts"
import type { Epoch, OpNumber } from "../../../src/vr/Message.ts"
import type { Local } from "./Model.ts"

/** What was ever committed, in order: equal numbers are equal entries. One object for equal histories. */
export interface History {
  /** Counts histories from 0. */
  readonly number: number
  readonly entries: ReadonlyArray<number>
}

export class Histories {
  readonly all: Array<History> = [{ number: 0, entries: [] }]
  private readonly byKey = new Map<string, History>()

  after(history: History, entry: number): History {
    const entries = [...history.entries, entry]
    const key = entries.join()
    const known = this.byKey.get(key)
    if (known !== undefined) return known
    const made = { number: this.all.length, entries }
    this.all.push(made)
    this.byKey.set(key, made)
    return made
  }
}

/** 3 and 10. The history, with what `local` has committed; or the rule that this breaks. `led`: before, or now. */
export const withCommits = (histories: Histories, history: History, local: Local, led: boolean): History | string => {
  let grown = history
  for (let i = 0; i < local.commit; i++) {
    const entry = local.entries[i]!
    if (i >= grown.entries.length) {
      if (!led) return "what commits first, commits at a primary"
      grown = histories.after(grown, entry)
    } else if (grown.entries[i] !== entry) return "committed prefixes agree"
  }
  return grown
}

/**
 * 4. Whatever quorum of replicas with a memory changes the view, the log that it would choose holds what is committed: in
 * each epoch, of those who are in it, and up to the end of it. `ends`: the last operations of epochs.
 */
export const quorumsHold = (all: ReadonlyArray<Local>, history: History, ends: ReadonlySet<number>): boolean => {
  let op = 0
  for (let epoch = 0; op < history.entries.length; epoch++) {
    const end = history.entries.findIndex((entry, i) => i >= op && ends.has(entry))
    op = end < 0 ? history.entries.length : end + 1
    if (!quorumsOfEpochHold(all.filter((local) => isVoter(local, epoch)), history, op)) return false
  }
  return true
}

const isVoter = ({ replica: { configuration, id } }: Local, epoch: Epoch): boolean =>
  configuration.epoch === epoch && isMember(configuration, id)

const quorumsOfEpochHold = (locals: ReadonlyArray<Local>, history: History, op: OpNumber): boolean => {
  const entry = history.entries[op - 1]!
  const quorum = locals[0]?.replica.configuration.quorum ?? 1
  for (const voter of locals) {
    if (voter.tag === "Recovery" || voter.entries[op - 1] === entry) continue
    let below = 0
    for (const { logView, op: head, tag } of locals) {
      if (tag === "Recovery") continue
      if (logView < voter.logView || (logView === voter.logView && head <= voter.op)) below++
    }
    if (below >= quorum) return false
  }
  return true
}

/** 5. Of two replicas with a memory and the same logView, one log is a prefix of the other one. */
export const oneLogPerView = (locals: ReadonlyArray<Local>): boolean => {
  for (const a of locals) {
    for (const b of locals) {
      if (a.index >= b.index || a.logView !== b.logView || a.tag === "Recovery" || b.tag === "Recovery") continue
      const shared = Math.min(a.op, b.op)
      for (let i = Math.max(a.commit, b.commit); i < shared; i++) if (a.entries[i] !== b.entries[i]) return false
    }
  }
  return true
}

/** 9. Nobody holds more of a view's log than its primary, unless that has restarted. */
export const primaryIsLongest = (locals: ReadonlyArray<Local>): boolean => {
  for (const primary of locals) {
    const { state } = primary.replica
    if (state._tag !== "Primary" || state.restarted) continue
    for (const { logView, op, tag } of locals) {
      if (tag === "Backup" && logView === primary.view && op > primary.op) return false
    }
  }
  return true
}
