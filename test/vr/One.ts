/**
 * One replica by itself, with time in the test's hands: what it is told, and what it does then.
 *
 * @module
 */
import { assert } from "vitest"
import { seeded } from "../../src/base/Random.ts"
import { makeConfiguration } from "../../src/vr/Configuration.ts"
import type { Entry, Message, MessageOf, MessageTag, OpNumber, ReplicaId, SessionId, View } from "../../src/vr/Message.ts"
import type { ClientRequest, Input, Now, Outcome, Replica, Send, Timers } from "../../src/vr/Replica.ts"
import type { ReplicaOptions } from "../../src/vr/MakeReplica.ts"
import { Restoration } from "../../src/vr/Snapshot.ts"
import { type Kept, newLearner, newReplica, recoveringReplica, restartedReplica, step } from "../../src/vr/Step.ts"
import { append, Register } from "../simulation/Register.ts"

export const timers: Timers = { heartbeat_ms: 100, view_change_ms: 500 }

/** An entry that registers a session at op 1, and appends of that session behind it. */
export const entry = (op: OpNumber, view: View = 0, tag = `${op}@${view}`): Entry => ({
  op,
  view,
  time: op,
  kind: op === 1 ? "register" : "request",
  session: op === 1 ? 0 : 1,
  request: op === 1 ? 0 : op - 1,
  answered: 0,
  operation: op === 1 ? new Uint8Array(16) : append("k", tag)
})

export const entries = (first: OpNumber, last: OpNumber, view: View = 0): ReadonlyArray<Entry> =>
  Array.from({ length: last - first + 1 }, (_, i) => entry(first + i, view))

type Leases = Pick<ReplicaOptions, "lease_ms" | "hold_ms">

export class One {
  readonly replica: Replica
  readonly data = new Register()
  mono = 0

  private constructor(id: ReplicaId, size: number, make: (options: ReplicaOptions) => Replica, leases: Leases = {}, epoch = 0) {
    this.replica = make({
      id,
      configuration: makeConfiguration(epoch, Array.from({ length: size }, (_, i) => `R${i}`)),
      application: this.data,
      random: seeded(1),
      timers,
      now: this.now,
      ...leases
    })
  }

  static start(id: ReplicaId, size = 3, leases: Leases = {}): One {
    return new One(id, size, (options) => newReplica(options), leases)
  }

  /** One that is to join a group of so many; with the views of its head file, if it was there before. */
  static learner(id: ReplicaId, size = 3, promised: View = 0, logView: View = 0): One {
    return new One(id, size, (options) => newLearner(options, promised, logView))
  }

  /** Of a group that begins with the data of these parts of a snapshot. */
  static begin(id: ReplicaId, parts: ReadonlyArray<Uint8Array>, size = 3): One {
    return new One(id, size, (options) => {
      const image = new Restoration(options.application)
      for (const part of parts) assert.isNull(image.add(part))
      return newReplica(options, image)
    })
  }

  static restart(id: ReplicaId, promised: View | null, size = 3, leases: Leases = {}): One {
    return new One(id, size, (options) => recoveringReplica(options, promised), leases)
  }

  /** Restarted with its log. */
  static resume(id: ReplicaId, kept: Omit<Kept, "base" | "image">, size = 3, leases: Leases = {}, epoch = 0): One {
    return new One(id, size, (options) => restartedReplica(options, { base: 0, image: null, ...kept }), leases, epoch)
  }

  get now(): Now {
    return { mono: this.mono, wall: 1_000_000 + this.mono }
  }

  /** One turn; what it wrote is durable after it. */
  turn(...inputs: ReadonlyArray<Input>): Outcome {
    const out = step(this.replica, inputs, this.now)
    const last = out.entries[out.entries.length - 1]
    if (last === undefined) return out
    const after = step(this.replica, [{ _tag: "Durable", op: last.op }], this.now)
    const sends = [...out.sends, ...after.early, ...after.sends]
    return { ...out, sends, replies: [...out.replies, ...after.replies], snapshot: after.snapshot ?? out.snapshot }
  }

  receive(from: ReplicaId, message: Message, epoch = 0): Outcome {
    return this.turn(heard(from, message, epoch))
  }

  ask(...requests: ReadonlyArray<ClientRequest>): Outcome {
    return this.turn({ _tag: "Requests", requests })
  }

  /** Ticks every `every_ms`. */
  pass(duration_ms: number, every_ms = 20): ReadonlyArray<Send> {
    const sends: Array<Send> = []
    for (const end = this.mono + duration_ms; this.mono < end;) {
      this.mono += every_ms
      sends.push(...this.turn({ _tag: "Tick" }).sends)
    }
    return sends
  }
}

export const heard = (from: ReplicaId, message: Message, epoch = 0): Input => ({ _tag: "Message", from, epoch, message })

export const to = { connection: 0, channel: 0 }

export const write = (session: SessionId, request: number, tag = `${session}-${request}`): ClientRequest =>
  ({ kind: "write", to, session, request, answered: 0, operation: append("k", tag) })

/** The messages of one kind among what was sent, in order. */
export const only = <T extends MessageTag>(tag: T, sends: ReadonlyArray<Send>): ReadonlyArray<MessageOf<T>> =>
  sends.flatMap(({ message }) => (message._tag === tag ? [message as MessageOf<T>] : []))
