/**
 * The last steps of a simulation, put into words only when they are wanted.
 *
 * @module
 */
import type { Message } from "../../src/vr/Message.ts"
import type { Input, Outcome } from "../../src/vr/Replica.ts"
import type { Before, Process } from "./Process.ts"

const kept = 400

const messageText = (message: Message): string => {
  const fields = Object.entries(message).flatMap(([name, value]) => {
    if (name === "_tag") return []
    return [`${name} ${Array.isArray(value) ? `(${value.length})` : String(value)}`]
  })
  return `${message._tag}⟨${fields.join(", ")}⟩`
}

const inputText = (input: Input): string => {
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

interface Step {
  readonly at: number
  readonly id: string
  readonly before: Before
  readonly after: Before
  readonly inputs: ReadonlyArray<Input>
  readonly out: Outcome
}

const stateText = ({ commit, logView, op, tag, view }: Before): string => `${tag} v${view}/${logView} ${commit}/${op}`

export class Trace {
  private lines: Array<Step | string> = []

  private add(line: Step | string): void {
    this.lines.push(line)
    if (this.lines.length >= 2 * kept) this.lines = this.lines.slice(-kept)
  }

  note(at: number, id: string, fact: string): void {
    this.add(`${at.toFixed(1)} ${id} ${fact}`)
  }

  step(at: number, { id, replica }: Process, before: Before, inputs: ReadonlyArray<Input>, out: Outcome): void {
    const { commit, log, logView, state, view } = replica
    const after = { tag: state._tag, view, logView, commit, op: log.op }
    const quiet = inputs.every((input) => input._tag === "Tick") && out.sends.length === 0 && out.early.length === 0
    if (quiet && before.tag === after.tag) return
    this.add({ at, id, before, after, inputs, out })
  }

  /** The last `count` lines. */
  text(count = kept): string {
    return this.lines.slice(-count).map((line) => {
      if (typeof line === "string") return line
      const { after, at, before, id, inputs, out } = line
      const sends = [...out.early, ...out.sends].map(({ message, to }) => `${to}: ${message._tag}`)
      const change = stateText(before) === stateText(after) ? stateText(after) : `${stateText(before)} → ${stateText(after)}`
      return `${at.toFixed(1)} ${id} [${change}] ${inputs.map(inputText).join("; ")}${sends.length > 0 ? ` ⇒ ${sends.join(", ")}` : ""}`
    }).join("\n")
  }
}
