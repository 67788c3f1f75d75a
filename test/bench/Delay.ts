/**
 * Loaded into a node before anything else (`node --import`), it says on stderr, every second, for how long at most the
 * event loop stood still, and how much of that was the process's own doing, running or collecting garbage: on a machine
 * that has fewer cores than the cluster has threads, the rest is waiting for one. `delay <ms> <ms>`.
 *
 * @module
 */
import { PerformanceObserver } from "node:perf_hooks"

const look_ms = 2
/** Reports of collections come later than what they delayed. */
const report_ms = 1_000

interface Span {
  readonly from: number
  readonly to: number
}

interface Gap extends Span {
  /** On the processor. */
  readonly ran_ms: number
}

let gaps: Array<Gap> = []
let collections: Array<Span> = []

new PerformanceObserver((list) => {
  for (const { duration, startTime } of list.getEntries()) collections.push({ from: startTime, to: startTime + duration })
}).observe({ entryTypes: ["gc"] })

const processor_ms = (): number => {
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1_000
}

let last = { at: performance.now(), processor_ms: processor_ms() }
setInterval(() => {
  const now = { at: performance.now(), processor_ms: processor_ms() }
  gaps.push({ from: last.at + look_ms, to: now.at, ran_ms: now.processor_ms - last.processor_ms })
  last = now
}, look_ms).unref()

const overlap_ms = (a: Span, b: Span): number => Math.max(0, Math.min(a.to, b.to) - Math.max(a.from, b.from))

const own_ms = (gap: Gap): number => {
  const collected_ms = collections.reduce((sum, span) => sum + overlap_ms(gap, span), 0)
  return Math.min(gap.to - gap.from, Math.max(gap.ran_ms, collected_ms))
}

setInterval(() => {
  const whole = Math.max(0, ...gaps.map(({ from, to }) => to - from))
  const own = Math.max(0, ...gaps.map(own_ms))
  process.stderr.write(`delay ${whole.toFixed(1)} ${own.toFixed(1)}\n`)
  const oldest = performance.now() - 2 * report_ms
  gaps = []
  collections = collections.filter(({ to }) => to > oldest)
}, report_ms).unref()
