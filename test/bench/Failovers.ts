/**
 * The gap that clients see when the leader's node is killed (`kill -9`) under writers without a pause. They rest while it is
 * started again and catches up: a machine with few cores has both to do otherwise, and the next kill would meet a cluster
 * that is not whole yet.
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
/** Of writing before each kill: programs are compiled, and connections have come to rest. */
const writing = "2 seconds"
/** Of nothing, once the killed node has caught up. */
const rest = "1 second"

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
  yield* generator.tell(`writers ${writers}`)
  yield* generator.hear("writing")
  yield* Effect.sleep(writing)
  const victim = yield* leaderOf(running)
  yield* generator.tell("watch")
  yield* generator.hear("watching")
  yield* servers[victim]!.kill
  yield* generator.tell("killed")
  const { gap_ms, writer_gap_ms } = yield* generator.hear("outage")
  yield* generator.tell("rest")
  yield* generator.hear("resting")
  yield* bringBack(running, victim, yield* leaderOf(running, victim))
  yield* Effect.sleep(rest)
  return { gap_ms, writer_gap_ms }
})

/** On one cluster, one after the other. */
export const runFailovers = (system: System, options: Options): Effect.Effect<ReadonlyArray<Gaps>, Trouble> =>
  withLines(system.name, ({ line }) =>
    Effect.scoped(Effect.gen(function*() {
      progress(`failovers, ${system.name}: starting a cluster`)
      const running = yield* system.start({ ...options, line })
      yield* fill(running, keys)
      const gaps: Array<Gaps> = []
      for (let count = 1; count <= options.failovers; count++) {
        progress(`failovers, ${system.name}: ${count} of ${options.failovers}`)
        gaps.push(yield* failover(running))
      }
      return gaps
    })))
