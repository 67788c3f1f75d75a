/**
 * A replica as it is before its first step.
 *
 * @module
 */
import type { Random } from "../base/Random.ts"
import type { Application } from "./Application.ts"
import { ClientTable } from "./ClientTable.ts"
import type { Configuration } from "./Configuration.ts"
import { Log } from "./Log.ts"
import { promisedBefore } from "./Lease.ts"
import type { Millis, ReplicaId, View } from "./Message.ts"
import type { Now, Replica, State, Timers } from "./Replica.ts"

export interface ReplicaOptions {
  readonly id: ReplicaId
  readonly configuration: Configuration
  /** It is no member of that group, and was one of an earlier one. */
  readonly left?: boolean
  readonly application: Application
  readonly random: Random
  readonly timers: Timers
  readonly now: Now
  /** None unless said otherwise. */
  readonly lease_ms?: Millis
  /** The longest lease that it may have granted before it was started again. */
  readonly hold_ms?: Millis
  /** Sessions that the group remembers: the same number at each replica. */
  readonly sessionsMax?: number
}

export const makeReplica = (
  options: ReplicaOptions,
  state: State,
  view: View,
  logView: View,
  log = new Log(),
  /** In which view it may have granted a lease before; null: that is lost. */
  grantedIn: View | null = logView
): Replica => ({
  id: options.id,
  configuration: options.configuration,
  history: [],
  epochStart: null,
  left: options.left ?? false,
  forked: null,
  crossAfter: 0,
  hasCrossed: false,
  application: options.application,
  random: options.random,
  timers: options.timers,
  lease_ms: options.lease_ms ?? 0,
  promised: promisedBefore(options, grantedIn),
  log,
  clients: new ClientTable(options.sessionsMax),
  state,
  view,
  logView,
  commit: 0,
  commitTime: 0,
  durable: 0,
  sinceSnapshot: 0,
  dueSnapshot: null,
  snapshot: null,
  forgottenUpTo: 0,
  incoming: null,
  outgoing: new Map(),
  probes: new Map(),
  probeAt: 0,
  lost: new Set(),
  attempts: 0,
  normalSince: options.now.mono,
  lastTickAt: options.now.mono,
  lastTime: 0
})
