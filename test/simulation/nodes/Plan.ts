/**
 * Everything about a run of whole nodes that is drawn before it begins.
 *
 * @module
 */
import type { Config } from "../../../src/node/Config.ts"
import { Limits } from "../../../src/base/Limits.ts"
import type { Random } from "../../../src/base/Random.ts"
import type { Durability } from "../../../src/storage/Journal.ts"
import { between, dice, pick } from "../Dice.ts"
import type { Tight } from "../Squeeze.ts"
import type { Order } from "./Executor.ts"
import type { Weather } from "./Wires.ts"

export interface Plan {
  readonly seed: number
  readonly nodes: number
  readonly order: Order
  /** How many operations of Effect a fiber does in one go. */
  readonly quota: number
  /** The chance that a fiber that might go on at once lets others go first. */
  readonly apart: number
  readonly timers: Pick<Config, "heartbeat_ms" | "view_change_ms" | "gossip_ms" | "lease_ms">
  /** Timers are late by up to so much. */
  readonly late_ms: number
  /** A save takes up to so long. */
  readonly write_ms: number
  readonly pipe_bytes_max: number
  readonly weather: Weather
  readonly tight: Tight
  readonly tenants: ReadonlyArray<TenantPlan>
  readonly clients: ReadonlyArray<ClientPlan>
  /** The last node joins so late; the others at once. */
  readonly lateJoin_ms: number
  readonly faults_ms: number
  /** Between one fault and the next. */
  readonly gap_ms: number
  /** Faults that last at the same time, at most. */
  readonly together: number
  /** Whether, and how often, an operator changes the groups of tenants and hands primaries off. */
  readonly changes: ChangesPlan | null
  /** After all, one node loses its power for good, and the others must do without it. */
  readonly isBereft: boolean
}

export interface TenantPlan {
  readonly name: string
  /** The numbers of its nodes; null: the cluster chooses. */
  readonly group: ReadonlyArray<number> | null
  /** After the cluster was formed. */
  readonly after_ms: number
  readonly durability: Durability
}

export interface ChangesPlan {
  /** Between one and the next. */
  readonly gap_ms: number
  /** That many at the same time, at most. */
  readonly together: number
}

export interface ClientPlan {
  readonly name: string
  /** Names: one session for each. */
  readonly tenants: ReadonlyArray<string>
  /** Operations of one session at the same time. */
  readonly width: number
  readonly deadline_ms: number
  /** Between two operations of one session. */
  readonly think_ms: number
  /** Numbers of the nodes that it is told of. */
  readonly endpoints: ReadonlyArray<number>
}

export const planOf = (seed: number): Plan => {
  const random = dice(seed, "plan")
  const nodes = pick(random, [3, 3, 3, 4, 5, 5])
  const faults_ms = between(random, 3_000, 15_000)
  const tenants = drawTenants(random, nodes, faults_ms, drawDurability(dice(seed, "durability")))
  const [heartbeat_ms, view_change_ms] = pick(random, [[100, 500], [100, 500], [20, 100], [50, 1_000]] as const)
  const clients = pick(random, [2, 2, 3, 4])
  const { changes, spares } = drawChanges(dice(seed, "changes of groups"))
  return {
    seed,
    nodes: nodes + spares,
    order: pick(random, ["fifo", "by process", "any", "any"] as const),
    quota: pick(random, [2_048, 2_048, 200, 20]),
    apart: pick(dice(seed, "apart"), [0, 0, 0.1, 0.5]),
    timers: {
      heartbeat_ms,
      view_change_ms,
      gossip_ms: pick(random, [200, 1_000]),
      lease_ms: pick(dice(seed, "leases"), [0, 0.5, 1]) * view_change_ms
    },
    late_ms: pick(random, [0, 0.9, 4]),
    write_ms: pick(random, [0, 0, 3, 30]),
    pipe_bytes_max: pick(random, [256, 4_096, Limits.memory_pipe_bytes_max]),
    weather: { latency_ms: pick(random, [[0, 0], [0.05, 0.5], [1, 4], [0, 20]] as const), split_chance: pick(random, [0, 0, 0.2]) },
    tight: { ...drawLimits(random, clients), ...drawIntake(dice(seed, "intake")) },
    tenants,
    clients: Array.from({ length: clients }, (_, index) => drawClient(random, `c${index + 1}`, nodes, tenants)),
    lateJoin_ms: random.next() < 0.3 ? between(random, 0, faults_ms) : 0,
    faults_ms,
    gap_ms: pick(random, [100, 400, 1_200]),
    together: pick(random, [1, 1, 2, 4]),
    changes,
    isBereft: random.next() < 0.4
  }
}

/** Of the tenants of one run, in order. With disks only, any number of nodes may lose its power. */
const drawDurability = (random: Random): readonly [Durability, Durability] =>
  pick(random, [["disk", "disk"], ["disk", "disk"], ["memory", "memory"], ["disk", "memory"]] as const)

/** With nodes that no tenant is on at first, so that there is somewhere to go. */
const drawChanges = (random: Random): { readonly changes: ChangesPlan | null; readonly spares: number } =>
  random.next() < 0.2 ? { changes: null, spares: 0 } : {
    changes: { gap_ms: pick(random, [300, 1_000, 3_000]), together: pick(random, [1, 2, 3]) },
    spares: pick(random, [0, 1, 1, 2, 3])
  }

const drawTenants = (
  random: Random,
  nodes: number,
  faults_ms: number,
  durability: readonly [Durability, Durability]
): ReadonlyArray<TenantPlan> => {
  const group = (): TenantPlan["group"] => {
    if (random.next() < 0.2) return null
    const all = shuffled(random, Array.from({ length: nodes }, (_, index) => index))
    return all.slice(0, pick(random, [3, 3, nodes])).sort((a, b) => a - b)
  }
  const first: TenantPlan = { name: "t1", group: group(), after_ms: 0, durability: durability[0] }
  return random.next() < 0.5 ? [first] : [
    first,
    { name: "t2", group: group(), after_ms: between(random, 0, faults_ms), durability: durability[1] }
  ]
}

const drawClient = (random: Random, name: string, nodes: number, tenants: ReadonlyArray<TenantPlan>): ClientPlan => {
  const all = shuffled(random, Array.from({ length: nodes }, (_, index) => index))
  const names = [...shuffled(random, tenants.map((tenant) => tenant.name)), pick(random, tenants).name]
  const width = pick(random, [1, 1, 2, 3, 12])
  return {
    name,
    tenants: names.slice(0, pick(random, [1, 2, 3])),
    width,
    deadline_ms: pick(random, [300, 1_500, 5_000, 20_000]),
    think_ms: pick(random, [50, 150, 400]) * Math.max(1, width / 3),
    endpoints: all.slice(0, pick(random, [1, 2, nodes]))
  }
}

/** Bounds so tight that small runs meet them. */
const drawLimits = (random: Random, clients: number): Tight => {
  const tight: { -readonly [name in keyof Tight]: Tight[name] } = {}
  const perhaps = (name: keyof Tight, ...values: ReadonlyArray<number>) => {
    if (random.next() < 0.4) tight[name] = pick(random, values)
  }
  perhaps("sessions_max", 2, 3, 2 * clients + 1)
  perhaps("transfer_chunk_bytes_max", 1_000, 4_000)
  perhaps("prepare_bytes_max", 100, 500)
  perhaps("pipeline_ops_max", 2, 8)
  perhaps("pending_reads_max", 2)
  perhaps("connection_outbox_bytes_soft", 20, 100)
  perhaps("snapshot_log_bytes_min", 500, 2_000)
  perhaps("snapshot_part_bytes_max", 200)
  perhaps("client_write_bytes_max", 1, 100)
  // What is longer than these cannot be sent at all: they are no tighter than the longest message.
  if (random.next() < 0.3) {
    Object.assign(tight, { transfer_chunk_bytes_max: 1_000, prepare_bytes_max: 300, pipeline_ops_max: 8 })
    perhaps("peer_outbox_bytes_max", 5_000)
    perhaps("replica_queue_bytes_max", 3_000)
  }
  return tight
}

/** Of what nodes take in from clients at once. */
const drawIntake = (random: Random): Tight =>
  random.next() < 0.5 ? {} : {
    intake_requests_max: pick(random, [1, 4]),
    intake_slice_max: pick(random, [1, 2]),
    replica_requests_max: pick(random, [2, 8, 16_384])
  }

export const shuffled = <A>(random: Random, values: ReadonlyArray<A>): ReadonlyArray<A> => {
  const left = [...values]
  const all: Array<A> = []
  while (left.length > 0) all.push(...left.splice(Math.floor(random.next() * left.length), 1))
  return all
}
