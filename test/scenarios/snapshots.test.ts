/**
 * Snapshots: logs that are shortened, replicas that lag behind them, and what is found after a crash (brief §3, §8).
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import type { Pending } from "../simulation/Client.ts"
import { append, appendResult, get, readResult } from "../simulation/Register.ts"
import { appendTimes, count, counting, cutOff, snapshotsOften, start } from "./SnapshotsOften.ts"

snapshotsOften()

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
