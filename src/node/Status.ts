/**
 * What operators are told: the state of a replica, and of the whole cluster with a verdict and remedies.
 *
 * @module
 */
import { replicaId } from "../base/Names.ts"
import type { Tenant } from "../tenants/Tenants.ts"
import { countOf, type ReplicaId } from "../vr/Message.ts"
import { isMember } from "../vr/Configuration.ts"
import { isBound, isHeld } from "../vr/Lease.ts"
import { tolerates } from "../vr/Quorum.ts"
import { knownPrimary, type Now, type RecoveryState, type Replica } from "../vr/Replica.ts"
import { isBeyondRecovery } from "../vr/states/Recovery.ts"
import type { ClusterStatus, NodeStatus, ReplicaStatus, TenantStatus } from "../wire/AdminProtocol.ts"

/** What a replica does not know of itself. */
export interface ReplicaData {
  readonly tenant: string
  readonly node: string
  readonly durability: Tenant["durability"]
  /** Why it could not start from its own log, or null: it recovers for that reason. */
  readonly doubt: string | null
  readonly store: { readonly stats: () => { readonly elements: number } }
}

const stateNames = {
  Primary: "primary",
  Backup: "backup",
  ViewChange: "view change",
  StateTransfer: "state transfer",
  Recovery: "recovery",
  Leaving: "leaving"
} as const

/** One that is to join, and follows, is no backup yet. */
const stateName = ({ configuration, id, left, state }: Replica): ReplicaStatus["state"] =>
  state._tag !== "Leaving" && !left && !isMember(configuration, id) ? "learner" : stateNames[state._tag]

export const describeReplica = (replica: Replica, data: ReplicaData, now: Now): ReplicaStatus => {
  const { clients, commit, configuration, id, log, logView, state, view } = replica
  return {
    tenant: data.tenant,
    name: id.slice(0, id.indexOf("::")),
    node: data.node,
    state: stateName(replica),
    durability: data.durability,
    epoch: configuration.epoch,
    replicas: configuration.replicas,
    view: countOf(view),
    log_view: countOf(logView),
    op: log.op,
    commit,
    primary: knownPrimary(replica),
    sessions: clients.size,
    elements: data.store.stats().elements,
    log_bytes: log.bytes,
    log_base: log.base,
    snapshot: replica.snapshot,
    detail: detail(replica, data, now),
    lease_ms: state._tag === "Primary" && isHeld(replica, state, now) ? Math.ceil(state.lease.until - now.mono) : null,
    change: state._tag === "Primary" && state.change !== null
      ? { next: state.change.next.replicas, in_log: state.change.op !== null }
      : null,
    acked: state._tag === "Primary"
      ? Object.fromEntries([
        ...configuration.replicas.map((other, index) => [other, state.acked[index]!] as const),
        ...[...state.change?.learners ?? []].map(([other, { acked }]) => [other, acked] as const)
      ])
      : {}
  }
}

const detail = (replica: Replica, data: ReplicaData, now: Now): string | null => {
  const { state } = replica
  switch (state._tag) {
    case "Primary":
      if (state.restarted) return "was restarted: it leads no longer, the next view is to begin"
      return state.abdicated ? "has lost touch with a quorum" : null
    case "Backup":
      return null
    case "ViewChange":
      return `has left for view ${countOf(replica.view)}, for ${Math.round(now.mono - state.startedAt)} ms` +
        (isBound(replica, now) ? `; has promised not to vote for another ${Math.ceil(replica.promised.until - now.mono)} ms` : "")
    case "StateTransfer":
      return `fetches view ${countOf(state.target)} from ${state.source}${incomingDetail(replica)}`
    case "Leaving":
      return state.isRetired ? "not needed any more" : "waits until its successors have begun"
    case "Recovery":
      return (data.doubt === null ? "" : `${data.doubt}; `) + recoveryDetail(replica, data, state)
  }
}

const lossOf = { memory: "memory", disk: "logs" } as const

const recoveryDetail = (replica: Replica, { durability }: ReplicaData, state: RecoveryState): string => {
  const { configuration, log } = replica
  if (isBeyondRecovery(replica, state)) {
    return `${state.alsoRecovering.size + 1} of ${configuration.replicas.length} replicas have lost their ${lossOf[durability]}, ` +
      `more than the ${configuration.tolerates} that this group tolerates: what it held cannot be recovered`
  }
  return state.fetching === null
    ? `waits for ${configuration.recoveryQuorum} answers, the primary's among them; has ${state.responses.size}`
    : `fetches the log from ${state.fetching.from}: at ${log.op} of ${state.fetching.op}${incomingDetail(replica)}`
}

const MiB = 1024 * 1024

/** How much of a snapshot has come. Its size is an estimate. */
const incomingDetail = ({ incoming }: Replica): string => {
  if (incoming === null) return ""
  const { bytes, from, op, size } = incoming
  const percent = Math.min(99, Math.floor(100 * bytes / Math.max(1, size)))
  return `: snapshot of op ${op} from ${from}, ${(bytes / MiB).toFixed(1)} MiB, about ${percent} %`
}

/** A replica that cannot run, or does not answer: its node says why, and nothing else is known of it. */
export const describeSilent = (tenant: Tenant, id: ReplicaId, state: "failed" | "busy", reason: string): ReplicaStatus => {
  const [name = "", node = ""] = id.split("::")
  return {
    tenant: tenant.id,
    name,
    node,
    state,
    durability: tenant.durability,
    epoch: tenant.epoch,
    replicas: tenant.replicas.map(replicaId),
    view: 0,
    log_view: 0,
    op: 0,
    commit: 0,
    primary: null,
    sessions: 0,
    elements: 0,
    log_bytes: 0,
    log_base: 0,
    snapshot: null,
    detail: reason,
    lease_ms: null,
    change: null,
    acked: {}
  }
}

export const isServing = (replica: ReplicaStatus): boolean => replica.state === "primary" || replica.state === "backup"

/** The primary of the highest view that any replica is normal in. */
export const primaryAmong = (replicas: ReadonlyArray<ReplicaStatus>): ReplicaStatus | null =>
  replicas
    .filter((replica) => replica.state === "primary" && replica.detail === null)
    .reduce<ReplicaStatus | null>((best, replica) => best === null || isLater(replica, best) ? replica : best, null)

const isLater = (one: ReplicaStatus, other: ReplicaStatus): boolean =>
  one.epoch === other.epoch ? one.view > other.view : one.epoch > other.epoch

/** The registry may be late; a primary is not. */
const groupOf = (tenant: Tenant, replicas: ReadonlyArray<ReplicaStatus>): ReadonlyArray<string> => {
  const primary = primaryAmong(replicas.filter((replica) => replica.tenant === tenant.id))
  return primary !== null && primary.epoch >= tenant.epoch ? primary.replicas : tenant.replicas.map(replicaId)
}

const describeTenant = (tenant: Tenant, all: ReadonlyArray<ReplicaStatus>): TenantStatus => {
  const ours = all.filter((replica) => replica.tenant === tenant.id)
  const primary = primaryAmong(ours)
  const group = groupOf(tenant, ours)
  const replicas = ours.filter((replica) => group.includes(replicaId(replica)))
  const up = replicas.filter(isServing).length
  const commit = replicas.reduce((highest, replica) => Math.max(highest, replica.commit), 0)
  const lag = primary === null ? {} : Object.fromEntries(
    replicas.filter(({ name }) => name !== primary.name).map((replica) => [
      `${replica.name}::${replica.node}`,
      Math.max(0, primary.commit - replica.commit)
    ])
  )
  const total = group.length
  return {
    id: tenant.id,
    name: tenant.name,
    durability: tenant.durability,
    primary: primary === null ? null : `${primary.name}::${primary.node}`,
    epoch: primary?.epoch ?? tenant.epoch,
    view: primary?.view ?? replicas.reduce((highest, one) => one.epoch === tenant.epoch ? Math.max(highest, one.view) : highest, 0),
    commit,
    lag,
    replicas_up: up,
    replicas_total: total,
    tolerates: Math.max(0, up - (total - tolerates(total)))
  }
}

export interface ClusterFacts {
  readonly cluster: string
  readonly nodes: ReadonlyArray<NodeStatus>
  readonly tenants: ReadonlyArray<Tenant>
  /** Of all replicas that could be asked. */
  readonly replicas: ReadonlyArray<ReplicaStatus>
  /** Beside what the rest says. */
  readonly conflicts: ClusterStatus["problems"]
  readonly view_change_ms: number
}

export const describeCluster = (facts: ClusterFacts): ClusterStatus => {
  const { cluster, conflicts, nodes, replicas, tenants, view_change_ms } = facts
  const described = tenants.map((tenant) => describeTenant(tenant, replicas))
  const gone = nodes.filter((node) => node.state === "disconnected")
  const problems = [
    ...gone.map((node) => ({
      message: `node ${node.name} is unreachable (${node.address}: ${node.reason ?? "unknown"})`,
      remedy: `start it again: npx v2r2 start --config <its config.json>`
    })),
    ...described.flatMap((status, index) => tenantProblems(status, tenants[index]!, replicas, gone)),
    ...conflicts
  ]
  const down = described.some((tenant) => tenant.primary === null)
  return {
    cluster,
    verdict: down ? "DOWN" : problems.length > 0 ? "DEGRADED" : "OK",
    nodes,
    problems,
    tenants: described,
    // One dead primary and one dead candidate after it: patience of up to 1.5 times each. It is no bound on what can
    // happen: every further view change that fails doubles the patience (vr/Patience.ts). Leases, which are no longer than
    // `view_change_ms`, are over by then.
    failover_ms_worst: Math.ceil(view_change_ms * 3)
  }
}

/** Snapshots of one op are equal, byte for byte; if they are not, replicas have gone apart. */
const differences = (replicas: ReadonlyArray<ReplicaStatus>): ReadonlyArray<string> =>
  replicas.flatMap((one, i) =>
    replicas.slice(i + 1)
      .filter((other) => one.snapshot?.op === other.snapshot?.op && one.snapshot?.digest !== other.snapshot?.digest)
      .map((other) => `the data of ${replicaId(one)} and ${replicaId(other)} differs at op ${one.snapshot?.op}`)
  )

type Problems = ClusterStatus["problems"]

const tenantProblems = (
  status: TenantStatus,
  tenant: Tenant,
  all: ReadonlyArray<ReplicaStatus>,
  gone: ReadonlyArray<NodeStatus>
): Problems => {
  const label = status.name ?? status.id
  const ours = all.filter((replica) => replica.tenant === tenant.id)
  const group = groupOf(tenant, ours)
  const members = ours.filter((replica) => group.includes(replicaId(replica)))
  const heard = new Set(members.map(replicaId))
  const silent = group.filter((id) => !heard.has(id))
  // Of a node that is gone as a whole, that was said already.
  const mute = silent.filter((id) => !gone.some(({ name }) => id.endsWith(`::${name}`)))
  const problems: Array<Problems[number]> = [
    ...differences(ours).map((message) => ({
      message: `tenant ${label}: ${message}`,
      remedy: "stop using the tenant, keep the data_dir of its nodes, and report this: it is a bug, or memory that fails"
    })),
    ...members.filter((replica) => !isServing(replica)).map(({ detail, name, node, state }) => ({
      message: `tenant ${label}: replica ${name}::${node} is in ${state}` + (detail === null ? "" : `: ${detail}`),
      remedy: state === "failed" ? `when that is mended, start node ${node} again` : null
    })),
    ...outsiderProblems(label, ours, group),
    ...mute.map((id) => ({ message: `tenant ${label}: replica ${id} does not answer`, remedy: null }))
  ]
  if (status.primary === null) {
    problems.unshift({ message: `tenant ${label} has no primary: it serves nothing`, remedy: "start its nodes again" })
  } else if (silent.length > 0 && status.tolerates === 0) {
    problems.unshift({
      message: `tenant ${label} cannot lose another node`,
      remedy: `start the nodes of ${silent.join(", ")} again, or: vr replace ${label} ${silent[0]} <another node>`
    })
  }
  return problems
}

/** Those that follow a primary which wants them to join are no problem. */
const outsiderProblems = (label: string, ours: ReadonlyArray<ReplicaStatus>, group: ReadonlyArray<string>): Problems => {
  const primary = primaryAmong(ours)
  const change = primary?.change ?? null
  const absent = (change?.next ?? []).filter((id) => !group.includes(id) && !ours.some((replica) => replicaId(replica) === id))
  const joining = absent.map((id) => change?.in_log === true
    ? {
      message: `tenant ${label} serves no writes: its group is changing to ${change.next.join(", ")}, and ${id} does not answer`,
      remedy: "start its node; if its disk is gone for good: stop the nodes of the group, and v2r2-admin recover"
    }
    : {
      message: `tenant ${label}: replica ${id} is to join, and does not answer: the group changes once it has caught up`,
      remedy: `start its node, or: vr withdraw ${label}`
    })
  const others = ours.filter((replica) => !group.includes(replicaId(replica))).flatMap((replica): Problems => {
    const id = replicaId(replica)
    if (replica.state === "learner") {
      return primary === null || id in primary.acked ? [] : [{
        message: `tenant ${label}: replica ${id} was to join, and nobody asks for that any more`,
        remedy: `vr forget ${label} ${id}`
      }]
    }
    if (replica.state === "leaving") {
      return [{ message: `tenant ${label}: replica ${id} has left the group: ${replica.detail}`, remedy: null }]
    }
    if (replica.state === "busy") return []
    if (replica.state === "failed") {
      const message = `tenant ${label}: replica ${id}, which is in no group any more, has stopped: ${replica.detail}`
      return [{ message, remedy: `if what it has is not needed: stop its node, and remove its files under tenants/${replica.tenant}` }]
    }
    const message = `tenant ${label}: replica ${id} is not in the group any more, and does not know it`
    return [{ message, remedy: `vr forget ${label} ${id}` }]
  })
  return [...joining, ...others]
}
