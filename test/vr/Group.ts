/**
 * A few replicas that hear each other at once, unless one of them is cut off.
 *
 * @module
 */
import { assert } from "vitest"
import { crc32 } from "../../src/base/Checksum.ts"
import type { OpNumber, ReplicaId } from "../../src/vr/Message.ts"
import type { ClientRequest, Input, Outcome, Reply, Send } from "../../src/vr/Replica.ts"
import { partsOf } from "../wire/SnapshotOf.ts"
import type { One } from "./One.ts"

/** More than any of these tests needs: they go round in circles. */
const messages_max = 10_000

export class Group {
  readonly ones: Map<ReplicaId, One>
  /** Nobody hears them, and they hear nobody. */
  readonly cut = new Set<ReplicaId>()
  /** All that was answered. */
  readonly replies: Array<Reply> = []
  /** All that were due; each is written at once. */
  readonly snapshots: Array<{ readonly id: ReplicaId; readonly op: OpNumber; readonly digest: number }> = []
  private readonly under_way: Array<Send & { readonly from: ReplicaId }> = []

  constructor(ones: ReadonlyArray<One>) {
    this.ones = new Map(ones.map((one) => [one.replica.id, one]))
  }

  one(id: ReplicaId): One {
    const one = this.ones.get(id)
    assert(one !== undefined, id)
    return one
  }

  get primary(): One | undefined {
    return [...this.ones.values()].find(({ replica: { id, state } }) => state._tag === "Primary" && !state.abdicated && !this.cut.has(id))
  }

  /** What came of it at once. */
  ask(id: ReplicaId, ...requests: ReadonlyArray<ClientRequest>): ReadonlyArray<Reply> {
    const before = this.replies.length
    this.take(id, this.one(id).ask(...requests))
    this.deliver()
    return this.replies.slice(before)
  }

  tell(id: ReplicaId, input: Input): void {
    this.take(id, this.one(id).turn(input))
    this.deliver()
  }

  /** Time passes for everyone. */
  pass(duration_ms: number, every_ms = 20): void {
    for (let passed = 0; passed < duration_ms; passed += every_ms) {
      for (const [id, one] of this.ones) {
        one.mono += every_ms
        this.take(id, one.turn({ _tag: "Tick" }))
      }
      this.deliver()
    }
  }

  private take(from: ReplicaId, { early, replies, sends, snapshot }: Outcome): void {
    for (const send of [...early, ...sends]) this.under_way.push({ from, ...send })
    this.replies.push(...replies)
    if (snapshot === null) return
    const digest = partsOf(snapshot).reduce((before, part) => crc32(part, before), 0)
    this.snapshots.push({ id: from, op: snapshot.op, digest })
    this.take(from, this.one(from).turn({ _tag: "Snapshotted", op: snapshot.op, digest }))
  }

  private deliver(): void {
    for (let left = messages_max; left > 0; left--) {
      const next = this.under_way.shift()
      if (next === undefined) return
      const { epoch, from, message, to } = next
      if (!this.cut.has(from) && !this.cut.has(to)) this.take(to, this.one(to).receive(from, message, epoch))
    }
    assert.fail("the messages do not end")
  }
}
