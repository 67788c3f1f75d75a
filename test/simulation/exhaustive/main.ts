/**
 * Runs searches and says what they found.
 *
 * `node test/simulation/exhaustive/main.ts [name of bounds] [--forgetful]` runs one (all small ones without a name), and
 * prints the trace of a violation. It exits with 0 if all bounds were exhausted without one, 1 if not, 2 if there are no
 * such bounds. `exhaustive` runs the small and the large ones.
 *
 * @module
 */
import { pathToFileURL } from "node:url"
import { type Bounds, large, small } from "./Bounds.ts"
import { type Progress, search, type SearchReport } from "./Search.ts"

type Print = (line: string) => void

const describe = (bounds: Bounds): string =>
  Object.entries(bounds).filter(([, value]) => value > 0).map(([name, value]) => `${name} ${value}`).join(", ")

const count = (number: number): string => number.toLocaleString("en")

/** A line about every 10 seconds. */
const progressTo = (print: Print): (progress: Progress) => void => {
  let due = 10
  return ({ depth, open, seconds, states }) => {
    if (seconds < due) return
    due = seconds + 10
    print(`  ${count(states)} states, depth ${depth}, ${count(open)} open, ${seconds.toFixed(0)} s`)
  }
}

const sayResult = ({ depth, seconds, states, stopped, violation }: SearchReport, print: Print): void => {
  const size = `${count(states)} states, depth ${depth}, ${seconds.toFixed(1)} s`
  if (violation !== null) {
    print(`  ${size}: VIOLATION of "${violation.rule}"`)
    for (const line of violation.trace) print(`    ${line}`)
  } else if (stopped === null) print(`  ${size}: exhausted, no violation`)
  else print(`  ${size}: NOT exhausted, given up as ${stopped}`)
}

const runOne = (name: string, bounds: Bounds, forgetful: boolean, print: Print): SearchReport => {
  print(`${name}${forgetful ? " without the promised view (F1)" : ""}: ${describe(bounds)}`)
  const report = search(bounds, { forgetful, onProgress: progressTo(print) })
  sayResult(report, print)
  return report
}

const isClean = ({ exhausted, violation }: SearchReport): boolean => exhausted && violation === null

/** All bounds, and the search that must find F1 when its fix is off. True if all is as it should be. */
export const exhaustive = (print: Print): boolean => {
  const bites = runOne("f1", small["f1"]!, true, print).violation !== null
  if (!bites) print("  and that is wrong: the search no longer bites")
  let allClean = bites
  for (const [name, bounds] of Object.entries({ ...small, ...large })) {
    if (!isClean(runOne(name, bounds, false, print))) allClean = false
  }
  return allClean
}

/** The exit code. */
const main = (args: ReadonlyArray<string>): number => {
  const forgetful = args.includes("--forgetful")
  const name = args.find((arg) => !arg.startsWith("--"))
  const all = { ...small, ...large }
  const chosen = name === undefined ? small : { [name]: all[name] }
  let code = 0
  for (const [key, bounds] of Object.entries(chosen)) {
    if (bounds === undefined) {
      console.error(`no bounds are called ${key}: there are ${Object.keys(all).join(", ")}`)
      return 2
    }
    if (!isClean(runOne(key, bounds, forgetful, console.log))) code = 1
  }
  return code
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) process.exitCode = main(process.argv.slice(2))
