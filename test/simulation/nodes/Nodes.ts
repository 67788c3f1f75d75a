/**
 * Runs of whole nodes, one seed after the other, with their sums.
 *
 * @module
 */
import { NodesFailure, type NodesReport, runNodes } from "./Run.ts"

const progress_ms = 10_000

/** What many runs came to. */
export class Sums {
  runs = 0
  private virtual_ms = 0
  private steps = 0
  private undecided = 0
  private readonly counts = new Map<string, number>()

  add({ calls, faults, steps, undecided, virtual_ms }: NodesReport): void {
    this.runs++
    this.virtual_ms += virtual_ms
    this.steps += steps
    this.undecided += undecided
    for (const [name, count] of Object.entries(calls)) this.count(`calls ${name}`, count)
    for (const [name, count] of Object.entries(faults)) this.count(name, count)
  }

  private count(name: string, count: number): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + count)
  }

  /** One line. */
  get line(): string {
    const counts = [...this.counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `${name} ${count}`)
    return `${this.runs} runs, ${(this.virtual_ms / 60_000).toFixed(1)} simulated minutes, ${this.steps} steps, ` +
      `${this.undecided} histories undecided; ${counts.join(", ")}`
  }
}

export interface NodesOptions {
  readonly minutes: number
  /** One run only, with its trace; null: fresh seeds until the time is over. */
  readonly seed: number | null
  readonly print: (line: string) => void
}

/** True: nothing was found. A run that fails ends it, and is printed with the command that repeats it. */
export const nodes = async ({ minutes, print, seed }: NodesOptions): Promise<boolean> => {
  try {
    if (seed === null) soak(minutes, print)
    else printRun(runNodes(seed), print)
    return true
  } catch (failure) {
    if (!(failure instanceof NodesFailure)) throw failure
    if (seed !== null) print(failure.trace.join("\n"))
    print(failure.message)
    return false
  }
}

const printRun = ({ trace, ...counts }: NodesReport, print: NodesOptions["print"]): void => {
  print(trace.join("\n"))
  print(JSON.stringify(counts, null, 2))
}

const soak = (minutes: number, print: NodesOptions["print"]): void => {
  const start = Date.now()
  const first = start % 2 ** 31
  const sums = new Sums()
  let shown = start
  print(`whole nodes, from seed ${first}`)
  for (let seed = first; Date.now() - start < minutes * 60_000; seed++) {
    sums.add(runNodes(seed))
    if (Date.now() - shown < progress_ms) continue
    shown = Date.now()
    print(sums.line)
  }
  print(sums.line)
}
