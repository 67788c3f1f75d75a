/**
 * The network in memory: the contract, and what only it has: no time passes in it, and a seed replays it.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scheduler from "effect/Scheduler"
import type * as Scope from "effect/Scope"
import { Limits } from "../../src/base/Limits.ts"
import { seeded } from "../../src/base/Random.ts"
import { type Duplex, Network } from "../../src/network/Network.ts"
import { networkContract } from "../contracts/Network.ts"

networkContract("memory", Network.layerMemory, "somewhere:0")

const inMemory = <A, E>(body: (network: Network["Service"]) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.scoped(Effect.flatMap(Network, body)).pipe(Effect.provide(Network.layerMemory))

/** Runs all fibers from one list, in an order that the seed decides. */
const runSeeded = (effect: Effect.Effect<void, unknown>, seed: number): void => {
  const random = seeded(seed)
  const ready: Array<() => void> = []
  const step = (): boolean => {
    const [task] = ready.splice(Math.floor(random.next() * ready.length), 1)
    task?.()
    return task !== undefined
  }
  const scheduler: Scheduler.Scheduler = {
    executionMode: "async",
    shouldYield: () => false,
    makeDispatcher: () => ({
      scheduleTask: (task) => void ready.push(task),
      flush: () => {
        while (step());
      }
    })
  }
  const fiber = Effect.runForkWith(Context.make(Scheduler.Scheduler, scheduler))(effect)
  while (step());
  assert.strictEqual(fiber.pollUnsafe()?._tag, "Success", "the program ended by itself, well")
}

/** Three clients talk to one server, which notes in which order it heard them. */
const conversation = (heard: Array<string>) =>
  inMemory((network) =>
    Effect.gen(function*() {
      const address = yield* network.listen("any string at all", (duplex) =>
        duplex.pull.pipe(
          Effect.tap((chunks) =>
            Effect.sync(() => heard.push(`${duplex.remote} ${chunks.flatMap((chunk) => [...chunk]).join()}`))),
          Effect.flatMap(duplex.write),
          Effect.forever,
          Effect.ignore
        ))
      yield* Effect.forEach([10, 20, 30], (first) =>
        Effect.gen(function*() {
          const duplex = yield* network.connect(address)
          for (let i = 0; i < 5; i++) {
            yield* duplex.write([Uint8Array.of(first + i)])
            yield* duplex.pull
          }
        }), { concurrency: "unbounded" })
    })
  )

describe("the network in memory", () => {
  it("is the same again with the same seed, and not with others", () => {
    const trace = (seed: number): string => {
      const heard: Array<string> = []
      runSeeded(conversation(heard), seed)
      assert.lengthOf(heard, 15)
      return heard.join("\n")
    }
    const seeds = Array.from({ length: 20 }, (_, seed) => seed)
    const traces = seeds.map(trace)
    assert.deepStrictEqual(seeds.map(trace), traces)
    assert.isAbove(new Set(traces).size, 1)
  })

  it.effect("buffers what its limit says, then the writer waits for the reader", () =>
    inMemory((network) =>
      Effect.gen(function*() {
        const accepted = yield* Queue.unbounded<Duplex>()
        const address = yield* network.listen("b", (duplex) =>
          Effect.andThen(Queue.offer(accepted, duplex), Effect.never))
        const client = yield* network.connect(address)
        const server = yield* Queue.take(accepted)
        yield* client.write([new Uint8Array(Limits.memory_pipe_bytes_max)])
        const waiting = yield* Effect.forkChild(client.write([Uint8Array.of(1)]), { startImmediately: true })
        yield* Effect.forEach([1, 2, 3, 4, 5], () => Effect.yieldNow)
        assert.isUndefined(waiting.pollUnsafe())
        yield* server.pull
        yield* Fiber.join(waiting)
      })
    ))

  it.effect("knows nobody at first", () =>
    inMemory((network) =>
      Effect.gen(function*() {
        assert.strictEqual((yield* Effect.flip(network.connect("b"))).message, "b: refused")
      })
    ))
})
