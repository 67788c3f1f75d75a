/**
 * The sockets of the simulation: what they carry in good weather, and what becomes of it in bad.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { concat } from "../../../src/base/Bytes.ts"
import { seeded } from "../../../src/base/Random.ts"
import type { Duplex } from "../../../src/network/Network.ts"
import { Executor } from "./Executor.ts"
import type { Process } from "./Process.ts"
import { Sockets } from "./Sockets.ts"
import { Wires } from "./Wires.ts"

/** Two hosts: b listens at `b:1`, a is where the test runs. */
class Pair {
  readonly executor: Executor
  readonly sockets: Sockets
  readonly a: Process
  readonly b: Process
  /** What b has read, and how that ended. */
  heard = ""
  ended = ""

  constructor(seed: number, pipe_bytes_max = 1_000) {
    const random = seeded(seed)
    this.executor = new Executor({ random, order: "any", late_ms: 0, steps_max: 100_000, moment_steps_max: 10_000 })
    const wires = new Wires(random, { latency_ms: [1, 5], split_chance: 0.3 })
    this.sockets = new Sockets(this.executor, wires, pipe_bytes_max)
    this.a = this.executor.process("a", 1, 100)
    this.b = this.executor.process("b", 2, 100)
  }

  /** b reads, slowly or at once, and says "!" first. */
  listen(slowly_ms: number): void {
    const serve = (duplex: Duplex): Effect.Effect<void> =>
      duplex.write([new TextEncoder().encode("!")]).pipe(
        Effect.andThen(Effect.forever(Effect.andThen(
          Effect.sleep(slowly_ms),
          Effect.map(duplex.pull, (chunks) => {
            this.heard += new TextDecoder().decode(concat(chunks))
          })
        ))),
        Effect.catch(({ reason }) => Effect.sync(() => {
          this.ended = reason
        }))
      )
    const listening = Effect.andThen(this.sockets.at("b", this.b).listen("b:1", serve), Effect.never)
    this.b.run(Effect.scoped(Effect.ignore(listening)), this.a, () => {})
  }

  readonly connect = Effect.suspend(() => this.sockets.at("a", this.a).connect("b:1"))
}

/** Runs the test in process a. */
const story = (
  name: string,
  test: (pair: Pair) => Effect.Effect<void, unknown, Scope.Scope>,
  { pipe_bytes_max, slowly_ms = 0 }: { readonly pipe_bytes_max?: number; readonly slowly_ms?: number } = {}
) =>
  it(name, () => {
    for (let seed = 1; seed <= 20; seed++) {
      const pair = new Pair(seed, pipe_bytes_max)
      pair.listen(slowly_ms)
      let failure: string | null = "it has not ended"
      pair.a.run(Effect.scoped(Effect.andThen(Effect.sleep(1), test(pair))), pair.a, (exit) => {
        failure = exit === null || Exit.isSuccess(exit) ? null : `seed ${seed}: ${String(exit.cause)}`
      })
      pair.executor.runUntil(() => failure !== "it has not ended")
      assert.isNull(failure)
    }
  })

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const words = Array.from({ length: 30 }, (_, index) => `word ${index} `)
const reasonOf = <A>(effect: Effect.Effect<A, { readonly reason: string }, Scope.Scope>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

describe("a connection", () => {
  story("carries everything, in order, however it is cut; the end comes last", (pair) =>
    Effect.gen(function*() {
      yield* Effect.scoped(Effect.flatMap(pair.connect, ({ write }) => Effect.forEach(words, (word) => write([bytes(word)]))))
      yield* Effect.sleep(100)
      assert.strictEqual(pair.heard, words.join(""))
      assert.strictEqual(pair.ended, "closed by the other side")
      assert.strictEqual(pair.sockets.size, 0)
    }))

  story("lets the writer wait for a reader that is slow", (pair) =>
    Effect.gen(function*() {
      const { write } = yield* pair.connect
      const start = pair.executor.now
      for (const word of words) yield* write([bytes(word)])
      assert.isAbove(pair.executor.now - start, 300)
      yield* Effect.sleep(1_000)
      assert.strictEqual(pair.heard, words.join(""))
    }), { pipe_bytes_max: 20, slowly_ms: 50 })

  story("to a side that has left is reset with the first byte", (pair) =>
    Effect.gen(function*() {
      const { pull, write } = yield* pair.connect
      yield* pull
      pair.sockets.kill(pair.b, false)
      yield* Effect.sleep(20)
      assert.match(yield* reasonOf(pull), /reset|closed by the other side/)
      assert.strictEqual(yield* reasonOf(pair.connect), "refused")
      yield* Effect.ignore(write([bytes("nobody hears this")]))
      yield* Effect.sleep(20)
      assert.match(yield* reasonOf(write([bytes("nor this")])), /reset|closed by the other side/)
    }))
})

describe("in bad weather", () => {
  story("what is held up arrives later, and nobody is told; new connections time out", (pair) =>
    Effect.gen(function*() {
      const { wires } = pair.sockets
      const { write } = yield* pair.connect
      wires.hold("a", "b")
      wires.hold("a", "b")
      yield* write([bytes("late")])
      const start = pair.executor.now
      assert.strictEqual(yield* reasonOf(pair.connect), "timed out")
      assert.isAtLeast(pair.executor.now - start, 2_000)
      wires.release("a", "b")
      yield* Effect.sleep(1_000)
      assert.strictEqual(pair.heard, "")
      wires.release("a", "b")
      yield* Effect.sleep(10)
      assert.strictEqual(pair.heard, "late")
    }))

  story("a reset ends both sides, at a byte anywhere", (pair) =>
    Effect.gen(function*() {
      const { pull, write } = yield* pair.connect
      for (const word of words) yield* write([bytes(word)])
      assert.strictEqual(pair.sockets.reset((a, b) => a === "a" && b === "b"), 1)
      yield* Effect.sleep(100)
      assert.isTrue(words.join("").startsWith(pair.heard))
      assert.strictEqual(pair.ended, "reset")
      assert.strictEqual(yield* reasonOf(Effect.andThen(pull, pull)), "reset")
    }))

  story("of a machine without power nobody hears anything, until its kernel is back", (pair) =>
    Effect.gen(function*() {
      const { pull, write } = yield* pair.connect
      yield* pull
      pair.sockets.wires.turnOff("b")
      pair.sockets.kill(pair.b, true)
      yield* write([bytes("hello?")])
      assert.strictEqual(yield* reasonOf(pair.connect), "timed out")
      const start = pair.executor.now
      pair.executor.after(500, () => pair.sockets.wires.turnOn("b"))
      assert.strictEqual(yield* reasonOf(pull), "reset")
      assert.isAtLeast(pair.executor.now - start, 500)
    }))
})
