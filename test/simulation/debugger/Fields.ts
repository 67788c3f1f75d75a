/**
 * Everything that a replica holds, field by field, for looking at and for comparing. It walks over what is there, so a
 * field that the core gains is shown without a change here.
 *
 * @module
 */
import type { Outcome, Replica } from "../../../src/vr/Replica.ts"
import type { KeptSnapshot } from "../Journal.ts"
import type { Process } from "../Process.ts"
import { entryText, numberText, replyText, sendTexts, valueText, writesText } from "./Words.ts"

export interface Field {
  readonly group: "process" | "replica" | "state" | "clients" | "log" | "data" | "durable"
  readonly name: string
  readonly value: string
}

/** Shown otherwise, or the same for ever. */
const not_fields = {
  process: new Set(["id", "journal", "running", "options", "around", "inbox", "random", "replicated"]),
  replica: new Set(["id", "configuration", "application", "random", "log", "clients", "state"]),
  state: new Set(["_tag"])
}

const isOutcome = (value: unknown): value is Outcome => typeof value === "object" && value !== null && "truncate_to" in value

/** What is being written, and what waits for that. */
const outcomeText = (out: Outcome): string => {
  const waiting = [...sendTexts({ ...out, early: [] }), ...out.replies.map(replyText)]
  return `${writesText(out)}${waiting.length === 0 ? "" : `; then ${waiting.join("; ")}`}`
}

const fieldsOf = (group: "process" | "replica" | "state", value: object): ReadonlyArray<Field> =>
  Object.entries(value)
    .filter(([name, held]) => !not_fields[group].has(name) && typeof held !== "function")
    .map(([name, held]: [string, unknown]) => ({ group, name, value: isOutcome(held) ? outcomeText(held) : valueText(held) }))

const inboxFields = (process: Process): ReadonlyArray<Field> =>
  process["inbox"].map((input, index) => ({ group: "process", name: `inbox ${index + 1}`, value: valueText(input) }))

const clientFields = ({ clients }: Replica): ReadonlyArray<Field> =>
  [...clients["sessions"]].map(([id, { answered, pending, results }]) => ({
    group: "clients",
    name: `session ${id}`,
    value: [
      `answered up to ${answered}`,
      ...(results.size === 0 ? [] : [`results of ${[...results].map(([request]) => request).join(" ")}`]),
      ...(pending.size === 0 ? [] : [`pending ${[...pending].map(([request, op]) => `#${request} as op ${op}`).join(" ")}`])
    ].join(", ")
  }))

const logFields = ({ commit, log }: Replica): ReadonlyArray<Field> =>
  log.range(1, log.op).map((entry) => ({
    group: "log",
    name: `op ${entry.op}`,
    value: `${entryText(entry)}${entry.op <= commit ? "" : "  (not committed)"}`
  }))

/** The elements of the store, by their paths. */
const dataFields = ({ data }: Process): ReadonlyArray<Field> => {
  const paths = new Map<string, Array<string>>()
  for (const line of data.whole().split("\n")) {
    const [path = "", ...rest] = line.split(" ")
    paths.set(path, [...(paths.get(path) ?? []), rest.join(" ").replace(/^_tag \w+ /, "")])
  }
  return [...paths].map(([name, values]) => ({ group: "data", name, value: values.join("; ") }))
}

const snapshotText = ({ isDamaged, op }: KeptSnapshot): string => `op ${op}${isDamaged ? ", damaged" : ""}`

const journalFields = ({ journal }: Process): ReadonlyArray<Field> => {
  const { entries, snapshots, ...rest } = journal
  const last = entries.at(-1)
  return [
    ...Object.entries(rest).filter(([, held]) => typeof held !== "function")
      .map(([name, held]) => ({ group: "durable" as const, name, value: valueText(held) })),
    { group: "durable", name: "snapshots", value: snapshots.map(snapshotText).join(", ") },
    { group: "durable", name: "entries", value: last === undefined ? "none" : `up to op ${last.op}: ${entryText(last)}` }
  ]
}

const runningFields = (process: Process, replica: Replica): ReadonlyArray<Field> => [
  { group: "replica", name: "state", value: replica.state._tag },
  ...fieldsOf("replica", replica),
  { group: "replica", name: "op", value: numberText(replica.log.op) },
  ...fieldsOf("state", replica.state),
  ...clientFields(replica),
  ...logFields(replica),
  ...dataFields(process)
]

/** All of it; of a process that is down, what it will come back with. */
export const replicaFields = (process: Process): ReadonlyArray<Field> => [
  { group: "process", name: "is", value: process.isUp ? process.paused ? "paused" : "up" : "down" },
  { group: "process", name: "clock", value: `${numberText(process.now.mono)} ms` },
  ...fieldsOf("process", process).filter(({ name }) => name !== "clock"),
  ...inboxFields(process),
  ...(process.isUp ? runningFields(process, process.replica) : []),
  ...journalFields(process)
]

export interface Change {
  readonly field: Pick<Field, "group" | "name">
  readonly before: string | undefined
  readonly after: string | undefined
}

const keyOf = ({ group, name }: Field): string => `${group} ${name}`

/** What differs, in the order of `after`, then what is gone. */
export const changesOf = (before: ReadonlyArray<Field>, after: ReadonlyArray<Field>): ReadonlyArray<Change> => {
  const [old, now] = [before, after].map((fields) => new Map(fields.map((field) => [keyOf(field), field])))
  return [
    ...after.map((field) => ({ field, before: old!.get(keyOf(field))?.value, after: field.value })),
    ...before.filter((field) => !now!.has(keyOf(field))).map((field) => ({ field, before: field.value, after: undefined }))
  ].filter((change) => change.before !== change.after)
}
