/**
 * Fresh seeds on all processors, with a line of progress, until time is up. What is found is told at once; the thread
 * that found it ends.
 *
 * @module
 */
import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import { announce, type Found } from "./Found.ts"
import type { RunReport } from "./Execution.ts"
import { Totals } from "./Totals.ts"

export interface SoakOptions {
  readonly minutes: number
  /** Worker i of n takes first + i, first + i + n, … Undefined: drawn. */
  readonly first: number | undefined
  readonly workers: number | undefined
  readonly print: (line: string) => void
}

/** What a worker is told. */
export interface Share {
  readonly first: number
  readonly stride: number
  readonly until_ms: number
}

/** What a worker says. It ends after a failure. */
export type Word =
  | { readonly kind: "reports"; readonly reports: ReadonlyArray<RunReport> }
  | { readonly kind: "failing"; readonly seed: number; readonly rule: string }
  | { readonly kind: "found"; readonly found: Found }

const progress_ms = 5_000
const terminal_progress_ms = 250

/** True: nothing was found. Ctrl-C ends it early, and it sums up what was done. */
export const soak = async (options: SoakOptions): Promise<boolean> => {
  const { minutes, print } = options
  const stride = options.workers ?? availableParallelism()
  const first = options.first ?? Math.floor(Math.random() * 2 ** 31)
  const start = Date.now()
  const until_ms = start + minutes * 60_000
  const totals = new Totals()
  const showing = showProgress(totals, start, until_ms, print)
  print(`seeds from ${first}, ${stride} at a time, ${minutes} minute${minutes === 1 ? "" : "s"}`)
  const failed = new Set<number>()
  const hear = (word: Word): void => {
    if (word.kind === "reports") {
      for (const report of word.reports) totals.add(report)
    } else if (word.kind === "failing") {
      failed.add(word.seed)
      showing.line(`seed ${word.seed} fails: ${word.rule}; making its schedule smaller…`)
    } else {
      announce(word.found, showing.line)
    }
  }
  const shares = Array.from({ length: stride }, (_, i): Share => ({ first: first + i, stride, until_ms }))
  await inThreads(shares, hear)
  showing.end()
  print(totals.summary(Date.now() - start))
  for (const seed of failed) print(`failed: npm run simulate -- --seed ${seed}`)
  if (failed.size === 0) print("nothing was found")
  return failed.size === 0
}

/** Until all have ended. */
const inThreads = async (shares: ReadonlyArray<Share>, hear: (word: Word) => void): Promise<void> => {
  const workers = shares.map((share) => new Worker(new URL("./SoakWorker.ts", import.meta.url), { workerData: share }))
  let isStopped = false
  const stop = (): void => {
    isStopped = true
    for (const worker of workers) void worker.terminate()
  }
  process.once("SIGINT", stop)
  await Promise.all(workers.map((worker) =>
    new Promise<void>((resolve, reject) => {
      worker.on("message", hear)
      worker.on("error", reject)
      worker.on("exit", (code) => code === 0 || isStopped ? resolve() : reject(new Error(`a worker ended with ${code}`)))
    })
  ))
  process.off("SIGINT", stop)
}

/** One line that changes on a terminal; a line now and then elsewhere. */
const showProgress = (totals: Totals, start: number, until_ms: number, print: (line: string) => void) => {
  const isTerminal = process.stdout.isTTY
  const shown = (): string => {
    const left_s = Math.round((until_ms - Date.now()) / 1_000)
    const rate = Math.round(totals.steps / ((Date.now() - start) / 1_000))
    return `${totals.runs} runs, ${totals.views} view changes, ${rate.toLocaleString("en")} steps a second, ` +
      (left_s > 0 ? `${left_s} s left` : "the last runs")
  }
  const clear = (): void => {
    if (isTerminal) process.stdout.write("\r\u001b[K")
  }
  const timer = setInterval(() => {
    if (!isTerminal) return print(shown())
    clear()
    process.stdout.write(shown())
  }, isTerminal ? terminal_progress_ms : progress_ms)
  return {
    line: (text: string) => {
      clear()
      print(text)
    },
    end: () => {
      clearInterval(timer)
      clear()
    }
  }
}
