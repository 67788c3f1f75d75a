/**
 * The tenants of a simulated cluster: creating them, whatever the weather, and who of a group has its memory.
 *
 * A group that keeps its log in memory bears the loss of f of its 2f+1 memories at a time. So nobody may be killed before
 * enough of those who were have caught up again. A group on disks bears the loss of all memories at once, and the damage
 * of f disks at a time. While a group changes, that is true of each group that is still needed, or may come to be.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Durability } from "../../../src/storage/Journal.ts"
import { type Configuration, makeConfiguration } from "../../../src/vr/Configuration.ts"
import { pick } from "../Dice.ts"
import type { Cluster, Machine } from "./Cluster.ts"
import { Groups, nodeOf } from "./Groups.ts"
import type { TenantPlan } from "./Plan.ts"

/** What a node may lose of its tenants: the logs in its memory, with its process; or those on its disk. */
export type Loss = Durability

export class Tenants {
  /** By name, those that stand: their ids. */
  readonly ids = new Map<string, string>()
  readonly groups: Groups
  private readonly cluster: Cluster
  private readonly losses: Readonly<Record<Loss, Losses>> = { memory: new Losses(), disk: new Losses() }
  /** Of tenants that are being created nobody can ask. */
  private creating = 0

  constructor(cluster: Cluster) {
    this.cluster = cluster
    this.groups = new Groups(cluster)
  }

  /** The present group of one that stands. */
  groupOf(name: string): Configuration {
    const group = this.groups.present(this.ids.get(name)!)
    if (group === undefined) throw new Error(`no disk knows the group of tenant ${name}`)
    return group
  }

  /** May this node lose all logs that it keeps in this way? In memory: may it be stopped, or killed? */
  canLose(machine: Machine, loss: Loss): boolean {
    if (this.plansOf(loss).length === 0) return true
    const { lost, whileCreating } = this.losses[loss]
    if (lost.has(machine) || (this.creating > 0 && (whileCreating || lost.size > 0))) return false
    return this.standing(loss).every(([, id]) =>
      this.groups.needed(id).every((group) => this.lostOf(group, lost, machine) <= group.tolerates))
  }

  /** May these become the group, as far as it depends on who has lost its logs? */
  canBecome(name: string, replicas: ReadonlyArray<string>): boolean {
    const { durability } = this.cluster.plan.tenants.find((plan) => plan.name === name)!
    const group = makeConfiguration(0, replicas)
    return this.lostOf(group, this.losses[durability].lost, null) <= group.tolerates
  }

  /** How many of a group have lost their logs, if this one loses them, too. */
  private lostOf({ replicas }: Configuration, lost: ReadonlySet<Machine>, next: Machine | null): number {
    const names = new Set([...lost, ...next === null ? [] : [next]].map(({ name }) => name))
    return replicas.filter((id) => names.has(nodeOf(id))).length
  }

  /** May it ever be? A group of one or two needs both. */
  couldLose(machine: Machine): boolean {
    return [...this.ids.keys()].map((name) => this.groupOf(name).replicas).every((replicas) =>
      replicas.length > 2 || !replicas.some((id) => nodeOf(id) === machine.name))
  }

  onLost(machine: Machine, loss: Loss): void {
    const { losses: { [loss]: losses } } = this
    losses.lost.add(machine)
    if (this.creating > 0) losses.whileCreating = true
  }

  /** Runs for ever: who has lost its logs is asked whether it has them again; and groups are looked at. */
  readonly watch: Effect.Effect<never> = Effect.suspend(() => {
    this.groups.look()
    return Effect.forEach(["memory", "disk"] as const, (loss) =>
      Effect.forEach(this.losses[loss].lost, (machine) =>
        Effect.map(this.recovered(machine, loss), (recovered) => {
          // While a tenant is being created, nobody can say what there is to be recovered.
          if (recovered && machine.state === "up" && this.creating === 0) this.losses[loss].lost.delete(machine)
        }), { discard: true }), { discard: true })
  }).pipe(Effect.andThen(Effect.sleep(100)), Effect.forever)

  /** One that is to join, and has lost its log, may have said that it has what it had: it counts as lost until it has joined. */
  private recovered(machine: Machine, loss: Loss): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function*() {
      const { process } = machine
      for (const [tenant, id] of this.standing(loss)) {
        const isNeeded = this.groups.needed(id).some(({ replicas }) => replicas.some((other) => nodeOf(other) === machine.name))
        const holds = this.groups.found(id).some((found) => found.machine === machine)
        if (!isNeeded || !holds) continue
        const known = yield* this.cluster.get(machine, "vr.tenants", {})
        const own = known?.find(({ name }) => name === tenant)?.replicas.find(({ node }) => node === machine.name)
        if (own === undefined) return false
        const replica = yield* this.cluster.get(machine, "vr.replica", { tenant, replica: own.name, node: machine.name })
        if (replica === null || !hasLog.has(replica.state)) return false
      }
      return machine.process === process && process !== null
    })
  }

  private plansOf(loss: Loss): ReadonlyArray<TenantPlan> {
    return this.cluster.plan.tenants.filter(({ durability }) => durability === loss)
  }

  /** Names and ids. */
  private standing(loss: Loss): ReadonlyArray<readonly [string, string]> {
    const names = new Set(this.plansOf(loss).map(({ name }) => name))
    return [...this.ids].filter(([name]) => names.has(name))
  }

  /** Tries until it is there: at any node, also while they fail. */
  create(plan: TenantPlan): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { cluster } = this
      yield* Effect.sleep(plan.after_ms)
      this.creating++
      for (;;) {
        const machine = pick(cluster.executor.random, cluster.machines)
        const id = yield* this.attempt(machine, plan)
        if (id !== null) {
          this.ids.set(plan.name, id)
          cluster.note("operator", `tenant ${plan.name} is ${this.groupOf(plan.name).replicas.join(", ")}, durability ${plan.durability}`)
          break
        }
        yield* Effect.sleep(100)
      }
      this.creating--
      if (this.creating === 0) for (const losses of Object.values(this.losses)) losses.whileCreating = false
    })
  }

  private attempt(machine: Machine, { durability, group, name }: TenantPlan): Effect.Effect<string | null> {
    return Effect.gen({ self: this }, function*() {
      const { cluster } = this
      if (machine.state !== "up") return null
      const replicas = group?.map((index) => ({ name: `r${index + 1}`, node: cluster.machines[index]!.name })) ?? null
      const created = yield* cluster.ask(machine, "vr.create", { name, replicas, durability })
      if (Result.isSuccess(created)) return created.success.id
      cluster.note("operator", `${machine.name} has not created ${name}: ${created.failure.message}`)
      // It may have been created by an attempt before.
      const known = yield* cluster.get(machine, "vr.tenants", {})
      return known?.find((tenant) => tenant.name === name)?.id ?? null
    })
  }
}

/** States of a replica that has its log. */
const hasLog: ReadonlySet<string> = new Set(["primary", "backup", "view change", "state transfer"])

class Losses {
  /** Nodes that have lost their logs, and perhaps not got them back. */
  readonly lost = new Set<Machine>()
  whileCreating = false
}
