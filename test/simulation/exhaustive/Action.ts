/**
 * What can happen to one replica, and how the real core is taken through it.
 *
 * An action is one turn as its owner makes it (the contract in src/vr/Replica.ts): the step, its writes, the sends, and
 * `Durable` behind them. A crash in the middle of that is no case of its own: what was not written takes the messages
 * behind it along, which equals a crash before the turn; and early messages of a turn that writes no head equal a crash
 * after it, as entries do not outlive a crash in memory mode anyway; for the same reason a write of entries that takes
 * longer only makes the primary count its own copy later. In disk mode they do, so there a primary may crash when its
 * Prepare has left and is not written (`torn`). Turns take one input: what several inputs do in one turn, they do in
 * several, with some of the messages lost.
 *
 * A snapshot that a turn asks for is written at once, and takes all that it holds out of the log: real logs are kept for a
 * while, so that a replica which lags a little needs no snapshot; here it does.
 *
 * @module
 */
import type { Application } from "../../../src/vr/Application.ts"
import { type Configuration, isMember } from "../../../src/vr/Configuration.ts"
import type { Epoch, Message, ReplicaId } from "../../../src/vr/Message.ts"
import { type ClientRequest, emptyOutcome, type Input, type Now, type Outcome, type Replica } from "../../../src/vr/Replica.ts"
import * as vr from "../../../src/vr/Step.ts"
import { digestOf, imageOf } from "./Snapshots.ts"

/** What the search takes from the protocol; tests plant bugs here. */
export interface Core {
  readonly newReplica: typeof vr.newReplica
  readonly newLearner: typeof vr.newLearner
  readonly recoveringReplica: typeof vr.recoveringReplica
  readonly restartedReplica: typeof vr.restartedReplica
  readonly step: typeof vr.step
}

export const realCore: Core = {
  newReplica: vr.newReplica,
  newLearner: vr.newLearner,
  recoveringReplica: vr.recoveringReplica,
  restartedReplica: vr.restartedReplica,
  step: vr.step
}

export type Action =
  | { readonly kind: "deliver"; readonly from: ReplicaId; readonly epoch: Epoch; readonly message: Message }
  /** Everything is due: heartbeats, resends, suspicion. */
  | { readonly kind: "tick" }
  /** As a tick, and everything that was heard is long ago. */
  | { readonly kind: "late" }
  /** With the restart, and the first tick after it. `promised`: the view in the head that survived. The log did not. */
  | { readonly kind: "crash"; readonly promised: number; readonly life: number }
  /**
   * The same in disk mode, with the log and the snapshot. What is known to be committed is not written for its own sake:
   * here it never is, so it is what the snapshot holds.
   * `torn`: a primary that crashes when it has sent the operation of this number, and not written it.
   */
  | { readonly kind: "restart"; readonly torn: number | null }
  /** Of a client, for the operation of this number. */
  | { readonly kind: "request"; readonly number: number }
  | { readonly kind: "read" }
  /** A primary is asked to make that the group. */
  | { readonly kind: "reconfigure"; readonly replicas: ReadonlyArray<ReplicaId> }
  /** The transport to that replica breaks. */
  | { readonly kind: "skip"; readonly over: ReplicaId }

export interface Taken {
  readonly replica: Replica
  readonly outcomes: ReadonlyArray<Outcome>
}

const noTimers = { heartbeat_ms: 0, view_change_ms: 0 }
const start = { mono: 0, wall: 0 }
/** After a silence that is longer than all time-outs. */
const later = { mono: 1, wall: 0 }

/** Operations are registrations: all that the protocol needs, and they never reach the application. */
const noApplication: Application = {
  refuseWrite: () => undefined,
  prefetch: () => {},
  tidy: () => {},
  apply: (operation) => operation,
  query: (operation) => operation,
  size: () => 0,
  pin: () => ({ read: () => ({ next: () => null }), release: () => {} }),
  restore: () => ({ add: () => "there is no data", finish: () => null, install: () => {} })
}

const livesMax = 1024

/** Chance decides about time-outs, which are 0, and about the nonces of recoveries, which must differ from life to life. */
const optionsOf = (id: ReplicaId, configuration: Configuration, life: number): Parameters<Core["newReplica"]>[0] => ({
  id,
  configuration,
  application: noApplication,
  random: { next: () => life / livesMax },
  timers: noTimers,
  now: start
})

/** The life that a nonce belongs to. */
export const lifeOf = (nonce: number): number => Math.round((nonce - 1) / (Number.MAX_SAFE_INTEGER - 1) * livesMax)

/** A member of the first group, or one that is to join it. */
export const born = (core: Core, id: ReplicaId, configuration: Configuration): Replica =>
  isMember(configuration, id)
    ? core.newReplica(optionsOf(id, configuration, 0))
    : core.newLearner(optionsOf(id, configuration, 0))

const to = { connection: 0, channel: 0 }

const requestOf = (action: Action & { readonly kind: "request" | "read" }): ClientRequest =>
  action.kind === "read"
    ? { kind: "read", to, request: 1, operation: Uint8Array.of() }
    : { kind: "register", to, nonce: Uint8Array.of(action.number) }

const inputOf = (action: Exclude<Action, { readonly kind: "crash" | "restart" }>): Input => {
  switch (action.kind) {
    case "deliver":
      return { _tag: "Message", from: action.from, epoch: action.epoch, message: action.message }
    case "reconfigure":
      return { _tag: "Reconfigure", replicas: action.replicas }
    case "tick":
    case "late":
      return { _tag: "Tick" }
    case "request":
    case "read":
      return { _tag: "Requests", requests: [requestOf(action)] }
    case "skip":
      return { _tag: "PeerLost", replica: action.over }
  }
}

/** The turn, its writes, and what the replica is told of them; the first outcome is the turn's own. */
const turn = (core: Core, replica: Replica, input: Input, now: Now = start): ReadonlyArray<Outcome> => {
  const outcomes = [core.step(replica, [input], now)]
  const { entries, snapshot } = outcomes[0]!
  const last = entries[entries.length - 1]
  if (last !== undefined) outcomes.push(core.step(replica, [{ _tag: "Durable", op: last.op }], start))
  // That may be of what was committed just now.
  const due = outcomes[1]?.snapshot ?? snapshot
  if (due === null) return outcomes
  outcomes.push(core.step(replica, [{ _tag: "Snapshotted", op: due.op, digest: digestOf(due, replica) }], start))
  replica.log.shorten(due.op)
  return outcomes
}

const restart = (core: Core, replica: Replica, torn: number | null): Taken => {
  const { configuration, epochStart, id, left, log, logView, view } = replica
  const { base } = log
  // That an epoch has begun is written with its first head, and so is that the one before has ended.
  const commit = epochStart?.op ?? 0
  const kept = { view, logView, image: imageOf(replica), base, entries: log.range(base + 1, log.op), commit }
  const requests = torn === null ? [] : [requestOf({ kind: "request", number: torn })]
  const { early } = core.step(replica, [{ _tag: "Requests", requests }], start)
  const restarted = core.restartedReplica({ ...optionsOf(id, configuration, 0), left }, kept)
  return { replica: restarted, outcomes: [{ ...emptyOutcome(restarted), early }, ...turn(core, restarted, { _tag: "Tick" })] }
}

/** Changes `replica`; a crash leaves it as it was and gives another one. Throws what the core throws. */
export const take = (core: Core, replica: Replica, action: Action): Taken => {
  if (action.kind === "crash") {
    const { configuration, id, left } = replica
    const options = { ...optionsOf(id, configuration, action.life), left }
    // One that has no vote has nothing to recover.
    const again = isMember(configuration, id) ? core.recoveringReplica : core.newLearner
    const restarted = again(options, action.promised)
    return { replica: restarted, outcomes: turn(core, restarted, { _tag: "Tick" }) }
  }
  if (action.kind === "restart") return restart(core, replica, action.torn)
  if (action.kind === "late") {
    // It was the others' silence, not its own; and what others asked for then is forgotten.
    replica.lastTickAt = later.mono
    replica.probes.clear()
  }
  const input = inputOf(action)
  return { replica, outcomes: turn(core, replica, input, action.kind === "late" ? later : start) }
}
