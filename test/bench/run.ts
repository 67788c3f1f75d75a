/**
 * `npm run bench`: what a cluster of three real processes does, as a client sees it; and, if wanted, etcd and ZooKeeper
 * beside it.
 *
 * @module
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import { ExitCode, textOf as troubleText, Trouble } from "../../src/devrel/Trouble.ts"
import { chartOf } from "./Chart.ts"
import { v2r2 } from "./Cluster.ts"
import { runFailovers } from "./Failovers.ts"
import { limit } from "./limit/Limit.ts"
import { help, type Options, parse, UsageError } from "./Options.ts"
import * as Etcd from "./peers/Etcd.ts"
import { missingOf } from "./peers/Installed.ts"
import * as ZooKeeper from "./peers/ZooKeeper.ts"
import { progress, say } from "./Progress.ts"
import { type Round, runRound } from "./Rounds.ts"
import { jsonOf, type Measured, summariesOf, textOf } from "./Show.ts"
import { runSizes } from "./Sizes.ts"
import type { System } from "./System.ts"
import { worksFor } from "./Works.ts"

/** Those that are installed, and of each other one what is missing. */
const peersThere = (): { readonly systems: ReadonlyArray<System>; readonly missing: ReadonlyArray<string> } => {
  const wanted = [{ system: Etcd.etcd, needs: Etcd.needs }, { system: ZooKeeper.zooKeeper, needs: ZooKeeper.needs }]
  const found = wanted.map(({ needs, system }) => ({ system, missing: missingOf(system.name, needs) }))
  return {
    systems: found.flatMap(({ missing, system }) => missing === null ? [system] : []),
    missing: found.flatMap(({ missing }) => missing ?? [])
  }
}

const measure = Effect.fnUntraced(function*(options: Options): Effect.fn.Return<Measured, Trouble> {
  const peers = options.peers ? peersThere() : { systems: [], missing: [] }
  for (const text of peers.missing) say(text)
  const systems = [v2r2, ...peers.systems, ...options.limit ? [limit] : []]
    .filter((system) => worksFor(system, options).length > 0)
  const rounds = new Map(systems.map((system) => [system, [] as Array<Round>]))
  for (let round = 1; round <= options.repetitions; round++) {
    for (const system of systems) rounds.get(system)!.push(yield* runRound(system, options, round))
  }
  const measured: Array<Measured["systems"][number]> = []
  for (const system of systems) {
    const gaps = system === limit || options.failovers === 0 ? [] : yield* runFailovers(system, options)
    measured.push({ name: system.name, rounds: rounds.get(system)!, gaps })
  }
  const sizes = options.elements === 0 ? null : yield* runSizes(options)
  return { systems: measured, sizes, missing: peers.missing }
})

const bench = Effect.fnUntraced(function*(options: Options) {
  const measured = yield* measure(options)
  progress("")
  console.log(options.json ? jsonOf(options, measured) : textOf(options, measured))
  const { svg } = options
  if (svg === null) return
  yield* Effect.try({
    try: () => Fs.writeFileSync(svg, chartOf(options, summariesOf(measured))),
    catch: (error) => new Trouble({ exit: "failed", message: `cannot write the chart: ${String(error)}` })
  })
})

const main = (): void => {
  let options: Options | null
  try {
    options = parse(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`bench: ${error.message}\n\n${help}`)
    process.exitCode = ExitCode.usage
    return
  }
  if (options === null) return console.log(help)
  NodeRuntime.runMain(bench(options).pipe(
    Effect.catchTag("Trouble", (trouble) =>
      Effect.sync(() => {
        progress("")
        console.error(`bench: ${troubleText(trouble)}`)
        process.exitCode = ExitCode[trouble.exit]
      }))
  ))
}

main()
