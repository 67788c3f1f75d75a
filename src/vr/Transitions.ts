/**
 * Moves between states. Every change of `replica.state` is made here.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import { Window } from "../base/Window.ts"
import { isMember, primaryOf } from "./Configuration.ts"
import { noticeCrossing } from "./Forked.ts"
import { isBound, makeLease, settlePromise } from "./Lease.ts"
import { entryBytes } from "./Log.ts"
import {
  countOf,
  epochOf,
  firstView,
  type MessageOf,
  type Millis,
  type OpNumber,
  type ReplicaId,
  type View
} from "./Message.ts"
import {
  type BackupState,
  type LeavingState,
  type Now,
  type Outcome,
  type PrimaryState,
  type Replica,
  type State,
  type StateTransferState,
  type ViewChangeState
} from "./Replica.ts"
import { drawPatience } from "./Patience.ts"
import { decodeNextGroup } from "./NextGroup.ts"
import { pendingChange } from "./Change.ts"
import type { Restoration } from "./Snapshot.ts"
import { askForPart, fetchesSnapshot, wholeSnapshot } from "./SnapshotTransfer.ts"
import { keepCommitted, makeStaging, stagedEnd, type Staging } from "./Staging.ts"
import { commitTo, cutLog, indexOf, replaceSuffix, writeHead } from "./states/Normal.ts"
import { broadcast, reply, send } from "./Sending.ts"

const moveTo = (replica: Replica, state: State, out: Outcome): void => {
  const before = replica.state._tag
  if (replica.state._tag === "Primary") turnClientsAway(replica.state, out)
  replica.state = state
  if (before !== state._tag) out.events.push(`${before} → ${state._tag} (view ${countOf(replica.view)})`)
}

/**
 * Whoever waits at a primary that gives up should look for the next one at once; the client table makes it safe. A
 * write that is in the log may be executed yet: its client must not be told that it was not. `primary`: the next one, if known.
 */
export const turnClientsAway = (state: PrimaryState, out: Outcome, primary: ReplicaId | null = null): void => {
  for (const [, request] of state.waiting) {
    reply(out, request, request.kind === "write" ? "in doubt" : "not primary")
  }
  state.waiting.clear()
  // Pending reads fail on a view change: their round will never be confirmed.
  for (const batch of state.reads) for (const read of batch.requests) reply(out, read, "not primary", { primary })
  for (const read of state.newReads) reply(out, read, "not primary", { primary })
  state.reads.length = 0
  state.newReads = []
  state.readsPending = 0
}

const enterNormal = (replica: Replica, view: View, now: Now, out: Outcome): void => {
  invariant(view >= replica.view, "the view never falls", { view, had: replica.view })
  replica.hasCrossed = false
  replica.probes.clear()
  replica.incoming = null
  // Back from a transfer within the view: nothing to write, and the view is as stable as it was. The end of a recovery
  // is written even if no number changes: from here on the log counts.
  if (replica.logView === view && replica.state._tag !== "Recovery") return
  replica.view = view
  replica.logView = view
  replica.normalSince = now.mono
  settlePromise(replica, view)
  writeHead(replica, out)
}

/** Its log is that of the view, and it has not acknowledged anything in it. */
export const join = (replica: Replica, view: View, now: Now, out: Outcome): void => {
  invariant(epochOf(view) === replica.configuration.epoch, "the log of a view is of its epoch", { view })
  if (replica.left) return leave(replica, now, out)
  // Nobody else can have begun it: it is the first view of the epoch, and none of us was in that before.
  if (primaryOf(replica.configuration, view) === replica.id) becomePrimary(replica, view, now, out)
  else becomeBackup(replica, view, now, out)
}

/** After each input: where one that has gone over to a later epoch goes on. */
export const settleEpoch = (replica: Replica, now: Now, out: Outcome): void => {
  if (!replica.hasCrossed) return
  const { commit, state, view } = replica
  replica.normalSince = now.mono
  if (replica.incoming !== null && replica.incoming.op <= commit) replica.incoming = null
  if (replica.left) leave(replica, now, out)
  else if (state._tag === "Recovery") resume(replica, now)
  else if (state._tag !== "StateTransfer" || isAtStart(replica, state)) join(replica, view, now, out)
  else if (state.staging !== null && state.staging.base < commit) state.staging = makeStaging(commit)
  replica.hasCrossed = false
}

/** With the whole log of the view that it was to join; or of a later one, if that was in an epoch that is over. */
const isAtStart = ({ commit, configuration: { epoch }, epochStart, log, view }: Replica, { target }: StateTransferState): boolean =>
  epochOf(target) < epoch || (target === view && view === firstView(epoch) && log.op === commit && commit === epochStart?.op)

/** What others have committed since, it may hold too; what they have not is nothing that it has a part in. */
const leave = (replica: Replica, now: Now, out: Outcome): void => {
  replica.incoming = null
  replica.hasCrossed = false
  cutLog(replica, replica.commit, out)
  moveTo(replica, makeLeavingState(replica, now), out)
}

/** Restarted without its memory, it has nothing that anybody could need. */
const makeLeavingState = ({ epochStart }: Replica, now: Now): LeavingState =>
  ({ _tag: "Leaving", started: new Set(), resendAt: now.mono, isRetired: epochStart === null })

export const becomeBackup = (replica: Replica, view: View, now: Now, out: Outcome): void => {
  enterNormal(replica, view, now, out)
  moveTo(replica, makeBackupState(replica, now), out)
}

/** The log of the view is in place and `commit` is where the votes put it; requests that it holds are pending again. */
export const becomePrimary = (replica: Replica, view: View, now: Now, out: Outcome): void => {
  enterNormal(replica, view, now, out)
  const state = makePrimaryState(replica, now)
  inherit(replica, state)
  state.change = pendingChange(replica)
  moveTo(replica, state, out)
}

const inherit = (replica: Replica, state: PrimaryState): void => {
  replica.clients.forgetPending()
  for (let op = replica.commit + 1; op <= replica.log.op; op++) {
    const entry = replica.log.get(op)
    state.uncommittedBytes += entryBytes(entry)
    replica.lastTime = Math.max(replica.lastTime, entry.time)
    if (entry.kind === "register") replica.clients.registrationPending(entry.operation, op)
    else if (entry.kind === "request") replica.clients.requestPending(entry.session, entry.request, op)
  }
}

export const makePrimaryState = (
  { configuration: { replicas }, id, log }: Pick<Replica, "configuration" | "id" | "log">,
  now: Now,
  restarted = false
): PrimaryState => {
  return {
    _tag: "Primary",
    acked: replicas.map(() => 0),
    heardAt: replicas.map(() => now.mono),
    rounds: replicas.map(() => 0),
    viewStart: log.op,
    prepared: log.op,
    round: 0,
    heartbeatAt: now.mono,
    writtenAt: now.mono,
    written: 0,
    abdicated: restarted,
    restarted,
    waiting: new Window(),
    uncommittedBytes: 0,
    change: null,
    handOff: null,
    newReads: [],
    reads: [],
    readsPending: 0,
    lease: makeLease(replicas, id)
  }
}

/**
 * Leaves for a view change: nothing of older views is accepted from now on, so the view must be durable before
 * the messages leave (F1); the caller's contract sees to that. Not called by a recovering replica (F8).
 */
export const enterViewChange = (replica: Replica, view: View, now: Now, out: Outcome): void => {
  invariant(view > replica.view, "a view change goes up", { view, had: replica.view })
  invariant(replica.state._tag !== "Recovery", "a recovering replica takes no part in a view change (F8)")
  invariant(isMember(replica.configuration, replica.id), "only members take part in a view change")
  replica.view = view
  writeHead(replica, out)
  replica.attempts++
  const state = makeViewChangeState(replica, now, now.mono + replica.timers.heartbeat_ms)
  moveTo(replica, state, out)
  out.events.push(`view change to ${countOf(view)}`)
  broadcast(replica, out, { _tag: "StartViewChange", view, probing: false })
  if (!state.isWithheld) sendVote(replica, state, out)
}

/** To whom it is for; its own is counted where it is. */
export const sendVote = (replica: Replica, { vote }: ViewChangeState, out: Outcome): void => {
  const primary = primaryOf(replica.configuration, vote.view)
  if (primary !== replica.id) send(out, primary, vote)
}

const makeViewChangeState = (replica: Replica, now: Now, resendAt: Millis): ViewChangeState => {
  const vote: MessageOf<"DoViewChange"> = {
    _tag: "DoViewChange",
    view: replica.view,
    logView: replica.logView,
    first: replica.commit + 1,
    entries: replica.log.range(replica.commit + 1, replica.log.op),
    commit: replica.commit
  }
  return {
    _tag: "ViewChange",
    startedAt: now.mono,
    isWithheld: isBound(replica, now),
    patience: drawPatience(replica),
    resendAt,
    resendLargeAt: resendAt,
    wait_ms: replica.timers.heartbeat_ms,
    successor: null,
    vote,
    votes: new Map([[replica.id, vote]]),
    fetching: null
  }
}

/**
 * Takes up what a replica with this log and these views had promised. All of it was durable, so nothing is written: it
 * may vote, acknowledge and answer at once.
 *
 * It goes on as a backup. Having left its view, it votes again, with the same log; the commit number may be lower than
 * in the vote that it gave before. A primary never resumes its view: Prepares may be out that it had not written, and
 * other operations at their positions would make two logs of one view. It asks for the next view at once.
 */
export const resume = (replica: Replica, now: Now): void => {
  replica.hasCrossed = false
  const { configuration, id, left, logView, view } = replica
  if (left) {
    replica.state = makeLeavingState(replica, now)
  } else if (!isMember(configuration, id)) {
    replica.state = logView < view
      ? makeTransferState(replica, view, primaryOf(configuration, view), makeStaging(replica.commit), now)
      : makeBackupState(replica, now)
  } else if (replica.logView < replica.view) {
    replica.state = makeViewChangeState(replica, now, now.mono)
  } else if (primaryOf(replica.configuration, replica.view) === replica.id) {
    const state = makePrimaryState(replica, now, true)
    inherit(replica, state)
    state.change = pendingChange(replica)
    replica.state = state
  } else {
    replica.state = makeBackupState(replica, now)
  }
}

export const makeBackupState = (replica: Replica, now: Now): BackupState =>
  ({ _tag: "Backup", heardAt: now.mono, patience: drawPatience(replica), ackDue: true, heard: 0 })

/**
 * Starts to fetch what is missing from `source`, normal in `target`. The view, logView and the log stay as they are
 * until the replacement is here (F2), so this replica can still vote with what it holds.
 */
export const startTransfer = (replica: Replica, target: View, source: ReplicaId, now: Now, out: Outcome): void => {
  invariant(target >= replica.view, "a transfer goes up", { target, had: replica.view })
  const before = replica.state._tag === "StateTransfer" ? replica.state.staging : null
  if (before !== null) keepCommitted(before)
  const staging = target === replica.logView ? null : before ?? beginStaging(replica, target)
  moveTo(replica, makeTransferState(replica, target, source, staging, now), out)
  askForState(replica, target, staging, source, now, out)
}

const makeTransferState = (
  replica: Replica,
  target: View,
  source: ReplicaId,
  staging: Staging | null,
  now: Now
): StateTransferState => ({
  _tag: "StateTransfer",
  target,
  source,
  informant: source,
  staging,
  heardAt: now.mono,
  patience: drawPatience(replica),
  resendAt: now.mono + replica.timers.heartbeat_ms,
  wait_ms: replica.timers.heartbeat_ms
})

/** With a snapshot that came before the view changed, if that is ahead. */
const beginStaging = (replica: Replica, target: View): Staging => {
  const { commit, incoming } = replica
  const image = wholeSnapshot(replica)
  return image !== null && incoming !== null && incoming.op > commit && incoming.view <= target
    ? makeStaging(incoming.op, image, incoming.view)
    : makeStaging(commit)
}

/** A snapshot that is on its way is waited for; what follows it is asked for then. */
export const askForState = (
  replica: Replica,
  view: View,
  staging: Staging | null,
  source: ReplicaId,
  now: Now,
  out: Outcome
): void => {
  const after = heldUpTo(replica, staging)
  if (fetchesSnapshot(replica, after, now)) return askForPart(replica, out)
  send(out, source, { _tag: "GetState", view, after })
}

/** What need not be fetched any more. */
export const heldUpTo = (replica: Replica, staging: Staging | null): OpNumber =>
  staging === null ? replica.log.op : stagedEnd(staging)

/**
 * Moves staged entries that are committed into the log as soon as they replace all that it holds uncommitted: from then
 * on they say at least as much as the old suffix did. Returns the staging for the rest.
 *
 * On the way to a later epoch, whole epochs only: in which views of its epoch an entry was committed is not known, but with
 * its last one an epoch is over, and what follows that in our log never was in anybody else's. It may be in the snapshot.
 */
export const promote = (replica: Replica, target: View, staging: Staging, out: Outcome): Staging => {
  const { base, committed, entries, image, imageView } = staging
  const last = epochEnd(replica, target, staging)
  const isWholeEpoch = last !== null
  const upTo = last ?? (epochOf(target) > replica.configuration.epoch ? base : committed)
  const endsEpoch = isWholeEpoch || image !== null && isOfLaterEpoch(replica, image)
  if ((upTo === base && image === null) || (upTo < replica.log.op && !endsEpoch)) return staging
  if (isWholeEpoch) noticeCrossing(replica, decodeNextGroup(entries[upTo - base - 1]!.operation).epoch, staging, upTo)
  if (replica.forked !== null) return staging
  replaceSuffix(replica, { ...staging, entries: entries.slice(0, upTo - base) }, out)
  commitTo(replica, upTo, out)
  // In the middle of an epoch: in views before that one, what it holds may have been otherwise.
  // (In recovery nothing is written before it is done with.)
  const isMiddle = image !== null && epochOf(imageView) === replica.configuration.epoch
  if (isMiddle && replica.state._tag !== "Recovery") promise(replica, imageView, out)
  const rest = { base: upTo, image: null, imageView: 0, entries: entries.slice(upTo - base), committed }
  return isWholeEpoch ? promote(replica, target, rest, out) : rest
}

/** It holds the end of the present epoch, or more. */
const isOfLaterEpoch = ({ configuration }: Replica, { header }: Restoration): boolean =>
  header!.history.some(({ epoch }) => epoch > configuration.epoch)

/** The end of the present epoch, if that is among what is committed. */
const epochEnd = ({ configuration }: Replica, target: View, { base, committed, entries }: Staging): OpNumber | null => {
  if (epochOf(target) === configuration.epoch) return null
  const end = entries.findIndex(({ kind, operation }) =>
    kind === "reconfigure" && decodeNextGroup(operation).epoch > configuration.epoch)
  return end >= 0 && base + end + 1 <= committed ? base + end + 1 : null
}

/**
 * What was committed in a later view may not be in the log of an earlier one: whoever holds it takes part in none, also
 * after a restart. That is a promise alone; the log view stays what it is until the whole log is here (F2).
 */
export const promise = (replica: Replica, view: View, out: Outcome): void => {
  if (view <= replica.view) return
  replica.view = view
  writeHead(replica, out)
}

/** The index of a member in the configuration, asserted. */
export const memberIndex = (replica: Replica, id: ReplicaId): number => {
  const index = indexOf(replica, id)
  invariant(index >= 0, "messages come from members", { id })
  return index
}
