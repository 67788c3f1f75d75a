/**
 * The load generators, one for each system: a process that does what it is told by lines on its standard input, and
 * says what it does by lines of JSON on its standard output, first that it is `{"event":"ready"}`. With `>` for what it
 * is told:
 *
 * - `> first` – tries until a write is acknowledged, then `{"event":"written"}`.
 * - `> fill COUNT` – creates so many elements, which the loads are spread over from then on, then `{"event":"filled"}`.
 * - `> load OPERATION OUTSTANDING CONNECTIONS TENANTS WARM_MS MEASURE_MS ENDPOINT` – `measuring`, `measured` at the
 *   beginning and the end of the measurement, and a `sample`. The endpoint is that of the leader: a client that finds it
 *   by itself does not need it.
 * - `> writers COUNT` – starts so many writers that make no pause, then `writing`.
 * - `> watch` – takes note of the gaps from now on, then `watching`; `> killed` – a node has just been killed: an
 *   `outage` follows once every writer has had an acknowledgement of a write that it began after that.
 * - `> rest` – stops the writers, then `resting`.
 *
 * The end of its input ends it.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { Trouble } from "../../src/devrel/Trouble.ts"
import type { Gaps } from "./Outage.ts"
import type { Sample, Work } from "./Plan.ts"
import { child } from "./Server.ts"
import { machineCpu, processCpu } from "./Usage.ts"

/** What a generator says of a load: its own part of a sample. */
export interface Loaded extends Pick<Sample, "elapsed_s" | "operations" | "p50_ms" | "p99_ms" | "p999_ms" | "generator_cpu_s"> {
  /** Calls that failed; they are not among the operations. */
  readonly failed: number
  readonly journal_writes?: number | null
}

export type Said =
  | { readonly event: "ready" | "written" | "filled" | "measuring" | "measured" | "writing" | "watching" | "resting" }
  | { readonly event: "sample" } & Loaded
  | { readonly event: "outage" } & Gaps

type Event = Said["event"]

export interface Generator {
  readonly tell: (words: string) => Effect.Effect<void>
  /** The next thing that it says, which has to be this. */
  readonly hear: <E extends Event>(event: E) => Effect.Effect<Extract<Said, { readonly event: E }>, Trouble>
  readonly measure: (load: Load) => Effect.Effect<Sample, Trouble>
}

export interface Load {
  readonly work: Work
  readonly warm_ms: number
  readonly measure_ms: number
  readonly endpoint: string
  /** Processes of the cluster, whose processor time is taken. */
  readonly pids: ReadonlyArray<number>
  /** At the beginning and the end of the measurement, however that ends. */
  readonly begin: Effect.Effect<void>
  readonly end: Effect.Effect<void>
}

/** `line`: what it writes beside its events. */
export const startGenerator = Effect.fnUntraced(function*(
  words: ReadonlyArray<string>,
  line: (text: string) => void
): Effect.fn.Return<Generator, Trouble, Scope.Scope> {
  const said = yield* Queue.unbounded<Said>()
  const { ended, send } = yield* child(words, (text) => {
    // Others write lines of JSON too: clients, for their logs.
    if (text.startsWith(`{"event":`)) Queue.offerUnsafe(said, JSON.parse(text))
    else line(text)
  }, "pipe")
  const early = Effect.flatMap(ended, (end) =>
    new Trouble({ exit: "failed", message: `the load generator ended early: ${end}` }))
  const hear = <E extends Event>(event: E) =>
    Effect.flatMap(Effect.raceFirst(Queue.take(said), early), (next) =>
      isEvent(next, event)
        ? Effect.succeed(next)
        : new Trouble({ exit: "failed", message: `the load generator says "${next.event}" in place of "${event}"` }))
  const measure = Effect.fnUntraced(function*({ begin, end, endpoint, measure_ms, pids, warm_ms, work }: Load) {
    const { connections, operation, outstanding, tenants } = work
    yield* send(["load", operation, outstanding, connections, tenants, warm_ms, measure_ms, endpoint].join(" "))
    yield* hear("measuring")
    const before = usage(pids)
    yield* begin
    const after = yield* Effect.ensuring(Effect.map(hear("measured"), () => usage(pids)), end)
    const loaded = yield* hear("sample")
    if (loaded.failed > 0) line(`${loaded.failed} calls failed`)
    return sampleOf(work, before, after, loaded)
  })
  yield* hear("ready")
  return { tell: send, hear, measure }
})

const isEvent = <E extends Event>(said: Said, event: E): said is Extract<Said, { readonly event: E }> => said.event === event

const usage = (pids: ReadonlyArray<number>) => ({ nodes_s: pids.map(processCpu), machine_s: machineCpu() })

const sampleOf = (
  work: Work,
  before: ReturnType<typeof usage>,
  after: ReturnType<typeof usage>,
  { elapsed_s, generator_cpu_s, journal_writes = null, operations, p50_ms, p99_ms, p999_ms }: Loaded
): Sample => {
  const node_cpu_s = after.nodes_s.map((seconds, i) => (seconds ?? Number.NaN) - (before.nodes_s[i] ?? Number.NaN))
  return {
    ...work,
    elapsed_s,
    operations,
    p50_ms,
    p99_ms,
    p999_ms,
    generator_cpu_s,
    node_cpu_s: node_cpu_s.some(Number.isNaN) ? null : node_cpu_s,
    machine_cpu_s: after.machine_s - before.machine_s,
    journal_writes
  }
}
