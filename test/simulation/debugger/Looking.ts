/**
 * Commands that tell of the run: where it stands, why it failed, what happened when.
 *
 * @module
 */
import { columns, type Command, Complaint, type Context, countOf } from "./Command.ts"
import { kinds } from "./Points.ts"
import { placeText } from "./Moving.ts"
import { cutsOf, pathsText } from "./Recording.ts"
import { whereText } from "./Where.ts"
import { cut, isQuiet, lineText, valueText } from "./Words.ts"

const line_max = 400
const found_max = 12

const verdictText = ({ paint, session }: Context): string => {
  const { failure } = session.recording
  if (failure === null) return paint.green("holds every rule to its end")
  const ahead = session.last.step - session.stop.step
  const when = session.failure === null ? `in ${ahead} steps, at step ${failure.step}` : "here"
  return paint.red(`VIOLATION ${when}: ${cut(failure.message, 160)}`)
}

const status = (context: Context): string => {
  const { session } = context
  const { recording, sim, source } = session
  const { network, primary } = sim
  const cuts = pathsText(cutsOf(sim))
  const views = sim.processes.map((process) => process.isUp ? process.view : process.journal.head.view)
  const rows = [
    ["run", `${source.name}${source.mutation === null ? "" : `, with the mutation ${source.mutation}`}`],
    ["seed", String(source.seed)],
    ["stands at", `${placeText(session)} of ${session.last.at.toFixed(1)} ms`],
    ["phase", session.phase],
    ["group", `${sim.configuration.replicas.join(" ")}, of which ${sim.configuration.quorum} are a quorum`],
    ["primary", primary === undefined ? "none that serves" : `${primary} of view ${sim.replica(primary).view}`],
    ["highest view", String(Math.max(...views))],
    ["committed", `${sim.history.op} of ${recording.committed} operations`],
    ["cuts", cuts === "" ? "none" : cuts],
    ["weather", valueText(network.weather)],
    ["verdict", verdictText(context)]
  ]
  return columns(rows).join("\n")
}

const trace = ({ session }: Context, [word]: ReadonlyArray<string>): string => {
  const count = countOf(word, "how many lines to show", 20)
  const lines = session.recording.lines.slice(0, session.stop.lines).filter((line) => !isQuiet(line))
  if (lines.length === 0) return "nothing has happened yet"
  return lines.slice(-count).map((line) => cut(lineText(line), line_max)).join("\n")
}

const find = ({ paint, session }: Context, args: ReadonlyArray<string>): string => {
  const wanted = args.join(" ").toLowerCase()
  if (wanted === "") throw new Complaint("say what to find: any part of a line of the trace")
  const { lines } = session.recording
  const matching = (from: number, to: number): ReadonlyArray<string> =>
    lines.slice(from, to).map(lineText).filter((text) => text.toLowerCase().includes(wanted))
  const [before, after] = [matching(0, session.stop.lines), matching(session.stop.lines, lines.length)]
  const more = after.length > found_max ? `, the first ${found_max} above` : ""
  if (before.length + after.length === 0) throw new Complaint(`nothing in this run has "${wanted}"`)
  return [
    ...after.slice(0, found_max).map((text) => cut(text, line_max)),
    paint.dim(`${after.length} after this${more}; ${before.length} before`)
  ].join("\n")
}

const events = ({ paint, session }: Context, args: ReadonlyArray<string>): string => {
  const unknown = args.find((word) => !/^\d+$/.test(word) && !(kinds as ReadonlyArray<string>).includes(word))
  if (unknown !== undefined) throw new Complaint(`"${unknown}" is none of ${kinds.join(", ")}`)
  const named = args.filter((word) => !/^\d+$/.test(word))
  const count = countOf(args.find((word) => /^\d+$/.test(word)), "how many to show", 15)
  // Operations are most of it; whoever wants them asks for them.
  const wanted = (kind: string): boolean => named.length === 0 ? kind !== "commit" : named.includes(kind)
  const { points, stops } = session.recording
  const all = points.filter(({ kind }) => wanted(kind))
  if (all.length === 0) throw new Complaint("there is nothing of that in this run")
  const here = all.findLastIndex(({ stop }) => stop <= session.at)
  const first = Math.max(0, Math.min(here - Math.floor(count / 2), all.length - count))
  const rows = all.slice(first, first + count).map(({ kind, stop, text }, index) => [
    first + index === here ? "→" : "",
    `${stops[stop]!.at.toFixed(1)} ms`,
    `step ${stops[stop]!.step}`,
    kind,
    cut(text, 140)
  ])
  return [...columns(rows, ""), paint.dim(`${all.length} in all; events ${all.length} shows them`)].join("\n")
}

export const lookingCommands: ReadonlyArray<Command> = [
  {
    name: "status",
    aliases: ["s"],
    usage: "",
    purpose: "where the run stands: time, primary, cuts, weather, verdict",
    help: "",
    run: status
  },
  {
    name: "where",
    aliases: ["w"],
    usage: "",
    purpose: "why the run failed: the rule, the step, what led to it, the checker",
    help: "It may be asked from anywhere in the run.",
    run: ({ paint, session }) => whereText(session, paint)
  },
  {
    name: "trace",
    aliases: ["t"],
    usage: "[n]",
    purpose: "the last n lines of the trace up to here",
    help: `  trace 50

Time in ms, number of the step, the replica [its state: what changed] what it received ⇒ what it sent.`,
    run: trace
  },
  {
    name: "find",
    aliases: ["f", "/"],
    usage: "<text>",
    purpose: "the next lines of the trace that have this text",
    help: "  find DoViewChange\n  find C0 write #12\n  find R2 crashes",
    run: find
  },
  {
    name: "events",
    aliases: ["e"],
    usage: "[kind] [n]",
    purpose: "what was important around here: view changes, faults, crashes",
    help: `  events\n  events crash\n  events commit 50\n\nKinds: ${kinds.join(", ")}. Without one: all but commits.`,
    words: () => kinds,
    run: events
  }
]
