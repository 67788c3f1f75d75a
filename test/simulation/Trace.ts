/**
 * What happened in a simulation, line by line, if somebody wants to know: put into words by debugger/Words.ts.
 *
 * @module
 */
import type { ReplicaId } from "../../src/vr/Message.ts"
import type { Input, Outcome } from "../../src/vr/Replica.ts"
import type { Process } from "./Process.ts"
import type { Before } from "./Surroundings.ts"

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

export class Trace {
  readonly lines: Array<TraceLine> = []
  private readonly isKept: boolean

  /** Not kept, it stays empty. */
  constructor(isKept: boolean) {
    this.isKept = isKept
  }

  note(at: number, id: string, fact: string): void {
    if (this.isKept) this.lines.push({ kind: "note", at, id, fact })
  }

  step(index: number, at: number, { id, replica }: Process, before: Before, inputs: ReadonlyArray<Input>, out: Outcome): void {
    if (!this.isKept) return
    const { commit, log, logView, state, view } = replica
    const after = { tag: state._tag, view, logView, commit, op: log.op }
    this.lines.push({ kind: "step", index, at, id, before, after, inputs, out })
  }
}
