/**
 * The nodes of a simulated cluster: each in a process of its own that can be started, stopped, and killed, with a disk
 * that outlives it. What they say is in one trace, in order.
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { type AdminIndeterminate, makeAdmin } from "../../../src/client/Admin.ts"
import type { Unavailable } from "../../../src/client/Errors.ts"
import { lastOp } from "../../../src/storage/JournalModel.ts"
import { Limits } from "../../../src/base/Limits.ts"
import { Network } from "../../../src/network/Network.ts"
import type { Config } from "../../../src/node/Config.ts"
import { Metrics } from "../../../src/node/Metrics.ts"
import type { MemoryDisk } from "../../../src/storage/MemoryDisk.ts"
import type { AdminError, Args, CommandName, Ok } from "../../../src/wire/AdminProtocol.ts"
import { configOf, layerOf, TestNode } from "../../node/TestNode.ts"
import type { Executor } from "./Executor.ts"
import { listenIn } from "./Gates.ts"
import type { Plan } from "./Plan.ts"
import type { Process } from "./Process.ts"
import type { Sockets } from "./Sockets.ts"

/** One computer with one node on it. */
export class Machine extends TestNode {
  state: "off" | "starting" | "up" | "stopping" = "off"
  process: Process | null = null
  /** Asks the node to end. */
  end: () => void = () => {}
  stopping_since_ms = 0
  private readonly onLine: (line: string) => void

  constructor(config: Config, onLine: (line: string) => void) {
    super(config)
    this.onLine = onLine
  }

  override say(line: string): void {
    this.onLine(line)
  }
}

/** Why an admin command did not do what it should. */
export type AskFailure = AdminError | Unavailable | AdminIndeterminate

export interface ClusterOptions {
  readonly executor: Executor
  readonly sockets: Sockets
  readonly plan: Plan
}

export class Cluster {
  readonly executor: Executor
  readonly sockets: Sockets
  readonly plan: Plan
  readonly machines: ReadonlyArray<Machine>
  /** Whoever runs the cluster: has a way to every node, always. */
  readonly operator: Process
  readonly trace: Array<string> = []
  /** Replicas that were heard by others, by the keys of their journals. */
  readonly spoken = new Set<string>()
  /** What must not be, and was. */
  failure: string | null = null
  private processes = 0
  /** Of nodes that have ended: how often they sent clients elsewhere. */
  private redirectsBefore = 0

  constructor({ executor, plan, sockets }: ClusterOptions) {
    this.executor = executor
    this.sockets = sockets
    this.plan = plan
    this.operator = this.process("operator")
    sockets.tap = (host, address) => address.endsWith(":2003") ? listenIn(this, host) : null
    this.machines = Array.from({ length: plan.nodes }, (_, index) => {
      const name = `n${index + 1}`
      const machine = new Machine(configOf(name, plan.timers), (line) => this.note(name, line))
      machine.write_ms = plan.write_ms
      return machine
    })
  }

  process(name: string): Process {
    return this.executor.process(name, this.plan.seed ^ (++this.processes << 16), this.plan.quota, this.plan.apart)
  }

  note(who: string, line: string): void {
    this.trace.push(`${this.executor.now.toFixed(3).padStart(10)} ${who.padEnd(8)} ${line}`)
    if (/^(?:Error|Fatal) /.test(line) || isSuspicious(line)) this.fail(`${who} says: ${line}`)
  }

  fail(message: string): void {
    this.failure ??= message
  }

  /** Starts the node of this machine, which comes up by itself after a while. */
  start(machine: Machine): void {
    const process = this.process(machine.name)
    machine.process = process
    machine.state = "starting"
    this.sockets.wires.turnOn(machine.name)
    const stop = Deferred.makeUnsafe<void>()
    machine.end = () => process.enqueue(() => Deferred.doneUnsafe(stop, Exit.void))
    const program = Effect.scoped(Effect.flatMap(
      Layer.build(layerOf(machine, this.sockets.at(machine.name, process))),
      (context) => {
        machine.state = "up"
        machine.metrics = Context.get(context, Metrics)
        return Deferred.await(stop)
      }
    ))
    process.run(program, this.operator, (exit) => {
      if (machine.process !== process) return
      if (exit !== null && (Exit.isFailure(exit) || machine.state !== "stopping")) {
        this.fail(`node ${machine.name} has ended by itself: ${String(exit)}`)
      }
      const took_ms = this.executor.now - machine.stopping_since_ms
      if (exit !== null && took_ms > Limits.exit_ms) this.fail(`node ${machine.name} took ${took_ms} ms to stop`)
      this.buried(machine, process, false)
    })
  }

  /** As SIGTERM: it ends by itself after a while. */
  stop(machine: Machine): void {
    this.note(machine.name, "— is told to stop")
    machine.state = "stopping"
    machine.stopping_since_ms = this.executor.now
    machine.end()
  }

  /** As SIGKILL; `silent`: the machine loses its power. */
  kill(machine: Machine, silent: boolean): void {
    this.note(machine.name, silent ? "— loses its power" : "— is killed")
    const { process } = machine
    if (process === null) return
    if (silent) this.sockets.wires.turnOff(machine.name)
    this.buried(machine, process, silent)
  }

  /** How often clients were sent elsewhere. */
  get redirects(): number {
    return this.machines.reduce((sum, { metrics }) => sum + (metrics?.client_redirects ?? 0), this.redirectsBefore)
  }

  /** While it is off: no log on its disk can be trusted any more. */
  garble(machine: Machine): void {
    this.note(machine.name, "— its logs are garbled")
    const { disk: { journals } } = machine
    for (const [key, stored] of journals) {
      // Of tenants in memory there is no log; and what was never started was never written to.
      if (lastOp(stored) === 0 || stored.head?.fresh === true) continue
      journals.set(key, { ...stored, doubt: "a record is damaged" })
    }
  }

  /** The disk keeps what was written; whatever the old process would still write is lost with it. */
  private buried(machine: Machine, process: Process, silent: boolean): void {
    this.redirectsBefore += machine.metrics?.client_redirects ?? 0
    machine.metrics = null
    machine.process = null
    machine.state = "off"
    machine.disk = copyOf(machine.disk)
    this.sockets.kill(process, silent)
  }

  /** An admin command, and what came of it. */
  ask<C extends CommandName>(machine: Machine, command: C, args: Args<C>): Effect.Effect<Result.Result<Ok<C>, AskFailure>> {
    return Effect.gen(function*() {
      const admin = yield* makeAdmin({ endpoints: [machine.config.admin_host], deadline: "3 seconds" })
      return yield* admin.call(command, args)
    }).pipe(
      Effect.scoped,
      Effect.provideService(Network, this.sockets.at("operator", this.operator)),
      Effect.result
    )
  }

  /** The same for a question: null if there is no answer. */
  get<C extends CommandName>(machine: Machine, command: C, args: Args<C>): Effect.Effect<Ok<C> | null> {
    if (machine.state !== "up") return Effect.succeed(null)
    return Effect.map(this.ask(machine, command, args), (result) => Result.isSuccess(result) ? result.success : null)
  }

  /** Asks again and again, while time passes; fails the run if the answer stays "no" for `bound_ms`. */
  until(what: string, bound_ms: number, probe: Effect.Effect<string | null>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const start = this.executor.now
      for (;;) {
        const missing = yield* probe
        if (missing === null) return
        if (this.executor.now - start > bound_ms) return this.fail(`not within ${bound_ms} ms: ${what}. ${missing}`)
        yield* Effect.sleep(100)
      }
    })
  }
}

/** Nobody sends anything that is no message, so that nobody may complain of one. */
const isSuspicious = (line: string): boolean =>
  line.startsWith("Warn ") && !/is being stopped|has not read for|no hello|not trust its own log: its log (?:is|was) damaged/.test(line)

const copyOf = (disk: MemoryDisk): MemoryDisk => ({ ...disk, locked: false, journals: new Map(disk.journals) })
