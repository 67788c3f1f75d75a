/**
 * Is there an order of the clients' calls, each at one moment between its invocation and its return, in which a single
 * sequential store gives every answer that was given?
 *
 * First what versions alone tell, over all keys; then a search for an order for each key (each element directly below
 * the root, with all below it), unless some call looks at the root itself; and then for all keys together.
 *
 * @module
 */
import type { Call, History } from "./Calls.ts"
import { historyOf } from "./Calls.ts"
import { type Outcome, type Problem, Search } from "./Search.ts"
import { checkVersions } from "./Versions.ts"

export type { Call } from "./Calls.ts"

export type Verdict =
  | { readonly _tag: "Linearizable"; readonly configurations: number }
  | {
    readonly _tag: "NotLinearizable"
    /** The path of the key, "/": all together. */
    readonly partition: string
    readonly explanation: string
    /** Those that the explanation is about. */
    readonly calls: ReadonlyArray<Call>
  }
  /** Neither was found within the bound. */
  | { readonly _tag: "Undecided"; readonly partition: string; readonly configurations: number }

const configurations_max_default = 50_000
const quick_share = 4

/** `configurations_max`: how many configurations a search may look at beyond one for each write, for each key and for all. */
export const checkLinearizable = (
  calls: ReadonlyArray<Call>,
  options?: { readonly configurations_max?: number }
): Verdict => {
  const history = historyOf(calls)
  const slots = checkVersions(history)
  if ("explanation" in slots) {
    const { explanation, path } = slots
    return { _tag: "NotLinearizable", partition: topOf(path), explanation, calls: slots.calls.map(({ call }) => call) }
  }
  const versions = new Set([...history.known, ...slots].map(({ version }) => version))
  const all: Problem = { ...history, slots, versions }
  const parts = partitionsOf(all)
  const max = options?.configurations_max ?? configurations_max_default
  let configurations = 0
  let undecided: Verdict | undefined
  for (const [partition, problem] of parts) {
    const outcome = search(problem, max)
    configurations += outcome.configurations
    if (outcome._tag === "None") return notLinearizable(partition, problem, outcome)
    if (outcome._tag === "GaveUp") undecided ??= { _tag: "Undecided", partition, configurations }
  }
  if (undecided !== undefined) return undecided
  if (parts.size > 1) {
    const outcome = search(all, max)
    configurations += outcome.configurations
    if (outcome._tag === "None") return notLinearizable("/", all, outcome)
    if (outcome._tag === "GaveUp") return { _tag: "Undecided", partition: "/", configurations }
  }
  return { _tag: "Linearizable", configurations }
}

/** Most histories that have an order need few writes that nobody was told of: the rest are tried only when it must be. */
const search = (problem: Problem, configurations_max: number): Outcome => {
  const quick = new Search(problem, configurations_max / quick_share, false).run()
  if (quick._tag === "Found" || (quick._tag === "None" && problem.unknown.length === 0)) return quick
  const outcome = new Search(problem, configurations_max, true).run()
  return { ...outcome, configurations: quick.configurations + outcome.configurations }
}

const notLinearizable = (
  partition: string,
  { known, unknown }: History,
  { furthest }: Extract<Outcome, { readonly _tag: "None" }>
): Verdict => {
  const { calls, done, lines } = furthest
  const sizes = `${known.length} calls, and ${unknown.length} writes of unknown outcome`
  const explanation = [
    `no order gives the answers below ${partition} (${sizes}); after ${done} of them in an order that does, none can be next:`,
    ...lines.map((line) => `  ${line}`)
  ].join("\n")
  return { _tag: "NotLinearizable", partition, explanation, calls }
}

/** By element directly below the root. One, "/", if some call looks at the root. */
const partitionsOf = (all: Problem): ReadonlyMap<string, Problem> => {
  const whole = all.known.some(({ operation: { _tag, path } }) => path === "/" && (_tag === "Stat" || _tag === "List"))
  if (whole) return new Map([["/", all]])
  const known = Map.groupBy(all.known, ({ operation }) => topOf(operation.path))
  const unknown = Map.groupBy(all.unknown, ({ operation }) => topOf(operation.path))
  // Nobody looks at the root: what was seen at this version, and all that may have made it, is below one element.
  const slots = Map.groupBy(all.slots, ({ candidates }) => topOf(candidates[0]!.operation.path))
  const problemOf = (top: string): Problem => ({
    known: known.get(top) ?? [],
    unknown: unknown.get(top) ?? [],
    slots: slots.get(top) ?? [],
    versions: all.versions
  })
  return new Map([...known.keys()].map((top) => [top, problemOf(top)]))
}

const topOf = (path: string): string => {
  const end = path.indexOf("/", 1)
  return end === -1 ? path : path.slice(0, end)
}
