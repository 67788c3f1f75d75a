/**
 * Loaded into a node before anything else (`node --import`), it says on stderr, every second, for how long at most the
 * event loop stood still: `delay <ms>`.
 *
 * @module
 */
import { monitorEventLoopDelay } from "node:perf_hooks"

const resolution_ms = 1
const histogram = monitorEventLoopDelay({ resolution: resolution_ms })
histogram.enable()
setInterval(() => {
  // The timer itself counts as a delay of its resolution.
  process.stderr.write(`delay ${Math.max(0, histogram.max / 1e6 - resolution_ms).toFixed(1)}\n`)
  histogram.reset()
}, 1_000).unref()
