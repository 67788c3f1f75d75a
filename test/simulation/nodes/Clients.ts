/**
 * Clients of a simulated cluster: the real library, each in a process of its own, asking at random of a few elements.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import type { Random } from "../../../src/base/Random.ts"
import { type TenantService, V2R2 } from "../../../src/client/index.ts"
import { Network } from "../../../src/network/Network.ts"
import { isWrite, type Operation } from "../../../src/store/Operation.ts"
import { dice } from "../Dice.ts"
import type { Calls } from "./Calls.ts"
import type { Cluster } from "./Cluster.ts"
import { drawOperation, type Known } from "./Operations.ts"
import type { ClientPlan } from "./Plan.ts"
import type { Process } from "./Process.ts"

/** Between two calls, once the faults are over. */
const relaxed_ms = 600

/** From so long after all has become well, no call may end without an answer. */
const patience_ms = 4_000
/** A call that may take less is too hasty for that: a new primary takes longer. */
const hasty_ms = 1_000

/** Timers are whole milliseconds and may be late: so much later a call may end than it was told to. */
const lateness_ms = 20

export class Client {
  readonly plan: ClientPlan
  /** Calls that were answered so far, and sessions that it has got. */
  answered = 0
  entered = 0
  /** Takes its time between calls: who catches up must be faster than those who write. */
  isRelaxed = false
  /** Since when nothing is wrong any more. */
  well_since_ms: number | null = null
  isOver = false
  process: Process | null = null
  private readonly cluster: Cluster
  private readonly calls: Calls
  private readonly random: Random
  private lives = 0
  private writes = 0
  private isTired = false
  private close: () => void = () => {}

  constructor(cluster: Cluster, calls: Calls, plan: ClientPlan) {
    this.cluster = cluster
    this.calls = calls
    this.plan = plan
    this.random = dice(cluster.plan.seed, plan.name)
  }

  start(): void {
    const { name } = this.plan
    const process = this.cluster.process(name)
    this.process = process
    this.lives++
    this.entered = 0
    const closing = Deferred.makeUnsafe<void>()
    this.close = () => process.enqueue(() => Deferred.doneUnsafe(closing, Exit.void))
    const program = Effect.scoped(Effect.andThen(this.work(process), Deferred.await(closing))).pipe(
      Effect.provide(Logger.layer([Logger.make(({ cause, logLevel, message }) =>
        this.cluster.note(name, [logLevel, message, cause.reasons.length > 0 ? String(cause) : ""].join(" ")))]))
    )
    process.run(program, this.cluster.operator, (exit) => {
      if (this.process !== process) return
      this.isOver = true
      if (exit !== null && Exit.isFailure(exit)) this.cluster.fail(`client ${name} died: ${String(exit.cause)}`)
      this.cluster.sockets.kill(process, false)
    })
  }

  /** As SIGKILL: nobody will know what came of its calls. */
  kill(): void {
    const { process } = this
    this.process = null
    if (process !== null) this.cluster.sockets.kill(process, false)
  }

  /** No new calls. */
  rest(): void {
    this.isTired = true
  }

  /** Ends the library's scope once all calls have ended. */
  leave(): void {
    this.rest()
    this.close()
  }

  private work(process: Process): Effect.Effect<void, never, Scope.Scope> {
    const { deadline_ms, endpoints, name, tenants } = this.plan
    const { machines, sockets } = this.cluster
    const layer = V2R2.layer({
      endpoints: endpoints.map((index) => machines[index]!.config.client_host),
      deadline: deadline_ms
    })
    return Effect.gen({ self: this }, function*() {
      const context = yield* Layer.build(Layer.provide(layer, Layer.succeed(Network, sockets.at(name, process))))
      const v2r2 = Context.get(context, V2R2)
      yield* Effect.forEach(tenants, (tenant) => this.visit(v2r2, tenant), { concurrency: "unbounded", discard: true })
    })
  }

  /** Enters a tenant, which may not be there yet, and works in it. */
  private visit(v2r2: V2R2["Service"], tenant: string): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      while (!this.isTired) {
        const start = this.cluster.executor.now
        const exit = yield* Effect.exit(v2r2.tenant(tenant))
        this.checkDeadline(`entering ${tenant}`, start)
        if (Exit.isSuccess(exit)) {
          this.note(`is in ${tenant}`)
          this.entered++
          const known: Known = new Map()
          const workers = Array.from({ length: this.plan.width }, () => this.ask(exit.value, tenant, known))
          return yield* Effect.all(workers, { concurrency: "unbounded", discard: true })
        }
        this.note(`cannot enter ${tenant}: ${String(exit.cause)}`)
        yield* Effect.sleep(100 + 200 * this.random.next())
      }
    })
  }

  private ask(service: TenantService, tenant: string, known: Known): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      while (!this.isTired) {
        yield* Effect.sleep((this.isRelaxed ? relaxed_ms : this.plan.think_ms) * 2 * this.random.next() ** 2)
        const tag = `${this.plan.name}.${this.lives}-${++this.writes}`
        yield* this.call(service, tenant, drawOperation(this.random, known, tag), known)
      }
    })
  }

  /** One call, noted. */
  private call(service: TenantService, tenant: string, operation: Operation, known: Known): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const start = this.cluster.executor.now
      const recorded = this.calls.begin(tenant, `${this.plan.name}.${this.lives}`, operation)
      const answer = yield* Effect.exit(isWrite(operation) ? service.write(operation) : service.read(operation))
      const bug = this.calls.end(recorded, answer)
      this.note(`${tenant} ${operation._tag} ${operation.path}: ${
        Exit.isSuccess(answer) ? JSON.stringify({ ...answer.value, data: undefined }) : recorded.outcome}`)
      if (bug !== null) this.cluster.fail(`a call of ${this.plan.name} died: ${bug}`)
      this.checkDeadline(`${operation._tag} ${operation.path}`, start)
      if (Exit.isFailure(answer)) return this.checkPatience(`${operation._tag} ${operation.path}`, String(answer.cause))
      this.answered++
      if ("version" in answer.value) known.set(operation.path, answer.value.version)
    })
  }

  /** Every call ends in time, whatever happens. */
  private checkDeadline(what: string, start: number): void {
    const took_ms = this.cluster.executor.now - start
    if (took_ms <= this.plan.deadline_ms + lateness_ms) return
    this.cluster.fail(`${what} of ${this.plan.name} took ${took_ms.toFixed(1)} ms: ${this.plan.deadline_ms} are allowed`)
  }

  /** Once all is well, every call is answered. */
  private checkPatience(what: string, failure: string): void {
    const well_ms = this.cluster.executor.now - (this.well_since_ms ?? Infinity)
    if (this.plan.deadline_ms < hasty_ms || well_ms < patience_ms) return
    // Where few sessions are kept, they push each other out.
    if (/forgotten the session/.test(failure)) return
    this.cluster.fail(`all has been well for ${well_ms.toFixed(0)} ms, yet ${what} of ${this.plan.name}: ${failure}`)
  }

  private note(line: string): void {
    this.cluster.note(this.plan.name, line)
  }
}
