/**
 * What a process is made of, what it stands in, and what is seen of it.
 *
 * @module
 */
import type { Durability } from "../../src/storage/Journal.ts"
import type { OpNumber, View } from "../../src/vr/Message.ts"
import type { Input, Outcome, Send, StateTag, Timers } from "../../src/vr/Replica.ts"
import type { Replicated } from "./Data.ts"
import type { EventQueue } from "./EventQueue.ts"
import type { Process } from "./Process.ts"

export interface ProcessOptions {
  readonly timers: Timers
  /** 0: they read by rounds alone. */
  readonly lease_ms: number
  readonly tick_ms: number
  readonly durability: Durability
  /** A write takes up to this long; 0: it is done at once. */
  readonly disk_ms: number
  /** A turn begins up to this long after the input came, so that inputs gather; 0: at once. */
  readonly turn_ms: number
  readonly sessionsMax: number
  /** When full, the newest is dropped. */
  readonly inboxMax: number
}

/** What a step gave to be written, or to wait for what is being written. */
export interface Waiting {
  readonly out: Outcome
  /** Of the replica after that step: up to here all is committed. */
  readonly commit: OpNumber
  readonly left: boolean
}

/** What a replica was before a step. */
export interface Before {
  readonly tag: StateTag
  readonly view: View
  readonly logView: View
  readonly commit: OpNumber
  readonly op: OpNumber
}

export interface Surroundings {
  readonly events: EventQueue
  readonly seed: number
  /** Empty data for a replica. */
  readonly makeData: () => Replicated
  readonly onStep: (process: Process, before: Before, out: Outcome, inputs: ReadonlyArray<Input>) => void
  /** Called when messages leave, with what was durable then. */
  readonly onSends: (process: Process, sends: ReadonlyArray<Send>) => void
  readonly onReplies: (process: Process, out: Outcome) => void
  /** A snapshot is written. */
  readonly onSnapshot: (process: Process, op: OpNumber, digest: number) => void
  readonly onCrash: (process: Process) => void
  readonly onRestart: (process: Process) => void
}
