/**
 * One turn of a replica: gates first, then the handler of its state, then what a turn ends with, then the invariants.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import { isMember, primaryOf } from "./Configuration.ts"
import { concernsOutsiders, isOutsider, mayComeFromOutside, onEarlierEpoch, onLaterEpoch } from "./Epochs.ts"
import {
  type Entry,
  type Epoch,
  epochOf,
  firstView,
  type Message,
  type Millis,
  type OpNumber,
  type ReplicaId,
  type View
} from "./Message.ts"
import {
  type BackupState,
  emptyOutcome,
  type Handlers,
  highestView,
  type Input,
  isCrossing,
  isNormal,
  type Now,
  type Outcome,
  type PrimaryState,
  type Replica,
  type State
} from "./Replica.ts"
import { makeReplica, type ReplicaOptions } from "./MakeReplica.ts"
import { onHandOff } from "./HandOff.ts"
import { onReconfigure } from "./Reconfiguration.ts"
import { onRequests } from "./Requests.ts"
import { applyHeard, backup, isBehind } from "./states/Backup.ts"
import { beginWith, commitTo } from "./states/Normal.ts"
import { send } from "./Sending.ts"
import { leaving, tickLeaving } from "./states/Leaving.ts"
import { quorumth } from "./Quorum.ts"
import { endPrimaryTurn, noticeWritten, primary, tickPrimary } from "./states/Primary.ts"
import { makeRecoveryState, recovery, tickRecovery } from "./states/Recovery.ts"
import { stateTransfer, tickStateTransfer } from "./states/StateTransfer.ts"
import { tickViewChange, viewChange } from "./states/ViewChange.ts"
import { probeIfSilent } from "./Suspicion.ts"
import { makePrimaryState, resume, settleEpoch, startTransfer } from "./Transitions.ts"
import { entryBytes, Log } from "./Log.ts"
import type { Restoration } from "./Snapshot.ts"
import { forgetIdle, onSnapshotted, shortenLog } from "./SnapshotTransfer.ts"
import { startIfChosen } from "./ViewStart.ts"

/**
 * A replica of a group that is being created: normal in view 0, and empty, or with the data of `image`, which all of the
 * group begin with: its op is committed, and in nobody's log. Only ever once in its life.
 */
export const newReplica = (options: ReplicaOptions, image: Restoration | null = null): Replica => {
  const { configuration, now } = options
  const log = new Log(image?.header?.op)
  const isPrimary = primaryOf(configuration, 0) === options.id
  const state: State = isPrimary
    ? makePrimaryState({ configuration, id: options.id, log }, now)
    : { _tag: "Backup", heardAt: now.mono, patience: 0.5 + options.random.next(), ackDue: false, heard: 0 }
  const replica = makeReplica(options, state, 0, 0, log)
  replica.durable = log.op
  if (image !== null) beginWith(replica, image, emptyOutcome(replica))
  return replica
}

/**
 * A replica that is to join a group: it follows, and has no vote, until the group has changed. Again without its log, if it
 * has lost that: nobody relies on it. `promised`, `logView`: the views that its head file holds, if there is one. They never
 * fall, and a log of nothing is one of any view.
 */
export const newLearner = (options: ReplicaOptions, promised: View = 0, logView: View = 0): Replica => {
  const first = firstView(options.configuration.epoch)
  const view = Math.max(first, promised)
  const replica = makeReplica(options, makeRecoveryState(view), view, Math.max(first, logView))
  resume(replica, options.now)
  return replica
}

/** A replica that ran before and lost its memory. `promised`: the view that its head file holds (F1); null if that is lost. */
export const recoveringReplica = (options: ReplicaOptions, promised: View | null): Replica => {
  const view = Math.max(promised ?? 0, firstView(options.configuration.epoch))
  return makeReplica(options, makeRecoveryState(promised), view, 0, new Log(), null)
}

/** What a replica kept (disk durability): all that it ever acknowledged is in the snapshot and the entries. */
export interface Kept {
  readonly view: View
  readonly logView: View
  /** Whole; null if there is none, and the entries begin with op 1. */
  readonly image: Restoration | null
  /** The entries are base + 1, base + 2, …: they begin at or below the snapshot's op, and end at or above it. */
  readonly base: OpNumber
  readonly entries: ReadonlyArray<Entry>
  /** May lag behind what is committed, and behind what this replica knew. */
  readonly commit: OpNumber
}

/** After so much of the log, others get their turn. */
const turn_bytes = 256 * 1024

/**
 * A replica that ran before and kept its log. What is committed is applied to the snapshot, which makes the data and the
 * sessions anew; that may take a while, so it pauses now and then.
 */
export function* restarting(options: ReplicaOptions, kept: Kept): Generator<void, Replica> {
  const { base, commit, entries, image, logView, view } = kept
  invariant(logView <= view, "logView ≤ view", { logView, view })
  const replica = makeReplica(options, makeRecoveryState(view), view, logView)
  replica.log.reset(base)
  for (const entry of entries) replica.log.append(entry)
  replica.durable = replica.log.op
  if (image !== null) beginWith(replica, image, emptyOutcome(replica))
  let bytes = 0
  while (replica.commit < commit) {
    const next = replica.commit + 1
    bytes += entryBytes(replica.log.get(next))
    commitTo(replica, next, emptyOutcome(replica))
    if (bytes < turn_bytes) continue
    bytes = 0
    yield
  }
  resume(replica, options.now)
  return replica
}

/** The same in one go. */
export const restartedReplica = (options: ReplicaOptions, kept: Kept): Replica => {
  const restart = restarting(options, kept)
  for (;;) {
    const { done, value } = restart.next()
    if (done === true) return value
  }
}

/** Takes a batch of inputs through the replica. See Replica.ts for what the caller owes. */
export const step = (replica: Replica, inputs: ReadonlyArray<Input>, now: Now): Outcome =>
  takeTurn(replica, inputs, now, catchUp)

/**
 * The same, but a backup may leave what it has heard to be committed to the next step. So its owner can first write and send
 * what this one gives. `isBehind`: something is left.
 */
export const stepAhead = (replica: Replica, inputs: ReadonlyArray<Input>, now: Now): Outcome =>
  takeTurn(replica, inputs, now, () => {})

const takeTurn = (replica: Replica, inputs: ReadonlyArray<Input>, now: Now, atEnd: typeof catchUp): Outcome => {
  const out = emptyOutcome(replica)
  const before = { view: replica.view, commit: replica.commit }
  for (const input of inputs) {
    if (replica.forked !== null) break
    if (!isBesideCommit(replica, input)) catchUp(replica, now, out)
    if (replica.forked === null) stepOne(replica, input, now, out)
  }
  if (replica.forked === null) atEnd(replica, now, out)
  if (replica.forked === null) endTurn(replica, now, out)
  checkInvariants(replica, before)
  return out
}

/** Applies what it has heard to be committed. If that was the last of an epoch, the next input finds it in the next one. */
const catchUp = (replica: Replica, now: Now, out: Outcome): void => {
  if (!isBehind(replica)) return
  applyHeard(replica, out)
  settleEpoch(replica, now, out)
}

/** May the replica take it before it has applied what it heard to be committed? */
const isBesideCommit = (replica: Replica, input: Input): boolean => {
  if (input._tag === "Durable") return true
  if (input._tag !== "Message" || input.epoch !== replica.configuration.epoch) return false
  const { message } = input
  // One that shows a gap ends the state that has heard of it.
  if (message._tag === "Prepare") return message.view === replica.view && message.first <= replica.log.op + 1
  return message._tag === "Commit" && message.view === replica.view && message.op <= replica.log.op
}

const stepOne = (replica: Replica, input: Input, now: Now, out: Outcome): void => {
  switch (input._tag) {
    case "Message":
      if (input.from !== replica.id) onMessage(replica, input.message, input.from, input.epoch, now, out)
      return settleEpoch(replica, now, out)
    case "Reconfigure":
      return onReconfigure(replica, input.replicas, now, out)
    case "HandOff":
      return onHandOff(replica, input.to, now, out)
    case "Requests":
      return onRequests(replica, input.requests, now, out)
    case "Tick":
      return onTick(replica, now, out)
    case "Durable":
      replica.durable = Math.max(replica.durable, Math.min(input.op, replica.log.op))
      if (replica.state._tag === "Primary") noticeWritten(replica, replica.state, now)
      return
    case "Snapshotted":
      return onSnapshotted(replica, input)
    case "PeerLost":
      if (!replica.configuration.replicas.includes(input.replica)) return
      replica.lost.add(input.replica)
      return probeIfSilent(replica, now, out)
  }
}

/** Epochs, once for all states (VRR §7), and who may say what within one. */
const onMessage = (
  replica: Replica,
  message: Message,
  from: ReplicaId,
  epoch: Epoch,
  now: Now,
  out: Outcome
): void => {
  const { configuration } = replica
  if (epoch < configuration.epoch) return onEarlierEpoch(replica, message, from, now, out)
  if (epoch > configuration.epoch) {
    if (onLaterEpoch(replica, message, from, epoch, now, out)) dispatch(replica, message, from, now, out)
    return
  }
  if (!isMember(configuration, from) && !mayComeFromOutside(message)) return
  if (isOutsider(replica) && !concernsOutsiders(message)) return
  if (replica.lost.size > 0) replica.lost.delete(from)
  if (passesGates(replica, message, from, now, out)) dispatch(replica, message, from, now, out)
}

/** What has a view that is always one of its sender's epoch. */
const isOfOwnEpoch: ReadonlySet<Message["_tag"]> = new Set([
  "Prepare", "PrepareOk", "Commit", "CommitOk", "StartViewChange", "DoViewChange", "StartView"
])

/** Views, once for all states (VRR §4): only a view's primary speaks for it, and older views are over. */
const passesGates = (replica: Replica, message: Message, from: ReplicaId, now: Now, out: Outcome): boolean => {
  // Nobody says so who goes by the protocol.
  if ("view" in message && isOfOwnEpoch.has(message._tag) && epochOf(message.view) !== replica.configuration.epoch) return false
  if (replica.state._tag === "Recovery" || replica.state._tag === "Leaving") return true
  switch (message._tag) {
    case "Prepare":
    case "Commit":
      if (from !== primaryOf(replica.configuration, message.view)) return false
      if (message.view < replica.view) {
        // A primary that does not know yet: told, it follows, and the group converges upwards.
        send(out, from, { _tag: "StartViewChange", view: replica.view, probing: false })
        return false
      }
      if (message.view > highestView(replica)) {
        // There is a later epoch, and we are on our way there.
        if (isCrossing(replica)) return false
        startTransfer(replica, message.view, from, now, out)
        return false
      }
      return true
    case "PrepareOk":
    case "CommitOk":
      return message.view === replica.view
    case "StartView":
      return message.view >= replica.view && from === primaryOf(replica.configuration, message.view)
    default:
      return true
  }
}

const handle = <S extends State, M extends Message>(
  handlers: Handlers<S>,
  replica: Replica,
  state: S,
  message: M,
  from: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  const handler = handlers[message._tag] as (r: Replica, s: S, m: M, f: ReplicaId, n: Now, o: Outcome) => void
  handler(replica, state, message, from, now, out)
}

const dispatch = (replica: Replica, message: Message, from: ReplicaId, now: Now, out: Outcome): void => {
  const state = replica.state
  switch (state._tag) {
    case "Primary":
      return handle(primary, replica, state, message, from, now, out)
    case "Backup":
      return handle(backup, replica, state, message, from, now, out)
    case "ViewChange":
      return handle(viewChange, replica, state, message, from, now, out)
    case "StateTransfer":
      return handle(stateTransfer, replica, state, message, from, now, out)
    case "Recovery":
      return handle(recovery, replica, state, message, from, now, out)
    case "Leaving":
      return handle(leaving, replica, state, message, from, now, out)
  }
}

const onTick = (replica: Replica, now: Now, out: Outcome): void => {
  forgiveOwnPause(replica, now)
  forgetIdle(replica, now)
  replica.application.tidy()
  replica.log.onTick()
  const state = replica.state
  if (replica.attempts > 0 && isNormal(replica)) settle(replica, now)
  switch (state._tag) {
    case "Primary":
      tickPrimary(replica, state, now, out)
      break
    case "Backup":
      break
    case "ViewChange":
      tickViewChange(replica, state, now, out)
      break
    case "StateTransfer":
      tickStateTransfer(replica, state, now, out)
      break
    case "Recovery":
      return tickRecovery(replica, state, now, out)
    case "Leaving":
      return tickLeaving(replica, state, now, out)
  }
  probeIfSilent(replica, now, out)
}

/**
 * Nothing could be heard while this process stood still: that silence is not the others'. It counts as one heartbeat,
 * so that a process whose every tick is late still notices in the end.
 */
const forgiveOwnPause = (replica: Replica, now: Now): void => {
  const gap = now.mono - replica.lastTickAt
  replica.lastTickAt = now.mono
  if (gap < replica.timers.view_change_ms / 2) return
  const forgiven = Math.max(0, gap - replica.timers.heartbeat_ms)
  const state = replica.state
  if (state._tag === "Backup" || state._tag === "StateTransfer") state.heardAt = Math.min(now.mono, state.heardAt + forgiven)
  if (state._tag !== "Primary") return
  state.heardAt.forEach((at, i) => state.heardAt[i] = Math.min(now.mono, at + forgiven))
  state.writtenAt = Math.min(now.mono, state.writtenAt + forgiven)
}

/** The back-off is taken back only after a stable period, not on entering the view (F15). */
const settle = (replica: Replica, now: Now): void => {
  const { configuration, state, timers } = replica
  if (now.mono - replica.normalSince < timers.view_change_ms * 2) return
  // A primary without a quorum that has caught up with what the view began with is in no stable view yet.
  if (state._tag === "Primary" && !hasCaughtUp(state, configuration.quorum, replica.normalSince)) return
  replica.attempts = 0
  if (replica.state._tag === "Backup") {
    replica.state.patience = 0.5 + replica.random.next()
  }
}

/** A quorum was heard since, and holds what the view inherited: over a slow network that takes longer than a sign of life. */
const hasCaughtUp = ({ acked, heardAt, viewStart }: PrimaryState, quorum: number, since: Millis): boolean =>
  quorumth(heardAt, quorum) > since && quorumth(acked, quorum) >= viewStart

const endTurn = (replica: Replica, now: Now, out: Outcome): void => {
  if (replica.state._tag === "ViewChange" && replica.configuration.quorum === 1) startIfChosen(replica, replica.state, now, out)
  const state = replica.state
  if (state._tag === "Primary") endPrimaryTurn(replica, state, now, out)
  else if (state._tag === "Backup" && state.ackDue) acknowledge(replica, state, out)
  settleEpoch(replica, now, out)
  shortenLog(replica)
  out.snapshot = replica.dueSnapshot
  replica.dueSnapshot = null
}

/** One cumulative acknowledgement a turn; the caller lets it out only once what it covers is durable. */
const acknowledge = (replica: Replica, state: BackupState, out: Outcome): void => {
  state.ackDue = false
  const { log, view } = replica
  send(out, primaryOf(replica.configuration, view), { _tag: "PrepareOk", view, op: log.op })
}

const checkInvariants = (replica: Replica, before: { readonly view: number; readonly commit: number }): void => {
  const { commit, configuration, log, logView, view } = replica
  invariant(commit <= log.op, "commit ≤ op", { commit, op: log.op })
  invariant(log.base <= commit, "only what is committed leaves the log", { base: log.base, commit })
  invariant(commit >= before.commit, "the commit number never falls", { commit, before })
  invariant(view >= before.view, "the view never falls", { view, before })
  invariant(logView <= view, "logView ≤ view", { logView, view })
  invariant(!isNormal(replica) || logView === view, "normal means logView = view", { logView, view })
  invariant(epochOf(view) === configuration.epoch, "the view is of the epoch", { view, epoch: configuration.epoch })
}
