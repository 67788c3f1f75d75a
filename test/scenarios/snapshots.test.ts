/**
 * Snapshots: logs that are shortened, replicas that lag behind them, and what is found after a crash (brief §3, §8).
 *
 * @module
 */
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import type { Message, MessageTag, ReplicaId } from "../../src/vr/Message.ts"
import type { Client, Pending } from "../simulation/Client.ts"
import { append, appendResult, get, readResult } from "../simulation/Register.ts"
import { Simulation, type SimulationOptions } from "../simulation/Simulation.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { takeSnapshot } from "../../src/vr/Snapshot.ts"
import { entries, One, only } from "../vr/One.ts"

let release = (): void => {}
/** A snapshot every five operations or so, of many small parts. */
beforeEach(() => {
  release = squeeze({ snapshot_log_bytes_min: 400, snapshot_part_bytes_max: 40 })
})
afterEach(() => release())

const start = (options: Partial<SimulationOptions> = {}): Simulation =>
  Simulation.start({ replicas: 3, seed: 1, durability: "disk", ...options })

const appendTimes = (sim: Simulation, times: number, client?: Client): void => {
  for (let i = 0; i < times; i++) sim.append("k", client)
}

/** How many appends there have been. */
const count = (sim: Simulation): number => appendResult(sim.append("k").reply!.result!).length

const cutOff = (sim: Simulation, id: ReplicaId): void => {
  sim.isolate(id)
  sim.network.loseAll()
}

/** Counts messages of a kind that are sent from now on. */
const counting = (sim: Simulation, tag: MessageTag): () => number => {
  let seen = 0
  sim.hold((message) => {
    if (message._tag === tag) seen++
    return false
  })
  return () => seen
}

for (const durability of ["disk", "memory"] as const) {
  describe(`the log is shortened, durability ${durability}`, () => {
    it("at every replica, at the same operations, with equal digests", () => {
      const sim = start({ durability })
      appendTimes(sim, 40)
      sim.runUntil(() => sim.hasConverged)
      sim.run(200)
      const snapshots = sim.processes.map(({ replica }) => replica.snapshot)
      assert.isNotNull(snapshots[0])
      for (const snapshot of snapshots) assert.deepStrictEqual(snapshot, snapshots[0])
      for (const { replica } of sim.processes) {
        assert.isAbove(replica.log.base, 20)
        assert.isBelow(replica.log.base, replica.snapshot!.op, "it is kept from the snapshot before")
      }
    })

    it("though one replica is dead; it gets the snapshot when it comes back, and then the log", () => {
      const sim = start({ durability })
      appendTimes(sim, 3)
      sim.run(200)
      cutOff(sim, "R2")
      appendTimes(sim, 40)
      assert.isAbove(sim.replica("R0").replica.log.base, 20)
      const parts = counting(sim, "SnapshotPart")
      sim.heal()
      sim.runUntil(() => sim.hasConverged)
      assert.isAbove(parts(), 3)
      assert.isAbove(sim.replica("R2").replica.log.base, 20)
      assert.strictEqual(count(sim), 44)
    })

    it("a replica that lost its disk gets the snapshot too, while writes go on", () => {
      const sim = start({ durability })
      const client = sim.client()
      appendTimes(sim, 30)
      sim.replica("R1").journal.isDamaged = true
      sim.replica("R1").crash()
      appendTimes(sim, 10)
      sim.replica("R1").restart()
      for (let i = 0; i < 100; i++) client.write(append("k", client.tag()))
      sim.runUntil(() => client.outstanding === 0 && sim.hasConverged)
      assert.strictEqual(count(sim), 141)
    })
  })
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
    appendTimes(sim, 10, client)
    sim.run(200)
    assert.isAbove(sim.replica("R0").replica.log.base, op, "what nobody fetches any more is let go")
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

describe("a restart with snapshots", () => {
  it("begins with the newest and the log behind it, all at once", () => {
    const sim = start()
    for (let round = 1; round <= 6; round++) {
      appendTimes(sim, 9)
      assert.strictEqual(count(sim), round * 10)
      for (const process of sim.processes) process.crash()
      for (const process of sim.processes) process.restart()
      for (const { replica } of sim.processes) assert.isNotNull(replica.snapshot)
    }
    sim.runUntil(() => sim.hasConverged)
    for (const { losses } of sim.processes) assert.strictEqual(losses, 0)
  })

  it("begins with the older one if the newest is damaged (brief §8.24)", () => {
    const sim = start()
    appendTimes(sim, 40)
    sim.run(200)
    const r0 = sim.replica("R0")
    const [older] = r0.journal.snapshots
    r0.journal.newest!.isDamaged = true
    r0.crash()
    sim.runUntil(() => sim.primary !== undefined)
    r0.restart()
    assert.deepStrictEqual([r0.losses, r0.replica.snapshot?.op], [0, older!.op])
    sim.runUntil(() => sim.hasConverged)
    assert.strictEqual(count(sim), 41)
  })

  it("recovers from the others if both are damaged, and can then be primary (brief §8.24)", () => {
    const sim = start()
    appendTimes(sim, 40)
    sim.run(200)
    const r1 = sim.replica("R1")
    for (const snapshot of r1.journal.snapshots) snapshot.isDamaged = true
    r1.crash()
    r1.restart()
    assert.deepStrictEqual([r1.losses, r1.state], [1, "Recovery"])
    sim.runUntil(() => sim.hasConverged)
    sim.replica("R0").crash()
    sim.runUntil(() => sim.primary === "R1")
    assert.strictEqual(count(sim), 41)
  })

  it("knows the sessions: what was answered before is not run again (brief §8.21, §8.26)", () => {
    const sim = start()
    const client = sim.client()
    const replies = sim.holdReplies(({ kind, request }, _from, to) => to === "C0" && kind === "write" && request === 3)
    appendTimes(sim, 2, client)
    let asked: Pending | undefined
    client.write(append("k", client.tag()), (pending) => {
      asked = pending
    })
    sim.runUntil(() => replies.held.length > 0)
    const other = sim.client()
    appendTimes(sim, 40, other)
    sim.run(200)
    for (const process of sim.processes) process.crash()
    for (const process of sim.processes) {
      process.restart()
      assert.isAbove(process.replica.log.base, 10)
    }
    replies.drop()
    sim.runUntil(() => asked?.reply !== undefined)
    assert.deepStrictEqual([asked!.reply?.status, appendResult(asked!.reply!.result!).length], ["ok", 3])
    assert.strictEqual(count(sim), 44)
  })

  it("serves no old read before it has caught up (brief §8.20)", () => {
    const sim = start()
    appendTimes(sim, 40)
    sim.run(200)
    for (const process of sim.processes) process.crash()
    const reader = sim.client()
    const asked = reader.read(get("k"))
    for (const process of sim.processes) process.restart()
    sim.runUntil(() => asked.reply !== undefined)
    assert.strictEqual(readResult(asked.reply!.result!).length, 40)
  })
})

describe("a snapshot that was made in a later view", () => {
  /** All parts of a snapshot of op 2, as R1 would send them in `view`. */
  const parts = (view: number): ReadonlyArray<Message> => {
    const one = One.start("R1")
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 2), commit: 2 })
    const reader = takeSnapshot(one.replica).read()
    const all: Array<Message> = []
    for (let bytes = reader.next(); bytes !== null; bytes = reader.next()) {
      all.push({ _tag: "SnapshotPart", view, op: 2, index: all.length, size: 0, bytes })
    }
    return all
  }

  it("does not let a replica join a view that was over by then", () => {
    const one = One.start("R4", 5)
    // The primary of view 0 has an operation that nobody else heard of. Meanwhile view 1 commits two others.
    one.receive("R0", { _tag: "Commit", view: 0, op: 1, commit: 0, round: 0 })
    assert.strictEqual(one.replica.state._tag, "StateTransfer")
    const asked = parts(1).flatMap((part) => one.receive("R1", part).sends)
    assert.deepStrictEqual(only("GetState", asked)[0], { _tag: "GetState", view: 1, after: 0 })
    const late = one.receive("R0", { _tag: "NewState", view: 0, first: 1, entries: entries(1, 1), op: 1, commit: 0 })
    assert.isEmpty(only("PrepareOk", late.sends), "it does not acknowledge what it does not hold")
    assert.deepStrictEqual([one.replica.state._tag, one.replica.logView], ["StateTransfer", 0])
  })

  it("is not undone by the start of a view that comes late, in any state", () => {
    const one = One.start("R1")
    one.receive("R0", { _tag: "Commit", view: 3, op: 2, commit: 2, round: 0 })
    for (const part of parts(3)) one.receive("R0", part)
    assert.deepStrictEqual([one.replica.commit, one.replica.log.base, one.replica.logView], [2, 2, 0])
    one.receive("R2", { _tag: "StartViewChange", view: 5, probing: false })
    assert.strictEqual(one.replica.state._tag, "ViewChange")
    const { sends } = one.receive("R2", { _tag: "StartView", view: 5, first: 1, entries: [], commit: 0 })
    assert.deepStrictEqual(only("GetState", sends), [{ _tag: "GetState", view: 5, after: 2 }])
    assert.deepStrictEqual([one.replica.commit, one.replica.state._tag], [2, "StateTransfer"])
  })
})
