/**
 * What each replica was, from line to line: its lane's bands.
 *
 * @module
 */
import type { Recording } from "../Recording.ts"

export interface Band {
  /** Lines `from` up to, but not including, `to`. */
  readonly from: number
  readonly to: number
  readonly view: number
  /** The state's name; `Down` of who is down. */
  readonly state: string
  readonly paused: boolean
}

interface Being {
  view: number
  state: string
  paused: boolean
}

const firstBeing = ({ lines }: Recording, id: string): Being => {
  const first = lines.find((line) => line.kind === "step" && line.id === id)
  if (first === undefined || first.kind === "note") return { view: 0, state: "Backup", paused: false }
  return { view: first.before.view, state: first.before.tag, paused: false }
}

/** The bands of one replica, without gaps between them. */
export const bandsOf = (recording: Recording, id: string): ReadonlyArray<Band> => {
  const { lines, turns } = recording
  const being = firstBeing(recording, id)
  const bands: Array<Band> = []
  let from = 0
  const become = (line: number, next: Partial<Being>): void => {
    const changed = { ...being, ...next }
    if (changed.view === being.view && changed.state === being.state && changed.paused === being.paused) return
    if (line > from) bands.push({ from, to: line, ...being })
    from = line
    Object.assign(being, changed)
  }
  const turning = new Map(turns.filter((turn) => turn.id === id).map(({ line, now }) => [line, now]))
  lines.forEach((line, index) => {
    const now = turning.get(index)
    if (now === "down") become(index, { state: "Down", paused: false })
    else if (now === "paused") become(index, { paused: true })
    // Who comes back has lost its memory; its first step will say the same.
    else if (now === "up") become(index, { paused: false, ...(being.state === "Down" ? { state: "Recovery" } : {}) })
    if (line.kind === "step" && line.id === id) become(index, { view: line.after.view, state: line.after.tag })
  })
  if (lines.length > from) bands.push({ from, to: lines.length, ...being })
  return bands
}
