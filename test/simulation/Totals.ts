/**
 * What many runs have come to, together.
 *
 * @module
 */
import { Coverage } from "./Coverage.ts"
import type { RunReport } from "./Execution.ts"
import { type FaultName, faultNames } from "./faults/all.ts"

const summed = [
  "steps", "committed", "views", "sessionsLost", "calls", "unanswered", "undecided", "simulated_ms"
] as const satisfies ReadonlyArray<keyof RunReport>

const fates = ["sent", "lost", "doubled", "cut", "clogged"] as const

export class Totals implements Record<typeof summed[number], number> {
  runs = 0
  steps = 0
  committed = 0
  views = 0
  sessionsLost = 0
  calls = 0
  unanswered = 0
  undecided = 0
  simulated_ms = 0
  /** Of the slowest. */
  served_ms = 0
  readonly faults: Partial<Record<FaultName, number>> = {}
  readonly messages = { sent: 0, lost: 0, doubled: 0, cut: 0, clogged: 0 }
  readonly coverage = new Coverage()

  add(report: RunReport): void {
    this.runs++
    for (const name of summed) this[name] += report[name]
    this.served_ms = Math.max(this.served_ms, report.served_ms)
    for (const fault of faultNames) this.faults[fault] = (this.faults[fault] ?? 0) + (report.faults[fault] ?? 0)
    for (const name of fates) this.messages[name] += report.messages[name]
    this.coverage.add(report.coverage, report.restarts)
  }

  /** Several lines. Without a time they are the same for the same runs. */
  summary(elapsed_ms: number | null): string {
    const count = (n: number): string => Math.round(n).toLocaleString("en")
    const ran = `${count(this.runs)} run${this.runs === 1 ? "" : "s"}`
    const { calls, committed, faults, messages, simulated_ms, steps, unanswered, undecided } = this
    return [
      elapsed_ms === null
        ? `${ran}, ${count(steps)} steps, ${count(simulated_ms / 1_000)} simulated seconds`
        : `${ran}, ${count(steps)} steps (${count(steps / (elapsed_ms / 1_000))} a second), ` +
          `${count(simulated_ms / 60_000)} simulated minutes (${count(simulated_ms / elapsed_ms)} times real time)`,
      `${count(calls)} operations asked, ${count(unanswered)} never answered, ${count(committed)} committed, ` +
      `${count(this.sessionsLost)} sessions lost, ${count(undecided)} histories too wide to decide`,
      `${count(this.views)} view changes; longest time to serve again ${count(this.served_ms)} ms`,
      `messages: ${Object.entries(messages).map(([name, times]) => `${count(times)} ${name}`).join(", ")}`,
      `faults: ${Object.entries(faults).map(([name, times]) => `${name} ${count(times)}`).join(", ")}`,
      `restarts: ${Object.entries(this.coverage.restarts).map(([state, times]) => `${count(times)} in ${state}`).join(", ")}`,
      "messages by the state that they met:",
      this.coverage.table()
    ].join("\n")
  }
}
