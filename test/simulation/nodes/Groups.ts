/**
 * The groups of tenants, as the disks of all nodes have them, and those that somebody has asked for: which of them are still
 * needed, and what must not be seen of them at any time.
 *
 * @module
 */
import { parseReplicaId } from "../../../src/base/Names.ts"
import type { ReplicaHead } from "../../../src/storage/Journal.ts"
import { type Configuration, isMember, makeConfiguration } from "../../../src/vr/Configuration.ts"
import type { Cluster, Machine } from "./Cluster.ts"

/** A change of a group that somebody has asked for. */
export interface Asked {
  /** Its id. */
  readonly tenant: string
  /** Of the group that is to change. */
  readonly epoch: number
  readonly replicas: ReadonlyArray<string>
  /** It has come about, or it is certain that it will not. */
  isOver: boolean
}

/** A replica that a disk has something of. */
export interface Found {
  readonly machine: Machine
  readonly id: string
  readonly head: ReplicaHead | null
}

export class Groups {
  private readonly cluster: Cluster
  /** By tenant id, in order of their epochs, whatever was seen of them on any disk. */
  private readonly seen = new Map<string, Map<number, Configuration>>()
  private readonly asked: Array<Asked> = []

  constructor(cluster: Cluster) {
    this.cluster = cluster
  }

  /** Looks at all disks, which is to be done often: what was seen is remembered. */
  look(): void {
    for (const machine of this.cluster.machines) {
      const tenants = new Map<string, string>()
      for (const [key, { head }] of machine.disk.journals) {
        const { id, tenant } = partsOf(key)
        const other = tenants.get(tenant)
        if (other !== undefined) this.cluster.fail(`${machine.name} has two replicas of one tenant: ${other} and ${id}`)
        tenants.set(tenant, id)
        if (head !== null) this.see(tenant, id, head)
      }
    }
  }

  private see(tenant: string, id: string, { epoch, replicas }: ReplicaHead): void {
    const groups = this.seen.get(tenant) ?? new Map<number, Configuration>()
    this.seen.set(tenant, groups)
    const known = groups.get(epoch)
    if (known !== undefined) {
      if (known.replicas.join() === replicas.join()) return
      return this.cluster.fail(`${id} has another group of epoch ${epoch}: ${replicas.join(", ")}, not ${known.replicas.join(", ")}`)
    }
    const nodes = replicas.map(nodeOf)
    if (new Set(nodes).size < nodes.length) this.cluster.fail(`a group has two replicas on one node: ${replicas.join(", ")}`)
    const isAsked = epoch === 0 || this.asked.some((one) =>
      one.tenant === tenant && one.epoch === epoch - 1 && one.replicas.join() === replicas.join())
    if (!isAsked) this.cluster.fail(`${id} is in a group that nobody has asked for: ${replicas.join(", ")}`)
    groups.set(epoch, makeConfiguration(epoch, replicas))
  }

  ask(tenant: string, epoch: number, replicas: ReadonlyArray<string>): Asked {
    const asked: Asked = { tenant, epoch, replicas: [...replicas].sort(), isOver: false }
    this.asked.push(asked)
    return asked
  }

  /** The group of the highest epoch; undefined if no disk has one. */
  present(tenant: string): Configuration | undefined {
    this.look()
    const groups = this.seen.get(tenant)
    return groups === undefined ? undefined : groups.get(Math.max(...groups.keys()))
  }

  /** What may still become of the present group, as far as is known. */
  open(tenant: string): ReadonlyArray<Asked> {
    const epoch = this.present(tenant)?.epoch
    return this.asked.filter((one) => one.tenant === tenant && one.epoch === epoch && !one.isOver)
  }

  /**
   * Groups of which each needs a quorum with its logs: the last one that a quorum of its own has begun, all that follow, and
   * whatever may follow these.
   */
  needed(tenant: string): ReadonlyArray<Configuration> {
    this.look()
    const groups = [...this.seen.get(tenant)?.values() ?? []]
    const begun = groups.filter((group) => this.hasBegun(tenant, group)).reduce((last, { epoch }) => Math.max(last, epoch), 0)
    const last = groups.reduce((highest, { epoch }) => Math.max(highest, epoch), 0)
    const possible = this.asked.filter((one) => one.tenant === tenant && one.epoch === last && !one.isOver)
    return [
      ...groups.filter(({ epoch }) => epoch >= begun),
      ...possible.map(({ replicas }) => makeConfiguration(last + 1, replicas))
    ]
  }

  private hasBegun(tenant: string, { epoch, quorum, replicas }: Configuration): boolean {
    const begun = this.found(tenant).filter(({ head, id }) => replicas.includes(id) && (head?.epoch ?? -1) >= epoch)
    return begun.length >= quorum
  }

  /** All that the disks have of one tenant. */
  found(tenant: string): ReadonlyArray<Found> {
    return this.cluster.machines.flatMap((machine) =>
      [...machine.disk.journals].flatMap(([key, { head }]) => {
        const parts = partsOf(key)
        return parts.tenant === tenant ? [{ machine, id: parts.id, head }] : []
      }))
  }

  /** What nodes that run have of replicas that are not in the group. */
  leftovers(tenant: string): ReadonlyArray<Found> {
    const group = this.present(tenant)
    return this.found(tenant).filter(({ id, machine }) =>
      machine.state === "up" && group !== undefined && !isMember(group, id))
  }
}

/** It was to join, and is in no group. */
export const isLearner = ({ head, id }: Found): boolean => head !== null && !head.left && !head.replicas.includes(id)

export const nodeOf = (id: string): string => id.slice(id.indexOf("::") + 2)

export const placeOf = (id: string): { readonly name: string; readonly node: string } => {
  const parsed = parseReplicaId(id)
  if (!parsed.ok) throw new Error(`${id} is no replica`)
  return parsed.value
}

const partsOf = (key: string): { readonly tenant: string; readonly id: string } => {
  const end = key.indexOf("::")
  return { tenant: key.slice(0, end), id: key.slice(end + 2) }
}
