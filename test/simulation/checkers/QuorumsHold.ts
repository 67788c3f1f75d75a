/**
 * 4. Whatever quorum of replicas with a memory changes the view, the log that it would choose holds every committed
 * operation. Checked for the last one: who holds it holds all before it. In disk mode any of them may crash first: each
 * counts with what is in its memory and with what is on its disk, whichever makes it worse.
 *
 * @module
 */
import { type Configuration, isMember } from "../../../src/vr/Configuration.ts"
import { type Entry, epochOf, firstView, type OpNumber, type View } from "../../../src/vr/Message.ts"
import type { Process } from "../Process.ts"
import { holds, isSameEntry } from "./Check.ts"
import type { Checker, World } from "./Checker.ts"

/** What a replica may vote with. */
interface Ballot {
  readonly logView: View
  readonly op: OpNumber
  readonly holdsIt: boolean
}

const isAtMost = (left: Ballot, right: Ballot): boolean =>
  left.logView < right.logView || (left.logView === right.logView && left.op <= right.op)

const holdsInMemory = ({ replica }: Process, entry: Entry): boolean =>
  replica.log.op >= entry.op && (replica.log.base >= entry.op || isSameEntry(replica.log.get(entry.op), entry))

const holdsOnDisk = ({ journal }: Process, entry: Entry): boolean => journal.op >= entry.op && journal.holds(entry)

const holdsAnyway = (process: Process, entry: Entry): boolean =>
  (!process.isUp || holdsInMemory(process, entry)) && (!process.journal.isTrusted || holdsOnDisk(process, entry))

const ballotsOf = (process: Process, entry: Entry): ReadonlyArray<Ballot> => {
  const { journal: { head, isTrusted, op: written } } = process
  const ballots = new Array<Ballot>()
  if (process.isUp) {
    const { log, logView } = process.replica
    ballots.push({ logView, op: log.op, holdsIt: holdsInMemory(process, entry) })
  }
  if (isTrusted) ballots.push({ logView: head.log_view, op: written, holdsIt: holdsOnDisk(process, entry) })
  return ballots
}

/** In each epoch: of those who are in it, and up to its end. */
const check = (world: World): void => {
  const { groupOf, history } = world
  let entry = history.entries[history.op - 1]
  for (let epoch = entry === undefined ? -1 : epochOf(entry.view); epoch >= 0; epoch--) {
    checkEpoch(world, groupOf(firstView(epoch)), entry!)
    entry = history.ends[epoch - 1]
  }
}

const checkEpoch = ({ processes }: World, configuration: Configuration, entry: Entry): void => {
  const isIn = ({ id, journal: { head } }: Process): boolean => head.epoch === configuration.epoch && isMember(configuration, id)
  const voters = processes.filter((process) => process.remembers && isIn(process))
  if (voters.length < configuration.quorum || voters.every((voter) => holdsAnyway(voter, entry))) return
  const all = voters.map((voter) => ballotsOf(voter, entry))
  all.forEach((ballots, i) => {
    for (const ballot of ballots) {
      if (ballot.holdsIt) continue
      // A quorum in which nobody ranks above this one would choose its log.
      const below = all.filter((others, j) => j === i || others.some((other) => isAtMost(other, ballot))).length
      holds(below < configuration.quorum, voters[i]!.id, "a quorum might choose its log, without committed op", entry.op)
    }
  })
}

export const quorumsHold = (): Checker => ({
  onStep: (world, process, before, out) => {
    const { commit, logView } = process.replica
    if (commit !== before.commit || logView !== before.logView || out.truncate_to !== null) check(world)
    else if (before.tag === "Recovery" && process.state !== "Recovery") check(world)
  },
  onCrash: check,
  onRestart: check
})
