/**
 * Snapshot files, line by line: the elements in them, and for each file what it came to.
 *
 * @module
 */
import * as Schema from "effect/Schema"
import type { SeenSnapshot, SnapshotItem } from "../../storage/SnapshotInspectionLive.ts"
import type { EpochStart } from "../../vr/NextGroup.ts"
import { aligned, columnWidths, hex32, plural, printable, size, timeText } from "../Format.ts"
import type { Paint } from "../Output.ts"
import type { Line } from "../View.ts"

const { Literal, Natural, NullOr, String: Text, Struct } = Schema

export const SnapshotLine = Schema.Union([
  Struct({
    line: Literal("element"),
    path: Text,
    type: Text,
    version: Natural,
    created_version: Natural,
    size: Natural
  }),
  /** `bytes` are those of the parts; `verdict`: of a file that nobody relies on, it is not its being damaged that counts. */
  Struct({
    line: Literal("snapshot"),
    file: Text,
    verdict: Schema.Literals(["whole", "damaged", "unfinished", "set aside", "unreadable"]),
    problem: NullOr(Text),
    tenant: NullOr(Text),
    op: NullOr(Natural),
    time_ms: NullOr(Natural),
    history: Schema.Array(Struct({ epoch: Natural, op: Natural, replicas: Schema.Array(Text) })),
    sessions: Natural,
    elements: Natural,
    parts: Natural,
    bytes: Natural,
    digest: Natural
  })
])
type SnapshotLine = typeof SnapshotLine["Type"]
type Verdict = Extract<SnapshotLine, { readonly line: "snapshot" }>["verdict"]

/** What is told of an epoch that has begun. */
export const groupOf = ({ epoch, op, replicas }: EpochStart) => ({ epoch, op, replicas })

const element_columns = ["PATH", "TYPE", "VERSION", "SIZE"]

export class SnapshotLines {
  damaged = 0
  refused = 0
  private readonly paint: Paint
  /** One file, which somebody asked for by its name: whatever is wrong with it counts. */
  private readonly single: boolean
  private widths = columnWidths([element_columns])
  private listed = false

  constructor(single: boolean, paint: Paint) {
    this.single = single
    this.paint = paint
  }

  readonly of = (item: SnapshotItem): Line<SnapshotLine> => item._tag === "Element" ? this.element(item) : this.snapshot(item)

  private element({ created_version, path, size, type, version }: Extract<SnapshotItem, { _tag: "Element" }>): Line<SnapshotLine> {
    const cells = [path, type, String(version), String(size)].map(printable)
    this.widths = columnWidths([cells], this.widths)
    const row = aligned(cells, this.widths)
    const head = this.listed ? "" : `${this.paint.bold(aligned(element_columns, this.widths))}\n`
    this.listed = true
    return {
      json: { line: "element", path, type, version, created_version, size },
      plain: ["element", path, type, String(version), String(size)],
      pretty: `${head}${row}`
    }
  }

  private snapshot(seen: SeenSnapshot): Line<SnapshotLine> {
    const { elements, file, header, outer, problem, sessions, total } = seen
    const verdict = verdictOf(seen, this.single)
    this.listed = false
    if (verdict === "damaged") this.damaged++
    if (verdict === "unreadable") this.refused++
    const [tenant, op, time_ms] = [outer?.tenant ?? null, outer?.op ?? null, header?.time ?? null]
    const { bytes, digest, parts } = total
    const history = header?.history ?? []
    const counts = [sessions, elements, parts, bytes].map(String)
    const groups = history.map(({ epoch, replicas }) => `epoch ${epoch}: ${replicas.join(",")}`)
    return {
      json: {
        line: "snapshot", file, verdict, problem: problem?.message ?? null, tenant, op, time_ms, history: history.map(groupOf),
        sessions, elements, parts, bytes, digest
      },
      plain: [
        "snapshot", file, verdict, tenant ?? "", op === null ? "" : String(op), time_ms === null ? "" : timeText(time_ms),
        groups.join("; "), ...counts, hex32(digest), problem?.message ?? ""
      ],
      pretty: this.block(seen, verdict, [
        ["tenant", tenant ?? "unknown"],
        ["op", op === null ? "unknown" : String(op)],
        ["time", time_ms === null ? "unknown" : timeText(time_ms)],
        ...groups.map((group) => ["group", group] as const),
        ["holds", `${plural(elements, "element")}, ${plural(sessions, "session")}`],
        ["parts", `${parts}, ${size(bytes)}, digest ${hex32(digest)}`]
      ])
    }
  }

  private block({ file, problem }: SeenSnapshot, verdict: Verdict, fields: ReadonlyArray<readonly [string, string]>): string {
    const { paint } = this
    const colour = { whole: paint.green, damaged: paint.red, unreadable: paint.red, unfinished: paint.yellow, "set aside": paint.yellow }
    return [
      `${paint.bold(printable(file))}  ${colour[verdict](verdict)}`,
      ...(problem === null ? [] : [colour[verdict](`! ${printable(problem.message)}`)]),
      ...fields.map(([name, value]) => `  ${paint.dim(name.padEnd(6))}  ${printable(value)}`)
    ].join("\n")
  }
}

const verdictOf = ({ problem, role }: SeenSnapshot, single: boolean): Verdict => {
  if (problem === null) return "whole"
  if (!single && role === "tmp") return "unfinished"
  if (!single && role === "aside") return "set aside"
  return problem.refused ? "unreadable" : "damaged"
}
