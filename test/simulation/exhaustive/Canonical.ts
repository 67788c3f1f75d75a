/**
 * Copies of replicas, and what makes two of them the same: a key that holds everything that can ever make a difference
 * to what they do, and nothing else.
 *
 * Time stands still in the model: all time-outs are 0 and it is always the instant 0, so that a tick finds everything
 * due and everybody suspects its primary at once. Real silences are a part of that. Points in time, patience and back-off
 * make no difference then.
 *
 * Left out because it makes no difference in this model:
 * - who waits for an answer, and counters of bytes (they follow from the log);
 * - whose registrations are pending (they follow from the log); and of sessions, all but their names and nonces;
 * - acknowledgements of what is committed, and confirmations of rounds in which no read waits;
 * - probes of views that are no news, and a replica's own one, which it makes afresh each time;
 * - probes that a primary heard which does not doubt itself: they can arrive again when it does;
 * - which transports broke (`lost`): a breaking transport makes a probe in the same step (see `skip` in Action.ts); that
 *   it is remembered only moves later probes to other views, which later breaks of the model do too.
 *
 * @module
 */
import { ClientTable } from "../../../src/vr/ClientTable.ts"
import { Log } from "../../../src/vr/Log.ts"
import type { Entry, Message } from "../../../src/vr/Message.ts"
import { highestView, type PrimaryState, type Replica, type State } from "../../../src/vr/Replica.ts"
import type { Staging } from "../../../src/vr/Staging.ts"

import type { Change } from "../../../src/vr/Change.ts"
import { Window } from "../../../src/base/Window.ts"
import { committedWords, copyIncoming, copyOutgoing, imageKey, incomingKey, outgoingsKey } from "./Snapshots.ts"

const copyStaging = (staging: Staging): Staging => ({ ...staging, entries: [...staging.entries] })

const copyPrimary = (state: PrimaryState, commit: number): PrimaryState => ({
  ...state,
  acked: state.acked.map((op) => Math.max(op, commit)),
  heardAt: state.heardAt.map(() => 0),
  rounds: state.rounds.map((round) => state.reads.length === 0 ? state.round : round),
  heartbeatAt: 0,
  writtenAt: 0,
  written: 0,
  waiting: new Window(),
  change: state.change === null ? null : copyChange(state.change),
  newReads: [...state.newReads],
  reads: [...state.reads]
})

const copyChange = ({ learners, next, op }: Change): Change => ({
  next,
  op,
  askedAt: 0,
  learners: new Map([...learners].map(([id, { acked, heardAt }]) => [id, { acked, heardAt: heardAt === null ? null : 0 }]))
})

const copyState = (state: State, commit: number): State => {
  switch (state._tag) {
    case "Primary":
      return copyPrimary(state, commit)
    case "Backup":
      return { ...state, heardAt: 0, patience: 1, heard: 0 }
    case "ViewChange": {
      const fetching = state.fetching === null ? null : { ...state.fetching, staging: copyStaging(state.fetching.staging) }
      const times = { startedAt: 0, patience: 1, resendAt: 0, resendLargeAt: 0, wait_ms: 0 }
      return { ...state, ...times, votes: new Map(state.votes), fetching }
    }
    case "StateTransfer": {
      const staging = state.staging === null ? null : copyStaging(state.staging)
      return { ...state, staging, heardAt: 0, patience: 1, resendAt: 0, wait_ms: 0 }
    }
    case "Leaving":
      return { ...state, started: new Set([...state.started].sort()), resendAt: 0 }
    case "Recovery": {
      const fetching = state.fetching === null ? null : { ...state.fetching, progressAt: 0, wait_ms: 0 }
      // Once it knows whom to fetch from, it heeds no answers; and it forgets them when it begins anew.
      const responses = new Map(fetching === null ? state.responses : [])
      return { ...state, responses, fetching, alsoRecovering: new Map(), staging: copyStaging(state.staging), resendAt: 0 }
    }
  }
}

const copyLog = (log: Log): Log => {
  const copy = new Log()
  copy.reset(log.base)
  for (const entry of log.range(log.base + 1, log.op)) copy.append(entry)
  return copy
}

const clientsOf = ({ clients, commit, log, state }: Replica): ClientTable => {
  const copy = new ClientTable()
  copy.install(clients.pin().map((session) => {
    const results = new Window<Uint8Array>()
    for (const [request, result] of session.results) results.set(request, result)
    return { ...session, results }
  }))
  if (state._tag !== "Primary") return copy
  for (const { kind, op, operation } of log.range(commit + 1, log.op)) {
    if (kind === "register") copy.registrationPending(operation, op)
  }
  return copy
}

/** Probes that may still count, as if they were heard now. */
const probesOf = (replica: Replica): Replica["probes"] => {
  const { id, probes, state } = replica
  const kept: Replica["probes"] = new Map()
  if (state._tag === "Primary" && !state.abdicated) return kept
  for (const [from, { view }] of [...probes].sort(([a], [b]) => a < b ? -1 : 1)) {
    if (from !== id && view > highestView(replica)) kept.set(from, { view, at: 0 })
  }
  return kept
}

/** A copy that shares nothing mutable with the original, without what makes no difference. */
export const copyReplica = (replica: Replica): Replica => ({
  ...replica,
  log: copyLog(replica.log),
  clients: clientsOf(replica),
  state: copyState(replica.state, replica.commit),
  incoming: copyIncoming(replica),
  outgoing: copyOutgoing(replica),
  probes: probesOf(replica),
  probeAt: 0,
  lost: new Set(),
  attempts: 0,
  normalSince: 0,
  crossAfter: 0,
  lastTickAt: 0
})

/** One word for an entry: there is one operation per request, and time stands still. */
export const entryKey = (entry: Entry): string => `${entry.op}.${entry.view}.${entry.operation.join()}`

const entriesKey = (entries: ReadonlyArray<Entry>): string => entries.map(entryKey).join(" ")

/** Equal for equal messages, and for those only. */
export const messageKey = (message: Message): string =>
  JSON.stringify(message, (name, value: unknown) => {
    if (name === "entries") return entriesKey(value as ReadonlyArray<Entry>)
    return name === "bytes" ? (value as Uint8Array).join() : value
  })

const stagingKey = ({ base, committed, entries, image }: Staging): unknown =>
  [base, committed, entriesKey(entries), imageKey(image)]

const byReplica = (messages: ReadonlyMap<string, Message>): string =>
  [...messages].sort(([a], [b]) => a < b ? -1 : 1).map(([from, message]) => `${from}:${messageKey(message)}`).join()

const changeKey = ({ learners, next, op }: Change): unknown => [next.replicas, op, [...learners]]

const stateKey = (state: State): ReadonlyArray<unknown> => {
  switch (state._tag) {
    case "Primary":
      return [state.acked, state.prepared, state.viewStart, state.round, state.rounds, state.abdicated, state.restarted,
        state.reads.map(({ round }) => round), state.change === null ? null : changeKey(state.change)]
    case "Backup":
      return []
    case "ViewChange":
      return [messageKey(state.vote), byReplica(state.votes), state.fetching === null
        ? null
        : [state.fetching.from, state.fetching.last, stagingKey(state.fetching.staging)]]
    case "StateTransfer":
      return [state.target, state.source, state.informant, state.staging === null ? null : stagingKey(state.staging)]
    case "Leaving":
      return [[...state.started], state.isRetired]
    case "Recovery":
      return [state.nonce, state.promised, byReplica(state.responses), stagingKey(state.staging), state.fetching === null
        ? null
        : [state.fetching.view, state.fetching.from, state.fetching.op]]
  }
}

/** Of a copy: equal for replicas that will act equally for ever. */
export const replicaKey = (replica: Replica): string => {
  const { clients, commit, configuration, durable, epochStart, id, incoming, left, log, logView, outgoing, probes } = replica
  const { snapshot, state, view } = replica
  const held = [log.base, entriesKey(log.range(log.base + 1, log.op)), snapshot, committedWords(clients)]
  const transfers = [incomingKey(incoming), outgoingsKey(outgoing)]
  const group = [configuration.epoch, configuration.replicas, epochStart, left]
  return JSON.stringify([id, state._tag, view, logView, commit, durable, held, transfers, stateKey(state), [...probes], group])
}
