/**
 * The protocol as a table that fills itself: equal replicas are one object with a number, equal messages are one object
 * with a number, and what a replica does is asked of the real core once for each pair of a replica and an action. The
 * search then runs on numbers.
 *
 * That is sound as a step is a function of the replica and its input: the core has no other state, no clock and no chance
 * but those it is given (see Canonical.ts for what counts as equal).
 *
 * @module
 */
import type { Configuration } from "../../../src/vr/Configuration.ts"
import { primaryOf } from "../../../src/vr/Configuration.ts"
import { type Epoch, epochOf, type Message, type ReplicaId, type View } from "../../../src/vr/Message.ts"
import type { Outcome, Replica, StateTag } from "../../../src/vr/Replica.ts"
import { type Action, born, type Core, take } from "./Action.ts"
import { copyReplica, entryKey, messageKey, replicaKey } from "./Canonical.ts"
import { committedWords, snapshotHolds } from "./Snapshots.ts"

/** One replica as it may be at some time. */
export interface Local {
  /** Counts locals from 0. */
  readonly number: number
  /** Position among all replicas. */
  readonly index: number
  /** Never changed: steps are taken by copies. */
  readonly replica: Replica
  /** The view in its durable head. */
  readonly promised: View
  /** Restarts so far. */
  readonly life: number
  readonly tag: StateTag
  readonly view: View
  readonly logView: View
  readonly op: number
  readonly commit: number
  /** The whole log, with what a snapshot has taken the place of: equal numbers are equal entries. */
  readonly entries: ReadonlyArray<number>
  /** What it did so far when it was asked, by action. */
  readonly moves: Map<number, Move>
}

/** A message that was sent at some time. */
export interface Mail {
  /** Counts mails from 0. */
  readonly number: number
  readonly from: number
  readonly sender: ReplicaId
  readonly to: number
  readonly epoch: Epoch
  readonly message: Message
}

/** What an action did. */
export interface Move {
  readonly to: Local
  readonly sends: ReadonlyArray<Mail>
  /** A view that it started as its primary. */
  readonly started: View | null
  /** The read was answered. */
  readonly served: boolean
  /** The rule that the step itself broke; then `to` is where it began. */
  readonly broken: string | null
}

/** The kinds of action, by their numbers. */
const kinds = ["deliver", "tick", "late", "crash", "request", "read", "skip", "restart", "reconfigure"] as const

export const deliver = 0
export const tick = 1
export const late = 2
export const crash = 3
export const request = 4
export const read = 5
export const skip = 6
/** Its argument: 0, or 1 + the number of the request that is torn. */
export const restart = 7
export const reconfigure = 8

const kindsMax = 16

export class Model {
  /** The first group. */
  readonly configuration: Configuration
  /** All replicas: that group, and those that may join. */
  readonly ids: ReadonlyArray<ReplicaId>
  /** The last operations of epochs, by their numbers among the entries. */
  readonly ends = new Set<number>()
  readonly mails: Array<Mail> = []
  readonly locals: Array<Local> = []
  readonly core: Core
  private readonly forgetful: boolean
  private readonly snapshots: boolean
  private readonly localsByKey = new Map<string, Local>()
  private readonly mailsByKey = new Map<string, Mail>()
  private readonly entryNumbers = new Map<string, number>()

  /** `forgetful`: a restart has lost the head too (flaw F1). `snapshots`: logs may begin above the first entry. */
  constructor(core: Core, configuration: Configuration, ids: ReadonlyArray<ReplicaId>, forgetful: boolean, snapshots: boolean) {
    this.core = core
    this.configuration = configuration
    this.ids = ids
    this.forgetful = forgetful
    this.snapshots = snapshots
  }

  initial(): ReadonlyArray<Local> {
    return this.ids.map((id, index) => this.intern(born(this.core, id, this.configuration), index, 0, 0))
  }

  /** What `local` does when that happens. `argument`: the mail, the number of the request, or the replica passed over. */
  move(local: Local, kind: number, argument: number): Move {
    const key = kind + kindsMax * argument
    const known = local.moves.get(key)
    if (known !== undefined) return known
    const made = this.make(local, this.actionOf(local, kind, argument))
    local.moves.set(key, made)
    return made
  }

  actionOf(local: Local, kind: number, argument: number): Action {
    const { ids } = this
    switch (kinds[kind]!) {
      case "deliver": {
        const { epoch, message, sender } = this.mails[argument]!
        return { kind: "deliver", from: sender, epoch, message }
      }
      case "tick":
        return { kind: "tick" }
      case "late":
        return { kind: "late" }
      case "crash":
        return { kind: "crash", promised: this.forgetful ? 0 : local.promised, life: local.life + 1 }
      case "restart":
        return { kind: "restart", torn: argument === 0 ? null : argument - 1 }
      case "request":
        return { kind: "request", number: argument }
      case "read":
        return { kind: "read" }
      case "skip":
        return { kind: "skip", over: ids[argument]! }
      case "reconfigure":
        return { kind: "reconfigure", replicas: ids.filter((_, index) => (argument & (1 << index)) !== 0) }
    }
  }

  private make(local: Local, action: Action): Move {
    const replica = copyReplica(local.replica)
    try {
      const taken = take(this.core, replica, action)
      const isCrash = action.kind === "crash"
      const isRestart = isCrash || action.kind === "restart"
      let promised = isCrash ? action.promised : local.promised
      for (const { head } of taken.outcomes) promised = head?.view ?? promised
      const to = this.intern(taken.replica, local.index, promised, isCrash ? action.life : local.life)
      const { state } = to.replica
      const isStart = state._tag === "Primary" && !state.restarted && (local.tag !== "Primary" || local.view !== to.view)
      return {
        to,
        sends: taken.outcomes.flatMap((outcome) => this.sendsOf(outcome, local.index)),
        started: isStart ? to.view : null,
        served: taken.outcomes.some(({ replies }) => replies.some(({ kind, status }) => kind === "read" && status === "ok")),
        broken: wholeBrokenBy(to) ?? (isRestart ? null : brokenBy(local, to, taken.outcomes))
      }
    } catch (error) {
      const broken = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
      return { to: local, sends: [], started: null, served: false, broken }
    }
  }

  private sendsOf({ early, sends }: Outcome, from: number): ReadonlyArray<Mail> {
    return [...early, ...sends].map(({ epoch, message, to }) => {
      const receiver = this.ids.indexOf(to)
      const key = `${from} ${receiver} ${epoch} ${messageKey(message)}`
      const known = this.mailsByKey.get(key)
      if (known !== undefined) return known
      const mail = { number: this.mails.length, from, sender: this.ids[from]!, to: receiver, epoch, message }
      this.mails.push(mail)
      this.mailsByKey.set(key, mail)
      return mail
    })
  }

  private entryNumber(key: string): number {
    const known = this.entryNumbers.get(key)
    if (known !== undefined) return known
    this.entryNumbers.set(key, this.entryNumbers.size)
    return this.entryNumbers.size - 1
  }

  /**
   * One word an entry. A snapshot holds no views, so with snapshots they are not in the words: every operation is asked
   * for once, which gives it one position of one view in all that may happen after that.
   */
  private wordsOf({ clients, log }: Replica): ReadonlyArray<string> {
    const held = log.range(log.base + 1, log.op)
    if (!this.snapshots) return held.map(entryKey)
    return [...committedWords(clients).slice(0, log.base), ...held.map(({ op, operation }) => `${op}.${operation.join()}`)]
  }

  private intern(stepped: Replica, index: number, promised: View, life: number): Local {
    const replica = copyReplica(stepped)
    const key = `${promised} ${life} ${replicaKey(replica)}`
    const known = this.localsByKey.get(key)
    if (known !== undefined) return known
    const { commit, log, logView, state, view } = replica
    const entries = this.wordsOf(replica).map((word) => this.entryNumber(word))
    for (let op = log.base + 1; op <= log.op; op++) if (log.get(op).kind === "reconfigure") this.ends.add(entries[op - 1]!)
    const about = { index, replica, promised, life, tag: state._tag, view, logView, op: log.op, commit, entries }
    const local: Local = { number: this.locals.length, ...about, moves: new Map() }
    this.locals.push(local)
    this.localsByKey.set(key, local)
    return local
  }

  /** Is the replica the one that leads its own view? */
  isOwnPrimary(local: Local): boolean {
    return primaryOf(local.replica.configuration, local.view) === local.replica.id
  }
}

/** 12. The sessions are those that the log has made, and the snapshot is theirs. */
const wholeBrokenBy = ({ replica }: Local): string | null => {
  const { clients, commit, log } = replica
  const committed = committedWords(clients)
  if (replica.history.length > 0 || log.op > log.base && log.get(log.op).kind === "reconfigure") return brokenEpochs(replica)
  const made = committed.map((word, i) => i < log.base || i >= commit ? word : `${i + 1}.${log.get(i + 1).operation.join()}`)
  if (committed.length !== commit || committed.some((word, i) => word !== made[i] || !word.startsWith(`${i + 1}.`))) {
    return "the sessions are those that are committed"
  }
  return snapshotHolds(replica) ? null : "equal ops make equal snapshots"
}

/** The same for one that has changed its group; and 15: nothing follows the last operation of an epoch. Without snapshots. */
const brokenEpochs = ({ clients, commit, configuration, history, log }: Replica): string | null => {
  const registered: Array<string> = []
  let epoch = 0
  for (const { kind, op, operation, view } of log.range(1, log.op)) {
    if (epochOf(view) !== epoch) return "nothing follows the last operation of an epoch"
    if (kind === "reconfigure") epoch++
    else if (op <= commit) registered.push(`${op}.${operation.join()}`)
  }
  if (history.length !== configuration.epoch) return "the group is what the log says"
  return registered.join() === committedWords(clients).join() ? null : "the sessions are those that are committed"
}

/** Rules of one step alone (1, 2, 7, 8 and 14 of the protocol brief). */
const brokenBy = (before: Local, after: Local, outcomes: ReadonlyArray<Outcome>): string | null => {
  if (after.commit < before.commit) return "commit never falls"
  if (after.view < before.view) return "the view never falls"
  if (after.logView < before.logView) return "logView never falls"
  // A replacement is here before anything is cut (F2): what was acknowledged is never missing in a vote.
  if (after.logView === before.logView && after.op < before.op) return "a log only grows, until it is that of a later view"
  if (after.promised < after.view) return "the view is written before anything is said in it"
  const first = outcomes[0]!
  const { log } = after.replica
  const kept = first.install?.op ?? first.truncate_to ?? before.op
  if (kept + first.entries.length !== log.op) return "what is written is the log"
  if (first.install === null && first.truncate_to === null && before.entries.some((entry, i) => entry !== after.entries[i])) {
    return "what is written is the log"
  }
  for (const { message } of first.early) {
    if ("view" in message && message.view > before.promised) return "nothing is said early in a view that is not durable"
  }
  return null
}
