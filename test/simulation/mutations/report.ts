/**
 * What catches each mutation, and after how many runs, as the table for docs/TESTING.md:
 * `node test/simulation/mutations/report.ts [part of a name] [runs]`. Random runs go on to `runs`, where that is more
 * than the budget. Budgets that have become too small are pointed out.
 *
 * @module
 */
import { type Catch, hunt } from "./Catch.ts"
import { mutations } from "./Table.ts"

const [part = "", runs = "0"] = process.argv.slice(2)

const counted = (count: number | null, by: Catch["by"]): string => {
  if (count === null) return "–"
  return `${count.toLocaleString("en")} ${by === "search" ? "states" : count === 1 ? "run" : "runs"}`
}

console.log("| mutation | what goes wrong | broken rule | after | budget |\n|---|---|---|---:|---:|")
for (const { budget, name, what } of mutations) {
  if (!name.includes(part)) continue
  const { by, caughtAfter, rule, seconds } = await hunt(name, Math.max(budget, Number(runs)))
  const cells = [name, what, rule ?? "**none**", counted(caughtAfter, by), budget.toLocaleString("en")]
  console.log(`| ${cells.join(" | ")} |`)
  const needed = (caughtAfter ?? Infinity) * (by === "search" ? 1 : 5)
  if (budget < needed) console.error(`${name}: the budget is ${budget}, and should be ${needed}`)
  if (seconds > 5) console.error(`${name}: ${seconds} s`)
}
