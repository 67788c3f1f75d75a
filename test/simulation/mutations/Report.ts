/**
 * What catches each mutation, and after how many runs, as the table for docs/TESTING.md.
 *
 * @module
 */
import { type Catch, hunt } from "./Catch.ts"
import { mutations } from "./Table.ts"

/** Random runs go on to here, where that is more than the budget. */
const runs_max = 1_500

const counted = (count: number | null, by: Catch["by"]): string => {
  if (count === null) return "–"
  return `${count.toLocaleString("en")} ${by === "search" ? "states" : count === 1 ? "run" : "runs"}`
}

/** True: all were caught within their budgets, which are at least five times as many runs as it took. */
export const report = async (print: (line: string) => void): Promise<boolean> => {
  print("| mutation | what goes wrong | broken rule | after | budget |\n|---|---|---|---:|---:|")
  const tooSmall = new Array<string>()
  for (const { budget, name, what } of mutations) {
    const { by, caughtAfter, rule } = await hunt(name, Math.max(budget, runs_max))
    const cells = [name, what, rule ?? "**none**", counted(caughtAfter, by), budget.toLocaleString("en")]
    print(`| ${cells.join(" | ")} |`)
    const needed = (caughtAfter ?? Infinity) * (by === "search" ? 1 : 5)
    if (budget < needed) tooSmall.push(`${name}: the budget is ${budget}, and should be ${needed}`)
  }
  for (const line of tooSmall) print(line)
  return tooSmall.length === 0
}
