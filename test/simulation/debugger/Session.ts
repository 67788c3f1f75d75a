/**
 * A run that stands still: the live simulation at one point of it. Forward is the simulation going on; backward is the
 * same run from the start, which takes well under a second, as everything in it is decided by its schedule.
 *
 * @module
 */
import type { Execution } from "../Execution.ts"
import type { Process } from "../Process.ts"
import type { Simulation } from "../Simulation.ts"
import { type Field, replicaFields } from "./Fields.ts"
import type { Kind, Point } from "./Points.ts"
import { record, type Recording, type Stop } from "./Recording.ts"

export interface Source {
  /** What the user calls it: a file, or a seed. */
  readonly name: string
  readonly seed: number
  readonly mutation: string | null
  /** A fresh run, at its beginning, that keeps its whole trace. */
  readonly start: () => Execution
}

export class Session {
  readonly source: Source
  readonly recording: Recording
  private live: Execution
  /** Events that the live run has made. */
  private event = 0
  /** Index of the stop before the last move. */
  cameFrom = 0

  private constructor(source: Source, recording: Recording) {
    this.source = source
    this.recording = recording
    this.live = source.start()
  }

  /** Runs it once to its end, unless that was done already; then stands at its beginning. */
  static open(source: Source, recording = record(source.start())): Session {
    return new Session(source, recording)
  }

  get sim(): Simulation {
    return this.live.sim
  }

  get phase(): Execution["phase"] {
    return this.live.phase
  }

  /** What the run failed with, if it stands where it did. */
  get failure(): Execution["failure"] {
    return this.live.failure
  }

  process(id: string): Process | undefined {
    return this.sim.processes.find((one) => one.id === id)
  }

  // --- where it stands

  /** Index of the stop. */
  get at(): number {
    const { stops } = this.recording
    let [low, high] = [0, stops.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (stops[middle]!.event <= this.event) low = middle
      else high = middle - 1
    }
    return low
  }

  get stop(): Stop {
    return this.recording.stops[this.at]!
  }

  get last(): Stop {
    return this.recording.stops.at(-1)!
  }

  // --- moves

  /** To the stop of that index, or the nearest end of the run. */
  goTo(stop: number): void {
    const { stops } = this.recording
    this.cameFrom = this.at
    this.runTo(stops[Math.max(0, Math.min(stop, stops.length - 1))]!.event)
  }

  private runTo(event: number): void {
    if (event < this.event) {
      this.live.close()
      this.live = this.source.start()
      this.event = 0
    }
    for (; this.event < event; this.event++) this.live.advance()
  }

  /** The first stop at which so many steps were made. */
  stopOfStep(step: number): number {
    const { stops } = this.recording
    const found = stops.findIndex((stop) => stop.step >= step)
    return found === -1 ? stops.length - 1 : found
  }

  /** The first stop at or after that time. */
  stopOfTime(at: number): number {
    const { stops } = this.recording
    const found = stops.findIndex((stop) => stop.at >= at)
    return found === -1 ? stops.length - 1 : found
  }

  /** The `count`-th point of those kinds from here; the nearest that there is; undefined: there is none. */
  pointFrom(direction: 1 | -1, count: number, wanted: ReadonlyArray<Kind>): Point | undefined {
    const { at } = this
    const ahead = this.recording.points.filter(({ kind, stop }) =>
      wanted.includes(kind) && (direction === 1 ? stop > at : stop < at))
    // Several points may share a stop: it is one place to go to.
    const places = ahead.filter(({ stop }, index) => stop !== ahead[index - 1]?.stop)
    return direction === 1 ? places[Math.min(count, places.length) - 1] : places.at(-Math.min(count, places.length))
  }

  // --- looking back

  /** What that replica was at an earlier (or later) stop. Stands where it stood afterwards. */
  fieldsAt(stop: number, ids: ReadonlyArray<string>): ReadonlyMap<string, ReadonlyArray<Field>> {
    const { event } = this
    const { cameFrom } = this
    this.runTo(this.recording.stops[stop]!.event)
    const fields = new Map(ids.map((id) => [id, replicaFields(this.sim.replica(id))]))
    this.runTo(event)
    this.cameFrom = cameFrom
    return fields
  }

  /** The stops before and after the last step of that replica; undefined: it has made none. */
  lastStepOf(id: string): { readonly before: number; readonly after: number } | undefined {
    const { lines, stops } = this.recording
    const line = lines.slice(0, this.stop.lines).findLastIndex((one) => one.id === id)
    if (line === -1) return undefined
    const after = stops.findIndex((stop) => stop.lines > line)
    return { before: after - 1, after }
  }

  close(): void {
    this.live.close()
  }
}
