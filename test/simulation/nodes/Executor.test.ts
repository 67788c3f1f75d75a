/**
 * The executor: order from a seed, time that passes by itself, processes that stop and die, and runs that cannot end.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import { seeded } from "../../../src/base/Random.ts"
import { Executor, type ExecutorOptions, Stuck } from "./Executor.ts"
import type { Process } from "./Process.ts"

const executorOf = (seed: number, options: Partial<ExecutorOptions> = {}): Executor =>
  new Executor({ random: seeded(seed), order: "any", late_ms: 0, steps_max: 10_000, moment_steps_max: 1_000, ...options })

/** Runs one program to its end; the value that it succeeds with. */
const runIn = <A>(executor: Executor, process: Process, program: Effect.Effect<A>): A | null => {
  const end: { value: A | null; isOver: boolean } = { value: null, isOver: false }
  process.run(program, process, (exit) => {
    end.isOver = true
    if (exit?._tag === "Success") end.value = exit.value
  })
  executor.runUntil(() => end.isOver)
  return end.value
}

const stuckBy = (run: () => void): string => {
  try {
    run()
  } catch (cause) {
    if (cause instanceof Stuck) return cause.message
    throw cause
  }
  return "it ended"
}

describe("the executor", () => {
  it("lets time pass only while nobody has anything to do, and none of ours", () => {
    const executor = executorOf(1)
    const process = executor.process("p", 1, 100)
    const woken: Array<string> = []
    const nap = (ms: number) => Effect.andThen(Effect.sleep(ms), Effect.sync(() => woken.push(`${ms} at ${executor.now}`)))
    runIn(executor, process, Effect.all([nap(3_600_000), nap(20), nap(1)], { concurrency: "unbounded" }))
    assert.deepStrictEqual(woken, ["1 at 1", "20 at 20", "3600000 at 3600000"])
  })

  it("draws the order of tasks from the seed, unless the oldest is to be first", () => {
    const orderOf = (seed: number, order: ExecutorOptions["order"]): string => {
      const executor = executorOf(seed, { order })
      const log: Array<number> = []
      const tasks = Array.from({ length: 8 }, (_, index) => Effect.sync(() => log.push(index)))
      runIn(executor, executor.process("p", 1, 100), Effect.forEach(tasks, (task) => task, { concurrency: "unbounded" }).pipe(
        Effect.andThen(Effect.forEach(tasks, (task) => Effect.forkChild(Effect.andThen(Effect.yieldNow, task)))),
        Effect.andThen(Effect.sleep(1))
      ))
      return log.slice(8).join("")
    }
    assert.strictEqual(orderOf(1, "fifo"), "01234567")
    assert.strictEqual(orderOf(2, "by process"), "01234567")
    assert.strictEqual(orderOf(3, "any"), orderOf(3, "any"))
    assert.isAbove(new Set([1, 2, 3, 4, 5].map((seed) => orderOf(seed, "any"))).size, 3)
  })

  it("lets others go before a fiber that might go on at once, as often as it was told", () => {
    const atOnceOf = (apart: number): number => {
      const executor = executorOf(1)
      let atOnce = 0
      const program = Effect.gen(function*() {
        for (let i = 0; i < 100; i++) {
          const latch = Latch.makeUnsafe(false)
          let went = false
          yield* Effect.forkChild(Effect.andThen(latch.await, Effect.sync(() => void (went = true))), { startImmediately: true })
          yield* Effect.yieldNow
          latch.openUnsafe()
          if (went) atOnce++
          yield* Effect.yieldNow
        }
      })
      runIn(executor, executor.process("p", 1, 100, apart), program)
      return atOnce
    }
    assert.strictEqual(atOnceOf(0), 100)
    assert.isTrue(atOnceOf(0.5) > 20 && atOnceOf(0.5) < 80)
    assert.strictEqual(atOnceOf(0.5), atOnceOf(0.5))
  })

  it("says so when nobody can go on: a wake-up that was lost", () => {
    const executor = executorOf(1)
    const waiting = Latch.makeUnsafe(false).await
    assert.match(stuckBy(() => runIn(executor, executor.process("p", 1, 100), waiting)), /^deadlock/)
  })

  it("says so when two wait for room in each other's queues", () => {
    const executor = executorOf(1)
    const program = Effect.gen(function*() {
      const [there, back] = [yield* Queue.bounded<number>(1), yield* Queue.bounded<number>(1)]
      const echo = Effect.forever(Effect.flatMap(Queue.take(there), (value) => Queue.offerAll(back, [value, value])))
      yield* Effect.forkChild(echo)
      for (let i = 0; i < 10; i++) yield* Queue.offer(there, i)
    })
    assert.match(stuckBy(() => runIn(executor, executor.process("p", 1, 100), program)), /^deadlock/)
  })

  it("says so, and who, when a program does not come to rest", () => {
    const executor = executorOf(1)
    const busy = Effect.forever(Effect.yieldNow)
    assert.match(stuckBy(() => runIn(executor, executor.process("the busy one", 1, 100), busy)), /^livelock.*the busy one/)
    const slow = executorOf(1)
    const endless = Effect.forever(Effect.sleep(1))
    assert.match(stuckBy(() => runIn(slow, slow.process("p", 1, 100), endless)), /^not done after 10000 steps/)
  })
})

describe("a process", () => {
  it("that is killed does not one thing more, and whoever waits for it is told", () => {
    const executor = executorOf(1)
    const [one, other] = [executor.process("one", 1, 100), executor.process("other", 2, 100)]
    const log: Array<string> = []
    const work = Effect.forever(Effect.andThen(Effect.sleep(10), Effect.sync(() => log.push(`${executor.now}`)))).pipe(
      Effect.ensuring(Effect.sync(() => log.push("finalizer")))
    )
    let told: unknown = "nothing"
    one.run(work, other, (exit) => {
      told = exit
    })
    executor.after(35, () => one.kill())
    runIn(executor, other, Effect.sleep(200))
    assert.deepStrictEqual(log, ["10", "20", "30"])
    assert.isNull(told)
  })

  it("that is paused goes on later, with what was due meanwhile", () => {
    const executor = executorOf(1)
    const process = executor.process("p", 1, 100)
    const log: Array<number> = []
    const work = Effect.forEach([10, 20, 300], (ms) => Effect.andThen(Effect.sleep(ms), Effect.sync(() => log.push(executor.now))))
    executor.after(5, () => {
      process.isPaused = true
    })
    executor.after(100, () => {
      process.isPaused = false
    })
    runIn(executor, process, work)
    assert.deepStrictEqual(log, [100, 120, 420])
  })
})
