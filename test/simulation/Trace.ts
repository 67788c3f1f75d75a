/**
 * What happened in a simulation, line by line, put into words only when they are wanted.
 *
 * @module
 */
import type { Entry, Message, ReplicaId } from "../../src/vr/Message.ts"
import type { Input, Outcome } from "../../src/vr/Replica.ts"
import type { Before, Process } from "./Process.ts"

const lastOnes = 400

export interface StepLine {
  readonly kind: "step"
  /** Which step of the simulation it was, from 1. */
  readonly index: number
  /** Ms of simulated time. */
  readonly at: number
  readonly id: ReplicaId
  readonly before: Before
  readonly after: Before
  /** A message here is the very object that is among the sends of the step that sent it. */
  readonly inputs: ReadonlyArray<Input>
  readonly out: Outcome
}

/** Of a replica, of a client, or of the nemesis, which draws the faults. */
export interface NoteLine {
  readonly kind: "note"
  readonly at: number
  readonly id: string
  readonly fact: string
}

export type TraceLine = StepLine | NoteLine

/** `<op>@<view>` of the first and the last. */
const entriesText = (entries: ReadonlyArray<Entry>): string => {
  const [first] = entries
  const last = entries[entries.length - 1]
  if (first === undefined || last === undefined) return "none"
  return first === last ? `${first.op}@${first.view}` : `${first.op}@${first.view}…${last.op}@${last.view}`
}

export const messageText = (message: Message): string => {
  const fields = Object.entries(message).flatMap(([name, value]) => {
    if (name === "_tag") return []
    return [`${name} ${Array.isArray(value) ? entriesText(value as ReadonlyArray<Entry>) : String(value)}`]
  })
  return `${message._tag}⟨${fields.join(", ")}⟩`
}

export const inputText = (input: Input): string => {
  switch (input._tag) {
    case "Message":
      return `${input.from}: ${messageText(input.message)}`
    case "Requests":
      return input.requests.map((one) => `${one.kind} of C${one.to.connection}`).join(", ")
    case "Tick":
      return "tick"
    case "Durable":
      return `durable ${input.op}`
    case "PeerLost":
      return `lost ${input.replica}`
  }
}

export const stateText = ({ commit, logView, op, tag, view }: Before): string => `${tag} v${view}/${logView} ${commit}/${op}`

export const lineText = (line: TraceLine): string => {
  if (line.kind === "note") return `${line.at.toFixed(1)} ${line.id} ${line.fact}`
  const { after, at, before, id, inputs, out } = line
  const sends = [...out.early, ...out.sends].map(({ message, to }) => `${to}: ${messageText(message)}`)
  const change = stateText(before) === stateText(after) ? stateText(after) : `${stateText(before)} → ${stateText(after)}`
  return `${at.toFixed(1)} ${id} [${change}] ${inputs.map(inputText).join("; ")}${sends.length > 0 ? ` ⇒ ${sends.join(", ")}` : ""}`
}

export class Trace {
  private kept: Array<TraceLine> = []
  private readonly lines_max: number

  constructor(lines_max = lastOnes) {
    this.lines_max = lines_max
  }

  /** The last ones, if not all are kept. */
  get lines(): ReadonlyArray<TraceLine> {
    return this.kept
  }

  private add(line: TraceLine): void {
    this.kept.push(line)
    if (this.kept.length >= 2 * this.lines_max) this.kept = this.kept.slice(-this.lines_max)
  }

  note(at: number, id: string, fact: string): void {
    this.add({ kind: "note", at, id, fact })
  }

  step(index: number, at: number, { id, replica }: Process, before: Before, inputs: ReadonlyArray<Input>, out: Outcome): void {
    const { commit, log, logView, state, view } = replica
    const after = { tag: state._tag, view, logView, commit, op: log.op }
    this.add({ kind: "step", index, at, id, before, after, inputs, out })
  }

  /** The last `count` lines, without ticks that changed nothing. */
  text(count = lastOnes): string {
    return this.kept.filter((line) => !isQuiet(line)).slice(-count).map(lineText).join("\n")
  }
}

const isQuiet = (line: TraceLine): boolean =>
  line.kind === "step" && line.before.tag === line.after.tag && line.out.sends.length === 0 && line.out.early.length === 0 &&
  line.inputs.every((input) => input._tag === "Tick")
