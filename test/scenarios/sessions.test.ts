/**
 * Each request runs once, and clients are told the truth about their sessions: flaw F10 of the paper, and what the
 * original got wrong.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { append, appendResult, malformed } from "../simulation/Register.ts"
import { Simulation } from "../simulation/Simulation.ts"
import { entries, One, to, write } from "../vr/One.ts"

describe("a retry after a failover (F10; the original's defect 10)", () => {
  it("is answered with the first result", () => {
    const sim = Simulation.start({ replicas: 3, seed: 1 })
    const client = sim.client()
    sim.append("k", client)
    // Committed and executed, but the answer is lost with the primary.
    const answers = sim.holdReplies((reply) => reply.kind === "write")
    let asked: { reply: unknown } | undefined
    client.write(append("k", client.tag()), (pending) => {
      asked = pending
    })
    sim.runUntil(() => sim.history.op === 3)
    sim.run(150)
    sim.replica("R0").crash()
    answers.drop()
    sim.runUntil(() => asked?.reply !== undefined)
    assert.strictEqual(sim.history.op, 3, "it is not even in the log twice")
    assert.strictEqual(appendResult(sim.append("k", client).reply!.result!).length, 3)
  })

  it("joins what the new view inherited and has not committed yet", () => {
    const sim = Simulation.start({ replicas: 3, seed: 2 })
    const client = sim.client()
    sim.append("k", client)
    const acks = sim.hold((message) => message._tag === "PrepareOk" || message._tag === "CommitOk")
    client.write(append("k", client.tag()))
    sim.runUntil(() => sim.replica("R1").op === 3 && sim.replica("R2").op === 3)
    sim.replica("R0").crash()
    sim.runUntil(() => sim.primary !== undefined)
    client.target = sim.primary!
    sim.run(700)
    assert.strictEqual(sim.replica(sim.primary!).op, 3, "the retry did not enter the log again")
    acks.release()
    sim.runUntil(() => client.outstanding === 0)
  })

  it("is not locked out by a copy that never committed", () => {
    const sim = Simulation.start({ replicas: 3, seed: 3 })
    const client = sim.client()
    sim.append("k", client)
    sim.isolate("R0")
    client.write(append("k", client.tag()))
    sim.run(10)
    assert.strictEqual(sim.replica("R0").op, 3)
    sim.runUntil(() => client.outstanding === 0)
    sim.heal()
    sim.runUntil(() => sim.hasConverged)
    assert.strictEqual(appendResult(sim.append("k", client).reply!.result!).length, 3)
  })

  it("at a primary that was primary before finds nothing of that time", () => {
    const one = One.start("R0")
    one.ask({ kind: "register", to, nonce: new Uint8Array(16) })
    one.receive("R1", { _tag: "PrepareOk", view: 0, op: 1 })
    one.ask(write(1, 1))
    assert.strictEqual(one.replica.log.op, 2)
    // View 1 goes on without op 2; in view 3 it is R0's turn again.
    one.receive("R1", { _tag: "StartView", view: 1, first: 2, entries: [], commit: 1 })
    one.receive("R2", { _tag: "DoViewChange", view: 3, logView: 1, first: 2, entries: [], commit: 1 })
    assert.deepStrictEqual([one.replica.state._tag, one.replica.log.op], ["Primary", 1])
    one.ask(write(1, 1))
    assert.strictEqual(one.replica.log.op, 2)
    assert.strictEqual(one.receive("R2", { _tag: "PrepareOk", view: 3, op: 2 }).replies[0]?.status, "ok")
  })
})

describe("two clients with the same request numbers", () => {
  it("do not get in each other's way", () => {
    const sim = Simulation.start({ replicas: 3, seed: 5 })
    const [a, b] = [sim.client(), sim.client()]
    const lengths: Array<number> = []
    for (let i = 0; i < 10; i++) {
      lengths.push(appendResult(sim.append("k", a).reply!.result!).length, appendResult(sim.append("k", b).reply!.result!).length)
    }
    assert.deepStrictEqual(lengths, Array.from({ length: 20 }, (_, i) => i + 1))
    assert.notStrictEqual(a.session, b.session)
  })

  it("not even the same client before and after it crashed", () => {
    const sim = Simulation.start({ replicas: 3, seed: 6 })
    const client = sim.client()
    sim.append("k", client)
    const before = client.session
    client.register()
    assert.strictEqual(appendResult(sim.append("k", client).reply!.result!).length, 2)
    assert.notStrictEqual(client.session, before)
  })

  it("an answer belongs to a request, not just to a session (the original's defect 9)", () => {
    const one = One.start("R0", 1)
    one.ask({ kind: "register", to, nonce: new Uint8Array(16) })
    const { replies } = one.ask(write(1, 1), write(1, 2), write(1, 1))
    assert.sameDeepMembers(replies.map(({ request, status }) => [request, status]), [[1, "ok"], [2, "ok"]])
    const [late] = one.ask({ ...write(1, 1), to: { connection: 7, channel: 3 } }).replies
    assert.deepStrictEqual([late?.request, late?.status, late?.to], [1, "ok", { connection: 7, channel: 3 }])
  })
})

describe("a session that was evicted", () => {
  it("learns it, and its requests run at most once (brief §8.26)", () => {
    const sim = Simulation.start({ replicas: 3, seed: 7, sessionsMax: 1 })
    const [a, b] = [sim.client(), sim.client()]
    sim.append("k", a)
    const evicted = a.session!
    sim.append("k", b)
    assert.isFalse(sim.history.isLive(evicted))
    // Its old registration and its old request come again, from a network that kept them.
    const nonce = sim.history.entries[0]!.operation
    const first = sim.history.entries[1]!
    const to = { connection: 0, channel: 1 }
    sim.network.send(a.name, "R0", { _tag: "Request", request: { kind: "register", to, nonce } })
    sim.network.send(a.name, "R0", {
      _tag: "Request",
      request: { kind: "write", to, session: evicted, request: 1, answered: 0, operation: first.operation }
    })
    sim.run(100)
    // The registers of the replicas assert that they see no append twice.
    assert.isFalse(sim.history.isLive(evicted))
    sim.append("k", a)
    assert.strictEqual(a.sessionsLost, 1)
  })
})

describe("what a primary says about a session", () => {
  it("is not said by one that was replaced: it knows nothing of newer sessions", () => {
    const sim = Simulation.start({ replicas: 3, seed: 1 })
    sim.append()
    sim.isolate("R0")
    sim.runUntil(() => sim.replica("R1").state === "Primary")
    const client = sim.client()
    client.target = "R1"
    sim.append("k", client)
    // R0 does not know yet, and never heard of this session.
    assert.strictEqual(sim.replica("R0").state, "Primary")
    client.target = "R0"
    sim.append("k", client)
    assert.strictEqual(client.sessionsLost, 0)
  })

  it("waits until its registration, inherited from another view, is committed", () => {
    const sim = Simulation.start({ replicas: 3, seed: 8 })
    const client = sim.client()
    client.register()
    sim.runUntil(() => client.session !== undefined)
    // The registration is committed and answered by R0, the others have not heard of the commit.
    assert.deepStrictEqual([sim.replica("R1").op, sim.replica("R1").commit], [1, 0])
    sim.replica("R0").crash()
    const acks = sim.hold((message) => message._tag === "PrepareOk" || message._tag === "CommitOk")
    sim.runUntil(() => sim.primary !== undefined)
    client.target = sim.primary!
    client.write(append("k", client.tag()))
    sim.run(1_000)
    acks.release()
    sim.runUntil(() => client.outstanding === 0)
    assert.strictEqual(client.sessionsLost, 0)
  })
})

describe("an isolated replica at a high view (brief §8.17)", () => {
  it("does not lock out the client that it answers", () => {
    const sim = Simulation.start({ replicas: 3, seed: 9 })
    const client = sim.client()
    sim.append("k", client)
    sim.replica("R0").pause()
    sim.runUntil(() => sim.primary === "R1")
    // R1, in view 1, is cut off; R0 and R2 go on.
    sim.isolate("R1")
    sim.replica("R0").resume()
    client.target = "R1"
    sim.append("k", client)
    sim.heal()
    sim.runUntil(() => sim.hasConverged)
    assert.strictEqual(appendResult(sim.append("k", client).reply!.result!).length, 3)
  })
})

describe("what does not enter the log", () => {
  const primary = (): One => {
    const one = One.start("R0", 1)
    one.ask({ kind: "register", to, nonce: new Uint8Array(16) })
    return one
  }

  it("a write that the data refuses", () => {
    const one = primary()
    const [refused] = one.ask({ kind: "write", to, session: 1, request: 1, answered: 0, operation: malformed }).replies
    assert.strictEqual(refused?.status, "ok")
    assert.strictEqual(one.replica.log.op, 1)
  })

  it("a request that the client has the answer of", () => {
    const one = primary()
    one.ask(write(1, 1))
    one.ask({ kind: "write", to, session: 1, request: 2, answered: 1, operation: append("k", "two") })
    assert.strictEqual(one.ask(write(1, 1)).replies[0]?.status, "stale")
    assert.strictEqual(one.replica.log.op, 3)
  })

  it("a write when the log is as long as it may get; what is in it is still answered", () => {
    const one = primary()
    assert.strictEqual(one.ask(write(1, 1)).replies[0]?.status, "ok")
    Object.defineProperty(one.replica.log, "bytes", { get: () => Limits.log_bytes_max })
    assert.deepStrictEqual(one.ask(write(1, 1), write(1, 2)).replies.map(({ status }) => status), ["ok", "log full"])
    assert.strictEqual(one.replica.log.op, 2)
  })

  it("a request beyond the window", () => {
    const one = primary()
    assert.strictEqual(one.ask(write(1, 1_025)).replies[0]?.status, "beyond window")
    assert.strictEqual(one.ask(write(1, 1_024)).replies[0]?.status, "ok")
  })

  it("a request of a session that nobody registered", () => {
    const one = primary()
    assert.strictEqual(one.ask(write(9, 1)).replies[0]?.status, "no session")
    assert.strictEqual(one.replica.log.op, 1)
  })

  it("a request at a backup, which names the primary", () => {
    const one = One.start("R1")
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 2), commit: 2 })
    const [reply] = one.ask(write(1, 2)).replies
    assert.deepStrictEqual([reply?.status, reply?.primary], ["not primary", "R0"])
    // Nobody, once it misses the primary itself: its client would be sent to one that is dead, again and again.
    one.pass(300)
    assert.isNull(one.ask(write(1, 2)).replies[0]?.primary)
    one.receive("R0", { _tag: "Commit", view: 0, op: 2, commit: 2, round: 0, lease_ms: 0 })
    assert.strictEqual(one.ask(write(1, 2)).replies[0]?.primary, "R0")
    one.turn({ _tag: "PeerLost", replica: "R0" })
    assert.isNull(one.ask(write(1, 2)).replies[0]?.primary)
  })
})
