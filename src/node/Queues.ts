/**
 * Every queue between fibers: what travels on it, how much it holds, and what happens when it is full.
 *
 * | queue | from → to | bound | when full |
 * |---|---|---|---|
 * | dispatcher inbox | servers, replicas, gossip → dispatcher | dispatcher_queue_max, intake_requests_max | the offerer waits |
 * | replica inbox | dispatcher, its flusher → a replica | replica_queue_max, replica_requests_max, replica_queue_bytes_max | dropped |
 * | appends | a replica → its flusher | appends_max, appends_bytes_max, and one turn's | the replica takes no turn until all is durable |
 * | snapshots | a replica → the fiber that writes them | 1 | the newer one takes the older one's place (`handOver` releases it) |
 * | saved snapshots | that fiber → the replica, which looks at each turn | 1 | likewise |
 * | peer outbox | dispatcher → a connection to a node without room | peer_outbox_max frames, peer_outbox_bytes_max | dropped: VR resends |
 * | connection outbox | dispatcher → a client's connection without room | connection_outbox_bytes_max | the client is disconnected |
 * | announcements | dispatcher → the fiber that tells gossip | tenants_max | the oldest is dropped: others of its group tell, too |
 * | gossip inbox | servers, links, ticker, adoption, replicas that end → gossip | gossip_queue_max | the offerer waits |
 *
 * Who waits for one of them goes on in the next turn of the event loop, with all that has come by then; or at once: `servers/Peer.ts`, the
 * dispatcher's `wake`, the flusher's `begin`, and `onDurable` in `ReplicaFiber.ts`, unless flushers of other replicas write.
 *
 * What an inbox of a replica drops is sent again: by VR, by clients; and what its flusher has to say is looked up at each turn.
 *
 * The dispatcher and the replicas never wait for a queue that they are on the far side of: the dispatcher waits for
 * nothing but its inbox, so whoever waits for the dispatcher goes on. Gossip waits for the dispatcher, for its disk, and for replicas
 * that it stops. A replica waits for its flusher before it writes a promise or a cut, and if its disk lags; the flusher waits
 * for the disk and the dispatcher. Of these only one that has ended by itself waits for gossip, and that can be interrupted. So no
 * cycle holds.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { Limits } from "../base/Limits.ts"
import type { Members } from "../members/Members.ts"
import type { Tenants } from "../tenants/Tenants.ts"
import type { Configuration } from "../vr/Configuration.ts"
import type { Epoch, ReplicaId } from "../vr/Message.ts"
import type { Input, Reply, Send } from "../vr/Replica.ts"
import type { Snapshot } from "../vr/Snapshot.ts"
import type { ReplicaStatus } from "../wire/AdminProtocol.ts"
import type { ChangeReport, GroupWish, HandOffReport } from "../wire/Changes.ts"
import type { ClientMessage } from "../wire/ClientProtocol.ts"
import type { Envelope } from "../wire/PeerProtocol.ts"
import type { ClientConnection } from "./ClientConnection.ts"
import type { Append } from "./Flusher.ts"

/** A snapshot, and what its replica says of it. */
export interface TakenSnapshot {
  readonly snapshot: Snapshot
  readonly elements: number
  /** It leads its group, as far as it knows. */
  readonly isPrimary: boolean
}

/** Takes the answer to a question. Null: the replica is not there, or not able to give one. */
export type Answer<A> = (answer: A | null) => void

/** What an admin asks of a replica. `Asking.ts` is how. */
export type Question =
  | { readonly _tag: "Inspect"; readonly answer: Answer<ReplicaStatus> }
  /** A snapshot of the present state of a replica that is normal. */
  | { readonly _tag: "TakeSnapshot"; readonly answer: Answer<TakenSnapshot> }
  /** Of a primary: its group, and the change of it that is under way; `wish`: this one is asked for first. */
  | { readonly _tag: "Change"; readonly wish: GroupWish | null; readonly answer: Answer<ChangeReport> }
  /** A primary is to hand off to another one of its group. */
  | { readonly _tag: "HandOff"; readonly to: ReplicaId; readonly answer: Answer<HandOffReport> }
  /**
   * One that was to join, and is no member, ends, if it is this one; or one that was left behind, if a group without it has begun
   * this epoch. Did it?
   */
  | { readonly _tag: "Forget"; readonly id: ReplicaId; readonly begun: Epoch | null; readonly answer: Answer<boolean> }

/** What a replica fiber takes: inputs of the protocol, questions, and the news that something is durable, which it then looks up. */
export type ReplicaInput = Exclude<Input, { readonly _tag: "Durable" }> | Question | { readonly _tag: "Flushed" }

export type ReplicaInbox = Queue.Queue<ReplicaInput>

/** A replica that runs on this node. */
export interface LocalReplica {
  readonly tenant: string
  readonly id: ReplicaId
  readonly inbox: ReplicaInbox
  /** What is in the inbox: the dispatcher counts, and the replica, which takes all, begins anew. */
  waiting: Waiting
}

export interface Waiting {
  /** Of operations and entries. */
  readonly bytes: number
  /** Of clients. */
  readonly requests: number
}

export const nothingWaits: Waiting = { bytes: 0, requests: 0 }

/** All that waits for the replica, and at least one. */
export const takeInputs = (local: LocalReplica): Effect.Effect<ReadonlyArray<ReplicaInput>> =>
  Effect.map(Queue.takeAll(local.inbox), (inputs) => {
    local.waiting = nothingWaits
    return inputs
  })

/** The group that a tenant has, as one of its replicas has seen it committed. */
export interface Announcement {
  readonly tenant: string
  readonly group: Configuration
}

export type DispatcherInput =
  | { readonly _tag: "FromPeer"; readonly envelopes: ReadonlyArray<Envelope> }
  | {
    readonly _tag: "FromClient"
    readonly connection: ClientConnection
    readonly messages: ReadonlyArray<ClientMessage>
  }
  | {
    readonly _tag: "FromReplica"
    readonly replica: LocalReplica
    readonly sends: ReadonlyArray<Send>
    readonly replies: ReadonlyArray<Reply>
  }
  | { readonly _tag: "ReplicaStarted"; readonly replica: LocalReplica; readonly group: Configuration }
  /** It has seen a change of its group committed. */
  | { readonly _tag: "GroupChanged"; readonly replica: LocalReplica; readonly group: Configuration }
  | { readonly _tag: "ReplicaStopped"; readonly replica: LocalReplica }
  | { readonly _tag: "ClientGone"; readonly connection: ClientConnection }
  /** The transport from that node broke. */
  | { readonly _tag: "NodeLost"; readonly node: string }
  | { readonly _tag: "Topology"; readonly members: Members; readonly tenants: Tenants }
  | { readonly _tag: "Tick" }
  | { readonly _tag: "Ask"; readonly tenant: string; readonly question: Question }

export type DispatcherInbox = Queue.Queue<DispatcherInput>

export const makeDispatcherInbox = Queue.bounded<DispatcherInput>(Limits.dispatcher_queue_max)
export const makeReplicaInbox = Queue.dropping<ReplicaInput>(Limits.replica_queue_max)
/** Bounded by `Flusher.ts`. */
export const makeAppendQueue = Queue.unbounded<Append>()
export type AppendQueue = Effect.Success<typeof makeAppendQueue>
export const makeSnapshotQueue = Queue.sliding<Snapshot>(1)
export const makeSavedQueue = Queue.sliding<Extract<Input, { readonly _tag: "Snapshotted" }>>(1)
export type SavedQueue = Effect.Success<typeof makeSavedQueue>
export const makeAnnouncements = Queue.sliding<Announcement>(Limits.tenants_max)
export const makePeerOutbox = Queue.dropping<Uint8Array>(Limits.peer_outbox_max)
/** Bounded by bytes, by {@link ClientConnection}. */
export const makeConnectionOutbox = Queue.unbounded<Uint8Array>()

/** What an input for a replica holds, in bytes: operations, entries and parts of snapshots; the rest is small. */
export const inputBytes = (input: ReplicaInput): number => {
  let bytes = 0
  if (input._tag === "Requests") {
    for (const request of input.requests) bytes += request.kind === "register" ? 0 : request.operation.length
  } else if (input._tag === "Message" && "entries" in input.message) {
    for (const { operation } of input.message.entries) bytes += operation.length
  } else if (input._tag === "Message" && input.message._tag === "SnapshotPart") bytes += input.message.bytes.length
  return bytes
}
