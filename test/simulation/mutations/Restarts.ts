/**
 * What goes wrong when a replica restarts with its log: disk durability.
 *
 * @module
 */
import type { Mutation } from "./Row.ts"

export const restarts: ReadonlyArray<Mutation> = [
  {
    name: "primary resumes its view",
    what: "A restarted primary goes on in its view, where it may have sent operations that it has not written.",
    file: "src/vr/Transitions.ts",
    find: "makePrimaryState(replica, now, true)",
    replace: "makePrimaryState(replica, now)",
    budget: 50
  },
  {
    name: "restarted primary counts",
    what: "A restarted primary counts acknowledgements of what it has lost itself.",
    file: "src/vr/states/Primary.ts",
    find: "  if (state.restarted) return\n",
    replace: "",
    budget: 2_150
  },
  {
    name: "F16 voted for, not written",
    what: "A replica is back in its old view after a restart, though it had voted in a later one.",
    file: "src/vr/Transitions.ts",
    find: "  replica.hasCrossed = false\n  const { configuration, id, left, logView, view } = replica\n",
    replace: "  replica.view = replica.logView\n  const { configuration, id, left, logView, view } = replica\n",
    budget: 50
  },
  {
    name: "F12 log of a view that it did not install",
    what: "A restarted replica takes the view that it had left for, or was about to enter, for the view of its log.",
    file: "src/vr/Step.ts",
    find: "makeReplica(options, makeRecoveryState(view), view, logView)",
    replace: "makeReplica(options, makeRecoveryState(view), view, view)",
    budget: 50
  },
  {
    name: "restart takes all for committed",
    what: "A restarted replica executes its whole log, committed or not.",
    file: "src/vr/Step.ts",
    find: "while (replica.commit < commit) {",
    replace: "while (replica.commit < Math.max(commit, replica.log.op)) {",
    budget: 50
  }
]
