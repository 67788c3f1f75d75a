/**
 * A trace told in words, by taking fresh replicas through it: without the search's copies, and without its tables.
 *
 * @module
 */
import { type Configuration } from "../../../src/vr/Configuration.ts"
import { countOf, epochOf, type Message } from "../../../src/vr/Message.ts"
import type { Outcome, Replica } from "../../../src/vr/Replica.ts"
import { type Action, born, type Core, lifeOf, take } from "./Action.ts"
import { copyReplica } from "./Canonical.ts"

/** One action of a trace. */
export interface Happened {
  /** Of the replica, in the configuration. */
  readonly index: number
  readonly action: Action
}

export interface Story {
  /** One line an action: what happened, what was sent, and how all replicas are after it. */
  readonly lines: ReadonlyArray<string>
  /** As they are in the end. */
  readonly replicas: ReadonlyArray<Replica>
}

const numbers = (message: Message): string => {
  const { _tag, ...rest } = message
  const fields = Object.entries(rest).map(([name, value]) => {
    if (value instanceof Uint8Array) return `${value.length} ${name}`
    if (name === "nonce") return `life ${lifeOf(Number(value))}`
    if (message._tag === "StartViewChange" && name === "probing") return message.probing ? "probing" : "left"
    return "entries" in message && name === "entries"
      ? `entries [${message.entries.map(({ op, view }) => `op ${op} of view ${view}`).join(", ")}]`
      : `${name} ${String(value)}`
  })
  return `${_tag}(${fields.join(", ")})`
}

const whatHappens = ({ action }: Happened): string => {
  switch (action.kind) {
    case "deliver":
      return `receives ${numbers(action.message)} of ${action.from}`
    case "tick":
      return "ticks: everything is due"
    case "late":
      return "ticks after a long silence"
    case "crash":
      return `crashes, and starts again with view ${action.promised} promised`
    case "restart":
      return action.torn === null
        ? "crashes, and starts again with its log"
        : `is asked for operation ${action.torn + 1}, sends it, crashes before it is written, and starts again with its log`
    case "request":
      return `is asked for operation ${action.number + 1}`
    case "read":
      return "is asked to read"
    case "reconfigure":
      return `is asked to make the group ${action.replicas.join(", ")}`
    case "skip":
      return `loses its transport to ${action.over}`
  }
}

const viewText = (view: number): string => epochOf(view) === 0 ? String(view) : `${epochOf(view)}/${countOf(view)}`

const sends = (outcomes: ReadonlyArray<Outcome>): string => {
  const receivers = new Map<string, Array<string>>()
  for (const { early, sends } of outcomes) {
    for (const { message, to } of [...early, ...sends]) {
      const what = numbers(message)
      receivers.set(what, [...receivers.get(what) ?? [], to])
    }
  }
  return [...receivers].map(([what, to]) => `; sends ${what} to ${to.join(" and ")}`).join("")
}

const inWords = ({ commit, configuration, id, log, logView, state, view }: Replica): string =>
  `${id} ${state._tag}${configuration.epoch === 0 ? "" : ` epoch ${configuration.epoch}`} view ${viewText(view)} logView ${
    viewText(logView)
  } op ${log.op} commit ${commit}`

/** Takes replicas of `core` through it; a step that throws ends it. */
export const tell = (
  core: Core,
  configuration: Configuration,
  trace: ReadonlyArray<Happened>,
  ids = configuration.replicas
): Story => {
  const replicas = ids.map((id) => born(core, id, configuration))
  const lines: Array<string> = []
  for (const [i, happened] of trace.entries()) {
    const { action, index } = happened
    const what = `${i + 1}. ${replicas[index]!.id} ${whatHappens(happened)}`
    try {
      const { outcomes, replica } = take(core, replicas[index]!, action)
      // Long ago becomes the present again.
      replicas[index] = action.kind === "late" ? copyReplica(replica) : replica
      lines.push(`${what}${sends(outcomes)} ⇒ ${replicas.map(inWords).join(" | ")}`)
    } catch (error) {
      if (!(error instanceof Error)) throw error
      lines.push(`${what} ⇒ ${error.message}`)
      break
    }
  }
  return { lines, replicas }
}
