/**
 * A whole run, looked through once: its trace, where one may stop in it, what was important, and which step received
 * what another one sent. What stands somewhere in the run is Session.ts.
 *
 * @module
 */
import type { Execution } from "../Execution.ts"
import type { Simulation } from "../Simulation.ts"
import type { TraceLine } from "../Trace.ts"
import { type Arrow, arrowsOf } from "./Arrows.ts"
import { type Point, pointsOf } from "./Points.ts"
import { isQuiet } from "./Words.ts"

/** Where one may stop: between two events of the simulation, the first of which did something. */
export interface Stop {
  /** Events up to here. */
  readonly event: number
  /** Steps of replicas up to here. */
  readonly step: number
  /** Simulated time in ms. */
  readonly at: number
  /** Lines of the recording up to here. */
  readonly lines: number
}

export interface Recording {
  readonly replicas: ReadonlyArray<string>
  /** The trace, and notes on what it does not tell: who stands still or comes back, which paths are cut. */
  readonly lines: ReadonlyArray<TraceLine>
  /** In order; the first is the beginning, the last the end. */
  readonly stops: ReadonlyArray<Stop>
  readonly turns: ReadonlyArray<Turn>
  readonly points: ReadonlyArray<Point>
  readonly arrows: ReadonlyArray<Arrow>
  readonly failure: Execution["failure"]
  readonly phases: ReadonlyArray<{ readonly phase: Execution["phase"]; readonly stop: number }>
  /** Operations that were committed. */
  readonly committed: number
}

export type Condition = "up" | "paused" | "down"

/** From that line on a replica is up, stands still, or is down. */
export interface Turn {
  readonly line: number
  readonly id: string
  readonly now: Condition
}

const fact_of: Readonly<Record<Condition, (before: Condition) => string>> = {
  up: (before) => before === "down" ? "restarts" : "goes on",
  paused: () => "stands still",
  down: () => "crashes"
}

/** Tells what the trace does not. */
class Watch {
  /** Of all replicas, in order. */
  readonly turns: Array<Turn> = []
  private readonly sim: Simulation
  private readonly conditions = new Map<string, Condition>()
  private cuts = new Set<string>()

  constructor(sim: Simulation) {
    this.sim = sim
    for (const { id } of sim.processes) this.conditions.set(id, "up")
  }

  /** What changed since the last call, as notes; `told` are the lines of the trace since then, from `line` on. */
  notes(told: ReadonlyArray<TraceLine>, line: number): ReadonlyArray<TraceLine> {
    const notes: Array<TraceLine> = []
    const note = (id: string, fact: string): number => notes.push({ kind: "note", at: this.sim.events.now, id, fact })
    for (const { id, isUp, paused } of this.sim.processes) {
      const now = isUp ? paused ? "paused" : "up" : "down"
      const before = this.conditions.get(id)!
      if (now === before) continue
      this.conditions.set(id, now)
      const known = told.findLastIndex((one) => one.kind === "note" && one.id === id)
      if (known === -1) note(id, fact_of[now](before))
      this.turns.push({ line: known === -1 ? line + told.length + notes.length - 1 : line + known, id, now })
    }
    for (const fact of this.cutFacts()) note("network", fact)
    return notes
  }

  private cutFacts(): ReadonlyArray<string> {
    const now = cutsOf(this.sim)
    const cut = [...now].filter((path) => !this.cuts.has(path))
    const healed = [...this.cuts].filter((path) => !now.has(path))
    this.cuts = now
    return [
      ...(cut.length === 0 ? [] : [`cuts ${pathsText(cut)}`]),
      ...(healed.length === 0 ? [] : [`heals ${pathsText(healed)}`])
    ]
  }
}

/** `R0>R1` for each direction between replicas in which nothing arrives. */
export const cutsOf = ({ network, processes }: Simulation): Set<string> => {
  const cuts = new Set<string>()
  for (const { id: from } of processes) {
    for (const { id: to } of processes) if (from !== to && network.isCut(from, to)) cuts.add(`${from}>${to}`)
  }
  return cuts
}

/** `R0↔R1` where both directions are among them. */
export const pathsText = (paths: Iterable<string>): string => {
  const all = new Set(paths)
  return [...all].flatMap((path) => {
    const [from = "", to = ""] = path.split(">")
    if (!all.has(`${to}>${from}`)) return [`${from}→${to}`]
    return from < to ? [`${from}↔${to}`] : []
  }).join(" ")
}

/** Runs it to its end, and closes it. It has to keep its trace. */
export const record = (execution: Execution): Recording => {
  const { sim } = execution
  try {
    const watch = new Watch(sim)
    const lines: Array<TraceLine> = []
    const phases = [{ phase: execution.phase, stop: 0 }]
    const stops: Array<Stop> = []
    const stopHere = (event: number): void => {
      stops.push({ event, step: sim.steps, at: sim.events.now, lines: lines.length })
    }
    stopHere(0)
    let traced = 0
    let isOver = false
    for (let event = 1; !isOver; event++) {
      isOver = !execution.advance()
      const told = sim.trace.lines.slice(traced)
      traced += told.length
      const fresh = [...told, ...watch.notes(told, lines.length)]
      lines.push(...fresh)
      const moved = phases.at(-1)!.phase !== execution.phase
      if (isOver || moved || !fresh.every(isQuiet)) stopHere(event)
      if (moved) phases.push({ phase: execution.phase, stop: stops.length - 1 })
    }
    return {
      replicas: sim.processes.map(({ id }) => id),
      lines,
      stops,
      turns: watch.turns,
      points: pointsOf({ lines, stops, phases, turns: watch.turns, failure: execution.failure }),
      arrows: arrowsOf(lines),
      failure: execution.failure,
      phases,
      committed: sim.history.op
    }
  } finally {
    execution.close()
  }
}
