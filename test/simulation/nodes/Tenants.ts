/**
 * The tenants of a simulated cluster: creating them, whatever the weather, and who of a group has its memory.
 *
 * A group that keeps its log in memory bears the loss of f of its 2f+1 memories at a time. So nobody may be killed before
 * enough of those who were have caught up again.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { pick } from "../Dice.ts"
import type { Cluster, Machine } from "./Cluster.ts"
import type { TenantPlan } from "./Plan.ts"

export class Tenants {
  /** By name, those that stand: where their replicas are. */
  readonly groups = new Map<string, ReadonlyArray<string>>()
  private readonly cluster: Cluster
  /** Nodes that have lost their memory, and perhaps not got it back. */
  private readonly lost = new Set<Machine>()
  /** Of tenants that are being created nobody can ask. */
  private creating = 0
  private lostWhileCreating = false

  constructor(cluster: Cluster) {
    this.cluster = cluster
  }

  /** May this node be stopped, or killed? */
  canLose(machine: Machine): boolean {
    if (this.lost.has(machine) || (this.creating > 0 && (this.lostWhileCreating || this.lost.size > 0))) return false
    return [...this.groups.values()].every((nodes) => {
      const gone = nodes.filter((node) => node === machine.name || [...this.lost].some(({ name }) => name === node))
      return gone.length <= (nodes.length - 1) / 2
    })
  }

  /** May it ever be? A group of two, made while others were down, needs both. */
  couldLose(machine: Machine): boolean {
    return [...this.groups.values()].every((nodes) => !nodes.includes(machine.name) || nodes.length > 2)
  }

  onLost(machine: Machine): void {
    this.lost.add(machine)
    if (this.creating > 0) this.lostWhileCreating = true
  }

  /** Runs for ever: who has lost its memory is asked whether it has it again. */
  readonly watch: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forEach(this.lost, (machine) =>
      Effect.map(this.recovered(machine), (recovered) => {
        // While a tenant is being created, nobody can say what there is to be recovered.
        if (recovered && machine.state === "up" && this.creating === 0) this.lost.delete(machine)
      }), { discard: true })
  ).pipe(Effect.andThen(Effect.sleep(100)), Effect.forever)

  private recovered(machine: Machine): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function*() {
      const { process } = machine
      for (const [tenant, nodes] of this.groups) {
        if (!nodes.includes(machine.name)) continue
        const known = yield* this.cluster.get(machine, "vr.tenants", {})
        const own = known?.find(({ name }) => name === tenant)?.replicas.find(({ node }) => node === machine.name)
        if (own === undefined) return false
        const replica = yield* this.cluster.get(machine, "vr.replica", { tenant, replica: own.name, node: machine.name })
        if (replica === null || replica.state === "recovery" || replica.state === "failed") return false
      }
      return machine.process === process && process !== null
    })
  }

  /** Tries until it is there: at any node, also while they fail. */
  create(plan: TenantPlan): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { cluster } = this
      yield* Effect.sleep(plan.after_ms)
      this.creating++
      for (;;) {
        const machine = pick(cluster.executor.random, cluster.machines)
        const group = yield* this.attempt(machine, plan)
        if (group !== null) {
          cluster.note("operator", `tenant ${plan.name} is on ${group.join(", ")}`)
          this.groups.set(plan.name, group)
          break
        }
        yield* Effect.sleep(100)
      }
      this.creating--
      if (this.creating === 0) this.lostWhileCreating = false
    })
  }

  private attempt(machine: Machine, { group, name }: TenantPlan): Effect.Effect<ReadonlyArray<string> | null> {
    return Effect.gen({ self: this }, function*() {
      const { cluster } = this
      if (machine.state !== "up") return null
      const replicas = group?.map((index) => ({ name: `r${index + 1}`, node: cluster.machines[index]!.name })) ?? null
      const created = yield* cluster.ask(machine, "vr.create", { name, replicas })
      if (Result.isSuccess(created)) return created.success.replicas.map(({ node }) => node)
      cluster.note("operator", `${machine.name} has not created ${name}: ${created.failure.message}`)
      // It may have been created by an attempt before.
      const known = yield* cluster.get(machine, "vr.tenants", {})
      return known?.find((tenant) => tenant.name === name)?.replicas.map(({ node }) => node) ?? null
    })
  }
}
