/**
 * Snapshots on their way from one replica to another: interrupted, late, lost, of other views (F2, F11; brief §8).
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import type { Message } from "../../src/vr/Message.ts"
import type { Send } from "../../src/vr/Replica.ts"
import { takeSnapshot } from "../../src/vr/Snapshot.ts"
import { append } from "../simulation/Register.ts"
import type { Simulation, SimulationOptions } from "../simulation/Simulation.ts"
import { entries, One, only } from "../vr/One.ts"
import { appendTimes, count, counting, cutOff, snapshotsOften, start } from "./SnapshotsOften.ts"

snapshotsOften()

/** All parts of a snapshot of op 2, by somebody who is in `view`. */
const partsOf = (view: number): ReadonlyArray<Message> => {
  const one = One.start("R1")
  one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 2), commit: 2 })
  const reader = takeSnapshot(one.replica).read()
  const all: Array<Message> = []
  for (let bytes = reader.next(); bytes !== null; bytes = reader.next()) {
    all.push({ _tag: "SnapshotPart", view, op: 2, index: all.length, size: 0, bytes })
  }
  return all
}

describe("the transfer of a snapshot", () => {
  /** R2 is far behind; the rest goes on. */
  const lagging = (options: Partial<SimulationOptions> = {}): Simulation => {
    const sim = start(options)
    appendTimes(sim, 3)
    sim.run(200)
    cutOff(sim, "R2")
    appendTimes(sim, 40)
    return sim
  }

  it("replaces nothing before it is whole: what was acknowledged survives a view change in its midst (F2)", () => {
    const sim = lagging()
    const r2 = sim.replica("R2")
    const held = r2.op
    const parts = sim.hold((message) => message._tag === "SnapshotPart" && message.index > 1)
    sim.heal()
    sim.runUntil(() => parts.held.length > 0)
    assert.deepStrictEqual([r2.op, r2.replica.log.base], [held, 0])
    sim.replica("R0").crash()
    sim.runUntil(() => sim.primary !== undefined && sim.primary !== "R0")
    parts.release()
    assert.strictEqual(count(sim), 44)
    sim.replica("R0").restart()
    sim.runUntil(() => sim.hasConverged)
  })

  it("goes on where it was, after a pause in the network", () => {
    const sim = lagging()
    const parts = sim.hold((message) => message._tag === "SnapshotPart" && message.index > 2)
    sim.heal()
    sim.runUntil(() => parts.held.length > 0)
    const { incoming } = sim.replica("R2").replica
    assert.strictEqual(incoming?.next, 3)
    parts.drop()
    const questions: Array<number> = []
    sim.hold((message) => {
      if (message._tag === "GetSnapshot") questions.push(message.index)
      return false
    })
    sim.runUntil(() => sim.hasConverged)
    assert.strictEqual(Math.min(...questions), 3, "no part is sent twice")
  })

  it("begins anew with another sender, if its own dies", () => {
    const sim = lagging()
    const parts = sim.hold((message) => message._tag === "SnapshotPart" && message.index > 2)
    sim.heal()
    sim.runUntil(() => parts.held.length > 0)
    const from = sim.replica("R2").replica.incoming!.from
    sim.replica(from).crash()
    parts.drop()
    assert.strictEqual(count(sim), 44)
    sim.replica(from).restart()
    sim.runUntil(() => sim.hasConverged)
  })

  it("begins anew if its receiver dies, and leaves that with what it had", () => {
    const sim = lagging()
    const r2 = sim.replica("R2")
    const held = r2.op
    const parts = sim.hold((message) => message._tag === "SnapshotPart" && message.index > 2)
    sim.heal()
    sim.runUntil(() => parts.held.length > 0)
    r2.crash()
    parts.drop()
    r2.restart()
    assert.strictEqual(r2.op, held)
    sim.runUntil(() => sim.hasConverged)
    assert.strictEqual(count(sim), 44)
  })

  it("finds the log behind the snapshot, however much is written and shortened meanwhile", () => {
    const sim = lagging()
    const client = sim.client()
    const parts = sim.hold((message) => message._tag === "SnapshotPart" && message.index > 2)
    sim.heal()
    sim.runUntil(() => parts.held.length > 0)
    const { op } = sim.replica("R2").replica.incoming!
    appendTimes(sim, 60, client)
    assert.isAbove(sim.replica("R0").replica.snapshot!.op, op + 40)
    assert.isAtMost(sim.replica("R0").replica.log.base, op)
    parts.release()
    sim.runUntil(() => sim.hasConverged)
    assert.strictEqual(sim.replica("R2").replica.log.base, op, "one snapshot was enough")
    appendTimes(sim, 20, client)
    sim.run(12_000)
    appendTimes(sim, 30, client)
    sim.run(200)
    assert.isAbove(sim.replica("R0").replica.log.base, op, "what nobody fetches any more is let go")
  })

  it("takes a part that is late, if it is the one that is needed", () => {
    const one = One.start("R1")
    one.receive("R0", { _tag: "Commit", view: 0, op: 2, commit: 2, round: 0, lease_ms: 0 })
    const all = partsOf(0)
    one.receive("R0", all[0]!)
    one.mono += 60_000
    const { sends } = one.receive("R0", all[1]!)
    assert.deepStrictEqual(only("GetSnapshot", sends).map(({ index }) => index), [2])
  })

  it("is let go once the replica has joined its view without it", () => {
    const one = One.start("R1")
    one.receive("R0", { _tag: "Commit", view: 0, op: 2, commit: 2, round: 0, lease_ms: 0 })
    one.receive("R0", partsOf(0)[0]!)
    assert.isNotNull(one.replica.incoming)
    // Another one, whose log is longer, answers an earlier question.
    one.receive("R2", { _tag: "NewState", view: 0, first: 1, entries: entries(1, 2), op: 2, commit: 2 })
    assert.deepStrictEqual([one.replica.state._tag, one.replica.incoming], ["Backup", null])
  })

  it("comes from the vote that a new primary has chosen, though another one's was coming", () => {
    const one = One.start("R1")
    one.receive("R0", { _tag: "Commit", view: 0, op: 2, commit: 2, round: 0, lease_ms: 0 })
    one.receive("R0", partsOf(0)[0]!)
    one.receive("R2", { _tag: "StartViewChange", view: 1, probing: false })
    one.receive("R2", { _tag: "DoViewChange", view: 1, logView: 0, first: 3, entries: [], commit: 2 })
    const { sends } = one.receive("R2", partsOf(1)[0]!)
    assert.deepStrictEqual(only("GetSnapshot", sends).map(({ index }) => index), [1])
  })

  it("comes to its end on a network that loses one message in ten", () => {
    const weather = { loss: 0.1, duplication: 0, straggling: 0, delay_ms: [1, 1], inOrder: true, straggler_ms: 0 } as const
    const sim = lagging()
    const client = sim.client()
    for (let i = 0; i < 400; i++) client.write(append(`k${i}`, client.tag()))
    sim.runUntil(() => client.outstanding === 0)
    sim.network.weather = weather
    sim.heal()
    const parts = counting(sim, "SnapshotPart")
    sim.runUntil(() => sim.replica("R2").commit > 400, 300_000)
    assert.isAbove(parts(), 200)
  })

  it("is waited for by a recovery, over a link on which a part takes longer than its time-outs", () => {
    const one = One.restart("R1", 0)
    const due: Array<{ readonly at: number; readonly message: Message }> = []
    const answer = (message: Message, ms: number) => {
      // One after the other, as on a connection.
      due.push({ at: Math.max(one.mono, due.at(-1)?.at ?? 0) + ms, message })
    }
    const onSent = ({ message, to }: Send): void => {
      if (to !== "R0") return
      const answers = { op: 2, commit: 2, view: 0 }
      if (message._tag === "Recovery") answer({ _tag: "RecoveryResponse", nonce: message.nonce, ...answers }, 5)
      else if (message._tag === "GetSnapshot") answer(partsOf(0)[message.index]!, 1_100)
      else if (message._tag === "GetState" && message.after < 2) answer(partsOf(0)[0]!, 1_100)
      else answer({ _tag: "NewState", first: 3, entries: [], ...answers }, 1_100)
    }
    while (one.mono < 120_000 && one.replica.state._tag === "Recovery") {
      one.pass(20).forEach(onSent)
      const { state } = one.replica
      if (state._tag === "Recovery" && state.nonce !== 0 && state.fetching === null) {
        one.receive("R2", { _tag: "RecoveryResponse", nonce: state.nonce, view: 0, op: 2, commit: 2 }).sends.forEach(onSent)
      }
      while (due.length > 0 && due[0]!.at <= one.mono) one.receive("R0", due.shift()!.message).sends.forEach(onSent)
    }
    assert.strictEqual(one.replica.state._tag, "Backup")
  })

  it("refuses parts that are not as they were sent, and asks again", () => {
    const sim = lagging()
    const r2 = sim.replica("R2")
    let spoilt = 0
    const parts = sim.hold((message) => message._tag === "SnapshotPart" && message.index === 4 && spoilt === 0)
    sim.heal()
    sim.runUntil(() => parts.held.length > 0)
    const [envelope] = parts.held
    const message = envelope!.payload._tag === "Peer" ? envelope!.payload.message : assert.fail()
    if (message._tag !== "SnapshotPart") assert.fail()
    spoilt++
    const bytes = message.bytes.slice()
    bytes[bytes.length - 1]! ^= 1
    r2.input({ _tag: "Message", from: envelope!.from, epoch: 0, message: { ...message, bytes } })
    parts.drop()
    sim.runUntil(() => sim.hasConverged)
    assert.strictEqual(count(sim), 44)
  })
})

describe("a new primary that lacks what is in nobody's log any more (F11)", () => {
  it("fetches the snapshot before it starts the view", () => {
    const sim = start({ replicas: 3 })
    appendTimes(sim, 3)
    sim.run(200)
    cutOff(sim, "R1")
    appendTimes(sim, 40)
    sim.run(200)
    assert.isAbove(sim.replica("R2").replica.log.base, 20)
    sim.replica("R0").crash()
    const parts = counting(sim, "SnapshotPart")
    // R1 is the primary of view 1, and holds almost nothing.
    sim.heal()
    sim.replica("R1").input({ _tag: "PeerLost", replica: "R0" })
    sim.replica("R2").input({ _tag: "PeerLost", replica: "R0" })
    sim.runUntil(() => sim.primary === "R1")
    assert.isAbove(parts(), 3)
    assert.strictEqual(sim.replica("R1").view, 1)
    assert.strictEqual(count(sim), 44)
    sim.replica("R0").restart()
    sim.runUntil(() => sim.hasConverged)
  })
})

describe("a snapshot that was made in a later view", () => {
  it("does not let a replica join a view that was over by then", () => {
    const one = One.start("R4", 5)
    // The primary of view 0 has an operation that nobody else heard of. Meanwhile view 1 commits two others.
    one.receive("R0", { _tag: "Commit", view: 0, op: 1, commit: 0, round: 0, lease_ms: 0 })
    assert.strictEqual(one.replica.state._tag, "StateTransfer")
    const asked = partsOf(1).flatMap((part) => one.receive("R1", part).sends)
    assert.deepStrictEqual(only("GetState", asked)[0], { _tag: "GetState", view: 1, after: 0 })
    const late = one.receive("R0", { _tag: "NewState", view: 0, first: 1, entries: entries(1, 1), op: 1, commit: 0 })
    assert.isEmpty(only("PrepareOk", late.sends), "it does not acknowledge what it does not hold")
    assert.deepStrictEqual([one.replica.state._tag, one.replica.logView], ["StateTransfer", 0])
  })

  it("nor after a restart: whoever holds it has promised the later view", () => {
    const sim = start({ replicas: 5 })
    appendTimes(sim, 3)
    sim.run(200)
    for (const id of ["R0", "R4"]) cutOff(sim, id)
    sim.runUntil(() => sim.primary === "R1")
    appendTimes(sim, 40)
    sim.run(200)
    const r4 = sim.replica("R4")
    const log = sim.hold((message, _from, to) => to === "R4" && message._tag === "NewState")
    for (const id of ["R1", "R2", "R3"]) sim.link("R4", id).heal()
    sim.runUntil(() => r4.commit > 20)
    assert.deepStrictEqual([r4.view, r4.replica.logView, r4.state], [1, 0, "StateTransfer"])
    r4.crash({ finds: true })
    cutOff(sim, "R4")
    log.drop()
    r4.restart()
    assert.deepStrictEqual([r4.view, r4.replica.logView], [1, 0])
    // The primary of view 0 still believes in itself.
    sim.link("R0", "R4").heal()
    sim.run(1_000)
    sim.heal()
    sim.runUntil(() => sim.hasConverged)
    assert.strictEqual(count(sim), 44)
  })

  it("is not undone by the start of a view that comes late, in any state", () => {
    const one = One.start("R1")
    one.receive("R0", { _tag: "Commit", view: 3, op: 2, commit: 2, round: 0, lease_ms: 0 })
    for (const part of partsOf(3)) one.receive("R0", part)
    assert.deepStrictEqual([one.replica.commit, one.replica.log.base, one.replica.logView], [2, 2, 0])
    one.receive("R2", { _tag: "StartViewChange", view: 5, probing: false })
    assert.strictEqual(one.replica.state._tag, "ViewChange")
    const { sends } = one.receive("R2", { _tag: "StartView", view: 5, first: 1, entries: [], commit: 0 })
    assert.deepStrictEqual(only("GetState", sends), [{ _tag: "GetState", view: 5, after: 2 }])
    assert.deepStrictEqual([one.replica.commit, one.replica.state._tag], [2, "StateTransfer"])
  })
})
