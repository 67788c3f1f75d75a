/**
 * When a replica asks for another view, and when it agrees to one. How a group behaves is told in scenarios/liveness.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { View } from "../../src/vr/Message.ts"
import { highestView } from "../../src/vr/Replica.ts"
import { suspects } from "../../src/vr/Suspicion.ts"
import { heard, One, only, timers } from "./One.ts"

const heartbeat = (view: View = 0) => ({ _tag: "Commit", view, op: 0, commit: 0, round: 0, lease_ms: 0 }) as const
const probing = (view: View) => ({ _tag: "StartViewChange", view, probing: true }) as const

/** How long one waits in silence until it asks, in ms. */
const silence = (one: One): number => {
  const start = one.mono
  while (only("StartViewChange", one.pass(20)).length === 0) assert.isBelow(one.mono - start, 60_000)
  return one.mono - start
}

describe("patience", () => {
  it("is between half the time-out and one and a half", () => {
    for (const id of ["R1", "R2"]) {
      const waited = silence(One.start(id))
      assert.isAtLeast(waited, timers.view_change_ms * 0.5)
      assert.isAtMost(waited, timers.view_change_ms * 1.5 + 20)
    }
  })

  it("follows the time-out when that is set anew", () => {
    const one = One.start("R1")
    one.replica.timers = { ...timers, view_change_ms: 10 * timers.view_change_ms }
    assert.isAtLeast(silence(one), 5 * timers.view_change_ms)
  })

  it("begins anew with each sign of life", () => {
    const one = One.start("R1")
    for (let i = 0; i < 100; i++) {
      assert.isEmpty(only("StartViewChange", one.pass(200)))
      one.receive("R0", heartbeat())
    }
  })

  it("is not fed by others than the primary", () => {
    const one = One.start("R1")
    for (let i = 0; i < 10; i++) {
      one.receive("R2", { _tag: "Commit", view: 0, op: 0, commit: 0, round: 0, lease_ms: 0 })
      one.receive("R2", { _tag: "GetState", view: 0, after: 0 })
      one.pass(100)
    }
    assert.isTrue(suspects(one.replica, one.now))
  })
})

describe("agreement", () => {
  it("takes half a time-out of silence", () => {
    const one = One.start("R1")
    one.pass(timers.view_change_ms / 2 - 20)
    assert.isFalse(suspects(one.replica, one.now))
    one.pass(20)
    assert.isTrue(suspects(one.replica, one.now))
  })

  it("is given by a quorum for one and the same view", () => {
    const one = One.start("R1", 5)
    one.pass(260)
    one.receive("R2", probing(1))
    assert.strictEqual(one.replica.view, 0)
    // R3 asks for another view: R1 adopts it, and R2 has not agreed to that one.
    one.receive("R3", probing(2))
    assert.strictEqual(one.replica.view, 0)
    one.receive("R2", probing(2))
    assert.deepStrictEqual([one.replica.view, one.replica.state._tag], [2, "ViewChange"])
  })

  it("is not sought to and fro: a higher view is asked for at once, a lower one with the next heartbeat", () => {
    const one = One.start("R1", 5)
    silence(one)
    const asked = (view: View) => only("StartViewChange", one.receive("R2", probing(view)).sends).map((message) => message.view)
    assert.include(asked(7), 7)
    for (let i = 0; i < 10; i++) {
      assert.deepStrictEqual(asked(6), [])
      assert.deepStrictEqual(asked(7), [])
    }
    one.mono += timers.heartbeat_ms
    assert.include(asked(6), 6)
  })

  it("is not needed to follow one that has left", () => {
    const one = One.start("R1", 5)
    one.receive("R2", { _tag: "StartViewChange", view: 3, probing: false })
    assert.strictEqual(one.replica.view, 3)
  })

  it("is not given by a primary that serves, nor to views that are over", () => {
    const primary = One.start("R0")
    for (let i = 0; i < 10; i++) {
      primary.receive("R1", { _tag: "CommitOk", view: 0, op: 0, round: 0, promised: false })
      assert.isEmpty(only("StartViewChange", primary.receive("R2", probing(1)).sends))
      primary.pass(100)
    }
    const backup = One.start("R1")
    backup.receive("R2", { _tag: "StartView", view: 2, first: 1, entries: [], commit: 0 })
    backup.pass(400)
    assert.isEmpty(only("StartViewChange", backup.receive("R0", probing(2)).sends).filter(({ view }) => view <= 2))
  })

  it("alone is enough in a group of one, which never needs it", () => {
    const one = One.start("R0", 1)
    assert.isEmpty(one.pass(10_000))
    assert.strictEqual(one.replica.state._tag, "Primary")
  })
})

describe("the highest view that is known", () => {
  it("counts the one that is being fetched", () => {
    const one = One.start("R2")
    one.receive("R1", heartbeat(4))
    assert.deepStrictEqual([one.replica.view, highestView(one.replica)], [0, 4])
    assert.isEmpty(one.receive("R0", { _tag: "StartViewChange", view: 3, probing: false }).sends)
    one.receive("R0", { _tag: "StartViewChange", view: 5, probing: false })
    assert.deepStrictEqual([one.replica.view, one.replica.logView], [5, 0])
  })
})

describe("whatever probes come", () => {
  it("a backup that hears its primary stays", () => {
    const probe = fc.record({ from: fc.constantFrom("R2", "R3", "R4"), view: fc.nat(20), pause_ms: fc.nat(90) })
    fc.assert(fc.property(fc.array(probe), (probes) => {
      const one = One.start("R1", 5)
      for (const { from, pause_ms, view } of probes) {
        one.mono += pause_ms
        one.turn(heard("R0", heartbeat()), heard(from, probing(view)), { _tag: "Tick" })
      }
      assert.deepStrictEqual([one.replica.view, one.replica.state._tag], [0, "Backup"])
    }))
  })

  it("one that misses it leaves upwards only, and with a quorum", () => {
    const probe = fc.record({ from: fc.constantFrom("R2", "R3", "R4"), view: fc.nat(20) })
    fc.assert(fc.property(fc.array(probe, { maxLength: 12, size: "max" }), (probes) => {
      const one = One.start("R1", 5)
      one.pass(260)
      for (const { from, view } of probes) {
        const before = one.replica.view
        one.receive(from, probing(view))
        assert.isAtLeast(one.replica.view, before)
        if (one.replica.view === before) continue
        const asked = new Set(probes.filter((other) => other.view === one.replica.view).map((other) => other.from))
        assert.isAtLeast(asked.size, 2)
      }
    }))
  })
})
