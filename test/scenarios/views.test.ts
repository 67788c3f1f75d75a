/**
 * View changes (VRR §4.2): flaws F3, F4 and F5, and what the original got wrong.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { append, appendResult, readResult } from "../simulation/Register.ts"
import { Simulation } from "../simulation/Simulation.ts"
import { entries, entry, One, only, to } from "../vr/One.ts"

describe("view change (VRR §4.2)", () => {
  it("keeps a committed op whose commit no backup heard of", () => {
    // R0 commits with R1 alone, answers the client, and dies. R2 never saw the op.
    const sim = Simulation.start({ replicas: 3, seed: 1 })
    sim.link("R0", "R2").cut()
    assert.strictEqual(sim.append().reply?.status, "ok")
    assert.strictEqual(sim.replica("R1").commit, 1)
    sim.replica("R0").crash()
    sim.runUntil(() => sim.primary !== undefined)
    sim.runUntil(() => sim.replica("R1").commit === 2 && sim.replica("R2").commit === 2)
  })

  it("survives the loss of one primary after the other", () => {
    const sim = Simulation.start({ replicas: 3, seed: 2 })
    for (let round = 1; round <= 6; round++) {
      assert.strictEqual(appendResult(sim.append().reply!.result!).length, round)
      const primary = sim.replica(sim.primary!)
      primary.crash()
      sim.runUntil(() => sim.primary !== undefined, 2_000)
      primary.restart()
      sim.runUntil(() => sim.hasConverged)
    }
  })
})

describe("a StartView", () => {
  it("with a lower commit number than ours takes nothing back and runs nothing twice (F3)", () => {
    const one = One.start("R2")
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 4), commit: 4 })
    const { digest } = one.data
    one.receive("R1", { _tag: "StartView", view: 1, first: 1, entries: entries(1, 4), commit: 1 })
    assert.deepStrictEqual([one.replica.view, one.replica.commit, one.data.digest], [1, 4, digest])
    one.receive("R1", { _tag: "Prepare", view: 1, first: 5, entries: entries(5, 5, 1), commit: 5 })
    assert.strictEqual(one.replica.commit, 5)
  })

  it("that comes twice does not take back what was acknowledged since (F4)", () => {
    const start = { _tag: "StartView", view: 1, first: 1, entries: entries(1, 2), commit: 0 } as const
    for (const id of ["R0", "R2"]) {
      const one = One.start(id)
      one.receive("R1", start)
      one.receive("R1", { _tag: "Prepare", view: 1, first: 3, entries: entries(3, 4, 1), commit: 0 })
      one.receive("R1", start)
      assert.strictEqual(one.replica.log.op, 4)
      // Nor while it fills a gap in the log of that view.
      one.receive("R1", { _tag: "Commit", view: 1, op: 6, commit: 0, round: 0, lease_ms: 0 })
      assert.strictEqual(one.replica.state._tag, "StateTransfer")
      one.receive("R1", start)
      assert.strictEqual(one.replica.log.op, 4)
    }
  })

  it("replaces what another view left behind", () => {
    const one = One.start("R2")
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 4), commit: 2 })
    const out = one.receive("R1", { _tag: "StartView", view: 1, first: 3, entries: entries(3, 3, 1), commit: 2 })
    assert.strictEqual(out.truncate_to, 2)
    assert.strictEqual(one.replica.log.op, 3)
    assert.strictEqual(one.replica.log.get(3).view, 1)
  })

  it("is acknowledged at once, all that it holds", () => {
    const one = One.start("R2")
    const { sends } = one.receive("R1", { _tag: "StartView", view: 1, first: 1, entries: entries(1, 3), commit: 0 })
    assert.deepStrictEqual(sends, [{ to: "R1", epoch: 0, message: { _tag: "PrepareOk", view: 1, op: 3 } }])
  })

  it("from anybody but the primary of its view is not believed", () => {
    const one = One.start("R2")
    one.receive("R0", { _tag: "StartView", view: 1, first: 1, entries: entries(1, 2), commit: 0 })
    assert.deepStrictEqual([one.replica.view, one.replica.log.op], [0, 0])
  })
})

describe("five replicas in mixed views (F5; the original's defect 3)", () => {
  const vote = { _tag: "DoViewChange", logView: 0, first: 1, entries: [], commit: 0 } as const

  it("a StartViewChange is not a vote", () => {
    const one = One.start("R1", 5)
    one.receive("R2", { _tag: "StartViewChange", view: 1, probing: false })
    one.receive("R2", { ...vote, view: 1 })
    for (const from of ["R3", "R4", "R0"]) one.receive(from, { _tag: "StartViewChange", view: 1, probing: false })
    assert.strictEqual(one.replica.state._tag, "ViewChange")
    one.receive("R3", { ...vote, view: 1 })
    assert.strictEqual(one.replica.state._tag, "Primary")
  })

  it("votes of different views are not counted together", () => {
    // R1 is the primary of views 1 and 6.
    const one = One.start("R1", 5)
    one.receive("R2", { ...vote, view: 1 })
    one.receive("R3", { ...vote, view: 6 })
    assert.deepStrictEqual([one.replica.state._tag, one.replica.view], ["ViewChange", 6])
    one.receive("R4", { ...vote, view: 1 })
    assert.strictEqual(one.replica.state._tag, "ViewChange")
    one.receive("R4", { ...vote, view: 6 })
    assert.deepStrictEqual([one.replica.state._tag, one.replica.view], ["Primary", 6])
  })

  it("a higher view is adopted as it is, not counted up to", () => {
    const one = One.start("R1", 5)
    one.receive("R2", { _tag: "StartViewChange", view: 1, probing: false })
    const { head, sends } = one.receive("R3", { _tag: "StartViewChange", view: 9, probing: false })
    assert.deepStrictEqual(head, { epoch: 0, view: 9, log_view: 0 })
    assert.deepStrictEqual(only("DoViewChange", sends).map(({ view }) => view), [9])
  })

  it("replicas that suspect at different times agree on one view", () => {
    const sim = Simulation.start({ replicas: 5, seed: 3 })
    sim.append()
    sim.replica("R0").crash()
    sim.runUntil(() => sim.primary !== undefined, 2_000)
    assert.strictEqual(sim.replica(sim.primary!).view, 1)
  })

  it("a vote is resent as it was, though its sender has learned more", () => {
    const one = One.start("R2", 5)
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 4), commit: 2 })
    const [first] = only("DoViewChange", one.receive("R3", { _tag: "StartViewChange", view: 1, probing: false }).sends)
    one.receive("R0", { _tag: "Prepare", view: 0, first: 5, entries: entries(5, 6), commit: 4 })
    const again = only("DoViewChange", one.pass(200))
    assert.isNotEmpty(again)
    for (const vote of again) assert.deepStrictEqual(vote, first)
  })
})

describe("the log of a new view", () => {
  it("is the one with the latest logView, not the longest", () => {
    const one = One.start("R1")
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 6), commit: 1 })
    one.receive("R2", { _tag: "DoViewChange", view: 4, logView: 2, first: 2, entries: entries(2, 3, 2), commit: 1 })
    assert.deepStrictEqual([one.replica.state._tag, one.replica.log.op, one.replica.log.get(3).view], ["Primary", 3, 2])
  })

  it("is the longest among those of one logView", () => {
    const one = One.start("R1")
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 3), commit: 1 })
    one.receive("R2", { _tag: "DoViewChange", view: 1, logView: 0, first: 3, entries: entries(3, 5), commit: 2 })
    assert.deepStrictEqual([one.replica.state._tag, one.replica.log.op, one.replica.commit], ["Primary", 5, 2])
  })

  // The original did not set the last normal view after a recovery or a transfer (its defect 2).
  for (const way of ["recovery", "transfer"] as const) {
    it(`is not a staler one, when the view was joined by ${way}`, () => {
      const sim = Simulation.start({ replicas: 5, seed: 4 })
      sim.append()
      sim.run(300)
      // R0, cut off, collects operations that will never commit.
      sim.isolate("R0")
      const late = sim.client()
      for (let i = 0; i < 5; i++) late.write(append("k", late.tag()))
      if (way === "transfer") sim.isolate("R2")
      sim.runUntil(() => sim.primary === "R1")
      if (way === "recovery") {
        sim.replica("R2").crash()
        sim.replica("R2").restart()
      } else {
        for (const id of ["R1", "R3", "R4"]) sim.link("R2", id).heal()
      }
      sim.runUntil(() => sim.replica("R2").state === "Backup" && sim.replica("R2").view === 1)
      // Of R0, R2 and R3, only R2 holds what commits now.
      sim.isolate("R3")
      const client = sim.client()
      client.target = "R1"
      const { length } = appendResult(sim.append("other", client).reply!.result!)
      sim.heal()
      sim.replica("R1").pause()
      sim.replica("R4").pause()
      sim.runUntil(() => sim.primary !== undefined)
      assert.strictEqual(readResult(sim.read("other", client).reply!.result!).length, length)
    })
  }
})

describe("replicas that hold what a later view has truncated (brief §8.5)", () => {
  it("ask from their commit number on, and never apply it, though their logs are as long as the new one", () => {
    const sim = Simulation.start({ replicas: 5, seed: 8 })
    sim.append()
    sim.run(300)
    const head = sim.replica("R0").op
    // R0 and R4 hold one more operation, which no other replica has seen.
    for (const a of ["R0", "R4"]) for (const b of ["R1", "R2", "R3"]) sim.link(a, b).cut()
    const late = sim.client()
    late.target = "R0"
    late.register()
    sim.runUntil(() => sim.replica("R4").op === head + 1)
    // The others put something else in its place, and commit it.
    sim.runUntil(() => sim.primary === "R1")
    const client = sim.client()
    client.target = "R1"
    client.register()
    sim.runUntil(() => sim.replica("R2").commit === head + 1)
    for (const id of ["R0", "R4"]) {
      const { commit, op, replica } = sim.replica(id)
      assert.deepStrictEqual([op, commit, replica.log.get(op).view], [head + 1, head, 0])
    }
    sim.heal()
    sim.runUntil(() => sim.hasConverged)
    for (const { replica } of sim.processes) assert.strictEqual(replica.log.get(head + 1).view, 1)
  })
})

describe("five replicas, and only two links between them fail (brief §8.15; the outage of an etcd in 2020)", () => {
  it.each([0, 1, 2, 3, 4])("view %i stays, whoever its primary is, and serves", (view) => {
    const sim = Simulation.start({ replicas: 5, seed: 15 })
    sim.append()
    for (let old = 0; old < view; old++) {
      sim.isolate(`R${old}`)
      sim.runUntil(() => sim.primary === `R${old + 1}`)
      sim.heal()
      sim.runUntil(() => sim.hasConverged)
    }
    // The fourth and the second replica do not reach each other, nor do the fifth and the third.
    sim.link("R3", "R1").cut()
    sim.link("R4", "R2").cut()
    for (let i = 0; i < 30; i++) {
      sim.append()
      sim.run(1_000)
    }
    assert.strictEqual(sim.primary, `R${view}`)
    for (const process of sim.processes) assert.strictEqual(process.view, view)
  })
})

describe("two primaries in different views, the higher without a quorum (brief §8.16)", () => {
  it("converge upwards", () => {
    const sim = Simulation.start({ replicas: 3, seed: 5 })
    sim.append()
    sim.isolate("R0")
    sim.runUntil(() => sim.replica("R1").state === "Primary")
    // Before R0 gives up, the cut moves: now R1 is alone, and R2 is back with R0.
    assert.strictEqual(sim.replica("R0").state, "Primary")
    sim.isolate("R1")
    sim.link("R0", "R2").heal()
    sim.runUntil(() => sim.primary !== undefined && sim.primary !== "R1" && sim.replica(sim.primary).view > 1)
    sim.heal()
    sim.runUntil(() => sim.hasConverged)
    assert.isAbove(sim.replica("R0").view, 1)
    assert.strictEqual(appendResult(sim.append().reply!.result!).length, 2)
  })

  it("the lower is told by whoever has moved on", () => {
    const one = One.start("R2")
    one.receive("R1", { _tag: "StartView", view: 1, first: 1, entries: [], commit: 0 })
    const { sends } = one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: [entry(1)], commit: 0 })
    assert.deepStrictEqual(sends, [{ to: "R0", epoch: 0, message: { _tag: "StartViewChange", view: 1, probing: false } }])
    assert.strictEqual(one.replica.log.op, 0)
  })
})

describe("nothing waits for a new request (the original's defect 11)", () => {
  it("a lost Prepare is made up for", () => {
    const sim = Simulation.start({ replicas: 3, seed: 6 })
    const prepares = sim.hold((message) => message._tag === "Prepare")
    const client = sim.client()
    client.register()
    sim.run(50)
    assert.isNotEmpty(prepares.held)
    prepares.drop()
    sim.runUntil(() => sim.history.op === 1, 500)
  })

  it("a lost acknowledgement is made up for", () => {
    const sim = Simulation.start({ replicas: 3, seed: 6 })
    const acks = sim.hold((message) => message._tag === "PrepareOk")
    const client = sim.client()
    client.register()
    sim.run(20)
    assert.isNotEmpty(acks.held)
    acks.drop()
    sim.runUntil(() => sim.history.op === 1, 500)
  })

  it("what a new view inherits commits by itself", () => {
    const sim = Simulation.start({ replicas: 3, seed: 7 })
    const acks = sim.hold((message) => message._tag === "PrepareOk" || message._tag === "CommitOk")
    const client = sim.client()
    client.register()
    sim.runUntil(() => sim.replica("R2").op === 1)
    sim.replica("R0").crash()
    client.target = "R0"
    acks.drop()
    sim.runUntil(() => sim.history.op === 1, 2_000)
    assert.strictEqual(sim.replica(sim.primary!).view, 1)
  })

  it("a lost StartView is made up for", () => {
    const sim = Simulation.start({ replicas: 3, seed: 8 })
    sim.append()
    const starts = sim.hold((message) => message._tag === "StartView")
    sim.replica("R0").crash()
    sim.runUntil(() => starts.held.length > 0)
    starts.drop()
    sim.runUntil(() => sim.replica("R2").state === "Backup" && sim.replica("R2").view === 1, 300)
  })
})

describe("a primary that hands off", () => {
  it("lets the other one lead at once, and no request is lost", () => {
    const sim = Simulation.start({ replicas: 3, seed: 12 })
    for (let i = 0; i < 5; i++) sim.append()
    const begin = sim.events.now
    sim.replica("R0").input({ _tag: "HandOff", to: "R2" })
    sim.runUntil(() => sim.primary === "R2", 100)
    // Three messages, one after the other, of a millisecond each; and a tick.
    assert.isBelow(sim.events.now - begin, 50)
    assert.strictEqual(sim.replica("R2").view, 2)
    sim.append()
    sim.runUntil(() => sim.hasConverged)
  })

  it("keeps its place if the other one does not catch up, and turns nobody away for longer", () => {
    const sim = Simulation.start({ replicas: 3, seed: 13 })
    sim.append()
    sim.isolate("R2")
    sim.append()
    sim.replica("R0").input({ _tag: "HandOff", to: "R2" })
    sim.run(600)
    assert.deepStrictEqual([sim.primary, sim.replica("R0").view], ["R0", 0])
    sim.append()
    sim.heal()
    sim.runUntil(() => sim.hasConverged)
  })

  it("takes no writes meanwhile, and does not heed who is not in the group", () => {
    const one = One.start("R0")
    one.turn({ _tag: "HandOff", to: "R9" }, { _tag: "HandOff", to: "R0" })
    one.ask({ kind: "register", to, nonce: new Uint8Array(16) })
    one.turn({ _tag: "HandOff", to: "R1" })
    const later = one.ask({ kind: "register", to, nonce: new Uint8Array(16).fill(1) })
    assert.deepStrictEqual(later.replies.map(({ status }) => status), ["busy"])
    const { replies, sends } = one.receive("R1", { _tag: "PrepareOk", view: 0, op: 1 })
    assert.deepStrictEqual(replies.map(({ status }) => status), ["ok"])
    assert.deepStrictEqual(only("StartViewChange", sends).map(({ probing, view }) => [view, probing]), [[1, false], [1, false]])
  })

  it("sends clients to that one, those that wait for a read and those that come later, but not for ever", () => {
    const one = One.start("R0")
    one.receive("R1", { _tag: "PrepareOk", view: 0, op: 0 })
    const read = (request: number) => ({ kind: "read", to, request, operation: new Uint8Array(1) }) as const
    one.ask(read(1))
    const { replies } = one.turn({ _tag: "HandOff", to: "R1" })
    const later = one.ask(read(2))
    const named = [...replies, ...later.replies].map(({ primary, request, status }) => [request, status, primary])
    assert.deepStrictEqual(named, [[1, "not primary", "R1"], [2, "not primary", "R1"]])
    one.pass(400)
    assert.deepStrictEqual(one.ask(read(3)).replies.map(({ primary }) => primary), [null])
  })
})
