/**
 * Reads that bypass the log (brief §4): never older than a write that was answered before they were asked. Every
 * answer that a simulated client gets is checked for that; these stories make it hard.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { appendResult, get, readResult } from "../simulation/Register.ts"
import { Simulation } from "../simulation/Simulation.ts"
import { entries, One, to } from "../vr/One.ts"

/** What one read at R0, asked now, is answered with, if at all. */
const readAt = (sim: Simulation, target: string) => {
  const reader = sim.client()
  reader.target = target
  return reader.read(get("k"))
}

describe("a primary that was paused (brief §8.18)", () => {
  it("and was asked while a new view wrote: does not answer from its own time", () => {
    const sim = Simulation.start({ replicas: 3, seed: 1 })
    sim.append()
    sim.replica("R0").pause()
    sim.runUntil(() => sim.primary === "R1")
    const writer = sim.client()
    writer.target = "R1"
    const { op } = appendResult(sim.append("k", writer).reply!.result!)
    const read = readAt(sim, "R0")
    sim.run(10)
    sim.replica("R0").resume()
    sim.runUntil(() => read.reply !== undefined)
    assert.strictEqual(readResult(read.reply!.result!).version, op)
  })

  it("in the middle of a read: does not answer it without a quorum of its view", () => {
    const sim = Simulation.start({ replicas: 3, seed: 2 })
    sim.append()
    // The read has arrived and its round is under way; nobody has confirmed it yet.
    const rounds = sim.hold((message) => message._tag === "Commit")
    const read = readAt(sim, "R0")
    sim.runUntil(() => rounds.held.length > 0)
    sim.replica("R0").pause()
    rounds.drop()
    sim.runUntil(() => sim.primary === "R1")
    const writer = sim.client()
    writer.target = "R1"
    const { op } = appendResult(sim.append("k", writer).reply!.result!)
    sim.replica("R0").resume()
    // A second read, asked now, may share nothing with the first.
    const later = readAt(sim, "R0")
    sim.runUntil(() => read.reply !== undefined && later.reply !== undefined)
    assert.strictEqual(readResult(later.reply!.result!).version, op)
  })

  it("for five seconds, again and again, with readers everywhere", () => {
    const sim = Simulation.start({ replicas: 3, seed: 3 })
    sim.append()
    for (let i = 0; i < 5; i++) {
      const paused = sim.replica(sim.primary!)
      paused.pause()
      sim.run(5_000)
      const reads = sim.processes.map(({ id }) => readAt(sim, id))
      sim.append()
      const after = sim.processes.map(({ id }) => readAt(sim, id))
      paused.resume()
      sim.runUntil(() => [...reads, ...after].every((read) => read.reply !== undefined))
      sim.runUntil(() => sim.hasConverged)
      assert.notStrictEqual(paused.state, "Primary")
    }
  })
})

describe("a primary that was cut off", () => {
  it("answers no read, old or new", () => {
    const sim = Simulation.start({ replicas: 3, seed: 4 })
    sim.append()
    sim.isolate("R0")
    const reader = sim.client()
    reader.target = "R0"
    const answers = sim.holdReplies((reply, from) => reply.kind === "read" && from === "R0" && reply.status === "ok")
    reader.read(get("k"))
    sim.run(5_000)
    assert.isEmpty(answers.held)
  })
})

describe("a new primary", () => {
  it("answers no read before what it inherited is committed", () => {
    const sim = Simulation.start({ replicas: 3, seed: 5 })
    sim.append()
    sim.run(200)
    // Op 3 is committed and answered by R0; the others hold it and do not know that.
    const commits = sim.hold((message) => message._tag === "Commit")
    const { op } = appendResult(sim.append().reply!.result!)
    sim.replica("R0").crash()
    commits.drop()
    const acks = sim.hold((message) => message._tag === "PrepareOk" || message._tag === "CommitOk")
    sim.runUntil(() => sim.primary !== undefined)
    const read = readAt(sim, sim.primary!)
    sim.run(100)
    assert.isUndefined(read.reply)
    acks.release()
    sim.runUntil(() => read.reply !== undefined)
    assert.isAtLeast(readResult(read.reply!.result!).version, op)
  })
})

describe("a round", () => {
  const start = (): One => {
    const one = One.start("R0")
    one.ask({ kind: "register", to, nonce: new Uint8Array(16) })
    one.receive("R1", { _tag: "PrepareOk", view: 0, op: 1 })
    return one
  }

  it("that began before the read arrived does not confirm it", () => {
    const one = start()
    one.ask({ kind: "read", to, request: 1, operation: get("k") })
    one.ask({ kind: "read", to, request: 2, operation: get("k") })
    const first = one.receive("R1", { _tag: "CommitOk", view: 0, op: 1, round: 1, promised: false })
    assert.deepStrictEqual(first.replies.map(({ request }) => request), [1])
    const second = one.receive("R1", { _tag: "CommitOk", view: 0, op: 1, round: 2, promised: false })
    assert.deepStrictEqual(second.replies.map(({ request }) => request), [2])
  })

  it("is confirmed by a quorum, not by one replica twice", () => {
    const one = One.start("R0", 5)
    one.ask({ kind: "read", to, request: 1, operation: get("k") })
    assert.isEmpty(one.receive("R1", { _tag: "CommitOk", view: 0, op: 0, round: 1, promised: false }).replies)
    assert.isEmpty(one.receive("R1", { _tag: "CommitOk", view: 0, op: 0, round: 1, promised: false }).replies)
    assert.lengthOf(one.receive("R2", { _tag: "CommitOk", view: 0, op: 0, round: 1, promised: false }).replies, 1)
  })

  it("is asked for again when its messages are lost", () => {
    const sim = Simulation.start({ replicas: 3, seed: 6 })
    sim.append()
    const rounds = sim.hold((message) => message._tag === "Commit")
    const read = readAt(sim, "R0")
    sim.runUntil(() => rounds.held.length > 0)
    rounds.drop()
    sim.runUntil(() => read.reply !== undefined, 200)
  })

  it("fails when the view does, and the client is sent on", () => {
    const one = One.start("R0")
    one.ask({ kind: "read", to, request: 1, operation: get("k") })
    const { replies } = one.receive("R1", { _tag: "StartView", view: 1, first: 1, entries: entries(1, 1), commit: 0 })
    assert.deepStrictEqual(replies.map(({ request, status }) => [request, status]), [[1, "not primary"]])
  })
})

describe("a lease (brief §4, §8.19)", () => {
  const lease_ms = 450

  /** R0 holds one, and has given up a hand-off to R1, which it could not bring up to date. */
  const held = (seed: number): Simulation => {
    const sim = Simulation.start({ replicas: 3, seed, lease_ms })
    sim.append()
    sim.read()
    const cut = sim.link("R0", "R1")
    cut.cut()
    sim.append()
    sim.replica("R0").input({ _tag: "HandOff", to: "R1" })
    sim.run(550)
    cut.heal()
    sim.runUntil(() => sim.hasConverged)
    sim.read()
    assert.strictEqual(sim.primary, "R0")
    assert.isTrue(isHeld(sim))
    return sim
  }

  const isHeld = (sim: Simulation): boolean => {
    const { now, replica } = sim.replica("R0")
    return replica.state._tag === "Primary" && now.mono < replica.state.lease.until
  }

  const leaveBehind = (sim: Simulation): void => {
    for (const id of ["R1", "R2"]) {
      sim.link("R0", id).cut()
      sim.link("R0", id).breaks()
    }
  }

  it("after a hand-off that was given up, and cut off: nobody writes as long as R0 reads, and then it does not read", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const sim = held(seed)
      leaveBehind(sim)
      const before = readAt(sim, "R0")
      sim.runUntil(() => before.reply !== undefined, 50)
      const writer = sim.client()
      writer.target = "R1"
      sim.append("k", writer)
      assert.isFalse(isHeld(sim), `seed ${seed}`)
      const after = readAt(sim, "R0")
      sim.run(50)
      assert.isUndefined(after.reply)
    }
  })

  it("and a pause between the look at the clock and the reading: what was asked before is answered, what comes later is not", () => {
    const sim = held(1)
    leaveBehind(sim)
    sim.replica("R0").stall_ms = 3_000
    const asked = readAt(sim, "R0")
    const writer = sim.client()
    writer.target = "R1"
    sim.append("k", writer)
    const late = readAt(sim, "R0")
    sim.run(3_000)
    assert.isDefined(asked.reply)
    assert.isTrue(late.reply === undefined || readResult(late.reply.result!).version === sim.history.op)
  })

  it("handed off: the next primary need not wait for its end", () => {
    const sim = Simulation.start({ replicas: 3, seed: 1, lease_ms })
    sim.append()
    sim.read()
    sim.runUntil(() => sim.hasConverged)
    assert.isTrue(isHeld(sim))
    sim.replica("R0").input({ _tag: "HandOff", to: "R1" })
    sim.runUntil(() => sim.primary === "R1", 50)
  })
})
