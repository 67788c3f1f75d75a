/**
 * Going over to the next epoch (VRR §7). The group is a function of what is committed: whoever commits the last operation of
 * an epoch, or begins with a snapshot behind it, is in the next one.
 *
 * @module
 */
import { Limits } from "../base/Limits.ts"
import { isMember, makeConfiguration } from "./Configuration.ts"
import { type Entry, firstView, type MessageOf, type ReplicaId } from "./Message.ts"
import { decodeNextGroup, type EpochStart } from "./NextGroup.ts"
import type { Outcome, Replica } from "./Replica.ts"
import { send } from "./Sending.ts"

/** What an entry that is committed now says of the group. */
export const enterEpoch = (replica: Replica, { op, operation, view }: Entry, out: Outcome): void => {
  const start = { ...decodeNextGroup(operation), op, view }
  replica.history = [...replica.history, start].slice(-Limits.history_max)
  goOver(replica, start, out)
}

/** The history that came with a snapshot. */
export const adoptHistory = (replica: Replica, history: ReadonlyArray<EpochStart>, out: Outcome): void => {
  replica.history = history
  const last = history[history.length - 1]
  if (last !== undefined) goOver(replica, last, out)
}

/**
 * From here on this replica belongs to a later epoch, with a log that holds all of the ones before: so it may take part
 * at once, as a member, in the first view. What it is there is decided when the input is done with.
 */
const goOver = (replica: Replica, start: EpochStart, out: Outcome): void => {
  const { epoch, replicas } = start
  const before = replica.configuration
  if (epoch === before.epoch) replica.epochStart = start
  // The log is replayed, or fetched, by one that knows later ones.
  if (epoch <= before.epoch) return
  const configuration = makeConfiguration(epoch, replicas)
  replica.configuration = configuration
  replica.epochStart = start
  const wasMember = isMember(before, replica.id) || replica.history.some(({ leaving }) => leaving.includes(replica.id))
  if (wasMember && !isMember(configuration, replica.id)) replica.left = true
  replica.hasCrossed = true
  const led = replica.state._tag === "Primary"
  // One that fetches what lies beyond may have promised a later view already.
  replica.view = Math.max(replica.view, firstView(epoch))
  replica.logView = firstView(epoch)
  replica.probes.clear()
  for (const id of replica.lost) if (!isMember(configuration, id)) replica.lost.delete(id)
  replica.attempts = 0
  out.epoch = epoch
  out.head = { epoch, view: replica.view, log_view: replica.logView }
  out.configuration = configuration
  if (led) tell(replica, new Set([...before.replicas, ...replicas]), out)
  out.events.push(`epoch ${epoch} begins: ${replicas.join(", ")}`)
}

/** That this epoch has begun. */
const tell = (replica: Replica, whom: Iterable<ReplicaId>, out: Outcome): void => {
  for (const to of whom) if (to !== replica.id) send(out, to, startEpoch(replica))
}

export const startEpoch = ({ epochStart }: Replica): MessageOf<"StartEpoch"> =>
  ({ _tag: "StartEpoch", op: epochStart?.op ?? 0, view: epochStart?.view ?? 0 })

/** Who leaves waits for the members of its successor. */
export const answerStartEpoch = (replica: Replica, from: ReplicaId, out: Outcome): void => {
  if (isMember(replica.configuration, replica.id)) send(out, from, { _tag: "EpochStarted" })
}
