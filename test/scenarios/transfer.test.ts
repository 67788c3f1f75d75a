/**
 * Replicas that lag (VRR §5.2), and new primaries that lack what is committed: flaws F2 and F11.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { firstView } from "../../src/vr/Message.ts"
import { append, appendResult } from "../simulation/Register.ts"
import { Simulation } from "../simulation/Simulation.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { entries, entry, heard, One, only, to, write } from "../vr/One.ts"

describe("a transfer to a later view (F2; brief §8.2; the original's defect 7)", () => {
  it("keeps what was acknowledged until the replacement is here, though another view change cuts it short", () => {
    const sim = Simulation.start({ replicas: 3, seed: 1 })
    const [r0, r1, r2] = [sim.replica("R0"), sim.replica("R1"), sim.replica("R2")]
    sim.append()
    sim.run(200)
    // R2 acknowledges op 3, which commits at R0; R2 does not hear of the commit, R1 does not hear of the op.
    sim.link("R0", "R1").cut()
    const commits = sim.hold((message, _from, to) => to === "R2" && message._tag === "Commit")
    sim.append()
    assert.deepStrictEqual([r0.commit, r1.op, r2.op, r2.commit], [3, 2, 3, 2])
    // R0 and R1 start view 1; R0 votes, and hears no more of it. R2 hears of the view, and asks in vain for its log.
    sim.heal()
    commits.drop()
    const lost = sim.hold((message, from, to) =>
      message._tag === "NewState" || message._tag === "GetState" || (from === "R1" && message._tag === "StartView") ||
      (to === "R0" && (message._tag === "Prepare" || message._tag === "Commit"))
    )
    r0.input({ _tag: "Message", from: "R1", epoch: 0, message: { _tag: "StartViewChange", view: 1, probing: false } })
    sim.link("R2", "R0").cut()
    sim.runUntil(() => r1.state === "Primary")
    sim.runUntil(() => r2.state === "StateTransfer")
    assert.deepStrictEqual([r2.op, r2.replica.logView], [3, 0], "R2 still has what it acknowledged")
    // R1 is gone: R0 and R2 change the view again, R2 in the middle of its transfer.
    r1.pause()
    lost.drop()
    sim.heal()
    sim.runUntil(() => sim.primary !== undefined)
    assert.strictEqual(appendResult(sim.append().reply!.result!).length, 3)
    r1.resume()
    sim.runUntil(() => sim.hasConverged)
  })

  it("adopts the view only with the whole log, in one step", () => {
    const one = One.start("R2")
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 3), commit: 1 })
    one.receive("R1", { _tag: "Commit", view: 4, op: 5, commit: 4, round: 0, lease_ms: 0 })
    const half = one.receive("R1", { _tag: "NewState", view: 4, first: 2, entries: entries(2, 2, 4), op: 5, commit: 2 })
    assert.deepStrictEqual([one.replica.view, one.replica.logView, one.replica.log.op], [0, 0, 3])
    assert.deepStrictEqual([half.head, half.truncate_to], [null, null])
    const whole = one.receive("R1", { _tag: "NewState", view: 4, first: 3, entries: entries(3, 5, 4), op: 5, commit: 2 })
    assert.deepStrictEqual([one.replica.view, one.replica.logView, one.replica.log.op], [4, 4, 5])
    assert.deepStrictEqual(whole.head, { epoch: 0, view: 4, log_view: 4 })
    assert.strictEqual(whole.truncate_to, 1)
  })
})

describe("a transfer that another view overtakes", () => {
  it("keeps of what it has only what is committed", () => {
    const one = One.start("R2")
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 1), commit: 1 })
    one.receive("R1", { _tag: "Commit", view: 4, op: 9, commit: 2, round: 0, lease_ms: 0 })
    one.receive("R1", { _tag: "NewState", view: 4, first: 2, entries: entries(2, 5, 4), op: 9, commit: 2 })
    const [question] = only("GetState", one.receive("R0", { _tag: "Commit", view: 6, op: 5, commit: 2, round: 0, lease_ms: 0 }).sends)
    assert.deepStrictEqual([question?.view, question?.after], [6, 2])
    one.receive("R0", { _tag: "NewState", view: 6, first: 3, entries: entries(3, 5, 6), op: 5, commit: 2 })
    assert.deepStrictEqual(one.replica.log.range(1, 9).map(({ view }) => view), [0, 4, 6, 6, 6])
  })

  it("in recovery too", () => {
    const one = One.restart("R2", 0)
    const nonce = (): number => one.replica.state._tag === "Recovery" ? one.replica.state.nonce : assert.fail()
    one.pass(20)
    const answers = (view: number, op: number): void => {
      for (const from of ["R0", "R1"]) one.receive(from, { _tag: "RecoveryResponse", nonce: nonce(), view, op, commit: 1 })
    }
    answers(4, 9)
    one.receive("R1", { _tag: "NewState", view: 4, first: 1, entries: [...entries(1, 1), ...entries(2, 5, 4)], op: 9, commit: 1 })
    // R1 has moved on, and says so with the next chunk.
    one.receive("R1", { _tag: "NewState", view: 6, first: 6, entries: [], op: 5, commit: 1 })
    answers(6, 5)
    one.receive("R0", { _tag: "NewState", view: 6, first: 2, entries: entries(2, 5, 6), op: 5, commit: 1 })
    assert.deepStrictEqual([one.replica.state._tag, one.replica.view], ["Backup", 6])
    assert.deepStrictEqual(one.replica.log.range(1, 9).map(({ view }) => view), [0, 6, 6, 6, 6])
  })
})

describe("what does not fit is not taken (the original's defect 6)", () => {
  const lagging = (): One => {
    const one = One.start("R2")
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 4), commit: 0 })
    one.receive("R0", { _tag: "Commit", view: 0, op: 8, commit: 4, round: 0, lease_ms: 0 })
    assert.strictEqual(one.replica.state._tag, "StateTransfer")
    return one
  }

  it("a shorter log of the same view takes nothing away", () => {
    const one = lagging()
    one.receive("R1", { _tag: "NewState", view: 0, first: 1, entries: entries(1, 2), op: 2, commit: 2 })
    assert.strictEqual(one.replica.log.op, 4)
  })

  it("a chunk behind a gap is refused", () => {
    const one = lagging()
    one.receive("R0", { _tag: "NewState", view: 0, first: 7, entries: entries(7, 8), op: 8, commit: 4 })
    assert.deepStrictEqual([one.replica.log.op, one.replica.state._tag], [4, "StateTransfer"])
  })

  it("an older view is refused", () => {
    const one = lagging()
    one.receive("R1", { _tag: "Commit", view: 4, op: 8, commit: 4, round: 0, lease_ms: 0 })
    one.receive("R0", { _tag: "NewState", view: 0, first: 5, entries: entries(5, 8), op: 8, commit: 4 })
    assert.deepStrictEqual([one.replica.log.op, one.replica.state._tag], [4, "StateTransfer"])
  })

  it("one of a later epoch is not taken: its sender is asked how that began", () => {
    const one = lagging()
    const message = { _tag: "NewState", view: 0, first: 5, entries: entries(5, 8), op: 8, commit: 4 } as const
    const { sends } = one.receive("R3", message, 1)
    assert.strictEqual(one.replica.log.op, 4)
    assert.deepStrictEqual(sends, [{ to: "R3", epoch: 0, message: { _tag: "GetState", view: firstView(1), after: 4 } }])
  })
})

describe("a new primary that lacks committed entries below the best suffix (F11)", () => {
  /** R1 heard nothing since it was normal; R0 and R2 committed five ops; then R0 is lost. */
  const start = (): Simulation => {
    const sim = Simulation.start({ replicas: 3, seed: 7 })
    sim.link("R0", "R1").cut()
    for (let i = 0; i < 4; i++) sim.append()
    sim.run(150)
    assert.deepStrictEqual([sim.replica("R1").op, sim.replica("R2").commit], [0, 5])
    sim.replica("R0").crash()
    sim.heal()
    return sim
  }

  it("fetches them before it starts the view", () => {
    const sim = start()
    sim.runUntil(() => sim.primary === "R1")
    assert.deepStrictEqual([sim.replica("R1").commit, sim.replica("R1").op], [5, 5])
    assert.strictEqual(appendResult(sim.append().reply!.result!).length, 5)
  })

  it("waits for them as long as it takes, and truncates nothing (brief §8.4)", () => {
    const sim = start()
    const answers = sim.hold((message) => message._tag === "Committed")
    sim.runUntil(() => answers.held.length > 0)
    // The only other holder stands still.
    sim.replica("R2").pause()
    answers.drop()
    sim.run(20_000)
    assert.isUndefined(sim.primary)
    sim.replica("R2").resume()
    sim.runUntil(() => sim.primary !== undefined)
    assert.strictEqual(appendResult(sim.append().reply!.result!).length, 5)
  })
})

describe("a replica in transfer", () => {
  it("votes (the original's defect 12)", () => {
    const sim = Simulation.start({ replicas: 3, seed: 8 })
    sim.link("R0", "R2").cut()
    sim.append()
    sim.heal()
    sim.hold((message) => message._tag === "NewState")
    sim.runUntil(() => sim.replica("R2").state === "StateTransfer")
    sim.replica("R0").crash()
    sim.runUntil(() => sim.primary !== undefined, 5_000)
    assert.strictEqual(appendResult(sim.append().reply!.result!).length, 2)
  })

  it("votes also while it fetches a long log from another backup", () => {
    const one = One.start("R2")
    one.receive("R0", { _tag: "Commit", view: 0, op: 100, commit: 100, round: 0, lease_ms: 0 })
    // The primary is silent; R1 goes on sending.
    for (let op = 1; op <= 50; op++) {
      one.pass(20)
      one.receive("R1", { _tag: "NewState", view: 0, first: op, entries: [entry(op)], op: 100, commit: 50 })
    }
    assert.strictEqual(one.replica.log.op, 50)
    one.receive("R1", { _tag: "StartViewChange", view: 1, probing: true })
    assert.strictEqual(one.replica.state._tag, "ViewChange")
  })

  it("counts as touch with its primary, which does not give up for it", () => {
    const one = One.start("R0")
    for (let i = 0; i < 30; i++) {
      one.pass(100)
      one.receive("R1", { _tag: "GetState", view: 0, after: 0 })
    }
    assert.isFalse(one.replica.state._tag === "Primary" ? one.replica.state.abdicated : true)
  })

  it("asks once for each chunk, however slow the answers are", (test) => {
    // No snapshot: the log is what is fetched.
    test.onTestFinished(squeeze({ snapshot_log_bytes_min: 64 * 1024 * 1024 }))
    const sim = Simulation.start({ replicas: 3, seed: 9 })
    sim.link("R0", "R2").cut()
    const client = sim.client()
    const chunks = 12
    const padding = "x".repeat(900 * 1024)
    for (let i = 0; i < chunks * 2; i++) sim.write(append("k", client.tag() + padding), client)
    sim.heal()
    // Each chunk takes ten heartbeats: time enough to ask again and again.
    let answers = 0
    sim.network.weather = { ...sim.network.weather, delay_ms: [500, 500] }
    sim.hold((message) => {
      if (message._tag === "NewState") answers++
      return false
    })
    sim.runUntil(() => sim.replica("R2").op === sim.history.op)
    assert.isAbove(answers, chunks)
    assert.isBelow(answers, 2 * chunks)
  })

  it("is not thrown back by the StartView of the view that it fetches, which is older than what it has", () => {
    const one = One.start("R2")
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 3), commit: 1 })
    one.receive("R1", { _tag: "Commit", view: 4, op: 20, commit: 10, round: 0, lease_ms: 0 })
    one.receive("R1", { _tag: "NewState", view: 4, first: 2, entries: entries(2, 10, 4), op: 20, commit: 10 })
    assert.deepStrictEqual([one.replica.state._tag, one.replica.commit], ["StateTransfer", 10])
    one.receive("R1", { _tag: "StartView", view: 4, first: 2, entries: entries(2, 5, 4), commit: 1 })
    assert.deepStrictEqual([one.replica.state._tag, one.replica.commit], ["StateTransfer", 10])
    one.receive("R1", { _tag: "NewState", view: 4, first: 11, entries: entries(11, 20, 4), op: 20, commit: 10 })
    assert.deepStrictEqual([one.replica.state._tag, one.replica.log.op], ["Backup", 20])
  })

  it("starts no second transfer for a StartView that leaves the same gap", () => {
    const one = One.start("R2")
    const ahead = { _tag: "StartView", view: 1, first: 6, entries: entries(6, 7, 1), commit: 5 } as const
    assert.lengthOf(only("GetState", one.receive("R1", ahead).sends), 1)
    assert.isEmpty(one.receive("R1", ahead).sends)
  })
})

describe("a backup that missed a Prepare under load", () => {
  it("is not overtaken by the Prepares behind the answer to its question", () => {
    const [primary, backup] = [One.start("R0"), One.start("R1")]
    primary.ask({ kind: "register", to, nonce: new Uint8Array(16) })
    primary.receive("R2", { _tag: "PrepareOk", view: 0, op: 1 })
    primary.ask(write(1, 1))
    const [question] = only("GetState", backup.receive("R0", { _tag: "Commit", view: 0, op: 2, commit: 1, round: 0, lease_ms: 0 }).sends)
    // In one turn the primary hears the question and a new request.
    const out = primary.turn(heard("R1", question!), { _tag: "Requests", requests: [write(1, 2)] })
    for (const { message, to } of [...out.early, ...out.sends]) if (to === "R1") backup.receive("R0", message)
    assert.deepStrictEqual([backup.replica.state._tag, backup.replica.log.op], ["Backup", 3])
  })
})
