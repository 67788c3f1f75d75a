/**
 * Disk durability: what was acknowledged survives the crash of any number of replicas, at any moment (brief §8, §3).
 *
 * @module
 */
import { afterEach, assert, describe, it } from "vitest"
import { append, appendResult, get, readResult } from "../simulation/Register.ts"
import { Simulation, type SimulationOptions } from "../simulation/Simulation.ts"
import { squeeze } from "../simulation/Squeeze.ts"

let release = (): void => {}
afterEach(() => {
  release()
  release = () => {}
})

const start = (options: Partial<SimulationOptions> = {}): Simulation =>
  Simulation.start({ replicas: 3, seed: 1, durability: "disk", ...options })

/** How many appends there have been. */
const count = (sim: Simulation): number => appendResult(sim.append("k").reply!.result!).length

const crashAll = (sim: Simulation): void => sim.processes.forEach((process) => process.crash())
const restartAll = (sim: Simulation): void => sim.processes.forEach((process) => process.restart())

/** What one read there, asked now by somebody new, is answered with. */
const readAt = (sim: Simulation, target: string) => {
  const reader = sim.client()
  reader.target = target
  return reader.read(get("k"))
}

describe("power loss on all nodes (brief §8.23)", () => {
  for (const replicas of [1, 2, 3, 4, 5]) {
    it(`takes back nothing that was answered, in a group of ${replicas}, twelve times`, () => {
      const sim = start({ replicas, disk_ms: 2 })
      for (let round = 1; round <= 12; round++) {
        assert.strictEqual(count(sim), round)
        crashAll(sim)
        sim.run(round * 10)
        restartAll(sim)
      }
      sim.runUntil(() => sim.hasConverged)
      for (const { losses } of sim.processes) assert.strictEqual(losses, 0)
    })
  }

  it("in the midst of many writes: each that was answered ran, once", () => {
    const sim = start({ disk_ms: 10 })
    const client = sim.client()
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 20; i++) client.write(append("k", client.tag()))
      sim.run(7 + round)
      crashAll(sim)
      sim.run(50)
      restartAll(sim)
      sim.runUntil(() => client.outstanding === 0)
    }
    sim.runUntil(() => sim.hasConverged)
  })
})

describe("a whole group that restarts together", () => {
  for (const replicas of [1, 2, 3, 5, 7]) {
    it(`has a view a tick and some messages later: ${replicas}`, () => {
      const sim = start({ replicas })
      sim.append()
      crashAll(sim)
      sim.run(5_000)
      restartAll(sim)
      // One tick of 20 ms until the old primary asks, and 1 ms for each of probe, consent, vote and start.
      sim.runUntil(() => sim.primary !== undefined, 25)
      assert.strictEqual(sim.replica(sim.primary!).view, 1)
      assert.strictEqual(count(sim), 2)
    })
  }

  it("while its old primary is gone: within the patience of the others", () => {
    const sim = start()
    sim.append()
    crashAll(sim)
    sim.replica("R1").restart()
    sim.replica("R2").restart()
    sim.runUntil(() => sim.primary !== undefined, 1_000)
    assert.strictEqual(count(sim), 2)
  })

  it("also in the middle of a view change", () => {
    const sim = start()
    sim.append()
    const starts = sim.hold((message) => message._tag === "StartView" || message._tag === "DoViewChange")
    sim.isolate("R0")
    sim.runUntil(() => sim.replica("R1").state === "ViewChange" && sim.replica("R2").state === "ViewChange")
    crashAll(sim)
    starts.drop()
    sim.heal()
    restartAll(sim)
    sim.runUntil(() => sim.primary !== undefined, 25)
    assert.strictEqual(sim.replica(sim.primary!).view, 1)
    assert.strictEqual(count(sim), 2)
  })
})

describe("two adjacent crashes right after the acknowledgements (brief §8.3)", () => {
  it("drop nothing of what was answered, though the third never heard of it", () => {
    const sim = start({ disk_ms: 30 })
    for (let round = 1; round <= 8; round++) {
      const [first, second] = [sim.replica(sim.primary ?? "R0"), sim.replica("R1")]
      const third = sim.processes.find((process) => process !== first && process !== second)!
      sim.isolate(third.id)
      assert.strictEqual(count(sim), round)
      // The next ones are under way to the disks.
      for (let i = 0; i < 3; i++) sim.clients[0]!.write(append("x", sim.clients[0]!.tag()))
      sim.run(3)
      first.crash({ finds: false })
      second.crash({ finds: false })
      sim.heal()
      sim.run(20)
      first.restart()
      second.restart()
      sim.runUntil(() => sim.hasConverged)
    }
  })
})

describe("a crash between writing the view and installing its log (brief §8.6, F12)", () => {
  it("leaves a log that does not pass for the view's", () => {
    const sim = start()
    // R2 holds nothing; R0 and R1 have committed two operations.
    sim.link("R0", "R2").cut()
    sim.append()
    const installs = sim.hold((message, _from, to) => to === "R2" && (message._tag === "StartView" || message._tag === "NewState"))
    sim.isolate("R0")
    sim.runUntil(() => sim.replica("R1").state === "Primary" && sim.replica("R2").view === 1)
    sim.replica("R2").crash()
    installs.drop()
    const { head } = sim.replica("R2").journal
    assert.deepStrictEqual(head, { epoch: 0, view: 1, log_view: 0 })
    sim.replica("R1").crash()
    sim.heal()
    sim.replica("R2").restart()
    assert.strictEqual(sim.replica("R2").state, "ViewChange")
    // R0 and R2 are a quorum, and R2 leads: had its log passed for view 1's, it would be chosen.
    sim.runUntil(() => sim.primary === "R2")
    assert.strictEqual(count(sim), 2)
  })

  for (const crashAt of ["early sent", "flush failed", "written"] as const) {
    it(`leaves the old log with the old view, or the new with the new: ${crashAt}`, () => {
      const sim = start({ disk_ms: 5 })
      sim.append()
      sim.isolate("R0")
      const lost = sim.client()
      lost.target = "R0"
      for (let i = 0; i < 3; i++) lost.register()
      sim.runUntil(() => sim.primary === "R1")
      sim.append()
      const old = sim.replica("R0")
      sim.run(100)
      const { entries, head } = old.journal
      assert.isAbove(entries.length, 2, "of view 0, and committed by nobody")
      // It hears of view 1, fetches its log, and crashes as it installs that.
      sim.heal()
      sim.runUntil(() => old.state === "StateTransfer")
      old.crashAt = crashAt
      sim.runUntil(() => !old.isUp)
      const installed = head !== old.journal.head
      assert.deepStrictEqual(old.journal.head, { epoch: 0, view: installed ? 1 : 0, log_view: installed ? 1 : 0 })
      assert.strictEqual(old.journal.entries.at(-1)?.view, installed ? 1 : 0)
      // With it and R2 alone, what R1 and R2 have committed stays.
      sim.replica("R1").crash()
      old.restart()
      assert.strictEqual(count(sim), 3)
      sim.replica("R1").restart()
      sim.runUntil(() => sim.hasConverged)
    })
  }
})

describe("an acknowledged entry that can no longer be read (brief §8.7)", () => {
  /** R0 and R1 have committed two operations of which R2 knows nothing; then R1's log is damaged. */
  const damaged = (): Simulation => {
    const sim = start()
    sim.link("R0", "R2").cut()
    sim.append()
    sim.replica("R1").journal.isDamaged = true
    sim.replica("R1").crash()
    sim.replica("R1").restart()
    return sim
  }

  it("is not denied to a view change", () => {
    const sim = damaged()
    sim.replica("R0").pause()
    sim.run(20_000)
    assert.isUndefined(sim.primary, "R1 and R2 know nothing of it")
    assert.strictEqual(sim.replica("R1").state, "Recovery")
    sim.heal()
    sim.replica("R0").resume()
    sim.runUntil(() => sim.hasConverged)
    assert.strictEqual(count(sim), 2)
  })

  it("is repaired from the peers, and counts again, also as the log of a primary (brief §8.24)", () => {
    const sim = damaged()
    sim.heal()
    sim.runUntil(() => sim.hasConverged)
    assert.isTrue(sim.replica("R1").journal.isTrusted)
    sim.replica("R0").crash()
    sim.runUntil(() => sim.primary === "R1")
    assert.strictEqual(count(sim), 2)
    crashAll(sim)
    sim.replica("R1").restart()
    sim.replica("R2").restart()
    assert.strictEqual(count(sim), 3)
  })

  it("of the one that leads: the others go on without it, and it comes back", () => {
    const sim = start()
    for (let i = 1; i <= 5; i++) assert.strictEqual(count(sim), i)
    const primary = sim.replica("R0")
    primary.journal.isDamaged = true
    primary.crash()
    primary.restart()
    sim.runUntil(() => sim.primary === "R1", 1_000)
    assert.strictEqual(count(sim), 6)
    sim.runUntil(() => sim.hasConverged)
    assert.strictEqual(primary.journal.op, sim.history.op)
  })
})

describe("a log that was only recovered in part (F16)", () => {
  it("does not pass for a whole one after another crash", () => {
    release = squeeze({ transfer_chunk_bytes_max: 300 })
    const sim = start()
    for (let i = 0; i < 10; i++) sim.append()
    sim.isolate("R2")
    const before = sim.replica("R2").op
    for (let i = 0; i < 10; i++) sim.append()
    const r1 = sim.replica("R1")
    r1.journal.isDamaged = true
    r1.crash()
    sim.link("R1", "R2").heal()
    r1.restart()
    sim.runUntil(() => r1.op > before)
    assert.strictEqual(r1.state, "Recovery")
    assert.isAbove(r1.journal.op, 0)
    r1.crash()
    sim.replica("R0").pause()
    r1.restart()
    assert.deepStrictEqual([r1.state, r1.op], ["Recovery", 0])
    sim.run(20_000)
    assert.isUndefined(sim.primary)
    sim.heal()
    sim.replica("R0").resume()
    sim.runUntil(() => sim.hasConverged)
    assert.strictEqual(count(sim), 21)
  })
})

describe("all are killed and restarted (brief §8.20)", () => {
  it("no read shows nothing, or something old, before the newest is known", () => {
    for (const back of [["R0", "R1", "R2"], ["R2", "R1"], ["R2", "R0"], ["R1", "R2", "R0"]]) {
      const sim = start()
      sim.append()
      sim.run(200)
      // R2 misses the last ones, and nobody's disk knows that they are committed.
      sim.isolate("R2")
      for (let i = 0; i < 3; i++) sim.append()
      const { op } = appendResult(sim.append().reply!.result!)
      crashAll(sim)
      assert.isTrue(sim.processes.every(({ journal }) => journal.commit < op))
      sim.heal()
      const reads = back.map((id) => {
        sim.replica(id).restart()
        sim.run(30)
        return readAt(sim, id)
      })
      sim.runUntil(() => reads.every(({ reply }) => reply !== undefined))
      for (const { reply } of reads) assert.strictEqual(readResult(reply!.result!).version, op)
    }
  })
})

describe("a group of one (brief §8.22)", () => {
  it("answers no write before it is on its disk", () => {
    const sim = start({ replicas: 1, disk_ms: 1_000 })
    const one = sim.replica("R0")
    sim.append()
    const client = sim.client()
    client.register()
    sim.runUntil(() => client.session !== undefined)
    const held = one.journal.op
    client.write(append("x", client.tag()))
    sim.run(5)
    assert.strictEqual(one.op, held + 1, "it is in the log")
    one.crash({ finds: false })
    assert.deepStrictEqual([client.outstanding, one.journal.op], [1, held])
    one.restart()
    sim.runUntil(() => client.outstanding === 0)
    assert.strictEqual(sim.history.op, held + 1)
  })

  it("has what it answered", () => {
    const sim = start({ replicas: 1, disk_ms: 5 })
    for (let round = 1; round <= 10; round++) {
      assert.strictEqual(count(sim), round)
      sim.replica("R0").crash({ finds: false })
      sim.replica("R0").restart()
    }
  })
})

describe("a primary whose disk hangs", () => {
  it("goes on while the others are a quorum, but not for long: its log could not be shortened, nor could it say that it lives", () => {
    const sim = start()
    sim.append()
    const r0 = sim.replica("R0")
    r0.slowedBy_ms = 1_000_000
    const before = sim.history.op
    sim.append()
    assert.isAbove(sim.history.op, before)
    assert.isAtMost(r0.journal.op, before)
    // Reads go past the disk, and keep the others from missing it.
    for (let i = 0; i < 200 && r0.state === "Primary"; i++) {
      readAt(sim, "R0")
      sim.run(20)
    }
    assert.notStrictEqual(r0.state, "Primary")
    sim.runUntil(() => sim.primary !== undefined && sim.primary !== "R0")
    sim.append()
    r0.slowedBy_ms = 0
    r0.crash({ finds: false })
    r0.restart()
    sim.run(2_000)
    assert.strictEqual(r0.op, sim.history.op)
  })

  for (const replicas of [1, 2]) {
    it(`where the group of ${replicas} cannot do without it: serves again once it writes, and has lost nothing`, () => {
      const sim = start({ replicas })
      assert.strictEqual(count(sim), 1)
      const r0 = sim.replica("R0")
      // Each write takes up to ten seconds, which is longer than anybody waits.
      r0.slowedBy_ms = 10_000
      const client = sim.client()
      client.write(append("k", client.tag()))
      sim.run(8_000)
      r0.slowedBy_ms = 0
      sim.run(15_000)
      assert.strictEqual(count(sim), 3)
    })
  }
})

describe("a primary that restarts", () => {
  /** R1 and R2 have acknowledged op 3, which R0, their primary, has not written; R0 crashes. */
  const behind = (): Simulation => {
    const sim = start()
    sim.append()
    sim.run(200)
    const r0 = sim.replica("R0")
    r0.slowedBy_ms = 1_000_000
    sim.client().register()
    sim.runUntil(() => sim.replica("R1").op === 3 && sim.replica("R2").op === 3)
    r0.slowedBy_ms = 0
    r0.crash({ finds: false })
    assert.strictEqual(r0.journal.op, 2)
    return sim
  }

  it("puts nothing in the place of what it had sent, and not written", () => {
    const sim = behind()
    sim.replica("R0").restart()
    sim.runUntil(() => sim.primary !== undefined)
    assert.strictEqual(sim.replica(sim.primary!).view, 1)
    sim.runUntil(() => sim.history.op === 3)
    assert.strictEqual(sim.history.entries[2]?.view, 0)
  })

  it("does not tell a replica whose log was damaged how far its view had come", () => {
    const sim = behind()
    const r1 = sim.replica("R1")
    r1.journal.isDamaged = true
    r1.crash()
    // R2 answers R1, and is not heard of again for a while: R0 and R1 must not make a quorum that knows nothing.
    sim.path("R0", "R2").cut()
    sim.path("R2", "R0").cut()
    const answers = sim.hold((message, from) => from === "R2" && message._tag !== "RecoveryResponse")
    r1.restart()
    sim.replica("R0").restart()
    sim.run(5_000)
    assert.strictEqual(r1.state, "Recovery")
    answers.release()
    sim.heal()
    sim.runUntil(() => sim.hasConverged && sim.history.op === 3)
  })
})
