/**
 * Random trouble, from a seed: what the client says of every write must be true of the cluster.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import type { FakeCluster, FakeNode } from "./FakeServer.ts"
import { bytes, scenario, timeFlows } from "./Scenario.ts"

/** How many writes ended in which way, over all seeds. */
const seen = new Map<string, number>()
const workers = 20
const writes_each = 80

/** One piece of bad luck, and how long until the next. */
const trouble = (cluster: FakeCluster) =>
  Effect.gen(function*() {
    const node = cluster.nodes[yield* Random.nextIntBetween(0, 2)]!
    switch (yield* Random.nextIntBetween(0, 6)) {
      case 0:
        cluster.primary = null
        break
      case 1:
        cluster.primary = node.name
        break
      case 2:
        yield* cluster.cut(node)
        break
      case 3:
        loseAnswers(cluster, node)
        break
      case 4:
        yield* cluster.stop(node)
        break
      case 5:
        node.running.closeUnsafe()
        break
      case 6:
        for (const [id] of [...cluster.dev.sessions].slice(0, 1)) cluster.dev.sessions.delete(id)
        break
    }
    yield* Effect.sleep(yield* Random.nextIntBetween(10, 300))
    for (const other of cluster.nodes) {
      other.running.openUnsafe()
      if (other.scope === null) yield* cluster.start(other)
    }
    cluster.primary ??= node.name
    yield* Effect.sleep(yield* Random.nextIntBetween(10, 150))
  })

/** The next five writes are executed; then the connection ends with their answers. */
const loseAnswers = (cluster: FakeCluster, node: FakeNode): void => {
  let left = 5
  node.intercept = (message) => {
    if (message._tag !== "Write" || cluster.primary !== node.name) return undefined
    left -= 1
    const session = [...cluster.dev.sessions.keys()].at(-1) ?? 0
    cluster.dev.write(session, message.request, message.answered, message.operation)
    if (left > 0) return "ignore"
    node.intercept = () => undefined
    return "hang up"
  }
}

describe("random trouble", () => {
  for (let seed = 1; seed <= 15; seed++) {
    scenario(`seed ${seed}: what was acknowledged is there once, what was undone is not, what is in doubt at most once`, (
      cluster,
      tenant
    ) =>
      Effect.gen(function*() {
        yield* timeFlows
        yield* Effect.forEach(Array.from({ length: workers }), (_, i) => tenant.create(`/${i}`), { concurrency: workers })
        const fiber = yield* Effect.forkChild(Effect.forever(trouble(cluster)))
        const told = new Map<string, string>()
        yield* Effect.forEach(Array.from({ length: workers }), (_, worker) =>
          Effect.gen(function*() {
            for (let i = 0; i < writes_each; i++) {
              const text = `write ${worker} ${i}`
              const outcome = yield* Effect.match(tenant.put(`/${worker}`, bytes(text)), {
                onFailure: ({ _tag }) => _tag,
                onSuccess: () => "ok"
              })
              told.set(text, outcome)
              yield* Effect.sleep(yield* Random.nextIntBetween(1, 200))
            }
          }), { concurrency: workers })
        yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust(5_000)
        const executed = new Map<string, number>()
        for (const operation of cluster.dev.operations) {
          const text = /write \d+ \d+/.exec(new TextDecoder().decode(operation))?.[0] ?? ""
          executed.set(text, (executed.get(text) ?? 0) + 1)
        }
        for (const [text, outcome] of told) {
          const times = executed.get(text) ?? 0
          const fine = outcome === "ok" ? times === 1 : outcome === "Unavailable" ? times === 0
            : outcome === "Indeterminate" && times <= 1
          assert.isTrue(fine, `${text}: ${outcome}, executed ${times} times`)
        }
        const acknowledged = [...told.values()].filter((outcome) => outcome === "ok").length
        assert.isAbove(acknowledged, workers * writes_each / 2)
        for (const outcome of told.values()) seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
      }), { seed, deadline: "900 millis" })
  }

  it("was real trouble", () => {
    assert.sameMembers([...seen.keys()], ["ok", "Unavailable", "Indeterminate"])
  })
})
