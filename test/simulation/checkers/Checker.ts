/**
 * What a checker sees of a simulation. A checker keeps what it needs of the past, and throws when its rule is broken.
 * The numbers in their comments are those of the protocol brief's list of invariants.
 *
 * @module
 */
import type { Configuration } from "../../../src/vr/Configuration.ts"
import type { OpNumber, View } from "../../../src/vr/Message.ts"
import type { ClientRequest, Input, Outcome, Send } from "../../../src/vr/Replica.ts"
import type { History } from "../History.ts"
import type { Process } from "../Process.ts"
import type { Before } from "../Surroundings.ts"

export interface World {
  /** Of the epoch of that view. */
  readonly groupOf: (view: View) => Configuration
  readonly processes: ReadonlyArray<Process>
  readonly history: History
}

export interface Checker {
  /** After each step, before anything of it leaves. */
  readonly onStep?: (world: World, process: Process, before: Before, out: Outcome, inputs: ReadonlyArray<Input>) => void
  /** When messages leave. */
  readonly onSends?: (world: World, process: Process, sends: ReadonlyArray<Send>) => void
  /** When replies leave. */
  readonly onReplies?: (world: World, process: Process, out: Outcome) => void
  /** When a snapshot is written. */
  readonly onSnapshot?: (world: World, process: Process, op: OpNumber, digest: number) => void
  /** When a client asks something for the first time. */
  readonly onAsked?: (world: World, request: ClientRequest) => void
  readonly onCrash?: (world: World, process: Process) => void
  /** Before its first step. */
  readonly onRestart?: (world: World, process: Process) => void
}
