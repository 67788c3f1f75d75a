/**
 * The nodes as processes: started, watched, stopped. Knows nothing of what they say to each other.
 *
 * @module
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Layout } from "./Layout.ts"
import { untilAccepting } from "./Ports.ts"
import * as Process from "./Process.ts"
import { Trouble } from "./Trouble.ts"

/** Down: never started, stopped, killed or died; `why` says which. */
export type State = "starting" | "up" | "stopping" | "down"

export interface Status {
  readonly layout: Layout
  readonly state: State
  readonly pid: number | null
  /** In this state since, by the clock; milliseconds. */
  readonly since_ms: number
  readonly why: string
}

export interface Options {
  /** What to run: a program for Node, as in `v2r2 start --config FILE`. */
  readonly program: string
  /** A line that a node wrote. */
  readonly line: (name: string, text: string) => void
  /** A node ended that nobody had asked to. */
  readonly died: (status: Status) => void
  /** The processes that run now, by name. */
  readonly record: (pids: Readonly<Record<string, number>>) => void
}

interface Member extends Omit<Status, "layout"> {
  readonly process: Process.Process | null
}

const grace_ms = 5_000
const ready_within_ms = 20_000
const never_started: Member = { state: "down", pid: null, since_ms: 0, why: "not started", process: null }

export class Nodes {
  readonly layouts: ReadonlyArray<Layout>
  private readonly options: Options
  private readonly members = new Map<string, Member>()

  constructor(layouts: ReadonlyArray<Layout>, options: Options) {
    this.layouts = layouts
    this.options = options
  }

  status(): ReadonlyArray<Status> {
    return this.layouts.map((layout) => {
      const { state, pid, since_ms, why } = this.memberOf(layout)
      return { layout, state, pid, since_ms, why }
    })
  }

  find(name: string): Effect.Effect<Layout, Trouble> {
    const layout = this.layouts.find((layout) => layout.name === name)
    if (layout !== undefined) return Effect.succeed(layout)
    const names = this.layouts.map((layout) => layout.name).join(", ")
    return new Trouble({ exit: "not_found", message: `there is no node ${name}`, hint: `the nodes are ${names}` })
  }

  /** Succeeds with the process id once all four servers accept; fails if the node ends before, or takes too long. */
  readonly start = (layout: Layout) => Effect.scoped(Effect.gen({ self: this }, function*() {
    const before = this.memberOf(layout)
    if (before.process !== null) {
      return yield* new Trouble({ exit: "conflict", message: `${layout.name} is ${before.state} (pid ${before.pid})` })
    }
    const process = yield* Process.start(
      [this.options.program, "start", "--config", layout.config],
      (text) => this.options.line(layout.name, text)
    )
    yield* this.become(layout, { state: "starting", pid: process.pid, why: "", process })
    yield* Effect.forkDetach(this.watch(layout, process), { startImmediately: true })
    yield* Effect.raceFirst(
      untilAccepting(layout),
      Effect.flatMap(process.ended, (end) =>
        new Trouble({ exit: "failed", message: `${layout.name} ended before it was ready: ${end}` }))
    ).pipe(Effect.timeoutOrElse({
      duration: ready_within_ms,
      orElse: () =>
        new Trouble({ exit: "failed", message: `${layout.name} is not ready after ${ready_within_ms / 1000} s` })
    }))
    yield* this.become(layout, { state: "up", pid: process.pid, why: "", process })
    return process.pid
  }))

  /** SIGTERM, and SIGKILL to one that does not heed it within 5 s. Says how it ended; null if it did not run. */
  readonly stop = (layout: Layout): Effect.Effect<string | null> =>
    this.end(layout, "stopped", (process) =>
      Effect.andThen(process.signal("SIGTERM"), process.ended).pipe(Effect.timeoutOrElse({
        duration: grace_ms,
        orElse: () => Effect.andThen(process.signal("SIGKILL"), process.ended)
      })))

  /** SIGKILL. Null if it did not run. */
  readonly kill = (layout: Layout): Effect.Effect<string | null> =>
    this.end(layout, "killed", (process) => Effect.andThen(process.signal("SIGKILL"), process.ended))

  readonly stopAll: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(this.layouts, this.stop, { discard: true, concurrency: "unbounded" }))

  private readonly end = (
    layout: Layout,
    why: string,
    end: (process: Process.Process) => Effect.Effect<string>
  ): Effect.Effect<string | null> =>
    Effect.gen({ self: this }, function*() {
      const { pid, process } = this.memberOf(layout)
      if (process === null) return null
      yield* this.become(layout, { state: "stopping", pid, why, process })
      return yield* end(process)
    }).pipe(Effect.uninterruptible)

  private readonly watch = (layout: Layout, process: Process.Process): Effect.Effect<void> =>
    Effect.gen({ self: this }, function*() {
      const end = yield* process.ended
      const { state, why } = this.memberOf(layout)
      const reason = state === "stopping" ? why : `died: ${end}`
      yield* this.become(layout, { state: "down", pid: null, why: reason, process: null })
      if (state === "up") this.options.died({ ...this.memberOf(layout), layout })
    })

  private memberOf(layout: Layout): Member {
    return this.members.get(layout.name) ?? never_started
  }

  private become(layout: Layout, member: Omit<Member, "since_ms">): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (since_ms) => {
      this.members.set(layout.name, { ...member, since_ms })
      const running = this.layouts.flatMap(({ name }) => {
        const pid = this.members.get(name)?.pid
        return typeof pid === "number" ? [[name, pid] as const] : []
      })
      this.options.record(Object.fromEntries(running))
    })
  }
}
