/**
 * What catches each mutation, and after how many runs, as the table for docs/TESTING.md:
 * `node test/simulation/mutations/report.ts [part of a name] [runs]`. It looks no further than `runs` (the budget if left
 * out). Budgets below five times the runs that it took are pointed out.
 *
 * @module
 */
import { hunt } from "./Catch.ts"
import { mutations } from "./Table.ts"

const [part = "", runs] = process.argv.slice(2)

console.log("| mutation | what goes wrong | caught by | after runs | budget |\n|---|---|---|---:|---:|")
for (const { budget, name, what } of mutations) {
  if (!name.includes(part)) continue
  const { caughtAfter, rule, seconds } = await hunt(name, Number(runs ?? budget))
  console.log(`| ${name} | ${what} | ${rule ?? "**nothing**"} | ${caughtAfter ?? "–"} | ${budget} |`)
  if (budget < (caughtAfter ?? 0) * 5) console.error(`${name}: the budget is below five times the runs`)
  if (seconds > 5) console.error(`${name}: ${seconds} s`)
}
