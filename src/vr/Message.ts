/**
 * Every message of the protocol: who sends it to whom, what it says, and where the paper defines it
 * (VRR: Liskov & Cowling, "Viewstamped Replication Revisited", 2012). Start reading here.
 *
 * The epoch, the sender and the receiver travel around the message, not in it.
 *
 * @module
 */

/** Counts configurations of a group, from 0. */
export type Epoch = number
/**
 * Counts primaries. Views start anew in each epoch, and are ordered across epochs: view v of epoch e is the number
 * e × {@link views_per_epoch} + v, and its primary is replica v mod N of that epoch's group.
 */
export type View = number
/** Far more than an epoch can use; 2 ^ 21 epochs of as many views are exact numbers. */
export const views_per_epoch = 2 ** 32

export const firstView = (epoch: Epoch): View => epoch * views_per_epoch

export const epochOf = (view: View): Epoch => Math.floor(view / views_per_epoch)

/** Of a view within its epoch, from 0: what people are told. */
export const countOf = (view: View): number => view % views_per_epoch

/** Position in the log, from 1; 0 means "before the first". */
export type OpNumber = number
/** `<replica name>::<node name>`, unique in its group and never reused. */
export type ReplicaId = string
/** A session is named by the op number of its registration, so it can never be confused with an older one. */
export type SessionId = number
export type RequestNumber = number
/** Milliseconds. Which clock is said where it is used. */
export type Millis = number

/** Kinds of entries, by the numbers that stand for them on the wire and on disk. */
export const entryKinds = ["register", "request", "reconfigure"] as const

/** One position of the log. The operation is opaque: encoded once by the client, decoded once, at apply. */
export interface Entry {
  readonly op: OpNumber
  /** The view in which a primary gave it this position. */
  readonly view: View
  /** Wall clock of that primary, ms since 1970; never falls along the log. */
  readonly time: Millis
  /**
   * `register`: a new session (the operation is its nonce). `request`: a write of a session. `reconfigure`: the group of
   * the next epoch (the operation says which); the last entry of its epoch.
   */
  readonly kind: (typeof entryKinds)[number]
  /** 0 but for a request. */
  readonly session: SessionId
  readonly request: RequestNumber
  /** The client has the answers of all its requests up to here. */
  readonly answered: RequestNumber
  readonly operation: Uint8Array
}

export type Message =
  /** Primary → backup: "append these; all up to `commit` is committed" (VRR §4.1). */
  | {
    readonly _tag: "Prepare"
    readonly view: View
    readonly first: OpNumber
    readonly entries: ReadonlyArray<Entry>
    readonly commit: OpNumber
  }
  /** Backup → primary: "I hold every op up to `op`"; cumulative; leaves only once that is durable (VRR §4.1). */
  | { readonly _tag: "PrepareOk"; readonly view: View; readonly op: OpNumber }
  /**
   * Primary → backup: heartbeat (VRR §4.1). `op` shows a backup that it missed a Prepare;
   * `round` asks for a confirmation of the view, for reads that bypass the log. `lease_ms`: "and vote for no later view for
   * so long"; 0: that is not asked for.
   */
  | {
    readonly _tag: "Commit"
    readonly view: View
    readonly op: OpNumber
    readonly commit: OpNumber
    readonly round: number
    readonly lease_ms: Millis
  }
  /**
   * Backup → primary: "in `round` I still followed you", and a repeat of PrepareOk: `op` is durable (not in the paper).
   * `promised`: what the round asked for beside that.
   */
  | { readonly _tag: "CommitOk"; readonly view: View; readonly op: OpNumber; readonly round: number; readonly promised: boolean }
  /**
   * Any → all (VRR §4.2). `probing`: "I do not hear the primary; shall we move to `view`?", sent while still in
   * the old view. Not probing: "I have left for `view`", which obliges everyone behind to follow.
   */
  | { readonly _tag: "StartViewChange"; readonly view: View; readonly probing: boolean }
  /** Any → primary of `view`: what I hold above my commit number; frozen until the view starts (VRR §4.2). */
  | {
    readonly _tag: "DoViewChange"
    readonly view: View
    /** The last view in which the sender was normal. */
    readonly logView: View
    /** Op number of the first entry: the sender's commit number + 1. */
    readonly first: OpNumber
    readonly entries: ReadonlyArray<Entry>
    readonly commit: OpNumber
  }
  /** New primary → all: the log of the new view, from `first` (VRR §4.2). */
  | {
    readonly _tag: "StartView"
    readonly view: View
    readonly first: OpNumber
    readonly entries: ReadonlyArray<Entry>
    readonly commit: OpNumber
  }
  /** Laggard → a normal replica: "send me the log of `view` or later, above `after`" (VRR §5.2). */
  | { readonly _tag: "GetState"; readonly view: View; readonly after: OpNumber }
  /** Answer: one chunk. `op` is the sender's head: the transfer is whole when the chunks reach it (VRR §5.2). */
  | {
    readonly _tag: "NewState"
    readonly view: View
    readonly first: OpNumber
    readonly entries: ReadonlyArray<Entry>
    readonly op: OpNumber
    readonly commit: OpNumber
  }
  /** New primary → the sender of the chosen log: "I lack committed entries below your suffix" (not in the paper). */
  | { readonly _tag: "GetCommitted"; readonly view: View; readonly after: OpNumber; readonly last: OpNumber }
  /** Answer: committed entries only, which are the same at every replica and in every view. */
  | { readonly _tag: "Committed"; readonly view: View; readonly first: OpNumber; readonly entries: ReadonlyArray<Entry> }
  /**
   * Whoever lacks what is no longer in a log → who offered a snapshot: "send me this part of the one at `op`", parts
   * counted from 0 (not in the paper). The questions GetState and GetCommitted are answered with the first part, if the
   * log of whoever is asked does not reach back that far.
   */
  | { readonly _tag: "GetSnapshot"; readonly op: OpNumber; readonly index: number }
  /**
   * Answer: one part. `size`: of all, about, in bytes. What is committed is the same at every replica and in every later
   * view; but a view that was over when it was committed may have had something else in its place, so whoever takes it
   * does not join a view before `view`.
   */
  | {
    readonly _tag: "SnapshotPart"
    readonly view: View
    readonly op: OpNumber
    readonly index: number
    readonly size: number
    readonly bytes: Uint8Array
  }
  /**
   * Whoever is in an epoch → whoever is not yet (VRR §7): "this epoch has begun; `op` was the last of the one before,
   * given its position in `view`". Whoever holds that very entry needs nothing else; others fetch from the sender (F13).
   */
  | { readonly _tag: "StartEpoch"; readonly op: OpNumber; readonly view: View }
  /** Answer of a member of the new group, which has begun it (VRR §7). A quorum of them lets the others of the old one go. */
  | { readonly _tag: "EpochStarted" }
  /** Restarted replica → all: "I lost my memory; I had promised up to view `view`" (VRR §4.3). */
  | { readonly _tag: "Recovery"; readonly nonce: number; readonly view: View }
  /** Normal replica → recovering one: where the group stands; the log follows by GetState (VRR §4.3). */
  | {
    readonly _tag: "RecoveryResponse"
    readonly nonce: number
    readonly view: View
    readonly op: OpNumber
    readonly commit: OpNumber
  }

export type MessageTag = Message["_tag"]
export type MessageOf<T extends MessageTag> = Extract<Message, { readonly _tag: T }>
