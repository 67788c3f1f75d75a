/**
 * The works of all systems, in turn: one round of the first, one of the second, and so on, and again. Each round has a
 * fresh cluster and a fresh generator, so that none depends on what came before.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { Trouble } from "../../src/devrel/Trouble.ts"
import type { Load } from "./Generator.ts"
import type { Options } from "./Options.ts"
import { keys, type Sample } from "./Plan.ts"
import { progress, say } from "./Progress.ts"
import { leaderOf, type Running, type System, type SystemOptions } from "./System.ts"
import { nameOf } from "./Tables.ts"
import { peakMemory } from "./Usage.ts"
import { warmUpFor, worksFor } from "./Works.ts"

export interface Round {
  readonly samples: ReadonlyArray<Sample>
  readonly first_write_ms: number | null
  /** By node, in MiB; null where the system does not say. */
  readonly peak_memory_mib: ReadonlyArray<number> | null
}

const shown_lines_max = 50

export interface Lines {
  readonly line: SystemOptions["line"]
  /** From now on it is told what processes have to say; before, it is kept for the case that something fails. */
  readonly listen: Effect.Effect<void>
  readonly deafen: Effect.Effect<void>
}

/** What a node says while it is measured is news, such as a view change: the numbers are not of a quiet cluster. */
export const withLines = <A, R>(name: string, body: (lines: Lines) => Effect.Effect<A, Trouble, R>): Effect.Effect<A, Trouble, R> =>
  Effect.suspend(() => {
    let isListening = false
    const kept: Array<string> = []
    const line = (text: string): void => {
      if (isListening) return say(`${name}: ${text}`)
      kept.push(text)
      if (kept.length > shown_lines_max) kept.shift()
    }
    const lines = {
      line,
      listen: Effect.sync(() => void (isListening = true)),
      deafen: Effect.sync(() => void (isListening = false))
    }
    return Effect.mapError(body(lines), ({ exit, message }) =>
      new Trouble({ exit, message: [`${name}: ${message}`, ...kept].join("\n") }))
  })

/** One load, on the leader. */
export const measureAt = Effect.fnUntraced(function*(
  running: Running,
  load: Pick<Load, "work" | "warm_ms" | "measure_ms">,
  { deafen, listen }: Pick<Lines, "listen" | "deafen">
) {
  const leader = yield* leaderOf(running)
  const pids = running.servers.map(({ pid }) => pid())
  return yield* running.generator.measure({ ...load, pids, endpoint: running.endpoints[leader]!, begin: listen, end: deafen })
})

const moment_ms = 1
export const nobody_listens = { listen: Effect.void, deafen: Effect.void }

/** What the compilers need to see, in the nodes and in the generator, before anything is measured. */
export const warmUp = Effect.fnUntraced(function*(system: System, running: Running, options: Options) {
  const { each_ms, works } = warmUpFor(system, options)
  for (const work of works) yield* measureAt(running, { work, warm_ms: each_ms, measure_ms: moment_ms }, nobody_listens)
})

export const fill = Effect.fnUntraced(function*({ generator }: Running, count: number) {
  yield* generator.tell(`fill ${count}`)
  yield* generator.hear("filled")
})

export const runRound = (system: System, options: Options, round: number): Effect.Effect<Round, Trouble> =>
  withLines(system.name, (lines) =>
    Effect.scoped(Effect.gen(function*() {
      const where = `round ${round} of ${options.repetitions}, ${system.name}`
      progress(`${where}: starting a cluster`)
      const running = yield* system.start({ ...options, line: lines.line })
      yield* fill(running, keys)
      progress(`${where}: warming up`)
      yield* warmUp(system, running, options)
      const works = worksFor(system, options)
      const samples: Array<Sample> = []
      for (const [index, work] of works.entries()) {
        progress(`${where}: ${nameOf(work)} (${index + 1} of ${works.length})`)
        samples.push(yield* measureAt(running, { work, warm_ms: options.seconds * 1_000 / 3, measure_ms: options.seconds * 1_000 }, lines))
      }
      const peaks = running.servers.map(({ pid }) => peakMemory(pid()))
      return {
        samples,
        first_write_ms: running.first_write_ms,
        peak_memory_mib: peaks.every((peak) => peak !== null) ? peaks : null
      }
    })))
