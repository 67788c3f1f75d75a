/**
 * 4. Whatever quorum of replicas with a memory changes the view, the log that it would choose holds every committed
 * operation. Checked for the last one: who holds it holds all before it.
 *
 * @module
 */
import type { Process } from "../Process.ts"
import { holds } from "./Check.ts"
import type { Checker, World } from "./Checker.ts"

const isAtMost = (a: Process, b: Process): boolean => {
  const [left, right] = [a.replica, b.replica]
  return left.logView < right.logView || (left.logView === right.logView && left.log.op <= right.log.op)
}

const check = ({ configuration, history, processes }: World): void => {
  const op = history.op
  if (op === 0) return
  const entry = history.entries[op - 1]!
  const voters = processes.filter((process) => process.remembers)
  if (voters.length < configuration.quorum) return
  for (const voter of voters) {
    if (voter.op >= op && voter.replica.log.get(op) === entry) continue
    // A quorum in which nobody ranks above this one would choose its log.
    const below = voters.filter((other) => isAtMost(other, voter)).length
    holds(below < configuration.quorum, voter.id, "a quorum might choose its log, without committed op", op)
  }
}

export const quorumsHold = (): Checker => ({
  onStep: (world, process, before, out) => {
    const { commit, logView } = process.replica
    if (commit !== before.commit || logView !== before.logView || out.truncate_to !== null) check(world)
    else if (before.tag === "Recovery" && process.state !== "Recovery") check(world)
  },
  onCrash: check
})
