/**
 * `npm run devrel`: a development cluster of real processes, from nothing to ready, until Ctrl-C.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import * as Control from "./Control.ts"
import { ask } from "./Asking.ts"
import { form, replicasOf, tenant_name } from "./Forming.ts"
import { isSame, layoutOf, removeState, writeConfig } from "./Layout.ts"
import * as Lock from "./Lock.ts"
import { Nodes, type Status } from "./Nodes.ts"
import type { Options } from "./Options.ts"
import { requireFree } from "./Ports.ts"
import { ago, nodeLine, readyText, say, type Screen, statusTable } from "./Show.ts"
import { Trouble } from "./Trouble.ts"

/** What devrel works with; tests have others. */
export interface Place {
  /** `dev/`, where the nodes live. */
  readonly folder: string
  /** The node's program. */
  readonly program: string
  readonly screen: Screen
}

const prepare = (place: Place, options: Options, nodes: Nodes): Effect.Effect<void, Trouble> =>
  Effect.try({
    try: () => {
      const { folder, screen } = place
      if (!options.clean && isSame(folder, nodes.layouts)) {
        say(screen, "going on with what the last run left; to begin with nothing: npm run devrel -- --clean")
      } else if (removeState(folder, options.clean)) {
        say(screen, options.clean
          ? `starting clean: ${folder} is emptied`
          : "starting clean: what the last run left is of other nodes or ports, and removed")
      }
      for (const layout of nodes.layouts) writeConfig(layout)
    },
    catch: (cause) => cause instanceof Trouble ? cause : new Trouble({ exit: "failed", message: String(cause) })
  })

/** Fewer than a majority of the replicas serve nothing. */
const warning = (nodes: Nodes): string => {
  const holders = nodes.status().slice(0, replicasOf(nodes.layouts).length)
  const up = holders.filter(({ state }) => state === "up" || state === "starting").length
  if (up > holders.length / 2) return ""
  return `\n  only ${up} of the ${holders.length} nodes with tenant ${tenant_name} run:`
    + " it needs a majority to serve; what it has acknowledged is on their disks"
}

const answer = (place: Place, nodes: Nodes) => {
  const oneAtATime = Semaphore.makeUnsafe(1)
  const act = Effect.fnUntraced(function*(command: "start" | "stop" | "kill", name: string) {
    const layout = yield* nodes.find(name)
    if (command === "start") {
      const before = yield* Clock.currentTimeMillis
      const pid = yield* nodes.start(layout)
      const took_s = ((yield* Clock.currentTimeMillis) - before) / 1000
      return `${name} runs: pid ${pid}, ready after ${took_s.toFixed(1)} s${warning(nodes)}`
    }
    const end = yield* (command === "stop" ? nodes.stop(layout) : nodes.kill(layout))
    return end === null ? `${name} did not run` : `${name} ended: ${end}${warning(nodes)}`
  })
  return (request: Control.Request): Effect.Effect<string, Trouble> =>
    request.command === "status"
      ? Effect.map(Clock.currentTimeMillis, (now_ms) => statusTable(nodes.status(), now_ms).join("\n"))
      : act(request.command, request.node).pipe(
        Effect.tap((text) => Effect.sync(() => say(place.screen, text))),
        (acting) => oneAtATime.withPermit(acting)
      )
}

const died = ({ screen }: Place, nodes: () => Nodes) => ({ layout, why }: Status): void =>
  say(screen, `${layout.name} ${why}; start it again: npm run devrel -- start ${layout.name}${warning(nodes())}`)

/** Runs until it is interrupted; all nodes are stopped then, and in any other case. */
export const run = (place: Place) => (options: Options): Effect.Effect<never, Trouble> =>
  Effect.scoped(Effect.gen(function*() {
    const { folder, program, screen } = place
    const begin_ms = yield* Clock.currentTimeMillis
    const lock = yield* Lock.acquire(folder)
    const nodes: Nodes = new Nodes(layoutOf(folder, options.nodes, options.base_port), {
      program,
      line: (name, text) => nodeLine(screen, name, text),
      died: died(place, () => nodes),
      record: lock.record
    })
    yield* requireFree(nodes.layouts, options.base_port)
    yield* prepare(place, options, nodes)
    yield* Effect.addFinalizer(() => stopAll(screen, nodes))
    yield* Control.serve(folder, answer(place, nodes))
    say(screen, `starting ${options.nodes === 1 ? "dev1" : `dev1 to dev${options.nodes}`}…`)
    yield* Effect.forEach(nodes.layouts, nodes.start, { concurrency: "unbounded", discard: true })
    yield* form(nodes.layouts, ask)
    const replicas = replicasOf(nodes.layouts).map(({ name, node }) => `${name}::${node}`).join(", ")
    const took_ms = (yield* Clock.currentTimeMillis) - begin_ms
    for (const line of readyText(nodes.status(), tenant_name, replicas, took_ms)) screen.out(line)
    return yield* Effect.never
  }))

const stopAll = (screen: Screen, nodes: Nodes): Effect.Effect<void> =>
  Effect.gen(function*() {
    const running = nodes.status().filter(({ pid }) => pid !== null)
    if (running.length === 0) return
    say(screen, `stopping ${running.map(({ layout }) => layout.name).join(", ")}…`)
    const before = yield* Clock.currentTimeMillis
    yield* nodes.stopAll
    say(screen, `all nodes are stopped (${ago((yield* Clock.currentTimeMillis) - before)})`)
  })
