/**
 * The gap that clients see when the leader's node is killed (`kill -9`) under writers without a pause. It is started again,
 * and has caught up, before the next one is.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type { Trouble } from "../../src/devrel/Trouble.ts"
import type { Options } from "./Options.ts"
import type { Gaps } from "./Outage.ts"
import { keys } from "./Plan.ts"
import { progress } from "./Progress.ts"
import { fill, withLines } from "./Rounds.ts"
import { until } from "./Server.ts"
import { leaderOf, type Running, type System } from "./System.ts"

export const writers = 48
/** Of writing before each kill: programs are compiled, and sessions have come to rest. */
const settle = "2 seconds"

/** What was committed when it came back is what it must have before it counts as well again. */
const bringBack = Effect.fnUntraced(function*({ ready, servers, status }: Running, index: number, leader: number) {
  yield* servers[index]!.start(ready(index))
  let wanted = Infinity
  yield* until("the leader says what is committed", Effect.map(status(leader), ({ position }) => {
    wanted = position
    return true
  }))
  yield* until("the killed node has caught up", Effect.map(status(index), ({ position, serves }) => serves && position >= wanted))
})

const failover = Effect.fnUntraced(function*(running: Running) {
  const { generator, servers } = running
  yield* Effect.sleep(settle)
  const victim = yield* leaderOf(running)
  yield* generator.tell("watch")
  yield* generator.hear("watching")
  yield* servers[victim]!.kill
  yield* generator.tell("killed")
  const { gap_ms, writer_gap_ms } = yield* generator.hear("outage")
  yield* bringBack(running, victim, yield* leaderOf(running, victim))
  return { gap_ms, writer_gap_ms }
})

/** On one cluster, one after the other. */
export const runFailovers = (system: System, options: Options): Effect.Effect<ReadonlyArray<Gaps>, Trouble> =>
  withLines(system.name, ({ line }) =>
    Effect.scoped(Effect.gen(function*() {
      progress(`failovers, ${system.name}: starting a cluster`)
      const running = yield* system.start({ ...options, line })
      yield* fill(running, keys)
      yield* running.generator.tell(`writers ${writers}`)
      yield* running.generator.hear("writing")
      const gaps: Array<Gaps> = []
      for (let count = 1; count <= options.failovers; count++) {
        progress(`failovers, ${system.name}: ${count} of ${options.failovers}`)
        gaps.push(yield* failover(running))
      }
      yield* running.generator.tell("rest")
      yield* running.generator.hear("resting")
      return gaps
    })))
