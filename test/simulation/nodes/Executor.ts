/**
 * Runs whole Effect programs on one thread, with nothing of the platform beneath: whose turn it is comes from a seed, and
 * time passes only when nobody has anything to do. So a seed replays a run, and simulated hours take seconds.
 *
 * Nothing here waits for the event loop of Node, and neither does Effect: its fibers are plain calls of tasks that its
 * scheduler was given. (A promise inside a program would break that, and be noticed: nobody would be left to run.)
 *
 * @module
 */
import type { Random } from "../../../src/base/Random.ts"
import { Process } from "./Process.ts"

/**
 * Whose task is next: the one that waits longest; the oldest task of a process that is drawn (as processes of one
 * machine run); any task of a process that is drawn, which no runtime does, but what is right must not depend on that.
 */
export type Order = "fifo" | "by process" | "any"

export interface ExecutorOptions {
  readonly random: Random
  readonly order: Order
  /** Timers fire late by up to so much. */
  readonly late_ms: number
  /** Steps of the whole run, and within one moment: more is a program that does not come to rest. */
  readonly steps_max: number
  readonly moment_steps_max: number
}

/** Something that is to happen at a time, until it is cancelled. */
export interface Timer {
  readonly at: number
  readonly order: number
  readonly fire: () => void
  cancelled: boolean
}

/** The run itself went wrong: no process is to blame alone. */
export class Stuck extends Error {
  override readonly name = "Stuck"
}

export class Executor {
  readonly random: Random
  /** ms since the run began. */
  now = 0
  steps = 0
  private momentSteps = 0
  private readonly options: ExecutorOptions
  private readonly processes: Array<Process> = []
  private readonly timers: Array<Timer> = []
  private tasks = 0
  private timersEver = 0
  /** Folds all decisions: two runs that took the same ones have the same. */
  digest = 0x811c9dc5

  constructor(options: ExecutorOptions) {
    this.options = options
    this.random = options.random
  }

  process(name: string, seed: number, quota: number, apart = 0): Process {
    const process = new Process(this, name, seed, quota, apart)
    this.processes.push(process)
    return process
  }

  /** Numbers tasks, oldest first. */
  nextTask(): number {
    return ++this.tasks
  }

  forget(process: Process): void {
    const index = this.processes.indexOf(process)
    if (index >= 0) this.processes.splice(index, 1)
  }

  mix(value: number): void {
    this.digest = Math.imul(this.digest ^ value, 0x01000193)
  }

  /** In at least `ms`, and a little later by chance. */
  after(ms: number, fire: () => void): Timer {
    const at = this.now + ms + this.options.late_ms * this.random.next()
    const timer: Timer = { at, order: ++this.timersEver, fire, cancelled: false }
    this.push(timer)
    return timer
  }

  /** Runs until `isDone`. Throws {@link Stuck} if that cannot be, or does not come to pass. */
  runUntil(isDone: () => boolean): void {
    while (!isDone()) {
      if (this.steps >= this.options.steps_max) throw new Stuck(`not done after ${this.steps} steps`)
      if (this.momentSteps >= this.options.moment_steps_max) {
        throw new Stuck(`livelock: ${this.momentSteps} steps, and no time has passed. Busy: ${this.busy()}`)
      }
      if (this.step()) continue
      if (!this.passTime()) throw new Stuck("deadlock: nobody has anything to do, and nobody waits for a time")
    }
  }

  private busy(): string {
    return this.processes.filter(({ isReady }) => isReady).map(({ name }) => name).join(", ")
  }

  private step(): boolean {
    const process = this.next()
    if (process === undefined) return false
    this.steps++
    this.momentSteps++
    process.step(this.options.order === "any" ? this.random.next() : 0)
    return true
  }

  private next(): Process | undefined {
    if (this.options.order === "fifo") return this.oldest()
    let count = 0
    for (const process of this.processes) if (process.isReady) count++
    if (count === 0) return undefined
    let index = count === 1 ? 0 : Math.floor(this.random.next() * count)
    this.mix(index)
    for (const process of this.processes) if (process.isReady && index-- === 0) return process
    return undefined
  }

  private oldest(): Process | undefined {
    let best: Process | undefined
    for (const process of this.processes) {
      if (process.isReady && (best === undefined || process.firstTask < best.firstTask)) best = process
    }
    return best
  }

  /** To the next timer that still counts. */
  private passTime(): boolean {
    for (let timer = this.pop(); timer !== undefined; timer = this.pop()) {
      if (timer.cancelled) continue
      this.momentSteps = timer.at > this.now ? 0 : this.momentSteps + 1
      this.now = Math.max(this.now, timer.at)
      this.mix(Math.round(timer.at * 1_000) | 0)
      timer.fire()
      return true
    }
    return false
  }

  /** A binary heap: the earliest on top, and of equals the one that was set first. */
  private push(timer: Timer): void {
    const { timers } = this
    let index = timers.length
    timers.push(timer)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (isEarlier(timers[parent]!, timer)) break
      timers[index] = timers[parent]!
      index = parent
    }
    timers[index] = timer
  }

  private pop(): Timer | undefined {
    const { timers } = this
    const first = timers[0]
    const last = timers.pop()
    if (first === undefined || last === undefined || timers.length === 0) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= timers.length) break
      if (child + 1 < timers.length && isEarlier(timers[child + 1]!, timers[child]!)) child++
      if (isEarlier(last, timers[child]!)) break
      timers[index] = timers[child]!
      index = child
    }
    timers[index] = last
    return first
  }
}

const isEarlier = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
