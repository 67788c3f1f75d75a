/**
 * Values of a run in words: messages, requests, entries, and whatever else a replica holds.
 *
 * @module
 */
import { decodeOperation } from "../../../src/store/Operation.ts"
import type { Entry, Message } from "../../../src/vr/Message.ts"
import type { ClientRequest, Input, Outcome, Reply } from "../../../src/vr/Replica.ts"
import type { Before } from "../Surroundings.ts"
import type { TraceLine } from "../Trace.ts"

/** What a value of many parts is cut to. */
const text_max = 160
const listed_max = 6

export const cut = (text: string, max = text_max): string => text.length > max ? `${text.slice(0, max - 1)}…` : text

export const numberText = (value: number): string =>
  Number.isInteger(value) || !Number.isFinite(value) ? String(value) : String(Math.round(value * 1_000) / 1_000)

/** Text where it is text, else hexadecimal. */
export const bytesText = (bytes: Uint8Array): string => {
  const text = Buffer.from(bytes).toString("latin1")
  if (/^[\x20-\x7e]*$/.test(text)) return JSON.stringify(text)
  return `0x${Buffer.from(bytes).toString("hex")}`
}

/** An operation of the store as its command line writes it; bytes, if it is none. */
export const operationText = (bytes: Uint8Array): string => {
  const operation = decodeOperation(bytes)
  if (operation._tag === "Error") return bytesText(bytes)
  const version = "version" in operation && operation.version !== null ? ` if version ${operation.version}` : ""
  const { path } = operation
  switch (operation._tag) {
    case "Create":
      return `create ${path} ${operation.type}${operation.data.length === 0 ? "" : ` ${bytesText(operation.data)}`}`
    case "Put":
      return `put ${path} ${bytesText(operation.data)}${version}`
    case "Delete":
      return `delete ${path}${operation.recursive ? " recursive" : ""}${version}`
    case "Get":
    case "Stat":
    case "List":
      return `${operation._tag.toLowerCase()} ${path}`
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const isEntry = (value: unknown): value is Entry =>
  isRecord(value) && "op" in value && "operation" in value && "answered" in value

const isRequest = (value: unknown): value is ClientRequest =>
  isRecord(value) && "kind" in value && "to" in value && ("nonce" in value || "operation" in value)

export const entryText = ({ kind, operation, request, session, view }: Entry): string => {
  const what = kind === "register"
    ? `register ${bytesText(operation)}`
    : `session ${session} #${request}  ${operationText(operation)}`
  return `view ${view}  ${what}`
}

/** `4–9`, `4`, or `none`. */
export const opsText = (entries: ReadonlyArray<Entry>): string => {
  const [first, last] = [entries[0], entries.at(-1)]
  if (first === undefined || last === undefined) return "none"
  return first === last ? String(first.op) : `${first.op}–${last.op}`
}

export const requestText = (request: ClientRequest): string => {
  const who = `C${request.to.connection}`
  if (request.kind === "register") return `${who} registers`
  return `${who} ${request.kind} #${request.request} ${operationText(request.operation)}`
}

export const replyText = ({ kind, request, status, to }: Reply): string =>
  `C${to.connection} ${kind}${kind === "register" ? "" : ` #${request}`} ${status}`

const fieldText = (value: unknown): string => {
  if (Array.isArray(value) && value.every(isEntry)) return opsText(value)
  return valueText(value)
}

/** `Prepare⟨view 3, first 7, entries 7–9, commit 6⟩` */
export const messageText = (message: Message | Readonly<Record<string, unknown>>): string => {
  const fields = Object.entries(message).filter(([name]) => name !== "_tag")
    .map(([name, value]) => `${name} ${fieldText(value)}`)
  return fields.length === 0 ? String(message._tag) : `${String(message._tag)}⟨${fields.join(", ")}⟩`
}

const listText = (values: ReadonlyArray<unknown>): string => {
  const listed = values.slice(0, listed_max).map(valueText)
  return `[${listed.join(", ")}${values.length > listed.length ? `, … ${values.length} in all` : ""}]`
}

const pairsText = (pairs: ReadonlyArray<readonly [unknown, unknown]>): string => {
  const listed = pairs.slice(0, listed_max).map(([key, value]) => `${String(key)}: ${valueText(value)}`)
  const more = pairs.length > listed.length ? `, … ${pairs.length} in all` : ""
  return pairs.length === 0 ? "{}" : `{ ${listed.join(", ")}${more} }`
}

/** Anything that a replica holds, on one line. */
export const valueText = (value: unknown): string => {
  if (typeof value === "number") return numberText(value)
  if (typeof value === "string") return value
  if (!isRecord(value)) return String(value)
  if (value instanceof Uint8Array) return bytesText(value)
  if (value instanceof Map) return pairsText([...(value as ReadonlyMap<unknown, unknown>)])
  if (value instanceof Set) return listText([...(value as ReadonlySet<unknown>)])
  if (Array.isArray(value)) return value.length > 0 && value.every(isEntry) ? opsText(value) : listText(value)
  if (isEntry(value)) return `#${value.op} ${entryText(value)}`
  if (isRequest(value)) return requestText(value)
  if (isInput(value)) return inputText(value)
  if ("_tag" in value) return messageText(value)
  return pairsText(Object.entries(value).filter(([, field]) => typeof field !== "function"))
}

const inputs = new Set(["Message", "Requests", "Tick", "Durable", "Snapshotted", "Reconfigure", "HandOff", "PeerLost"])

const isInput = (value: object): value is Input => "_tag" in value && inputs.has(String(value._tag))

export const inputText = (input: Input): string => {
  switch (input._tag) {
    case "Message":
      return `${input.from}: ${messageText(input.message)}`
    case "Requests":
      return input.requests.map(requestText).join(", ")
    case "Tick":
      return "tick"
    case "Durable":
      return `durable up to ${input.op}`
    case "Snapshotted":
      return `snapshot of op ${input.op} written`
    case "Reconfigure":
      return `asked to become ${input.replicas.join(", ")}`
    case "HandOff":
      return `asked to hand off to ${input.to}`
    case "PeerLost":
      return `connection to ${input.replica} lost`
  }
}

/** `Backup view 3 commit 4 op 7`; the last view in which it was normal only where it differs. */
export const stateText = ({ commit, logView, op, tag, view }: Before): string =>
  `${tag} view ${view}${logView === view ? "" : ` (normal in ${logView})`} commit ${commit} op ${op}`

/** What a step changed of that: `view 3 → 4, Backup → ViewChange`; empty if nothing. */
export const changeText = (before: Before, after: Before): string => {
  const pairs: ReadonlyArray<readonly [string, number | string, number | string]> = [
    ["", before.tag, after.tag],
    ["view ", before.view, after.view],
    ["logView ", before.logView, after.logView],
    ["commit ", before.commit, after.commit],
    ["op ", before.op, after.op]
  ]
  return pairs.flatMap(([name, old, now]) => old === now ? [] : [`${name}${old} → ${now}`]).join(", ")
}

/** Sends of one message to several replicas as one: `R1 R2: Commit⟨…⟩`. */
export const sendTexts = ({ early, sends }: Outcome): ReadonlyArray<string> => {
  const receivers = new Map<string, Array<string>>()
  for (const { message, to } of [...early, ...sends]) {
    const text = messageText(message)
    receivers.set(text, [...(receivers.get(text) ?? []), to])
  }
  return [...receivers].map(([text, to]) => `${to.join(" ")}: ${text}`)
}

/** What a step has to be written before anything of it leaves. */
export const writesText = ({ entries, head, install, truncate_to }: Outcome): string =>
  [
    ...(head === null ? [] : [`head ${valueText(head)}`]),
    ...(install === null ? [] : [`installs the snapshot of op ${install.op}`]),
    ...(truncate_to === null ? [] : [`cuts after ${truncate_to}`]),
    ...(entries.length === 0 ? [] : [`ops ${opsText(entries)}`])
  ].join(", ")

/** A turn of the clock that nothing came of. */
export const isQuiet = (line: TraceLine): boolean =>
  line.kind === "step" && line.inputs.every(({ _tag }) => _tag === "Tick") &&
  changeText(line.before, line.after) === "" &&
  line.out.sends.length + line.out.early.length + line.out.replies.length === 0

/** One line of the trace on one line. */
export const lineText = (line: TraceLine): string => {
  if (line.kind === "note") return `${line.at.toFixed(1).padStart(9)}         ${line.id} ${line.fact}`
  const { after, at, before, id, inputs: came, index, out } = line
  const change = changeText(before, after)
  const parts = [
    at.toFixed(1).padStart(9),
    `#${index}`.padStart(7),
    `${id} [${after.tag} v${after.view}${change === "" ? "" : `: ${change}`}]`,
    came.map(inputText).join("; "),
    ...(out.sends.length + out.early.length === 0 ? [] : [`⇒ ${sendTexts(out).join("; ")}`]),
    ...(out.replies.length === 0 ? [] : [`⇒ ${out.replies.map(replyText).join(", ")}`])
  ]
  return parts.join(" ")
}
