/**
 * One operating system process of the simulation: it has the fibers that were forked in it, its own clock and chance, and
 * can be stopped for a while (SIGSTOP) or for good (SIGKILL), between any two of its steps.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Scheduler from "effect/Scheduler"
import { type Random as Chance, seeded } from "../../../src/base/Random.ts"
import { dice } from "../Dice.ts"
import type { Executor } from "./Executor.ts"

interface Task {
  readonly number: number
  readonly run: () => void
}

/** When every run begins, in ms since 1970. */
export const epoch_ms = 1_800_000_000_000

export class Process implements Scheduler.Scheduler {
  readonly executionMode = "async"
  readonly name: string
  isDead = false
  isPaused = false
  /** How far the wall clock is off. */
  wall_offset_ms = 0
  private readonly executor: Executor
  private readonly quota: number
  private readonly apart: number
  private readonly woken: Chance
  private readonly context: Context.Context<never>
  private tasks: Array<Task> = []
  private head = 0
  private readonly atDeath = new Set<() => void>()

  /** `quota`: so many operations of Effect a fiber does in one go. `apart`: the chance that one that might go on at once does not. */
  constructor(executor: Executor, name: string, seed: number, quota: number, apart: number) {
    this.executor = executor
    this.name = name
    this.quota = quota
    this.apart = apart
    this.woken = dice(seed, "woken")
    const chance = seeded(seed)
    this.context = Context.make(Scheduler.Scheduler, this).pipe(
      Context.add(Clock.Clock, this.clock),
      Context.add(Random.Random, {
        nextDoubleUnsafe: () => chance.next(),
        nextIntUnsafe: () => Math.floor((chance.next() - 0.5) * 2 ** 53)
      }),
      Context.add(References.MinimumLogLevel, "All")
    )
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (fiber.currentOpCount >= this.quota) return true
    return this.apart > 0 && fiber.currentOpCount === 1 && this.woken.next() < this.apart
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return {
      scheduleTask: (task) => this.enqueue(task),
      flush: () => {
        throw new Error("nothing here may wait in place for fibers to get on")
      }
    }
  }

  /** Has it anything to do? */
  get isReady(): boolean {
    return !this.isPaused && this.head < this.tasks.length
  }

  /** The number of the task that waits longest. */
  get firstTask(): number {
    return this.tasks[this.head]!.number
  }

  enqueue(run: () => void): void {
    if (!this.isDead) this.tasks.push({ number: this.executor.nextTask(), run })
  }

  /** Runs one task: the oldest for 0, up to the newest for almost 1. */
  step(chance: number): void {
    const index = this.head + Math.floor(chance * (this.tasks.length - this.head))
    const task = this.tasks[index]!
    this.executor.mix(index - this.head)
    this.tasks[index] = this.tasks[this.head]!
    this.head++
    if (this.head === this.tasks.length) {
      this.tasks = []
      this.head = 0
    } else if (this.head > 1_024) {
      this.tasks.splice(0, this.head)
      this.head = 0
    }
    task.run()
  }

  /** Runs a program in this process; `onExit` hears of its end in the process `observer`, or of this one's death. */
  run<A, E>(program: Effect.Effect<A, E>, observer: Process, onExit: (exit: Exit.Exit<A, E> | null) => void): void {
    const died = () => observer.enqueue(() => onExit(null))
    if (this.isDead) return died()
    this.atDeath.add(died)
    this.enqueue(() => {
      Effect.runForkWith(this.context)(program).addObserver((exit) => {
        this.atDeath.delete(died)
        observer.enqueue(() => onExit(exit))
      })
    })
  }

  /** Not one more step: no finalizer runs, and whoever waits in it waits for ever. */
  kill(): void {
    if (this.isDead) return
    this.isDead = true
    this.tasks = []
    this.head = 0
    this.executor.forget(this)
    for (const died of this.atDeath) died()
    this.atDeath.clear()
  }

  /** Calls later, unless cancelled. As real timers do: whole milliseconds, one at least. */
  after(ms: number, run: () => void): () => void {
    const timer = this.executor.after(Math.max(1, Math.trunc(ms)), () => this.enqueue(run))
    return () => {
      timer.cancelled = true
    }
  }

  private readonly clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => Math.floor(epoch_ms + this.wall_offset_ms + this.executor.now),
    currentTimeMillis: Effect.sync(() => this.clock.currentTimeMillisUnsafe()),
    currentTimeNanosUnsafe: () => BigInt(this.clock.currentTimeMillisUnsafe()) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => this.clock.currentTimeNanosUnsafe()),
    monotonicTimeNanosUnsafe: () => BigInt(Math.round(this.executor.now * 1e6)),
    monotonicTimeNanos: Effect.sync(() => this.clock.monotonicTimeNanosUnsafe()),
    sleep: (duration) => {
      const ms = Duration.toMillis(duration)
      if (ms <= 0) return Effect.yieldNow
      if (!Number.isFinite(ms)) return Effect.never
      return Effect.callback<void>((resume) => {
        const cancel = this.after(ms, () => resume(Effect.void))
        return Effect.sync(cancel)
      })
    }
  }
}
