/**
 * What `data check` found: the verdict first, then what is wrong and what to do, then all that there is.
 *
 * @module
 */
import * as Schema from "effect/Schema"
import type { DataReport, ReplicaReport } from "../../node/DataCheckLive.ts"
import { aligned, columnWidths, plural, printable, size, tabbed } from "../Format.ts"
import type { Paint } from "../Output.ts"
import { Head, headText } from "./LogLines.ts"

const { Array: List, Literals, Natural, NullOr, String: Text, Struct } = Schema

/** `running_pid`: of the process that is at work there. `next`: what the next start of the node does. */
export const CheckedData = Struct({
  folder: Text,
  verdict: Literals(["whole", "damaged"]),
  running_pid: NullOr(Natural),
  node: NullOr(Struct({ id: Text, name: Text, cluster: Text, created_ms: Natural })),
  members: NullOr(Natural),
  tenants: NullOr(Natural),
  bytes: Natural,
  problems: List(Struct({ message: Text, remedy: Text })),
  notes: List(Text),
  replicas: List(Struct({
    tenant: Text,
    name: NullOr(Text),
    replica: Text,
    durability: Literals(["disk", "memory"]),
    verdict: Literals(["whole", "torn", "doubt", "refused"]),
    reason: NullOr(Text),
    next: Text,
    head: NullOr(Head),
    log: NullOr(Struct({ base: Natural, op: Natural, commit: Natural })),
    segments: Natural,
    snapshot: NullOr(Natural),
    bytes: Natural
  })),
  leftovers: List(Struct({ path: Text, bytes: Natural, reason: Text }))
})

export const checkJson = ({ running, ...report }: DataReport): typeof CheckedData["Type"] =>
  ({ ...report, running_pid: running?.pid ?? null })

export const checkText = (report: DataReport, paint: Paint): string => {
  const { bytes, folder, leftovers, node, notes, problems, replicas, running, verdict } = report
  const whose = node === null ? "no node can be told" : `node ${node.name} of cluster ${node.cluster}`
  const colour = verdict === "whole" ? paint.green : paint.red
  return [
    `DATA ${paint.bold(printable(folder))}  ${colour(verdict.toUpperCase())}  ${printable(whose)}, ` +
      `${plural(replicas.length, "replica")}, ${size(bytes)}`,
    ...(running === null ? [] : [paint.yellow(`! ${runningText(report)}`)]),
    ...problems.map(({ message, remedy }) => `${paint.red(`! ${printable(message)}`)}\n  → ${printable(remedy)}`),
    ...notes.map((note) => paint.yellow(`! ${printable(note)}`)),
    ...(replicas.length === 0 ? [paint.dim("no replicas")] : table(replica_columns, replicas.map(replicaCells), paint)),
    ...(leftovers.length === 0 ? [] : table(leftover_columns, leftovers.map(leftoverCells), paint))
  ].join("\n")
}

/** For another program: one line each, its kind first. */
export const checkPlain = (report: DataReport): string =>
  [
    ["data", report.folder, report.verdict, report.node?.name ?? "", report.node?.cluster ?? "", String(report.bytes)],
    ...(report.running === null ? [] : [["running", report.running.pid === null ? "" : String(report.running.pid)]]),
    ...report.problems.map(({ message, remedy }) => ["problem", message, remedy]),
    ...report.notes.map((note) => ["note", note]),
    ...report.replicas.map((one) => [
      "replica", one.tenant, one.name ?? "", one.replica, one.durability, one.verdict, headText(one.head), opsText(one),
      one.log === null ? "" : String(one.log.commit), one.snapshot === null ? "" : String(one.snapshot), String(one.bytes), one.next
    ]),
    ...report.leftovers.map(({ bytes, path, reason }) => ["leftover", path, String(bytes), reason])
  ].map(tabbed).join("\n")

export const runningText = ({ running }: Pick<DataReport, "running">): string => {
  const who = running?.pid == null ? "a process" : `process ${running.pid}`
  return `${who} is at work here: what is said may not hold any more, and an end that is being written may look damaged`
}

const replica_columns = ["TENANT", "REPLICA", "DURABILITY", "VERDICT", "VIEW", "OPS", "COMMIT", "SNAPSHOT", "SIZE", "NEXT START"]
const leftover_columns = ["LEFT OVER", "SIZE", "WHY"]

const replicaCells = (one: ReplicaReport): ReadonlyArray<string> => [
  one.name ?? one.tenant,
  one.replica,
  one.durability,
  one.verdict,
  one.head === null ? "-" : headText(one.head),
  one.log === null ? "-" : opsText(one),
  one.log === null ? "-" : String(one.log.commit),
  one.snapshot === null ? "-" : String(one.snapshot),
  size(one.bytes),
  // The numbers behind it are in the other columns.
  one.next.replace(/: view .*/, "")
]

const leftoverCells = ({ bytes, path, reason }: DataReport["leftovers"][number]): ReadonlyArray<string> =>
  [path, size(bytes), reason]

/** Of the log: those at or below its base are in the snapshot. */
const opsText = ({ log }: ReplicaReport): string => {
  if (log === null) return ""
  return log.op === log.base ? "none" : `${log.base + 1}-${log.op}`
}

const table = (
  columns: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  paint: Paint
): ReadonlyArray<string> => {
  const cells = rows.map((row) => row.map(printable))
  const widths = columnWidths([columns, ...cells])
  return [paint.bold(aligned(columns, widths)), ...cells.map((row) => aligned(row, widths))]
}
