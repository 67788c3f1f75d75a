/**
 * A schedule, executed event by event: faults and load for a while, then the faults end, or those of a quorum do, and
 * the group must serve, converge, and have told its clients a story that is linearizable.
 *
 * @module
 */
import { countOf } from "../../src/vr/Message.ts"
import { InvariantViolation } from "../../src/base/Invariant.ts"
import { Limits } from "../../src/base/Limits.ts"
import { isMember } from "../../src/vr/Configuration.ts"
import type { ReplicaId, View } from "../../src/vr/Message.ts"
import { holds, Violation } from "./checkers/Check.ts"
import type { Counts, Restarts } from "./Coverage.ts"
import { isSlow, relent } from "./Ending.ts"
import { type FaultName, faults } from "./faults/all.ts"
import { checkLinearizable } from "./linearizability/Linearizability.ts"
import type { Process } from "./Process.ts"
import type { FaultEvent, Schedule } from "./Schedule.ts"
import { Simulation } from "./Simulation.ts"
import { squeeze } from "./Squeeze.ts"
import { stores } from "./StoreData.ts"
import { StoreLoad } from "./StoreLoad.ts"

/** How long a healed group may take, in ms of simulated time: views are lost with a back-off of up to 32. */
const convergence_ms = 120_000
/** The same over a slow network, which takes hundreds of round trips to agree on how slow it is. */
const slow_convergence_ms = 600_000
/** After the end of the faults, what was asked before may still be heeded: by one whose disk was slow. */
const late_ms = 3_000
/** How often changes that are in no log are withdrawn. */
const withdraw_ms = 500
/** In units of `view_change_ms`: longer than any patience, with its back-off. */
const steady_time_outs = 70

/** A configuration takes as long as there are calls of unknown outcome; where there are a thousand, nothing is decided anyway. */
const configurationsMax = (open: number): number => Math.min(50_000, Math.ceil(5_000_000 / (1 + open)))

export interface Failure {
  /** What was broken, in the same words each time. */
  readonly rule: string
  readonly message: string
  readonly at_ms: number
  /** The replica that took the last step, and its number. */
  readonly replica: ReplicaId | null
  readonly step: number
  readonly cause: unknown
}

export interface RunReport {
  readonly replicas: number
  readonly durability: Schedule["durability"]
  readonly steps: number
  readonly committed: number
  readonly epochs: number
  readonly views: number
  readonly sessionsLost: number
  /** Answered and not. */
  readonly calls: number
  readonly unanswered: number
  readonly undecided: number
  readonly faults: Readonly<Partial<Record<FaultName, number>>>
  readonly messages: Simulation["network"]["counts"]
  readonly coverage: Counts
  readonly restarts: Restarts
  readonly simulated_ms: number
  /** From the end of the faults until a client was answered. */
  readonly served_ms: number
}

export class SimulationFailure extends Error {
  override readonly name = "SimulationFailure"
  readonly failure: Failure

  constructor(failure: Failure, where: string) {
    super(`${failure.message} [at ${failure.at_ms.toFixed(0)} ms, step ${failure.step}]\n${where}`, { cause: failure.cause })
    this.failure = failure
  }
}

export class Execution {
  readonly sim: Simulation
  phase: "faults" | "serving" | "converging" | "done" = "faults"
  failure: Failure | null = null
  private readonly schedule: Schedule
  private readonly load: StoreLoad
  private readonly struck: Partial<Record<FaultName, number>> = {}
  private readonly release: () => void
  private healthy: ReadonlyArray<Process> = []
  /** Of the phase. */
  private deadline_ms = 0
  /** For each client, how much was answered when the faults ended. */
  private answeredBefore: ReadonlyArray<number> = []
  private served_ms = 0
  /** The view that all converged in. */
  private steadyView: View | null = null
  private undecided = 0

  constructor(schedule: Schedule, { keepTrace = false }: { readonly keepTrace?: boolean } = {}) {
    this.schedule = schedule
    this.release = squeeze(schedule.limits)
    this.sim = Simulation.start({
      replicas: schedule.replicas,
      seed: schedule.seed,
      timers: schedule.timers,
      weather: schedule.weather,
      lease_ms: schedule.lease * schedule.timers.view_change_ms,
      tick_ms: schedule.tick_ms,
      durability: schedule.durability,
      disk_ms: schedule.disk_ms,
      turn_ms: schedule.turn_ms,
      retry_ms: schedule.retry_ms,
      sessionsMax: schedule.sessions_max,
      inboxMax: schedule.inbox_max,
      workload: stores,
      keepTrace
    })
    this.load = new StoreLoad(this.sim, schedule)
    this.strikeNext(schedule.faults, 0)
  }

  /** Gives back the bounds, which are global: at most one execution may be open. */
  close(): void {
    this.release()
  }

  /** Runs the next event. False when it is over, or has failed. */
  advance(): boolean {
    if (this.phase === "done" || this.failure !== null) return false
    try {
      this.next()
    } catch (cause) {
      this.failure = this.failureOf(cause)
      return false
    }
    return true
  }

  /** Runs to the end. */
  finish(): RunReport {
    while (this.advance());
    if (this.failure !== null) throw new SimulationFailure(this.failure, this.sim.summary())
    return this.report
  }

  get report(): RunReport {
    const { history, network, processes, steps } = this.sim
    return {
      replicas: processes.length,
      durability: this.schedule.durability,
      steps,
      committed: history.op,
      epochs: this.sim.configuration.epoch,
      views: Math.max(...processes.map((process) => countOf(process.journal.head.view))),
      sessionsLost: this.sim.clients.reduce((sum, one) => sum + one.sessionsLost, 0),
      calls: this.load.calls.length,
      unanswered: this.open,
      undecided: this.undecided,
      faults: this.struck,
      messages: network.counts,
      coverage: this.sim.coverage.counts,
      restarts: this.sim.coverage.restarts,
      simulated_ms: this.sim.events.now,
      served_ms: this.served_ms
    }
  }

  private strikeNext([event, ...later]: ReadonlyArray<FaultEvent>, since_ms: number): void {
    if (event === undefined) return
    const at = since_ms + this.schedule.pace_ms * 2 * event.after / 1_000
    if (at >= this.schedule.faults_ms) return
    this.sim.events.at(at, () => {
      this.sim.trace.note(at, "nemesis", event.fault)
      if (faults[event.fault].strike(this.sim, event)) this.struck[event.fault] = (this.struck[event.fault] ?? 0) + 1
      this.strikeNext(later, at)
    })
  }

  private next(): void {
    const { events } = this.sim
    switch (this.phase) {
      case "faults":
        if (events.nextAt <= this.schedule.faults_ms) return void events.runNext()
        events.now = this.schedule.faults_ms
        return this.serve()
      case "serving":
        if (this.hasServed) return this.converge()
        break
      case "converging":
        if (this.steadyView === null && this.isSettled) this.settle()
        if (this.steadyView === null) break
        holds(this.members.every(({ view }) => view === this.steadyView), "the group", "stays in a view while its quorum is well")
        if (events.nextAt > this.deadline_ms) return this.end()
        break
      case "done":
        return
    }
    holds(events.nextAt <= this.deadline_ms, "the group", `goes on once the faults are over (${this.phase})`)
    events.runNext()
  }

  private serve(): void {
    this.healthy = relent(this.sim, this.schedule)
    this.withdraw()
    this.answeredBefore = this.sim.clients.map(({ answered }) => answered)
    this.enter("serving")
  }

  private withdraw(): void {
    this.sim.withdraw()
    if (this.steadyView === null) this.sim.events.after(withdraw_ms, () => this.withdraw())
  }

  private converge(): void {
    this.load.isOver = true
    this.enter("converging")
  }

  private enter(phase: "serving" | "converging"): void {
    this.phase = phase
    const usual_ms = isSlow(this.schedule) ? slow_convergence_ms + this.slowTransfer_ms : convergence_ms
    this.deadline_ms = this.sim.events.now + usual_ms + this.drain_ms
  }

  /** Until all calls are answered, if the rest is turned away each time that one pipeline is full: it may be that small. */
  private get drain_ms(): number {
    return this.open * this.schedule.retry_ms / Limits.pipeline_ops_max
  }

  /** Of the whole log over a slow network, with a round trip (below 3 time-outs) for each operation: chunks may be that small. */
  private get slowTransfer_ms(): number {
    return this.sim.history.op * 3 * this.schedule.timers.view_change_ms
  }

  /** All agree. Those that stay broken, and still speak, must not disturb them (F15): for longer than anybody's patience. */
  private settle(): void {
    this.steadyView = this.members[0]!.view
    const steady_ms = this.isDisturbed ? steady_time_outs * this.schedule.timers.view_change_ms : 0
    this.deadline_ms = this.sim.events.now + steady_ms
  }

  private get isDisturbed(): boolean {
    return !isSlow(this.schedule) && this.sim.processes.some((one) => one.isUp && !one.paused && !this.healthy.includes(one))
  }

  private end(): void {
    const verdict = checkLinearizable(this.load.calls, { configurations_max: configurationsMax(this.open) })
    if (verdict._tag === "Undecided") this.undecided++
    if (verdict._tag === "NotLinearizable") {
      throw new Violation("clients", "what they were told is linearizable", `${verdict.partition}: ${verdict.explanation}`)
    }
    this.phase = "done"
  }

  private get open(): number {
    return this.load.calls.filter(({ returned }) => returned === null).length
  }

  /** One client got many answers since the faults ended, and everybody one. */
  private get hasServed(): boolean {
    const { clients, events } = this.sim
    const since = clients.map(({ answered }, i) => answered - this.answeredBefore[i]!)
    const isAnswered = since.some((answers) => answers > 0)
    if (this.served_ms === 0 && isAnswered) this.served_ms = events.now - this.schedule.faults_ms
    return since.every((answers, i) => answers >= (i === 0 ? 30 : 1))
  }

  /** Nobody waits for an answer, and all who must have the same. */
  private get isSettled(): boolean {
    const { clients, events, isChanging, processes } = this.sim
    if (this.isDisturbed && events.now < this.schedule.faults_ms + late_ms) return false
    if (clients.some(({ outstanding }) => outstanding > 0) || isChanging || !this.sim.haveConverged(this.members)) return false
    return processes.every((process) => !process.isUp || !this.healthy.includes(process) || !this.waitsForItsEnd(process))
  }

  /** Leaving, though a quorum of its successors could tell it that it is not needed. */
  private waitsForItsEnd({ replica: { configuration, state } }: Process): boolean {
    if (state._tag !== "Leaving" || state.isRetired) return false
    return this.healthy.filter(({ id }) => isMember(configuration, id)).length >= configuration.quorum
  }

  /** Of those that must go on: who is in the group now. */
  private get members(): ReadonlyArray<Process> {
    return this.healthy.filter(({ id }) => isMember(this.sim.configuration, id))
  }

  private failureOf(cause: unknown): Failure {
    const { events, steps } = this.sim
    const known = cause instanceof Violation || cause instanceof InvariantViolation
    const message = cause instanceof Error ? cause.message : String(cause)
    return {
      rule: cause instanceof Violation ? cause.rule : known ? message.replace(/ [({].*$/s, "") : "an error that nobody expected",
      message: known ? message : cause instanceof Error ? cause.stack ?? message : message,
      at_ms: events.now,
      replica: this.sim.lastStepped,
      step: steps,
      cause
    }
  }
}
