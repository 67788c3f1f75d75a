/**
 * What goes wrong when the group changes: in agreeing on it, in going over, in being left behind.
 *
 * @module
 */
import type { Mutation } from "./Row.ts"

export const groups: ReadonlyArray<Mutation> = [
  {
    name: "F13 news not followed",
    what: "A replica that hears of a later epoch goes on in its own.",
    file: "src/vr/Epochs.ts",
    find: "  else startTransfer(replica, view, from, now, out)\n  return false\n",
    replace: "  return false\n",
    budget: 300
  },
  {
    name: "F13 asks its old group",
    what: "A replica that is left behind asks the members that it knows, who may all be gone, and not whoever told it.",
    file: "src/vr/Epochs.ts",
    find: "  else startTransfer(replica, view, from, now, out)\n",
    replace: "  else startTransfer(replica, view, replica.configuration.replicas.find((id) => id !== replica.id) ?? from, now, out)\n",
    budget: 2_500
  },
  {
    name: "F14 half of an even group",
    what: "Half of a group of even size counts as a quorum: two of them need not meet.",
    file: "src/vr/Quorum.ts",
    find: "Math.floor(size / 2) + 1",
    replace: "Math.max(1, Math.ceil(size / 2))",
    budget: 100
  },
  {
    name: "requests behind the change",
    what: "A primary takes requests behind the last operation of its epoch.",
    file: "src/vr/Requests.ts",
    find: "if (state.change?.op != null || state.handOff !== null) return",
    replace: "if (state.handOff !== null) return",
    by: "search",
    budget: 4_000_000
  },
  {
    name: "epoch begun without its log",
    what: "Whoever hears of an epoch takes its own log up to there for the one that it begins with.",
    file: "src/vr/Epochs.ts",
    find: "log.get(op).view === view && log.get(op).kind === \"reconfigure\"",
    replace: "log.get(op).kind === \"reconfigure\"",
    budget: 1_000
  },
  {
    name: "middle of an epoch put in place",
    what: "A replica on its way to a later epoch puts the middle of an earlier one into its log, and takes part in that.",
    file: "src/vr/Transitions.ts",
    find: "last ?? (epochOf(target) > replica.configuration.epoch ? base : committed)",
    replace: "last ?? committed",
    budget: 5_000
  },
  {
    name: "nobody speaks of the beginning",
    what: "A member that has left its view does not give those that are still in the epoch before what they lack to vote.",
    file: "src/vr/Epochs.ts",
    find: "isNormal(replica) ? answerGetState(replica, message, from, now, out) : answerEpochStart(replica, message, from, now, out)",
    replace: "isNormal(replica) ? answerGetState(replica, message, from, now, out) : undefined",
    budget: 1_800
  },
  {
    name: "news of one that has nothing",
    what: "A replica follows the call of one that has lost its memory, which has nothing to give, and does nothing else.",
    file: "src/vr/Epochs.ts",
    find: "message._tag === \"Recovery\" || ",
    replace: "",
    budget: 4_000
  },
  {
    name: "change withdrawn from the log",
    what: "A new primary forgets the change that ends its log, and goes on as if there was none.",
    file: "src/vr/Transitions.ts",
    find: "  state.change = pendingChange(replica)\n  moveTo",
    replace: "  moveTo",
    budget: 300
  },
  {
    name: "leaves without a word",
    what: "A replica that leaves says nothing to those that take its place.",
    file: "src/vr/states/Leaving.ts",
    find: "  for (const to of replica.configuration.replicas) if (!state.started.has(to)) send(out, to, startEpoch(replica))\n",
    replace: "",
    budget: 300
  },
  {
    name: "snapshot without the groups",
    what: "A replica that begins with a snapshot does not know how the group has changed.",
    file: "src/vr/states/Normal.ts",
    find: "  adoptHistory(replica, history, out)\n",
    replace: "",
    budget: 500
  }
]
