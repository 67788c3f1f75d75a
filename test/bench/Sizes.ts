/**
 * What a write costs among many elements, compared with a few: two clusters that are both there, and are measured in turn.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { Trouble } from "../../src/devrel/Trouble.ts"
import { v2r2 } from "./Cluster.ts"
import type { Options } from "./Options.ts"
import { keys, type Sample, type Work } from "./Plan.ts"
import { progress } from "./Progress.ts"
import { fill, measureAt, nobody_listens, warmUp, withLines } from "./Rounds.ts"
import type { Running } from "./System.ts"

export interface Sizes {
  readonly elements: number
  /** To create that many. */
  readonly fill_s: number
  readonly few: ReadonlyArray<Sample>
  readonly many: ReadonlyArray<Sample>
}

const work: Work = { operation: "write", outstanding: 64, connections: 1, tenants: 1 }

/**
 * Every element once more, so that what is measured then is a cluster that is at work, and not one that still becomes as large as it will
 * be: of its log and its data, and of the memory that a snapshot takes for a while.
 */
const writeAll = Effect.fnUntraced(function*(cluster: Running, elements: number) {
  let written = 0
  while (written < elements) {
    progress(`many elements: writing each, ${Math.floor(100 * written / elements)} %`)
    const { operations } = yield* measureAt(cluster, { work: { ...work, outstanding: 256 }, warm_ms: 0, measure_ms: 1_000 }, nobody_listens)
    if (operations === 0) return yield* new Trouble({ exit: "failed", message: "the cluster took no write for a second" })
    written += operations
  }
})

export const runSizes = (options: Options): Effect.Effect<Sizes, Trouble> =>
  withLines("V2R2", (lines) =>
    Effect.scoped(Effect.gen(function*() {
      const { elements, repetitions, seconds } = options
      progress("many elements: starting two clusters")
      const small = yield* v2r2.start({ ...options, line: lines.line })
      const large = yield* v2r2.start({ ...options, line: lines.line })
      yield* fill(small, keys)
      progress(`many elements: creating ${elements}`)
      const begin_ms = performance.now()
      yield* fill(large, elements)
      const fill_s = (performance.now() - begin_ms) / 1_000
      progress("many elements: warming up")
      for (const cluster of [small, large]) yield* warmUp(v2r2, cluster, { ...options, operations: ["write"] })
      yield* writeAll(large, elements)
      const few: Array<Sample> = []
      const many: Array<Sample> = []
      for (let round = 1; round <= repetitions; round++) {
        for (const [cluster, samples] of [[small, few], [large, many]] as const) {
          progress(`many elements: round ${round} of ${repetitions}, ${samples === few ? keys : elements} elements`)
          samples.push(yield* measureAt(cluster, { work, warm_ms: seconds * 1_000 / 3, measure_ms: seconds * 1_000 }, lines))
        }
      }
      return { elements, fill_s, few, many }
    })))
