/**
 * Runs fresh seeds for as long as it is told: `node test/simulation/soak.ts [minutes] [first seed]`, or one seed with its
 * trace: `node test/simulation/soak.ts --seed S [lines]`.
 *
 * @module
 */
import { run } from "./Run.ts"

const [first, second, third] = process.argv.slice(2)

if (first === "--seed") {
  console.log(run(Number(second), (sim) => console.log(sim.trace.text(Number(third ?? 200)))))
} else {
  const start = Date.now()
  const end = start + Number(first ?? 1) * 60_000
  let seed = Number(second ?? Date.now() % 2 ** 31)
  const totals = { runs: 0, failures: 0, steps: 0, committed: 0, views: 0, sessionsLost: 0 }
  const failures = new Array<string>()
  const slowest = new Array<readonly [served_ms: number, seed: number]>()
  while (Date.now() < end) {
    totals.runs++
    try {
      const report = run(seed)
      totals.steps += report.steps
      totals.committed += report.committed
      totals.views += report.views
      totals.sessionsLost += report.sessionsLost
      slowest.push([Math.round(report.served_ms), seed])
      if (slowest.length > 1_000) slowest.sort(([a], [b]) => b - a).length = 10
    } catch (cause) {
      totals.failures++
      failures.push(`${seed}`)
      if (totals.failures <= 20) console.log(cause instanceof Error ? cause.message : cause)
    }
    seed++
  }
  console.log("slowest to serve again (ms, seed):", slowest.sort(([a], [b]) => b - a).slice(0, 10).join("  "))
  console.log(totals, `${Math.round(totals.steps / ((Date.now() - start) / 1000))} steps/s`, failures.slice(0, 50).join(" "))
}
