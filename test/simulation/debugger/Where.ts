/**
 * Why a run failed: the rule that was broken, by whom and when, what led to it, and the checker that found it.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs"
import { relative } from "node:path"
import { fileURLToPath } from "node:url"
import type { Paint } from "../../../src/cli/Output.ts"
import type { Failure } from "../Execution.ts"
import type { TraceLine } from "../Trace.ts"
import { columns, Complaint } from "./Command.ts"
import type { Session } from "./Session.ts"
import { changeText, cut, isQuiet, lineText, stateText } from "./Words.ts"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const simulation = new URL("../", import.meta.url)
const core = new URL("../../../src/", import.meta.url)
const changes_max = 12
const last_max = 4
const points_max = 6
const line_max = 400

export interface Place {
  /** From the project's root, with the line. */
  readonly path: string
  /** The comment at the top of the file. */
  readonly purpose: string
}

const sourcesIn = (folder: URL): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .sort()
    .map((path) => fileURLToPath(new URL(path, folder)))

const purposeOf = (text: string): string =>
  (/^\/\*\*([^]*?)@module/.exec(text)?.[1] ?? "").split("\n")
    .map((line) => line.replace(/^ \* ?/, "").trim()).join(" ").trim()

const placeIn = (path: string, has: (line: string) => boolean): Place | undefined => {
  const text = readFileSync(path, "utf8")
  const line = text.split("\n").findIndex(has)
  return line === -1 ? undefined : { path: `${relative(root, path)}:${line + 1}`, purpose: purposeOf(text) }
}

/** What a source says in quotes; of a template, up to its first gap. */
const quoted = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/"([^"\\\n]{8,})"|`([^`$\\\n]{8,})/g)].map(([, plain, template]) => plain ?? template!)

/** The first line of ours in the stack of an error that nobody expected. */
const placeInStack = (message: string): Place | undefined => {
  const [, path, line] = /\/((?:src|test)\/[\w./-]+\.ts):(\d+)/.exec(message) ?? []
  if (path === undefined) return undefined
  return { path: `${path}:${line}`, purpose: purposeOf(readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8")) }
}

/** Where the rule is checked: checkers and the core quote the fact that they assert, whole or as a template. */
export const placeOf = ({ message, rule }: Pick<Failure, "message" | "rule">): Place | undefined => {
  const sources = [...sourcesIn(new URL("checkers/", simulation)), ...sourcesIn(simulation), ...sourcesIn(core)]
    .filter((path) => !path.includes("/debugger/") && !path.includes("/mutations/"))
  const facts = sources.flatMap((path) => quoted(readFileSync(path, "utf8")).map((fact) => ({ fact, path })))
  const found = facts.filter(({ fact }) => rule.startsWith(fact)).sort((a, b) => b.fact.length - a.fact.length)[0]
  return placeInStack(message) ?? (found === undefined ? undefined : placeIn(found.path, (line) => line.includes(found.fact)))
}

/** Replicas that the failure names, and those that the failing step heard of. */
export const involvedIn = ({ message, replica, step }: Failure, { recording }: Session): ReadonlySet<string> => {
  const named = recording.replicas.filter((id) => id === replica || new RegExp(`\\b${id}\\b`).test(message))
  const line = recording.lines.findLast((one) => one.kind === "step" && one.index === step)
  const heard = line?.kind === "step"
    ? [line.id, ...line.inputs.flatMap((input) => input._tag === "Message" ? [input.from] : [])]
    : []
  return new Set([...named, ...heard])
}

/** What last changed in them, and their very last steps. A tick that nothing came of may be the one that broke the rule. */
const ledTo = ({ recording }: Session, involved: ReadonlySet<string>): ReadonlyArray<TraceLine> => {
  const { failure } = recording
  const isTold = (line: TraceLine): boolean => !isQuiet(line) || (line.kind === "step" && line.index === failure?.step)
  const lines = recording.lines.filter((line) => (involved.size === 0 || involved.has(line.id)) && isTold(line))
  const changes = lines.filter((line) => line.kind === "note" || changeText(line.before, line.after) !== "")
  const telling = new Set([...changes.slice(-changes_max), ...lines.slice(-last_max)])
  return lines.filter((line) => telling.has(line))
}

/** Each replica at its last step. */
const replicasThen = ({ recording: { lines, replicas } }: Session): ReadonlyArray<string> =>
  columns(replicas.map((id) => {
    const line = lines.findLast((one) => one.id === id && !isQuiet(one))
    const quiet = lines.findLast((one) => one.kind === "step" && one.id === id)
    const state = quiet?.kind === "step" ? stateText(quiet.after) : "made no step"
    return [id, line?.kind === "note" ? `${line.fact} after: ${state}` : state]
  }))

/** What was important last, but for operations. */
const importantBefore = ({ recording: { points, stops } }: Session): ReadonlyArray<string> =>
  columns(points.filter(({ kind }) => kind !== "commit" && kind !== "violation").slice(-points_max).map(({ stop, text }) =>
    [`${stops[stop]!.at.toFixed(1)} ms`, `step ${stops[stop]!.step}`, text]))

const wrapped = (text: string): ReadonlyArray<string> => text.match(/.{1,100}(?:\s+|$)/g) ?? [text]

export const whereText = (session: Session, paint: Paint): string => {
  const { recording } = session
  const { failure } = recording
  if (failure === null) throw new Complaint("this run holds every rule: there is nothing to explain")
  const place = placeOf(failure)
  const involved = involvedIn(failure, session)
  const who = failure.replica === null ? "" : ` by ${failure.replica}`
  return [
    paint.red(`VIOLATION${who} at step ${failure.step}, ${failure.at_ms.toFixed(1)} ms`),
    ...columns([
      ["rule", failure.rule],
      ["message", cut(failure.message, 1_000)],
      ...(place === undefined ? [] : [["checked in", place.path], ...wrapped(place.purpose).map((line) => ["", line])])
    ]),
    "the replicas then:",
    ...replicasThen(session),
    "before that:",
    ...importantBefore(session),
    `what last changed${involved.size === 0 ? "" : ` in ${[...involved].sort().join(" and ")}`}, and the last steps:`,
    ...ledTo(session, involved).map((line) => cut(lineText(line), line_max)),
    ...(session.failure === null ? [paint.dim("goto violation stands there; then: print, diff, step-bwd")] : [])
  ].join("\n")
}
