/**
 * A run as the page draws it: plain data, as small as it can be without being a riddle. Rows are the lines of the
 * recording but for ticks that nothing came of.
 *
 * @module
 */
import type { Message } from "../../../../src/vr/Message.ts"
import type { Input } from "../../../../src/vr/Replica.ts"
import type { StepLine } from "../../Trace.ts"
import type { Kind } from "../Points.ts"
import type { Recording } from "../Recording.ts"
import type { Source } from "../Session.ts"
import { changeText, cut, inputText, isQuiet, messageText, replyText, stateText, writesText } from "../Words.ts"
import { type Band, bandsOf } from "./Lanes.ts"

export const families = ["heartbeat", "replication", "view change", "state transfer", "reconfiguration", "recovery"] as const
export type Family = typeof families[number]

const family_of: Readonly<Record<Message["_tag"], Family>> = {
  Commit: "heartbeat",
  CommitOk: "heartbeat",
  Prepare: "replication",
  PrepareOk: "replication",
  StartViewChange: "view change",
  DoViewChange: "view change",
  StartView: "view change",
  GetState: "state transfer",
  NewState: "state transfer",
  GetCommitted: "state transfer",
  Committed: "state transfer",
  GetSnapshot: "state transfer",
  SnapshotPart: "state transfer",
  Recovery: "recovery",
  StartEpoch: "reconfiguration",
  EpochStarted: "reconfiguration",
  RecoveryResponse: "recovery"
}

/** A step of a replica, or a note. */
export interface Row {
  readonly at: number
  /** Index of the lane; -1: the nemesis, the network, a client. */
  readonly lane: number
  /** Number of the step; 0 for a note. */
  readonly step: number
  /** What changed, or what the note says. */
  readonly text: string
  /** Who a note is about, if it is no replica. */
  readonly who?: string
  readonly state?: string
  /** What came in beside messages. */
  readonly inputs?: ReadonlyArray<string>
  readonly replies?: ReadonlyArray<string>
  readonly writes?: string
  /** First op that commits here, of the whole group, and the last. */
  readonly commits?: readonly [number, number]
}

export interface PageArrow {
  /** Rows; -1: never received. */
  readonly from: number
  readonly to: number
  readonly sender: number
  readonly receiver: number
  readonly family: number
  readonly text: string
  readonly copy: boolean
}

export interface PageModel {
  readonly name: string
  readonly seed: number
  readonly mutation: string | null
  readonly violation: {
    readonly rule: string
    readonly message: string
    readonly row: number
    readonly step: number
    readonly at: number
  } | null
  readonly lanes: ReadonlyArray<{ readonly id: string; readonly bands: ReadonlyArray<Band> }>
  readonly rows: ReadonlyArray<Row>
  readonly arrows: ReadonlyArray<PageArrow>
  readonly families: ReadonlyArray<string>
  readonly points: ReadonlyArray<{ readonly kind: Kind; readonly text: string; readonly row: number }>
  readonly totals: { readonly steps: number; readonly at: number; readonly committed: number }
}

const text_max = 300

const otherInputs = (inputs: ReadonlyArray<Input>): ReadonlyArray<string> =>
  inputs.filter(({ _tag }) => _tag !== "Message").map(inputText)

const stepRow = (line: StepLine, lane: number, committed: number): Row => {
  const { after, at, before, index, inputs, out } = line
  const others = otherInputs(inputs)
  const writes = writesText(out)
  return {
    at,
    lane,
    step: index,
    text: changeText(before, after),
    state: stateText(after),
    ...(others.length === 0 ? {} : { inputs: others.map((text) => cut(text, text_max)) }),
    ...(out.replies.length === 0 ? {} : { replies: out.replies.map(replyText) }),
    ...(writes === "" ? {} : { writes: cut(writes, text_max) }),
    ...(after.commit > committed ? { commits: [committed + 1, after.commit] as const } : {})
  }
}

const rowsOf = ({ lines, replicas }: Recording, shown: ReadonlyArray<number>): ReadonlyArray<Row> => {
  let committed = 0
  return shown.map((index) => {
    const line = lines[index]!
    const lane = replicas.indexOf(line.id)
    if (line.kind === "note") {
      return { at: line.at, lane, step: 0, text: line.fact, ...(lane === -1 ? { who: line.id } : {}) }
    }
    const row = stepRow(line, lane, committed)
    committed = Math.max(committed, line.after.commit)
    return row
  })
}

/** For each line, the row it is, or the next one. */
const rowOfLine = (lines: number, shown: ReadonlyArray<number>): ReadonlyArray<number> => {
  const rows: Array<number> = []
  let row = 0
  for (let line = 0; line <= lines; line++) {
    rows.push(row)
    if (shown[row] === line) row++
  }
  return rows
}

export const modelOf = (source: Pick<Source, "name" | "seed" | "mutation">, recording: Recording): PageModel => {
  const { arrows, committed, failure, lines, points, replicas, stops } = recording
  // Even a tick that nothing came of is shown if it broke a rule.
  const isBroken = (index: number): boolean => failure !== null && index === lines.length - 1
  const shown = lines.flatMap((line, index) => isQuiet(line) && !isBroken(index) ? [] : [index])
  const rowOf = rowOfLine(lines.length, shown)
  const last = stops.at(-1)!
  return {
    name: source.name,
    seed: source.seed,
    mutation: source.mutation,
    violation: failure === null ? null : {
      rule: failure.rule,
      message: failure.message,
      row: Math.max(0, shown.length - 1),
      step: failure.step,
      at: failure.at_ms
    },
    lanes: replicas.map((id) => ({
      id,
      bands: bandsOf(recording, id).map((band) => ({ ...band, from: rowOf[band.from]!, to: rowOf[band.to]! }))
        .filter(({ from, to }) => to > from)
    })),
    rows: rowsOf(recording, shown),
    arrows: arrows.map(({ from, isCopy, message, received, sent, to }) => ({
      from: rowOf[sent]!,
      to: received === null ? -1 : rowOf[received]!,
      sender: replicas.indexOf(from),
      receiver: replicas.indexOf(to),
      family: families.indexOf(family_of[message._tag]),
      text: cut(messageText(message), text_max),
      copy: isCopy
    })),
    families,
    points: points.filter(({ kind }) => kind !== "commit")
      .map(({ kind, line, text }) => ({ kind, text: cut(text, text_max), row: rowOf[line]! })),
    totals: { steps: last.step, at: last.at, committed }
  }
}
