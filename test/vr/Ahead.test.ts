/**
 * What a backup has heard to be committed, and applies behind what others wait for.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { firstView } from "../../src/vr/Message.ts"
import { encodeNextGroup } from "../../src/vr/NextGroup.ts"
import type { Input, Outcome } from "../../src/vr/Replica.ts"
import { isBehind, knownCommit } from "../../src/vr/states/Backup.ts"
import { step, stepAhead } from "../../src/vr/Step.ts"
import { entries, heard, One, only } from "./One.ts"

const prepare = (first: number, last: number, commit: number, view = 0): Input =>
  heard("R0", { _tag: "Prepare", view, first, entries: entries(first, last, view), commit })

const ahead = (one: One, ...inputs: ReadonlyArray<Input>): Outcome => stepAhead(one.replica, inputs, one.now)

describe("a step ahead", () => {
  it("appends and acknowledges, and leaves what is committed to the next step, with inputs or without", () => {
    const one = One.start("R1")
    const out = ahead(one, prepare(1, 3, 2))
    assert.deepStrictEqual(out.entries.map(({ op }) => op), [1, 2, 3])
    assert.deepStrictEqual(only("PrepareOk", out.sends).map(({ op }) => op), [3])
    assert.strictEqual(one.replica.commit, 0)
    assert.strictEqual(knownCommit(one.replica), 2)
    assert.isTrue(isBehind(one.replica))
    assert.deepStrictEqual(step(one.replica, [], one.now).sends, [])
    assert.strictEqual(one.replica.commit, 2)
    assert.isFalse(isBehind(one.replica))
    ahead(one, prepare(4, 4, 3))
    ahead(one, { _tag: "Tick" })
    assert.strictEqual(one.replica.commit, 3)
  })

  it("confirms a round of reads before it applies", () => {
    const one = One.start("R1")
    ahead(one, prepare(1, 2, 0))
    const { early } = ahead(one, heard("R0", { _tag: "Commit", view: 0, op: 2, commit: 2, round: 7, lease_ms: 0 }))
    assert.deepStrictEqual(only("CommitOk", early).map(({ round }) => round), [7])
    assert.strictEqual(one.replica.commit, 0)
    assert.isTrue(isBehind(one.replica))
  })

  it("is caught up with before anything that the commit number matters to", () => {
    const changing = One.start("R1")
    ahead(changing, prepare(1, 2, 2), heard("R2", { _tag: "StartViewChange", view: 1, probing: false }))
    assert.strictEqual(changing.replica.state._tag, "ViewChange")
    assert.strictEqual(changing.replica.commit, 2)
    // A gap: what was heard is not forgotten with the state.
    const missing = One.start("R1")
    ahead(missing, prepare(1, 2, 2), prepare(4, 4, 2))
    assert.strictEqual(missing.replica.state._tag, "StateTransfer")
    assert.strictEqual(missing.replica.commit, 2)
    const later = One.start("R1")
    ahead(later, prepare(1, 2, 2))
    ahead(later, heard("R2", { _tag: "Prepare", view: 2, first: 3, entries: entries(3, 3, 2), commit: 2 }))
    assert.strictEqual(later.replica.commit, 2)
  })

  it("goes over to the next epoch before it hears anything of that, in one batch too", () => {
    const replicas = ["R0", "R1", "R3"]
    const last = { ...entries(4, 4)[0]!, kind: "reconfigure" as const, operation: encodeNextGroup({ epoch: 1, replicas, leaving: ["R2"] }) }
    const commit = heard("R0", { _tag: "Commit", view: 0, op: 4, commit: 4, round: 0, lease_ms: 0 })
    const leave = heard("R3", { _tag: "StartViewChange", view: firstView(1) + 2, probing: false }, 1)
    const gap = prepare(6, 6, 4)
    for (const take of [step, stepAhead]) {
      const begin = () => {
        const one = One.start("R1")
        one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: [...entries(1, 3), last], commit: 3 })
        return one
      }
      const one = begin()
      take(one.replica, [commit, leave], one.now)
      assert.strictEqual(one.replica.state._tag, "ViewChange")
      assert.strictEqual(one.replica.logView, firstView(1))
      // What is missing from an epoch that is over is not asked for.
      const other = begin()
      const { early, sends } = take(other.replica, [commit, gap], other.now)
      assert.isEmpty(only("GetState", [...early, ...sends]))
    }
  })

  it("acknowledges the last entry of an epoch before it goes over", () => {
    const one = One.start("R1")
    const replicas = ["R0", "R1", "R3"]
    const last = { ...entries(1, 1)[0]!, kind: "reconfigure" as const, operation: encodeNextGroup({ epoch: 1, replicas, leaving: ["R2"] }) }
    const first = ahead(one, heard("R0", { _tag: "Prepare", view: 0, first: 1, entries: [last], commit: 1 }))
    assert.deepStrictEqual(only("PrepareOk", first.sends).map(({ op, view }) => [op, view]), [[1, 0]])
    assert.isNull(first.head)
    // It is written as committed with the head of the next epoch, not before.
    assert.strictEqual(knownCommit(one.replica), 0)
    const second = step(one.replica, [], one.now)
    assert.deepStrictEqual(second.head, { epoch: 1, view: firstView(1), log_view: firstView(1) })
    assert.deepStrictEqual(second.configuration?.replicas, replicas)
  })
})
