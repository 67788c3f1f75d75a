/**
 * Replicas that lose their memory (VRR §4.3): flaws F1, F6, F7 and F8 of the paper, and what the original got wrong.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import type { MessageOf } from "../../src/vr/Message.ts"
import { Violation } from "../simulation/checkers/Check.ts"
import { fairWeather } from "../simulation/Network.ts"
import { appendResult } from "../simulation/Register.ts"
import { isBeyondRecovery } from "../../src/vr/states/Recovery.ts"
import { Simulation } from "../simulation/Simulation.ts"
import { entries, heard, One, only, to, write } from "../vr/One.ts"

const isNormal = (sim: Simulation, id: string): boolean => ["Primary", "Backup"].includes(sim.replica(id).state)

describe("the F1 trace: a view that was promised is not forgotten", () => {
  const trace = (forgetful: boolean): Simulation => {
    const sim = Simulation.start({ replicas: 3, seed: 1 })
    const [r1, r2] = [sim.replica("R1"), sim.replica("R2")]
    // 1. The primary falls silent. R1 and R2 notice, but what R1 says is delayed. R1 leaves for view 1.
    sim.path("R0", "R1").cut()
    sim.path("R0", "R2").cut()
    const fromR1 = sim.hold((message, from) => from === "R1" && message._tag === "StartViewChange")
    sim.runUntil(() => r1.state === "ViewChange")
    assert.strictEqual(r2.state, "Backup")
    sim.heal()
    // 2. R1 crashes and recovers; the others never knew that it had left.
    r1.crash()
    r1.restart({ forgetful })
    sim.runUntil(() => isNormal(sim, "R1"))
    // 3. Now its StartViewChange arrives at R2, which leaves for view 1 too, and votes; both are delayed.
    const fromR2 = sim.hold((message, from) =>
      from === "R2" && (message._tag === "DoViewChange" || (message._tag === "StartViewChange" && !message.probing))
    )
    const left = fromR1.held.findIndex(({ payload, to }) =>
      to === "R2" && payload._tag === "Peer" && payload.message._tag === "StartViewChange" && !payload.message.probing
    )
    assert.isAtLeast(left, 0, "R1 has left")
    fromR1.deliver(left)
    fromR1.drop()
    sim.run(10)
    // 4. R2 crashes and recovers, also without the vote that it gave.
    r2.crash()
    r2.restart({ forgetful })
    sim.runUntil(() => isNormal(sim, "R2"))
    // 5. It acknowledges two operations, which commit without R1.
    const toR1 = sim.hold((message, _from, to) => to === "R1" && (message._tag === "Prepare" || message._tag === "Commit"))
    sim.append()
    // 6. R2's old messages arrive at R1. Were R1 and R2 still bound to view 0, R1 would start view 1 without the operations.
    fromR2.release()
    toR1.drop()
    sim.runUntil(() => sim.hasConverged)
    return sim
  }

  it("keeps what was committed", () => {
    const sim = trace(false)
    assert.strictEqual(sim.history.op, 2)
    for (const process of sim.processes) assert.strictEqual(process.commit, 2)
    assert.strictEqual(appendResult(sim.append().reply!.result!).length, 2)
  })

  it("would lose it if the view were not persisted: the checkers see that", () => {
    assert.throws(() => trace(true), Violation)
  })
})

describe("recovery", () => {
  it("that straddles a view change finds the new primary (F6)", () => {
    const sim = Simulation.start({ replicas: 5, seed: 2 })
    sim.append()
    sim.replica("R4").crash()
    sim.replica("R4").restart()
    // The backups answer in view 0; the primary's answer is lost, and then the primary is.
    const answer = sim.hold((message, from) => from === "R0" && message._tag === "RecoveryResponse")
    sim.run(50)
    assert.strictEqual(sim.replica("R4").state, "Recovery")
    sim.replica("R0").crash()
    answer.drop()
    sim.runUntil(() => sim.replica("R4").state === "Backup")
    assert.isAbove(sim.replica("R4").view, 0)
    assert.strictEqual(sim.replica("R4").commit, 2)
  })

  it("of the primary makes the others start the next view at once, unanswered (F7)", () => {
    const sim = Simulation.start({ replicas: 3, seed: 3 })
    sim.append()
    sim.run(1_000)
    sim.replica("R0").crash()
    sim.replica("R0").restart()
    // Long before anybody's patience (250 ms at least) is over.
    sim.runUntil(() => sim.primary === "R1", 150)
    sim.runUntil(() => sim.replica("R0").state === "Backup")
    assert.isAbove(sim.replica("R0").view, 0)
    assert.strictEqual(sim.replica("R0").commit, 2)
  })

  it("of a primary that nobody can miss yet is not answered in its own view (F7)", () => {
    const backup = One.start("R1", 5)
    backup.receive("R0", { _tag: "Commit", view: 0, op: 0, commit: 0, round: 0, lease_ms: 0 })
    const { sends } = backup.receive("R0", { _tag: "Recovery", nonce: 7, view: 0 })
    assert.isEmpty(only("RecoveryResponse", sends))
    assert.isNotEmpty(only("StartViewChange", sends))
  })

  it("takes part in nothing before it is done (F8)", () => {
    const one = One.restart("R1", 0)
    const inputs = [
      heard("R2", { _tag: "StartViewChange", view: 1, probing: true }),
      heard("R2", { _tag: "StartViewChange", view: 1, probing: false }),
      heard("R2", { _tag: "DoViewChange", view: 1, logView: 0, first: 1, entries: entries(1, 3), commit: 0 }),
      heard("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 3), commit: 2 }),
      heard("R0", { _tag: "Commit", view: 0, op: 3, commit: 2, round: 5, lease_ms: 0 }),
      heard("R2", { _tag: "StartView", view: 2, first: 1, entries: entries(1, 3), commit: 3 }),
      heard("R2", { _tag: "GetState", view: 0, after: 0 }),
      heard("R2", { _tag: "GetCommitted", view: 1, after: 0, last: 3 }),
      heard("R2", { _tag: "Recovery", nonce: 1, view: 0 })
    ]
    for (const input of inputs) {
      const { early, head, sends } = one.turn(input)
      assert.deepStrictEqual([early, sends, head], [[], [], null])
    }
    const [refused] = one.ask(write(1, 1)).replies
    assert.strictEqual(refused?.status, "not primary")
    assert.strictEqual(one.replica.state._tag, "Recovery")
    assert.strictEqual(one.replica.log.op, 0)
  })

  it("does not believe answers to a question of its former life", () => {
    const one = One.restart("R2", 0)
    const [question] = only("Recovery", one.pass(20)) as [MessageOf<"Recovery">]
    for (const from of ["R0", "R1"]) {
      one.receive(from, { _tag: "RecoveryResponse", nonce: question.nonce + 1, view: 0, op: 0, commit: 0 })
    }
    assert.isNull((one.replica.state._tag === "Recovery" ? one.replica.state : assert.fail()).fetching)
    for (const from of ["R0", "R1"]) {
      one.receive(from, { _tag: "RecoveryResponse", nonce: question.nonce, view: 0, op: 0, commit: 0 })
    }
    assert.isNotNull((one.replica.state._tag === "Recovery" ? one.replica.state : assert.fail()).fetching)
  })

  it("needs as many answers as meet any quorum, the primary's of the highest view among them", () => {
    const one = One.restart("R4", 0, 5)
    const [question] = only("Recovery", one.pass(20)) as [MessageOf<"Recovery">]
    const answer = { _tag: "RecoveryResponse", nonce: question.nonce, op: 0, commit: 0 } as const
    const asks = (from: string, view: number): boolean =>
      only("GetState", one.receive(from, { ...answer, view }).sends).length > 0
    assert.isFalse(asks("R0", 0))
    assert.isFalse(asks("R1", 0), "two of five are not enough")
    assert.isFalse(asks("R2", 1), "R0's view is over, and R1 has not said that it is in view 1")
    assert.isFalse(asks("R3", 1))
    assert.isTrue(asks("R1", 1))
  })

  it("does not settle for a view below the one that was promised (F1)", () => {
    const one = One.restart("R2", 3)
    const [question] = only("Recovery", one.pass(20)) as [MessageOf<"Recovery">]
    assert.strictEqual(question.view, 3)
    const answer = { _tag: "RecoveryResponse", nonce: question.nonce, op: 0, commit: 0 } as const
    for (const from of ["R0", "R1"]) assert.isEmpty(only("GetState", one.receive(from, { ...answer, view: 0 }).sends))
    for (const from of ["R1", "R0"]) one.receive(from, { ...answer, view: 4 })
    one.receive("R1", { _tag: "NewState", view: 4, first: 1, entries: [], op: 0, commit: 0 })
    assert.deepStrictEqual([one.replica.state._tag, one.replica.view], ["Backup", 4])
  })

  it("works over a network that is slower than the time between two questions", () => {
    const sim = Simulation.start({ replicas: 3, seed: 1, weather: { ...fairWeather(), delay_ms: [140, 140] } })
    sim.append()
    sim.replica("R2").crash()
    sim.append()
    sim.replica("R2").restart()
    sim.runUntil(() => sim.replica("R2").state === "Backup")
    assert.strictEqual(sim.replica("R2").op, 3)
  })

  it("is answered by a replica that has a gap in the log of its own view", () => {
    const one = One.start("R1")
    one.receive("R0", { _tag: "Commit", view: 0, op: 3, commit: 3, round: 0, lease_ms: 0 })
    assert.strictEqual(one.replica.state._tag, "StateTransfer")
    const { sends } = one.receive("R2", { _tag: "Recovery", nonce: 7, view: 0 })
    assert.deepStrictEqual(only("RecoveryResponse", sends).map(({ view }) => view), [0])
  })

  it("is not answered by one that is still fetching a later view", () => {
    const one = One.start("R2")
    one.receive("R1", { _tag: "Commit", view: 1, op: 3, commit: 3, round: 0, lease_ms: 0 })
    assert.strictEqual(one.replica.state._tag, "StateTransfer")
    assert.isEmpty(one.receive("R0", { _tag: "Recovery", nonce: 7, view: 0 }).sends)
  })

  it("moves the group up to a view that was promised and never reached", () => {
    const sim = Simulation.start({ replicas: 3, seed: 5 })
    sim.append()
    const r2 = sim.replica("R2")
    r2.crash()
    r2.journal.head = { epoch: 0, view: 4, log_view: 0 }
    r2.restart()
    sim.runUntil(() => r2.state === "Backup" || r2.state === "Primary")
    assert.isAtLeast(r2.view, 4)
    assert.strictEqual(r2.commit, 2)
    sim.append()
  })
})

describe("a wiped replica that comes back with its identity (brief §8.8, the original's defect 1)", () => {
  it("recovers what it had acknowledged before it votes again", () => {
    const sim = Simulation.start({ replicas: 3, seed: 4 })
    sim.link("R0", "R2").cut()
    sim.append()
    assert.deepStrictEqual([sim.replica("R1").op, sim.replica("R2").op], [2, 0])
    sim.replica("R1").crash()
    sim.replica("R1").restart()
    // The primary stands still before R1 has its memory back: R1 and R2 together know of nothing.
    sim.replica("R0").pause()
    sim.run(20_000)
    assert.isUndefined(sim.primary)
    assert.strictEqual(sim.replica("R1").state, "Recovery")
    sim.heal()
    sim.replica("R0").resume()
    sim.runUntil(() => sim.hasConverged)
    assert.strictEqual(sim.history.op, 2)
    assert.strictEqual(appendResult(sim.append().reply!.result!).length, 2)
  })

  it("holds it alone when the others that held it are gone", () => {
    const sim = Simulation.start({ replicas: 3, seed: 4 })
    sim.link("R0", "R2").cut()
    sim.append()
    sim.replica("R1").crash()
    sim.replica("R1").restart()
    sim.heal()
    sim.link("R0", "R2").cut()
    sim.path("R1", "R2").cut()
    sim.run(100)
    sim.heal()
    sim.runUntil(() => sim.replica("R1").state !== "Recovery")
    sim.replica("R0").crash()
    sim.runUntil(() => sim.primary !== undefined)
    assert.strictEqual(appendResult(sim.append().reply!.result!).length, 2)
  })
})

describe("more memories lost than the group tolerates (F9)", () => {
  it("nobody starts over with an empty log", () => {
    const sim = Simulation.start({ replicas: 3, seed: 6 })
    sim.append()
    for (const process of sim.processes) process.crash()
    for (const process of sim.processes) process.restart()
    sim.run(60_000)
    for (const process of sim.processes) assert.strictEqual(process.state, "Recovery")
  })

  it("that nothing can be recovered is said when too few are left to answer, and not before (F9)", () => {
    // By group size: how many others may have lost their memory too. Answers needed: 1, 1, 2, 2, 3.
    for (const [size, others] of [[1, -1], [2, 0], [3, 0], [4, 1], [5, 1]] as const) {
      const one = One.restart("R0", 0, size)
      const isLost = (): boolean => one.replica.state._tag === "Recovery" && isBeyondRecovery(one.replica, one.replica.state)
      for (let i = 1; i <= others; i++) one.receive(`R${i}`, { _tag: "Recovery", nonce: 1, view: 0 })
      assert.strictEqual(isLost(), others < 0, `size ${size}`)
      if (others < 0) continue
      one.receive(`R${others + 1}`, { _tag: "Recovery", nonce: 1, view: 0 })
      assert.isTrue(isLost(), `size ${size}`)
    }
  })

  it("a group of one that lost its memory does not serve", () => {
    const one = One.restart("R0", 0, 1)
    assert.isEmpty(one.pass(10_000))
    const register = { kind: "register", to, nonce: new Uint8Array(16) } as const
    assert.strictEqual(one.ask(register).replies[0]?.status, "not primary")
  })
})
