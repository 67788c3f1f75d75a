/**
 * What was important in a run: operations that commit, views that begin, faults, the violation.
 *
 * @module
 */
import type { TraceLine } from "../Trace.ts"
import type { Recording, Stop } from "./Recording.ts"

export const kinds = ["commit", "view", "fault", "crash", "phase", "violation"] as const
export type Kind = typeof kinds[number]

export interface Point {
  readonly kind: Kind
  readonly text: string
  /** Index of the line of the trace. */
  readonly line: number
  /** Index of the first stop after it. */
  readonly stop: number
}

type Found = Omit<Point, "stop">

const isAboutCrash = (turns: Recording["turns"], line: number): boolean => {
  const index = turns.findIndex((turn) => turn.line === line)
  if (index === -1) return false
  const { id, now } = turns[index]!
  const before = turns.slice(0, index).findLast((turn) => turn.id === id)?.now
  return now === "down" || before === "down"
}

/** Of the lines alone. */
const found = (lines: ReadonlyArray<TraceLine>, turns: Recording["turns"]): ReadonlyArray<Found> => {
  const points: Array<Found> = []
  const turning = new Set(turns.map(({ line }) => line))
  let [commit, view] = [0, 0]
  lines.forEach((line, index) => {
    const add = (kind: Kind, text: string): number => points.push({ kind, text, line: index })
    if (line.kind === "note") {
      const isCrash = turning.has(index) && isAboutCrash(turns, index)
      if (isCrash || turning.has(index) || line.id === "nemesis") add(isCrash ? "crash" : "fault", `${line.id} ${line.fact}`)
      return
    }
    const { after, before, id } = line
    if (after.commit > commit) {
      add("commit", `${id} commits ${commit + 1 === after.commit ? "" : `${commit + 1}–`}${after.commit}`)
      commit = after.commit
    }
    if (after.view > view) {
      view = after.view
      add("view", `${id} is the first to leave for view ${view}`)
    }
    if (after.tag === "Primary" && (before.tag !== "Primary" || before.view !== after.view)) {
      add("view", `${id} starts view ${after.view} as its primary`)
    }
  })
  return points
}

/** The first stop at which so many lines were written. */
const stopAfter = (stops: ReadonlyArray<Stop>, lines: number): number => {
  let [low, high] = [0, stops.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if (stops[middle]!.lines >= lines) high = middle
    else low = middle + 1
  }
  return low
}

export const pointsOf = (
  { failure, lines, phases, stops, turns }: Pick<Recording, "failure" | "lines" | "phases" | "stops" | "turns">
): ReadonlyArray<Point> => {
  const points: Array<Point> = found(lines, turns).map((point) => ({ ...point, stop: stopAfter(stops, point.line + 1) }))
  for (const { phase, stop } of phases.slice(1)) {
    points.push({ kind: "phase", text: `phase ${phase}`, line: stops[stop]!.lines - 1, stop })
  }
  if (failure !== null) {
    points.push({ kind: "violation", text: failure.message, line: lines.length - 1, stop: stops.length - 1 })
  }
  return points.sort((a, b) => a.stop - b.stop || a.line - b.line)
}
