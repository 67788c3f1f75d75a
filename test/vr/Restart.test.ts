/**
 * Restarted with its log (disk durability): what a replica goes on with, by what it had promised.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import type { MessageOf } from "../../src/vr/Message.ts"
import { get, readResult } from "../simulation/Register.ts"
import { entries, entry, One, only, to, write } from "./One.ts"

const read = (request: number) => ({ kind: "read", to, request, operation: get("k") }) as const

describe("a restarted primary", () => {
  const restarted = (size = 3): One => One.resume("R0", { view: 0, logView: 0, entries: entries(1, 4), commit: 2 }, size)

  it("does not resume its view: it says nothing as a primary, and asks for the next view at its first tick", () => {
    const one = restarted()
    const first = one.pass(20)
    const probe = { _tag: "StartViewChange", view: 1, probing: true } as const
    assert.deepStrictEqual(first, ["R1", "R2"].map((to) => ({ to, epoch: 0, message: probe })))
    const later = one.pass(5_000)
    assert.isNotEmpty(later)
    for (const { message } of later) assert.deepStrictEqual(message, probe)
    const vote = { _tag: "DoViewChange", view: 0, logView: 0, first: 1, entries: [], commit: 0 } as const
    assert.isEmpty(one.receive("R1", vote).sends)
    assert.isEmpty(one.receive("R1", { _tag: "StartViewChange", view: 0, probing: false }).sends)
  })

  it("admits nothing, and reads nothing to anybody", () => {
    const one = restarted()
    assert.deepStrictEqual(one.ask(write(1, 9), read(1)).replies.map(({ status }) => status), ["not primary", "not primary"])
    assert.strictEqual(one.replica.log.op, 4)
  })

  it("counts no acknowledgements, of which there may be some for what it has lost", () => {
    const one = restarted()
    for (const from of ["R1", "R2"]) {
      one.receive(from, { _tag: "PrepareOk", view: 0, op: 4 })
      one.receive(from, { _tag: "CommitOk", view: 0, op: 7, round: 1, promised: false })
    }
    assert.deepStrictEqual([one.replica.commit, one.replica.log.op], [2, 4])
  })

  it("does not answer for its view: what was acknowledged to it may be lost to it", () => {
    const question = { _tag: "Recovery", nonce: 7, view: 0 } as const
    assert.isEmpty(restarted().receive("R1", question).sends)
    assert.isEmpty(restarted(4).receive("R1", question).sends)
    // In a group of two nothing was committed that it had not written.
    assert.deepStrictEqual(only("RecoveryResponse", restarted(2).receive("R1", question).sends).map(({ op }) => op), [4])
  })

  it("votes with its whole log once another agrees", () => {
    const one = restarted()
    one.pass(20)
    const out = one.receive("R1", { _tag: "StartViewChange", view: 1, probing: true })
    assert.deepStrictEqual(out.head, { epoch: 0, view: 1, log_view: 0 })
    assert.deepStrictEqual(only("DoViewChange", out.sends), [
      { _tag: "DoViewChange", view: 1, logView: 0, first: 3, entries: entries(3, 4), commit: 2 }
    ])
  })
})

describe("a restarted backup", () => {
  const restarted = (): One => One.resume("R1", { view: 3, logView: 3, entries: entries(1, 4), commit: 2 })

  it("follows its view at once, and acknowledges what it holds", () => {
    const one = restarted()
    const { early, sends } = one.receive("R0", { _tag: "Commit", view: 3, op: 4, commit: 3, round: 6, lease_ms: 0 })
    assert.deepStrictEqual([...early, ...sends], [
      { to: "R0", epoch: 0, message: { _tag: "CommitOk", view: 3, op: 4, round: 6, promised: false } },
      { to: "R0", epoch: 0, message: { _tag: "PrepareOk", view: 3, op: 4 } }
    ])
    assert.strictEqual(one.replica.commit, 3)
    one.receive("R0", { _tag: "Prepare", view: 3, first: 5, entries: entries(5, 5, 3), commit: 4 })
    assert.deepStrictEqual([one.replica.log.op, one.replica.commit], [5, 4])
  })

  it("accepts nothing of an older view", () => {
    const one = restarted()
    one.receive("R2", { _tag: "Prepare", view: 2, first: 5, entries: entries(5, 5, 2), commit: 4 })
    one.receive("R2", { _tag: "StartView", view: 2, first: 1, entries: entries(1, 1), commit: 1 })
    assert.deepStrictEqual([one.replica.view, one.replica.log.op, one.replica.commit], [3, 4, 2])
  })

  it("gives its primary time to speak, but leaves at once if that one asks for another view itself", () => {
    const one = restarted()
    assert.isEmpty(only("StartViewChange", one.pass(200)))
    assert.isEmpty(one.receive("R2", { _tag: "StartViewChange", view: 4, probing: true }).sends)
    one.receive("R0", { _tag: "StartViewChange", view: 4, probing: true })
    assert.deepStrictEqual([one.replica.state._tag, one.replica.view], ["ViewChange", 4])
  })
})

describe("a replica that had left its view", () => {
  it("is still bound to the later one, and votes again, for all that it acknowledged", () => {
    const one = One.resume("R2", { view: 4, logView: 2, entries: entries(1, 5, 2), commit: 1 })
    assert.strictEqual(one.replica.state._tag, "ViewChange")
    const sends = one.pass(20)
    assert.deepStrictEqual(sends.filter(({ to }) => to === "R1").map(({ message }) => message), [
      { _tag: "StartViewChange", view: 4, probing: false },
      { _tag: "DoViewChange", view: 4, logView: 2, first: 2, entries: entries(2, 5, 2), commit: 1 }
    ])
    one.receive("R2", { _tag: "Prepare", view: 2, first: 6, entries: entries(6, 6, 2), commit: 5 })
    assert.deepStrictEqual([one.replica.log.op, one.replica.commit], [5, 1])
  })

  it("starts the view that it was to lead from a quorum of votes, as if it had not been away", () => {
    const one = One.resume("R1", { view: 4, logView: 3, entries: entries(1, 5, 3), commit: 1 })
    const { head, sends } = one.receive("R0", { _tag: "DoViewChange", view: 4, logView: 2, first: 3, entries: entries(3, 6, 2), commit: 2 })
    assert.deepStrictEqual(head, { epoch: 0, view: 4, log_view: 4 })
    assert.deepStrictEqual(only("StartView", sends).map(({ entries: [first, ...rest] }) => [first?.op, rest.length]), [[3, 2], [3, 2]])
  })
})

describe("a group of one", () => {
  it("serves again by itself, in a new view, with all that it had written", () => {
    const one = One.resume("R0", { view: 0, logView: 0, entries: entries(1, 5), commit: 2 }, 1)
    assert.strictEqual(one.ask(read(1)).replies[0]?.status, "not primary")
    one.pass(20)
    assert.deepStrictEqual([one.replica.state._tag, one.replica.view, one.replica.commit], ["Primary", 1, 5])
    const [answer] = one.ask(read(2)).replies
    assert.strictEqual(answer?.status, "ok")
    assert.lengthOf(readResult(answer!.result!), 4)
    assert.strictEqual(one.ask(write(1, 5)).replies[0]?.status, "ok")
  })

  it("also in the middle of a view change", () => {
    const one = One.resume("R0", { view: 3, logView: 2, entries: entries(1, 5), commit: 2 }, 1)
    one.pass(20)
    assert.deepStrictEqual([one.replica.state._tag, one.replica.view, one.replica.commit], ["Primary", 3, 5])
  })
})

describe("what was committed", () => {
  it("is applied at once: data, sessions, and the time that must not fall", () => {
    const before = One.start("R1")
    before.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 6), commit: 4 })
    const after = One.resume("R1", { view: 0, logView: 0, entries: entries(1, 6), commit: 4 })
    assert.strictEqual(after.data.digest, before.data.digest)
    assert.deepStrictEqual([after.replica.commit, after.replica.lastTime], [4, 4])
    assert.strictEqual(after.replica.clients.standing(1, 3, 0)._tag, "Done")
    assert.strictEqual(after.replica.clients.standing(1, 4, 0)._tag, "New")
    assert.strictEqual(after.replica.durable, 6)
  })

  it("and what was not is answered once it is: a request that is asked again does not run twice", () => {
    const one = One.resume("R1", { view: 1, logView: 0, entries: entries(1, 4), commit: 1 })
    one.receive("R2", { _tag: "DoViewChange", view: 1, logView: 0, first: 2, entries: entries(2, 3), commit: 1 })
    assert.strictEqual(one.replica.state._tag, "Primary")
    // No read before all that the view inherited is committed.
    one.ask(read(1))
    assert.isEmpty(one.receive("R2", { _tag: "CommitOk", view: 1, op: 3, round: 1, promised: false }).replies)
    assert.isEmpty(one.ask(write(1, 3, "4@0")).replies)
    const { replies } = one.receive("R2", { _tag: "CommitOk", view: 1, op: 4, round: 1, promised: false })
    assert.sameMembers(replies.map(({ kind, request, status }) => `${kind} ${request} ${status}`), ["write 3 ok", "read 1 ok"])
    assert.strictEqual(one.replica.log.op, 4)
  })
})

describe("votes of one replica for one view, from before and after its restart", () => {
  const vote = (first: number): MessageOf<"DoViewChange"> =>
    ({ _tag: "DoViewChange", view: 1, logView: 0, first, entries: entries(first, 8), commit: first - 1 })

  it("differ in what they know to be committed: the later is gone by, and what is missing below it is fetched", () => {
    const one = One.start("R1")
    const asked = only("GetCommitted", one.receive("R2", vote(7)).sends)
    assert.deepStrictEqual(asked.map(({ after, last }) => [after, last]), [[0, 6]])
    // It has restarted, and can answer for less.
    const again = only("GetCommitted", one.receive("R2", vote(4)).sends)
    assert.deepStrictEqual(again.map(({ after, last }) => [after, last]), [[0, 3]])
    one.receive("R2", { _tag: "Committed", view: 1, first: 1, entries: entries(1, 3) })
    assert.deepStrictEqual([one.replica.state._tag, one.replica.log.op, one.replica.commit], ["Primary", 8, 3])
  })

  it("may come in any order", () => {
    const one = One.start("R1")
    one.receive("R2", vote(4))
    one.receive("R2", vote(7))
    one.receive("R2", { _tag: "Committed", view: 1, first: 1, entries: entries(1, 3) })
    assert.strictEqual(one.replica.state._tag, "ViewChange", "what came does not reach the vote that counts")
    one.receive("R2", vote(4))
    one.receive("R2", { _tag: "Committed", view: 1, first: 1, entries: entries(1, 3) })
    assert.deepStrictEqual([one.replica.state._tag, one.replica.log.op], ["Primary", 8])
  })
})

describe("the end of a recovery", () => {
  it("is written, even in the view that was promised: from then on the log counts", () => {
    const one = One.restart("R1", 0)
    one.pass(20)
    const nonce = one.replica.state._tag === "Recovery" ? one.replica.state.nonce : assert.fail()
    for (const from of ["R0", "R2"]) one.receive(from, { _tag: "RecoveryResponse", nonce, view: 0, op: 1, commit: 1 })
    const out = one.receive("R0", { _tag: "NewState", view: 0, first: 1, entries: [entry(1)], op: 1, commit: 1 })
    assert.strictEqual(one.replica.state._tag, "Backup")
    assert.deepStrictEqual(out.head, { epoch: 0, view: 0, log_view: 0 })
  })
})
