/**
 * One replica: its state, what goes in, and what a step gives back.
 *
 * The caller's contract (node/ReplicaFiber is the caller in a node, a simulator in tests):
 *
 * 1. One owner. A replica is a mutable structure; only its owner calls `step`, one call at a time.
 * 2. After a step, in this order: send `early`; make head, snapshot to install, cut and entries durable, in one write;
 *    send `sends` and `replies`; then, if entries were written, tell the replica so with a `Durable` input, before any
 *    other one.
 *
 *    With one exception: where a step gives entries and neither head nor snapshot nor cut, or nothing to write at all, the next
 *    one may be taken before they are durable. Its `replies` leave at once: they say what a quorum holds, or that nothing was done. Its
 *    `sends` leave once its own writes, and those of all steps before, are durable, in the order of the steps. Before a
 *    write of a head, a snapshot or a cut all earlier ones have ended; and what they would have told the replica with a
 *    `Durable` is void then, as it may be of entries that were cut: after such a write all of the log is durable, and the
 *    replica is told that. Otherwise a `Durable` may wait for the next step, unless `awaitsOwnCopy` is true.
 * 3. If the writes fail, the replica is stopped: nothing of `sends` may leave any more, nor of `replies`, but for those that
 *    leave at once.
 * 4. A replica that was started before is never created as new: with its whole log it is `restarted`, and `recovering`
 *    otherwise.
 * 5. Disk durability: up to where all is committed (`knownCommit`) is written along with each write. It may lag, and it is
 *    nothing to write for.
 * 6. Parts of snapshots are sent from where they lie: once its receiver has asked for the next one, a part may be
 *    overwritten.
 * 7. After `stepAhead`, if `isBehind` says so, the owner takes another step without waiting for new inputs; it may have some.
 * 8. A `snapshot` is written after the turn's writes, while turns go on; it is read, part by part, whenever that suits. It is the
 *    owner's to release: once it is written, or another has taken its place. So is `install`, once the write is done.
 * 9. The clocks are read once the inputs were taken, not before; the process may stand still between that and the step.
 *
 * @module
 */
import type { Random } from "../base/Random.ts"
import type { Window } from "../base/Window.ts"
import type { Application } from "./Application.ts"
import type { ClientTable } from "./ClientTable.ts"
import { type Configuration, primaryOf } from "./Configuration.ts"
import type { Log } from "./Log.ts"
import {
  type Entry,
  type Epoch,
  epochOf,
  type Message,
  type MessageOf,
  type MessageTag,
  type Millis,
  type OpNumber,
  type ReplicaId,
  type RequestNumber,
  type SessionId,
  type View
} from "./Message.ts"
import type { Lease, Promised } from "./Lease.ts"
import type { EpochStart } from "./NextGroup.ts"
import type { Change } from "./Change.ts"
import type { Snapshot } from "./Snapshot.ts"
import type { Incoming, Outgoing } from "./SnapshotTransfer.ts"
import type { Staging } from "./Staging.ts"

/** Two clocks: `mono` for timers (ms, any origin, never back), `wall` for timestamps in the log (ms since 1970). */
export interface Now {
  readonly mono: Millis
  readonly wall: Millis
}

/** All in ms of the monotonic clock. */
export interface Timers {
  readonly heartbeat_ms: number
  /** Silence of the primary after which a backup asks for a view change, before randomisation (×0.5 to ×1.5). */
  readonly view_change_ms: number
}

/** Where an answer goes. The protocol hands it back untouched. */
export interface ReplyTo {
  readonly connection: number
  readonly channel: number
}

export type ClientRequest =
  | { readonly kind: "register"; readonly to: ReplyTo; readonly nonce: Uint8Array }
  | {
    readonly kind: "write"
    readonly to: ReplyTo
    readonly session: SessionId
    readonly request: RequestNumber
    readonly answered: RequestNumber
    readonly operation: Uint8Array
  }
  | { readonly kind: "read"; readonly to: ReplyTo; readonly request: number; readonly operation: Uint8Array }

export type ReplyStatus =
  /** `result` is there (for a registration: `session` is). */
  | "ok"
  /** Not executed by this answer. `primary` is who to ask, if known. */
  | "not primary"
  /** A write that is in the log of a primary that gave up: a later one may execute it, or not. To be asked again. */
  | "in doubt"
  /** Not executed: what is about to happen comes first. To be asked again soon, of whoever is the primary then. */
  | "busy"
  /** Not executed: too much is under way. To be asked again, here, later. */
  | "overloaded"
  /** The session is not known and never will be. */
  | "no session"
  /** The client said before that it has this answer. */
  | "stale"
  /** Not executed: the log has no room for it. */
  | "log full"
  | "beyond window"

export interface Reply {
  readonly to: ReplyTo
  readonly kind: ClientRequest["kind"]
  /** The request number of a write, the id of a read, 0 for a registration. */
  readonly request: number
  readonly status: ReplyStatus
  readonly result: Uint8Array | null
  readonly session: SessionId
  readonly primary: ReplicaId | null
}

export type Input =
  | { readonly _tag: "Message"; readonly from: ReplicaId; readonly epoch: Epoch; readonly message: Message }
  | { readonly _tag: "Requests"; readonly requests: ReadonlyArray<ClientRequest> }
  | { readonly _tag: "Tick" }
  /** Entries up to `op` are as durable as the tenant's mode promises. */
  | { readonly _tag: "Durable"; readonly op: OpNumber }
  /** A snapshot that an outcome asked for is as durable as the tenant's mode promises. */
  | { readonly _tag: "Snapshotted"; readonly op: OpNumber; readonly digest: number }
  /** The group is to become this one; heard by a primary, and forgotten by the next one unless it is in the log. */
  | { readonly _tag: "Reconfigure"; readonly replicas: ReadonlyArray<ReplicaId> }
  /** A primary is to hand off to that one. */
  | { readonly _tag: "HandOff"; readonly to: ReplicaId }
  /** The transport to that replica's node broke: a reason to ask for a view change at once. */
  | { readonly _tag: "PeerLost"; readonly replica: ReplicaId }

/** What must survive a crash beside the log (F1, F12). */
export interface Head {
  readonly epoch: Epoch
  readonly view: View
  readonly log_view: View
}

export interface Send {
  readonly to: ReplicaId
  /** Of the sender, as it was then. */
  readonly epoch: Epoch
  readonly message: Message
}

/** What a step gives back. Filled by the step, consumed by the owner before the next one. */
export interface Outcome {
  /** Of what is sent from now on. */
  epoch: Epoch
  /** May leave before the writes are durable. */
  readonly early: Array<Send>
  head: Head | null
  /** Replaces all that was written before, log and snapshots, in the same write as the rest; then it is released. */
  install: Snapshot | null
  /** Keep entries up to this op before appending; null: nothing is cut. */
  truncate_to: OpNumber | null
  entries: Array<Entry>
  /** May leave only once head and entries are durable, and all that was written before. */
  readonly sends: Array<Send>
  readonly replies: Array<Reply>
  /**
   * To be written in the background, after the writes; then it is released, and the replica told with a `Snapshotted` input. A
   * later one may take its place before it is begun. Nothing waits for it.
   */
  snapshot: Snapshot | null
  /** The group has changed. */
  configuration: Configuration | null
  /** For logs and metrics. */
  readonly events: Array<string>
}

export interface PrimaryState {
  readonly _tag: "Primary"
  /** Highest op that each replica of the group is known to hold, by index in the configuration. */
  readonly acked: Array<OpNumber>
  readonly heardAt: Array<Millis>
  /** Latest read round confirmed, by index. */
  readonly rounds: Array<number>
  /** Reads can be served once everything that the view inherited is committed. */
  readonly viewStart: OpNumber
  /** Head of what was sent in Prepares. */
  prepared: OpNumber
  round: number
  heartbeatAt: Millis
  /** When last all of its own log was durable, or more of it than before. */
  writtenAt: Millis
  /** How much of it was then. */
  written: OpNumber
  /** Lost touch with a quorum, or with its disk, or restarted: sends nothing more, admits nothing, and agrees to a view change. */
  abdicated: boolean
  /**
   * Started this view in an earlier life. What it sent then and had not written is lost to it, so others may hold more of
   * the view than it does: it counts no acknowledgements, and does not answer for the view. Always abdicated.
   */
  readonly restarted: boolean
  /** Who to answer once that op commits. */
  readonly waiting: Window<ClientRequest>
  uncommittedBytes: number
  /** Of the group, under way. */
  change: Change | null
  /** To whom it hands off, and when it gives that up. */
  handOff: { readonly to: ReplicaId; readonly until: Millis } | null
  /** What waits for a round to start. */
  newReads: Array<RoundRequest>
  /** What waits for its round to be confirmed, in order of the rounds. */
  readonly reads: Array<{ readonly round: number; readonly requests: ReadonlyArray<RoundRequest> }>
  readsPending: number
  readonly lease: Lease
}

/** Reads; and writes of sessions that seem unknown: a verdict that only a confirmed primary may give. */
export type RoundRequest = ReadRequest | WriteRequest

export type ReadRequest = Extract<ClientRequest, { readonly kind: "read" }>
export type WriteRequest = Extract<ClientRequest, { readonly kind: "write" }>
export type RegisterRequest = Extract<ClientRequest, { readonly kind: "register" }>

export interface BackupState {
  readonly _tag: "Backup"
  heardAt: Millis
  /** How long a silence of the primary this replica bears, in units of `view_change_ms` as it is then. */
  patience: number
  /** Something was received that a PrepareOk at the end of the turn acknowledges. */
  ackDue: boolean
  /** Up to here all is committed, as the primary said: applied in the same turn, or in the next one (see `stepAhead`). */
  heard: OpNumber
}

export interface ViewChangeState {
  readonly _tag: "ViewChange"
  readonly startedAt: Millis
  /** It has promised not to vote yet: see Lease.ts. */
  isWithheld: boolean
  readonly patience: number
  resendAt: Millis
  /** What may be large is resent less and less often, lest it stand in its own way on a slow link. */
  resendLargeAt: Millis
  wait_ms: Millis
  /** Own vote, frozen: resends are identical. */
  readonly vote: MessageOf<"DoViewChange">
  /** The one that it has handed off to: clients may ask there already. */
  successor: ReplicaId | null
  /** Only at the primary of the new view: votes by sender. */
  readonly votes: Map<ReplicaId, MessageOf<"DoViewChange">>
  /** The chosen log reaches below what we hold: committed entries being fetched first (F11). */
  fetching: { readonly from: ReplicaId; readonly last: OpNumber; readonly staging: Staging } | null
}

export interface StateTransferState {
  readonly _tag: "StateTransfer"
  /** The view that is being joined, perhaps of a later epoch; not adopted before its log is here (F2). */
  target: View
  source: ReplicaId
  /** Whoever told of it: of a later epoch we may know nobody else (F13). */
  readonly informant: ReplicaId
  /** null: the view is our own, and what arrives goes straight to the log. */
  staging: Staging | null
  heardAt: Millis
  readonly patience: number
  resendAt: Millis
  /** How long an answer may take before the question is repeated: doubled each time, as what came late was under way. */
  wait_ms: Millis
}

export interface RecoveryState {
  readonly _tag: "Recovery"
  /** 0 before the first question. */
  nonce: number
  /** Promised before the crash; nothing older may be accepted (F1). */
  readonly promised: View
  /** What it had promised cannot be read any more: then not even in which epochs it was. */
  readonly isHeadLost: boolean
  readonly responses: Map<ReplicaId, MessageOf<"RecoveryResponse">>
  /** Set once enough answered: the log is being fetched from this primary. */
  fetching: { readonly view: View; readonly from: ReplicaId; readonly op: OpNumber; progressAt: Millis; wait_ms: Millis } | null
  staging: Staging
  resendAt: Millis
  /** Others that lost their memory too. More than f of them in all: the data is gone (F9). */
  readonly alsoRecovering: Map<ReplicaId, Millis>
}

/** Not a member of the present group any more. It stays until a quorum of that has begun its epoch. */
export interface LeavingState {
  readonly _tag: "Leaving"
  /** Those that have. */
  readonly started: Set<ReplicaId>
  resendAt: Millis
  /** Nobody needs it any more. */
  isRetired: boolean
}

export type State = PrimaryState | BackupState | ViewChangeState | StateTransferState | RecoveryState | LeavingState
export type StateTag = State["_tag"]

export interface Replica {
  readonly id: ReplicaId
  /** The group, as the committed part of the log has it. One that is to join, or has left, is not in it. */
  configuration: Configuration
  /** The groups that the log has named, in order, the last ones: the first one of all is not among them. */
  history: ReadonlyArray<EpochStart>
  /** Of this epoch; null in the first one, and of one that is to join and has not come there yet. */
  epochStart: EpochStart | null
  /** It was a member, and is not one any more. */
  left: boolean
  /** Why it takes part in nothing any more, in words; null as long as it does. See Forked.ts; its owner ends it. */
  forked: string | null
  /** Before then, news of later epochs are not heeded, as nobody there has answered. */
  crossAfter: Millis
  /** It has gone over to a later epoch, and its state has not. */
  hasCrossed: boolean
  readonly application: Application
  readonly random: Random
  readonly log: Log
  readonly clients: ClientTable
  timers: Timers
  /** As long as leases last that it asks for, and at most those that it grants; 0: none. */
  readonly lease_ms: Millis
  promised: Promised
  state: State
  view: View
  /** The last view in which this replica was normal. */
  logView: View
  /** Everything up to here is committed and applied. */
  commit: OpNumber
  /** Timestamp of the entry there. */
  commitTime: Millis
  /** Own entries up to here are durable. */
  durable: OpNumber
  /** Bytes of the log that were committed since a snapshot was due: equal at equal commit numbers. */
  sinceSnapshot: number
  /** A snapshot is due, and was not given to the owner yet. */
  dueSnapshot: Snapshot | null
  /** The last one that the owner has written; null if it has written none. */
  snapshot: { readonly op: OpNumber; readonly digest: number } | null
  /** Up to here the log is not needed any more. */
  forgottenUpTo: OpNumber
  /** A snapshot that is being fetched, in whatever state. */
  incoming: Incoming | null
  /** Snapshots that others fetch from here. */
  readonly outgoing: Map<ReplicaId, Outgoing>
  /** Probes for a view change, by sender (own one included): fresh ones count. */
  readonly probes: Map<ReplicaId, { readonly view: View; readonly at: Millis }>
  probeAt: Millis
  /** Replicas whose transport broke and that were not heard since. */
  readonly lost: Set<ReplicaId>
  /** View changes since the last stable period: exponent of the back-off (F15). */
  attempts: number
  normalSince: Millis
  lastTickAt: Millis
  lastTime: Millis
}

/** A state that forgets a message does not compile. */
export type Handlers<S> = {
  readonly [T in MessageTag]: (
    replica: Replica,
    state: S,
    message: MessageOf<T>,
    from: ReplicaId,
    now: Now,
    out: Outcome
  ) => void
}

export const emptyOutcome = ({ configuration }: Pick<Replica, "configuration">): Outcome => ({
  epoch: configuration.epoch,
  early: [],
  head: null,
  install: null,
  truncate_to: null,
  entries: [],
  sends: [],
  replies: [],
  snapshot: null,
  configuration: null,
  events: []
})

export const isNormal = (replica: Replica): boolean =>
  replica.state._tag === "Primary" || replica.state._tag === "Backup"

/** It fetches its way into a later epoch. In its own it goes on as before. */
export const isCrossing = ({ configuration, state }: Replica): boolean =>
  state._tag === "StateTransfer" && epochOf(state.target) > configuration.epoch

/** The highest view of its epoch that this replica knows of: the one it is in, or the one that it is fetching. */
export const highestView = (replica: Replica): View =>
  replica.state._tag === "StateTransfer" && !isCrossing(replica)
    ? Math.max(replica.view, replica.state.target)
    : replica.view

/** The replica that this one would name to a client, if any. One that leaves, or hands off, knows who is to lead. */
export const knownPrimary = (replica: Replica): ReplicaId | null => {
  if (replica.state._tag === "ViewChange") return replica.state.successor
  return isNormal(replica) || replica.state._tag === "Leaving" ? primaryOf(replica.configuration, replica.view) : null
}
