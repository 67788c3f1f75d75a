/**
 * Commands that show replicas: as they are, and what changed in them.
 *
 * @module
 */
import { underWay } from "./Arrows.ts"
import { columns, type Command, Complaint, type Context, countOf } from "./Command.ts"
import { type Change, changesOf, type Field, replicaFields } from "./Fields.ts"
import type { Session } from "./Session.ts"
import { cut, isQuiet, lineText, messageText } from "./Words.ts"

/** Of a log, and of what is under way, so much is shown unless it is asked for. */
const tail_max = 8
const value_max = 200
/** Of a process, what is not the case is not worth a line. */
const unset = new Set(["null", "false", "0"])
const log_changes_max = 12

const idsOf = ({ recording }: Session): ReadonlyArray<string> => recording.replicas

/** `R1`, `r1` or `1`. */
export const replicaOf = (session: Session, word: string): string => {
  const wanted = word.toLowerCase()
  const found = idsOf(session).find((id) => id.toLowerCase() === wanted || id.toLowerCase() === `r${wanted}`)
  if (found === undefined) throw new Complaint(`there is no replica "${word}": there are ${idsOf(session).join(", ")}`)
  return found
}

const summaryRow = (session: Session, id: string): ReadonlyArray<string> => {
  const process = session.sim.replica(id)
  const primary = id === session.sim.primary ? "← primary" : ""
  if (!process.isUp) {
    const { log_view, view } = process.journal.head
    return [id, "down", `${view}/${log_view}`, "", "", "", "", "", "has promised that view"]
  }
  const { clients, commit, durable, log, logView, state, view } = process.replica
  const inbox = String(process["inbox"].length)
  return [
    id,
    `${state._tag}${process.paused ? " (paused)" : ""}`,
    `${view}/${logView}`,
    ...[commit, log.op, durable, clients.size].map(String),
    inbox,
    primary
  ]
}

const replicasTable = ({ paint, session }: Context): string => {
  const [head, ...rows] = columns([
    ["", "STATE", "VIEW/NORMAL", "COMMIT", "OP", "DURABLE", "SESSIONS", "INBOX"],
    ...idsOf(session).map((id) => summaryRow(session, id))
  ])
  return [paint.bold(head!), ...rows].join("\n")
}

const titles: Readonly<Record<Field["group"], string>> = {
  process: "process",
  replica: "replica",
  state: "of its state",
  clients: "client table",
  log: "log",
  data: "data",
  durable: "durable"
}

const groupText = (
  group: Field["group"],
  fields: ReadonlyArray<Field>,
  tail: number,
  { paint }: Context
): ReadonlyArray<string> => {
  const all = fields.filter((field) => field.group === group && !(group === "process" && unset.has(field.value)))
  if (all.length === 0) return []
  const cutShort = (group === "log" || group === "clients" || group === "data") && all.length > tail
  const shown = cutShort ? all.slice(-tail) : all
  const more = cutShort ? `   the last ${shown.length} of ${all.length}` : ""
  return [`${paint.bold(titles[group])}${more}`, ...columns(shown.map(({ name, value }) => [name, cut(value, value_max)]))]
}

const lastStepText = (session: Session, id: string): string => {
  const line = session.recording.lines.slice(0, session.stop.lines).findLast((one) => one.id === id && !isQuiet(one))
  return line === undefined ? "nothing but ticks yet" : lineText(line).trim()
}

const replicaText = (context: Context, id: string, tail: number): string => {
  const { paint, session } = context
  const process = session.sim.replica(id)
  const fields = replicaFields(process)
  const title = `${id} ${process.state}${id === session.sim.primary ? ", the primary" : ""}`
  return [
    `${paint.bold(title)}   ${paint.dim(cut(lastStepText(session, id), value_max))}`,
    ...(["replica", "state", "log", "clients", "data", "durable", "process"] as const).flatMap((group) =>
      groupText(group, fields, tail, context)),
    ...messagesTo(session, id)
  ].join("\n")
}

const underWayRows = (session: Session, to: string | undefined): ReadonlyArray<ReadonlyArray<string>> => {
  const { arrows, lines } = session.recording
  return underWay(arrows, session.stop.lines).filter((arrow) => to === undefined || arrow.to === to).map((arrow) => {
    const [sent, received] = [lines[arrow.sent]!, arrow.received === null ? undefined : lines[arrow.received]]
    const fate = received?.kind === "step" ? `arrives by step ${received.index}` : "is never received"
    return [
      `${arrow.from} → ${arrow.to}`,
      cut(messageText(arrow.message), 90),
      sent.kind === "step" ? `of step ${sent.index}` : "",
      fate
    ]
  })
}

/** What was sent to it and is on its way. Of what is never received, only the latest: it may be long lost. */
const messagesTo = (session: Session, id: string): ReadonlyArray<string> => {
  const rows = underWayRows(session, id).filter((row) => row[3] !== "is never received")
  return rows.length === 0 ? [] : ["on the way to it", ...columns(rows.slice(-tail_max))]
}

const messagesText = ({ session }: Context, tail: number): string => {
  const rows = underWayRows(session, undefined)
  const arriving = rows.filter((row) => row[3] !== "is never received")
  const lost = rows.length - arriving.length
  const more = arriving.length > tail ? [`  … ${arriving.length - tail} older ones: print messages ${arriving.length}`] : []
  return [
    ...(arriving.length === 0 ? ["nothing is on its way that will arrive"] : [...more, ...columns(arriving.slice(-tail))]),
    `  (${lost} sent before this are never received)`
  ].join("\n")
}

const print = (context: Context, [what, tail]: ReadonlyArray<string>): string => {
  const shown = countOf(tail, "how much to show", tail_max)
  if (what === undefined || /^r(?:eplicas?)?$/.test(what)) return replicasTable(context)
  if (/^m(?:essages?)?$/.test(what)) return messagesText(context, shown)
  return replicaText(context, replicaOf(context.session, what), shown)
}

/** Where a field of that name could be of something else. */
const prefixes: Readonly<Partial<Record<Field["group"], string>>> = {
  process: "process: ",
  state: "state: ",
  data: "data: ",
  durable: "durable: "
}

const changeRow = ({ after, before, field }: Change): ReadonlyArray<string> => {
  const values = before === undefined
    ? `+ ${cut(after ?? "", value_max)}`
    : after === undefined ? `- ${cut(before, value_max)}` : `${cut(before, 90)} → ${cut(after, 90)}`
  return [`${prefixes[field.group] ?? ""}${field.name}`, values]
}

const diffText = ({ paint, session }: Context, id: string, since: number, what: string): string | null => {
  const before = session.fieldsAt(since, [id]).get(id)!
  const now = replicaFields(session.sim.replica(id))
  const isDown = !session.sim.replica(id).isUp
  // The clock of a process runs: that is no news. Nor is it that who is down holds nothing more.
  const changes = changesOf(before, now).filter(({ after, field }) =>
    !(field.group === "process" && field.name === "clock") && !(isDown && after === undefined))
  if (changes.length === 0) return null
  const inLog = changes.flatMap(({ field }) => field.group === "log" ? [field] : [])
  const hidden = new Set(inLog.slice(0, -log_changes_max))
  const shown = changes.filter(({ field }) => !hidden.has(field))
  const more = hidden.size === 0 ? [] : [`  … and ${hidden.size} other entries of the log`]
  return [`${paint.bold(id)} ${what}`, ...columns(shown.map(changeRow)), ...more].join("\n")
}

const diff = (context: Context, [who, since]: ReadonlyArray<string>): string => {
  const { session } = context
  const { stops } = session.recording
  if (who === undefined) {
    const from = session.cameFrom
    if (from === session.at) throw new Complaint("nothing has moved yet: step first, or say which replica")
    const between = `between step ${stops[from]!.step} and ${session.stop.step}`
    const texts = idsOf(session).map((id) => diffText(context, id, from, between)).filter((text) => text !== null)
    return texts.length === 0 ? `no replica changed ${between}` : texts.join("\n")
  }
  const id = replicaOf(session, who)
  if (since !== undefined) {
    const step = countOf(since.replace(/^#/, ""), "the step to compare with")
    const what = `since step ${stops[session.stopOfStep(step)]!.step}`
    return diffText(context, id, session.stopOfStep(step), what) ?? `nothing changed in ${id} ${what}`
  }
  const last = session.lastStepOf(id)
  if (last === undefined) throw new Complaint(`${id} has made no step yet`)
  const passed = last.after === session.at
    ? "in its last step, which was just made"
    : `since before its last step (${stops[last.after]!.step})`
  return diffText(context, id, last.before, passed) ?? `nothing changed in ${id} ${passed}`
}

export const printingCommands: ReadonlyArray<Command> = [
  {
    name: "print",
    aliases: ["p"],
    usage: "replicas|messages|<replica> [n]",
    purpose: "all replicas, what is under way, or everything of one replica",
    help: `  print replicas
  print R1          its state, log, client table, what is durable, its inbox, what is on the way to it
  print R1 50       with the last 50 entries of its log
  p 1               the same as print R1
  print messages    what is under way, and when it will arrive`,
    words: (session) => ["replicas", "messages", ...idsOf(session)],
    run: print
  },
  {
    name: "diff",
    aliases: ["d"],
    usage: "[replica] [step]",
    purpose: "what the last step of a replica changed in it, or everything since a step",
    help: `  diff R1           what its last step changed
  diff R1 1200      what changed in it since step 1200
  diff              what changed in any replica since the place before the last move`,
    words: idsOf,
    run: diff
  }
]
