/**
 * Operators that change the groups of tenants, hand primaries off, and have replicas forgotten, through any node and in any
 * weather: several at a time, each of whom sees it through, takes it back after a while, or goes away without a word.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Scope } from "effect/Scope"
import type { Random } from "../../../src/base/Random.ts"
import type { Args, CommandName, Ok } from "../../../src/wire/AdminProtocol.ts"
import type { ChangePlan, ChangeWish } from "../../../src/wire/Changes.ts"
import { between, dice, pick } from "../Dice.ts"
import type { AskFailure, Cluster } from "./Cluster.ts"
import { type Asked, isLearner, placeOf } from "./Groups.ts"
import type { Tenants } from "./Tenants.ts"
import { drawWish, wishes } from "./Wishes.ts"

type Answer<C extends CommandName> = Result.Result<Ok<C>, AskFailure>

export class Changes {
  private readonly cluster: Cluster
  private readonly tenants: Tenants
  private readonly random: Random
  private readonly count: (what: string) => void
  private underWay = 0
  private names = 0

  constructor(cluster: Cluster, tenants: Tenants, count: (what: string) => void) {
    this.cluster = cluster
    this.tenants = tenants
    this.count = count
    this.random = dice(cluster.plan.seed, "operators")
  }

  /** One after the other, or several at a time, for so long. Those that are under way then go on. */
  run(for_ms: number): Effect.Effect<void, never, Scope> {
    return Effect.gen({ self: this }, function*() {
      const { cluster, random, tenants } = this
      const { changes } = cluster.plan
      if (changes === null) return
      const end = cluster.executor.now + for_ms
      for (;;) {
        yield* Effect.sleep(2 * changes.gap_ms * random.next())
        if (cluster.executor.now >= end) return
        if (this.underWay >= changes.together || tenants.ids.size === 0) continue
        yield* Effect.forkScoped(this.counted(this.draw(pick(random, [...tenants.ids.keys()]))))
      }
    })
  }

  private draw(tenant: string): Effect.Effect<void> {
    const { cluster: { machines }, random, tenants } = this
    const { replicas } = tenants.groupOf(tenant)
    const chance = random.next()
    if (chance < 0.2) return this.handOff(tenant, replicas)
    if (chance < 0.3) return this.forget(tenant, pick(random, this.settled(tenant)))
    const ground = {
      tenant, present: replicas, nodes: machines.map(({ name }) => name), name: () => `r${machines.length + 100 + ++this.names}`
    }
    const wish = drawWish(random, pick(random, wishes), ground)
    return wish === null ? this.handOff(tenant, replicas) : this.change(wish)
  }

  /** Replicas that nobody asks for: to forget one in the moment in which it is to join is to lose its disk. */
  private settled(tenant: string): ReadonlyArray<string> {
    const { groups, ids } = this.tenants
    const id = ids.get(tenant)!
    const asked = new Set(groups.open(id).flatMap(({ replicas }) => replicas))
    const others = groups.found(id).filter((found) => !asked.has(found.id)).map((found) => found.id)
    return others.length > 0 ? others : this.tenants.groupOf(tenant).replicas
  }

  private counted(work: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.underWay++
      return Effect.andThen(work, Effect.sync(() => void this.underWay--))
    })
  }

  /** To the end, whatever its operator makes of it. */
  private change(wish: ChangeWish): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { random, tenants } = this
      const plan = yield* this.plan(wish)
      // Where too many of them have lost their logs, it would be nobody's fault if all was lost.
      if (plan === null || !tenants.canBecome(wish.tenant, plan.next)) return
      const force = random.next() < 0.5
      const patience_ms = pick(random, [Infinity, Infinity, between(random, 0, 500), between(random, 0, 5_000)])
      const asked = tenants.groups.ask(plan.tenant, plan.epoch, plan.next)
      this.count("change of a group")
      const ending = yield* this.see(wish.tenant, asked, force, patience_ms)
      this.note(`${wish.tenant}: ${asked.replicas.join(", ")} is ${ending}`)
      if (ending === "done") this.count("group changed")
      else if (random.next() < 0.5) yield* this.withdraw(wish.tenant, asked)
    })
  }

  private plan(wish: ChangeWish): Effect.Effect<ChangePlan | null> {
    return Effect.map(this.ask("vr.group.plan", wish), (plan) => {
      this.note(`wants ${JSON.stringify(wish)}: ${wordsOf(plan, ({ epoch, next }) => `epoch ${epoch}, then ${next.join(", ")}`)}`)
      return plan !== null && Result.isSuccess(plan) ? plan.success : null
    })
  }

  /** Asks again and again, each time through any node. */
  private see(tenant: string, asked: Asked, force: boolean, patience_ms: number): Effect.Effect<"done" | "refused" | "given up"> {
    return Effect.gen({ self: this }, function*() {
      const { cluster: { executor }, random } = this
      const end = executor.now + patience_ms
      const { epoch, replicas } = asked
      for (;;) {
        const answer = yield* this.ask("vr.group.ask", { tenant, epoch, replicas, force })
        this.note(`asks for ${replicas.join(", ")}: ${wordsOf(answer, ({ done, stage, waits }) => done ? "done" : `${stage}; ${waits}`)}`)
        if (answer !== null && Result.isSuccess(answer) && answer.success.done) return "done"
        if (answer !== null && isRefusal(answer)) return "refused"
        if (executor.now >= end) return "given up"
        yield* Effect.sleep(between(random, 50, 600))
      }
    })
  }

  private withdraw(tenant: string, { epoch, replicas }: Asked): Effect.Effect<boolean> {
    return Effect.map(this.ask("vr.group.withdraw", { tenant, epoch, replicas }), (answer) => {
      this.note(`withdraws ${replicas.join(", ")}: ${wordsOf(answer, ({ reason, withdrawn }) => withdrawn ? "done" : String(reason))}`)
      const isDone = answer !== null && Result.isSuccess(answer) && answer.success.withdrawn
      if (isDone) this.count("change withdrawn")
      return isDone
    })
  }

  private handOff(tenant: string, group: ReadonlyArray<string>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const to = this.random.next() < 0.5 ? null : placeOf(pick(this.random, group))
      const answer = yield* this.ask("vr.handoff", { tenant, to })
      this.note(`hands ${tenant} off: ${wordsOf(answer, ({ from, to }) => `from ${from} to ${to}`)}`)
      if (answer !== null && Result.isSuccess(answer)) this.count("hand-off")
    })
  }

  /**
   * Once the faults are over: those that still ask come to an end; what nobody asks for any more is taken back, or comes
   * about; and of all that is not in a group nothing is left.
   */
  settle(bound_ms: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { cluster, tenants } = this
      yield* cluster.until("changes of groups come to an end", bound_ms, Effect.sync(() =>
        this.underWay === 0 ? null : `${this.underWay} are under way`))
      for (const [tenant, id] of tenants.ids) {
        yield* cluster.until(`nothing is to become of ${tenant}`, bound_ms, Effect.suspend(() => this.conclude(tenant, id)))
        yield* cluster.until(`nothing is left of former replicas of ${tenant}`, bound_ms, Effect.suspend(() => this.clean(tenant, id)))
      }
    })
  }

  private conclude(tenant: string, id: string): Effect.Effect<string | null> {
    return Effect.gen({ self: this }, function*() {
      const [open] = this.tenants.groups.open(id)
      if (open === undefined) return null
      const { epoch, replicas } = open
      if (yield* this.withdraw(tenant, open)) open.isOver = true
      else yield* this.ask("vr.group.ask", { tenant, epoch, replicas, force: true })
      return `in epoch ${epoch}: ${replicas.join(", ")}`
    })
  }

  /** One that has left goes by itself; one that was to join is waited for until somebody says that it is not to. */
  private clean(tenant: string, id: string): Effect.Effect<string | null> {
    return Effect.gen({ self: this }, function*() {
      const [left] = this.tenants.groups.leftovers(id)
      if (left === undefined) return null
      if (!isLearner(left)) return `${left.id} has left`
      yield* this.forget(tenant, left.id)
      return `${left.id} was to join`
    })
  }

  /** Whoever is in a group, or may be soon, must not heed it. */
  private forget(tenant: string, id: string): Effect.Effect<void> {
    const { name: replica, node } = placeOf(id)
    return Effect.map(this.ask("vr.forget", { tenant, replica, node }), (answer) => {
      this.note(`forgets ${id}: ${wordsOf(answer, () => "done")}`)
      if (answer !== null && Result.isSuccess(answer)) this.count("learner forgotten")
    })
  }

  /** A node is gone for good: its replicas are to be elsewhere, or there are fewer. */
  replace(node: string, bound_ms: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { cluster, tenants } = this
      for (const tenant of tenants.ids.keys()) {
        const { replicas } = tenants.groupOf(tenant)
        if (!replicas.some((id) => placeOf(id).node === node)) continue
        yield* cluster.until(`${tenant} is off ${node}`, bound_ms, Effect.gen({ self: this }, function*() {
          const plan = yield* this.plan({ tenant, off: node })
          if (plan === null) return "there is no plan"
          const asked = tenants.groups.ask(plan.tenant, plan.epoch, plan.next)
          const ending = yield* this.see(tenant, asked, false, bound_ms)
          if (ending === "done") this.count("dead node replaced")
          return ending === "done" ? null : ending
        }))
      }
    })
  }

  /** Of any node that is up; null if there is none. */
  private ask<C extends CommandName>(command: C, args: Args<C>): Effect.Effect<Answer<C> | null> {
    return Effect.suspend(() => {
      const up = this.cluster.machines.filter(({ state }) => state === "up")
      return up.length === 0 ? Effect.succeed(null) : this.cluster.ask(pick(this.random, up), command, args)
    })
  }

  private note(line: string): void {
    this.cluster.note("operator", line)
  }
}

/** It will not be otherwise if it is asked for again. */
const isRefusal = (answer: Answer<CommandName>): boolean =>
  Result.isFailure(answer) && answer.failure._tag === "AdminError" && answer.failure.code !== "unavailable" &&
  answer.failure.code !== "timeout"

const wordsOf = <A>(answer: Result.Result<A, AskFailure> | null, words: (value: A) => string): string => {
  if (answer === null) return "no node is up"
  return Result.isSuccess(answer) ? words(answer.success) : `no: ${answer.failure.message}`
}
