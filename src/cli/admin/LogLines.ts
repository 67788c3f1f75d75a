/**
 * A log, line by line: its files, its writes, and the entries in them.
 *
 * @module
 */
import * as Schema from "effect/Schema"
import type { ReplicaHead, SavedSnapshot } from "../../storage/Journal.ts"
import type { LogItem } from "../../storage/LogInspectionLive.ts"
import { decodeOperation } from "../../store/Operation.ts"
import { countOf, type Entry, entryKinds } from "../../vr/Message.ts"
import { decodeNextGroup } from "../../vr/NextGroup.ts"
import { aligned, columnWidths, hex32, plural, printable, size, timeText } from "../Format.ts"
import type { Paint } from "../Output.ts"
import type { Line } from "../View.ts"

const { Boolean: Truth, Literal, Natural, NullOr, String: Text, Struct } = Schema

export const Head = Struct({
  epoch: Natural,
  view: Natural,
  log_view: Natural,
  fresh: Truth,
  whole: Truth,
  replicas: Schema.Array(Text),
  left: Truth
})
const Installed = Struct({ op: Natural, bytes: Natural, digest: Natural })

/** `data_bytes`: the values themselves are not shown. */
const LoggedOperation = Schema.Union([
  Struct({ type: Literal("register") }),
  Struct({ type: Literal("reconfigure"), epoch: Natural, replicas: Schema.Array(Text) }),
  Struct({ type: Literal("create"), path: Text, element: Text, data_bytes: Natural, parents: Truth }),
  Struct({ type: Literal("put"), path: Text, data_bytes: Natural, version: NullOr(Natural) }),
  Struct({ type: Literal("delete"), path: Text, version: NullOr(Natural), recursive: Truth }),
  Struct({ type: Literal("unreadable"), reason: Text })
])

export const LogLine = Schema.Union([
  Struct({
    line: Literal("segment"),
    file: Text,
    bytes: Natural,
    number: Natural,
    log: Text,
    tenant: Text,
    replica: Text,
    first_write: Natural,
    op_before: Natural,
    bound: NullOr(Struct({ bytes: Natural, write: Natural }))
  }),
  Struct({
    line: Literal("write"),
    segment: Natural,
    write: Natural,
    offset: Natural,
    bytes: Natural,
    first_op: NullOr(Natural),
    entries: Natural,
    commit: Natural,
    head: NullOr(Head),
    cut: NullOr(Natural),
    install: NullOr(Installed)
  }),
  Struct({
    line: Literal("entry"),
    op: Natural,
    view: Natural,
    time_ms: Natural,
    kind: Schema.Literals(entryKinds),
    session: Natural,
    request: Natural,
    answered: Natural,
    bytes: Natural,
    operation: LoggedOperation
  }),
  Struct({ line: Literal("note"), message: Text }),
  Struct({ line: Literal("problem"), message: Text }),
  Struct({
    line: Literal("end"),
    segments: Natural,
    writes: Natural,
    entries: Natural,
    op: Natural,
    commit: Natural,
    bytes: Natural,
    problems: Natural
  })
])
type LogLine = typeof LogLine["Type"]
type LoggedOperation = typeof LoggedOperation["Type"]

export interface LogRange {
  readonly from: number
  readonly to: number
  /** The entries, too. */
  readonly entries: boolean
}

const write_columns = ["WRITE", "OFFSET", "BYTES", "OPS", "COMMIT", "VIEW", "CUT", "SNAPSHOT", "GROUP"]
const entry_columns = ["  OP", "VIEW", "TIME", "KIND", "SESSION", "REQUEST", "ANSWERED", "BYTES", "OPERATION"]

/** What they usually come to, so that the first rows of a long log stand below their names. */
const write_widths = [6, 8, 7, 11, 6, 10]
const entry_widths = [8, 4, 24, 8, 7, 7, 8, 5]

/** Columns are as wide as they have to be so far, so that a log of any length can be shown as it is read. */
export class LogLines {
  /** Problems; `refused` are those of files that are as they were written. */
  damaged = 0
  refused = 0
  private readonly problems: Array<string> = []
  private readonly range: LogRange
  private readonly paint: Paint
  private write_widths = columnWidths([write_columns], write_widths)
  private entry_widths = columnWidths([entry_columns], entry_widths)
  /** Owner and column names are there. */
  private begun = false
  private segments = 0
  private writes = 0
  private entries = 0
  private op = 0
  private commit = 0
  private bytes = 0

  private readonly pretty: boolean
  /** Between bounds, a file is shown with the first write of it that is. */
  private pending: Line<LogLine> | null = null

  /** Without `pretty`, lines are for programs alone. */
  constructor(range: LogRange, paint: Paint, pretty: boolean) {
    this.range = range
    this.paint = paint
    this.pretty = pretty
  }

  private get isBounded(): boolean {
    return this.range.from > 0 || this.range.to < Number.MAX_SAFE_INTEGER
  }

  ofAll(items: ReadonlyArray<LogItem>): ReadonlyArray<Line<LogLine>> {
    return items.flatMap((item) => this.of(item))
  }

  private of(item: LogItem): ReadonlyArray<Line<LogLine>> {
    switch (item._tag) {
      case "Segment":
        return this.segment(item)
      case "Batch":
        return this.batch(item)
      case "Note":
        return [said("note", item.message, this.paint.yellow)]
      case "Problem":
        this.problems.push(item.message)
        if (item.refused) this.refused++
        else this.damaged++
        return [said("problem", item.message, this.paint.red)]
    }
  }

  /** The last line: what there is, and whether it is whole. */
  end(): Line<LogLine> {
    const { bytes, commit, entries, op, segments, writes } = this
    const problems = this.problems.length
    const what = `${plural(segments, "file")} of ${size(bytes)}, ${plural(writes, "write")}, up to op ${op}, committed up to ${commit}`
    const verdict = problems === 0 ? this.paint.green("whole") : this.paint.red(plural(problems, "problem"))
    return {
      json: { line: "end", segments, writes, entries, op, commit, bytes, problems },
      plain: ["end", segments, writes, entries, op, commit, bytes, problems].map(String),
      // Once more: who looks at a long log sees its end.
      pretty: [`${verdict}: ${what}`, ...this.problems.map((message) => this.paint.red(`! ${printable(message)}`))].join("\n")
    }
  }

  private segment({ bound, bytes, file, header }: Extract<LogItem, { _tag: "Segment" }>): ReadonlyArray<Line<LogLine>> {
    const { log, number, op, replica, sequence, tenant } = header
    const { paint } = this
    const isFirst = !this.begun
    this.segments++
    if (!this.isBounded) this.begun = true
    this.bytes += bytes
    const bounds = bound === null ? "" : `; ${size(bound.size)} and write ${bound.sequence} were durable`
    const title = `${paint.bold(printable(file))}  file ${number} of log ${printable(log)}, ${size(bytes)}: ` +
      `from write ${sequence}, behind op ${op}${bounds}`
    const heads = [
      paint.bold(aligned(write_columns, this.write_widths)),
      ...(this.range.entries ? [paint.dim(aligned(entry_columns, this.entry_widths))] : [])
    ]
    const owner = `${paint.dim("tenant")} ${printable(tenant)}  ${paint.dim("replica")} ${printable(replica)}`
    const line: Line<LogLine> = {
      json: {
        line: "segment", file, bytes, number, log, tenant, replica, first_write: sequence, op_before: op,
        bound: bound === null ? null : { bytes: bound.size, write: bound.sequence }
      },
      plain: ["segment", file, String(number), String(bytes), log, tenant, replica, String(sequence), String(op)],
      pretty: [...(isFirst ? [owner] : []), title, ...(isFirst ? heads : [])].join("\n")
    }
    this.pending = this.isBounded ? line : null
    return this.isBounded ? [] : [line]
  }

  private batch(batch: Extract<LogItem, { _tag: "Batch" }>): ReadonlyArray<Line<LogLine>> {
    const { entries, header, op } = batch
    const { from, to } = this.range
    this.writes++
    this.entries += entries.length
    this.op = op
    this.commit = header.commit
    const first = entries[0]?.op ?? op
    if (op < from || first > to) return []
    const opening = this.pending === null ? [] : [this.pending]
    this.pending = null
    this.begun = true
    const shown = this.range.entries ? entries.filter((entry) => entry.op >= from && entry.op <= to) : []
    return [...opening, this.write(batch), ...shown.map((entry) => this.entry(entry))]
  }

  private write({ at, bytes, entries, head, header, number, snapshot }: Extract<LogItem, { _tag: "Batch" }>): Line<LogLine> {
    const { commit, sequence, truncate_to } = header
    const first = entries[0]?.op ?? null
    const ops = first === null ? "" : entries.length === 1 ? String(first) : `${first}-${first + entries.length - 1}`
    const [its_head, cut, install] = [headText(head), truncate_to === null ? "" : String(truncate_to), installText(snapshot)]
    const group = head === null ? "" : head.replicas.join(",")
    const cells = [String(sequence), String(at), String(bytes), ops, String(commit), its_head, cut, install, printable(group)]
    if (this.pretty) this.write_widths = columnWidths([cells], this.write_widths)
    return {
      json: {
        line: "write", segment: number, write: sequence, offset: at, bytes, first_op: first, entries: entries.length, commit, head,
        cut: truncate_to, install: snapshot
      },
      plain: [
        "write", String(number), String(sequence), String(at), String(bytes), first === null ? "" : String(first),
        String(entries.length), String(commit), its_head, cut, install, group
      ],
      pretty: this.pretty ? aligned(cells, this.write_widths) : ""
    }
  }

  private entry(entry: Entry): Line<LogLine> {
    const { answered, kind, op, request, session, time, view } = entry
    const operation = operationOf(entry)
    const bytes = entry.operation.length
    const cells = [
      String(op), viewText(view), timeText(time), kind, String(session), String(request),
      String(answered), String(bytes), operationText(operation)
    ]
    return {
      json: { line: "entry", op, view, time_ms: time, kind, session, request, answered, bytes, operation },
      plain: ["entry", ...cells],
      pretty: this.pretty ? this.indented(cells.map(printable)) : ""
    }
  }

  private indented([first, ...rest]: ReadonlyArray<string>): string {
    const cells = [`  ${first}`, ...rest]
    this.entry_widths = columnWidths([cells], this.entry_widths)
    return this.paint.dim(aligned(cells, this.entry_widths))
  }
}

const said = (line: "note" | "problem", message: string, paint: (text: string) => string): Line<LogLine> =>
  ({ json: { line, message }, plain: [line, message], pretty: paint(`! ${printable(message)}`) })

/** `1/4`, as in `status`, and what else is to be said of it; the group is told beside. */
export const headText = (head: ReplicaHead | null): string => {
  if (head === null) return ""
  const { epoch, fresh, left, log_view, view, whole } = head
  return [
    `${epoch}/${viewText(view)}`,
    ...(log_view === view ? [] : [`log ${viewText(log_view)}`]),
    ...(fresh ? ["fresh"] : []),
    ...(whole ? [] : ["not whole"]),
    ...(left ? ["left"] : [])
  ].join(", ")
}

/** Views are counted anew in each epoch; the epoch is told beside. */
const viewText = (view: number): string => String(countOf(view))

const installText = (snapshot: SavedSnapshot | null): string =>
  snapshot === null ? "" : `op ${snapshot.op}, ${size(snapshot.bytes)}, digest ${hex32(snapshot.digest)}`

const operationOf = ({ kind, operation }: Entry): LoggedOperation => {
  if (kind === "register") return { type: "register" }
  if (kind === "reconfigure") return { type: "reconfigure", ...decodeNextGroup(operation) }
  const decoded = decodeOperation(operation)
  switch (decoded._tag) {
    case "Create": {
      const { data, parents, path, type } = decoded
      return { type: "create", path, element: type, data_bytes: data.length, parents }
    }
    case "Put":
      return { type: "put", path: decoded.path, data_bytes: decoded.data.length, version: decoded.version }
    case "Delete":
      return { type: "delete", path: decoded.path, version: decoded.version, recursive: decoded.recursive }
    case "Error":
      return { type: "unreadable", reason: decoded.code === "Invalid" ? decoded.reason : `it has more than ${decoded.what}` }
    default:
      return { type: "unreadable", reason: `"${decoded._tag.toLowerCase()}" is not a write` }
  }
}

const operationText = (operation: LoggedOperation): string => {
  switch (operation.type) {
    case "register":
      return "a new session"
    case "reconfigure":
      return `epoch ${operation.epoch}: ${operation.replicas.join(",")}`
    case "create":
      return `create ${operation.path} ${operation.element} of ${size(operation.data_bytes)}${operation.parents ? " with parents" : ""}`
    case "put":
      return `put ${operation.path} ${size(operation.data_bytes)}${versionText(operation.version)}`
    case "delete":
      return `delete ${operation.path}${operation.recursive ? " recursive" : ""}${versionText(operation.version)}`
    case "unreadable":
      return `cannot be read: ${operation.reason}`
  }
}

const versionText = (version: number | null): string => version === null ? "" : ` if its version is ${version}`
