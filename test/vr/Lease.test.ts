/**
 * Leases at one replica: who holds one and for how long, and what those that have granted it do not do meanwhile.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { firstView, type MessageOf, type View } from "../../src/vr/Message.ts"
import type { ClientRequest, Outcome, PrimaryState } from "../../src/vr/Replica.ts"
import { get } from "../simulation/Register.ts"
import { entries, One, only, to } from "./One.ts"

const lease_ms = 450
/** 450 / 1.125 - 1: by the holder's clock. */
const shortest_ms = 399
/** 450 × 1.125 + 1: by the clock of who has promised. */
const longest_ms = 507.25

const read = (request: number): ClientRequest => ({ kind: "read", to, request, operation: get("k") })

const confirm = (round: number, promised: boolean, view: View = 0): MessageOf<"CommitOk"> =>
  ({ _tag: "CommitOk", view, op: 0, round, promised })

const answered = ({ replies }: Outcome): ReadonlyArray<string> => replies.map(({ request, status }) => `${request} ${status}`)

/** The primary of view 0, to which R1 has promised the round that was sent at 0 ms. */
const holder = (): One => {
  const one = One.start("R0", 3, { lease_ms })
  one.ask(read(1))
  one.mono = 50
  one.receive("R1", confirm(1, true))
  return one
}

describe("the holder of a lease", () => {
  it("asks for it in a round of reads", () => {
    const one = One.start("R0", 3, { lease_ms })
    const rounds = only("Commit", one.ask(read(1)).early)
    assert.deepStrictEqual(rounds.map((sent) => [sent.round, sent.lease_ms]), [[1, lease_ms], [1, lease_ms]])
  })

  it("reads at once until it ends, counted from when the round was sent", () => {
    const one = holder()
    one.mono = shortest_ms - 1
    const out = one.ask(read(2))
    assert.deepStrictEqual(answered(out), ["2 ok"])
    assert.deepStrictEqual(out.early, [])
    one.mono = shortest_ms
    const late = one.ask(read(3))
    assert.deepStrictEqual(answered(late), [])
    assert.lengthOf(only("Commit", late.early), 2)
  })

  it("holds none if the round was confirmed and nothing promised", () => {
    const one = One.start("R0", 3, { lease_ms })
    one.ask(read(1))
    assert.deepStrictEqual(answered(one.receive("R1", confirm(1, false))), ["1 ok"])
    assert.deepStrictEqual(answered(one.ask(read(2))), [])
  })

  it("needs a quorum: of five, two beside it", () => {
    const one = One.start("R0", 5, { lease_ms })
    one.ask(read(1))
    one.receive("R1", confirm(1, true))
    one.receive("R2", confirm(1, false))
    assert.deepStrictEqual(answered(one.ask(read(2))), [])
    one.receive("R3", confirm(1, true))
    assert.deepStrictEqual(answered(one.ask(read(3))), ["3 ok"])
  })

  it("keeps it by heartbeats as long as somebody reads, and lets it end then", () => {
    const one = holder()
    one.ask(read(2))
    const beats = (): ReadonlyArray<MessageOf<"Commit">> => only("Commit", one.pass(100))
    const [first] = beats()
    assert.deepInclude(first, { lease_ms, round: 2 })
    one.receive("R2", confirm(2, true))
    one.pass(shortest_ms - 100 - 20)
    assert.deepStrictEqual(answered(one.ask(read(3))), ["3 ok"])
    one.pass(lease_ms)
    assert.isTrue(beats().every((beat) => beat.lease_ms === 0))
  })

  it("asks again once rounds that nobody granted are too old to give anything", () => {
    const one = One.start("R0", 3, { lease_ms })
    const asks = (request: number): boolean => only("Commit", one.ask(read(request)).early).some((sent) => sent.lease_ms > 0)
    for (let request = 1; request <= Limits.lease_rounds_max; request++) assert.isTrue(asks(request))
    assert.isFalse(asks(100))
    one.mono = shortest_ms
    assert.isTrue(asks(101))
    const { round } = one.replica.state as PrimaryState
    one.receive("R1", confirm(round, true))
    assert.deepStrictEqual(answered(one.ask(read(102))), ["102 ok"])
  })

  it("renews it though all its reads are by lease, and is never too busy for them", () => {
    const one = holder()
    const count = Limits.pending_reads_max / 2 + 1
    for (let turn = 0; turn < 3; turn++) {
      assert.lengthOf(one.ask(...Array.from({ length: count }, (_, i) => read(i))).replies.filter(({ status }) => status === "ok"), count)
    }
    one.mono = 300
    one.ask(read(1))
    // Nobody asked for a round since the first read: that is how it knows that it is of use.
    one.mono = lease_ms + 1
    assert.deepInclude(only("Commit", one.turn({ _tag: "Tick" }).sends)[0], { lease_ms })
  })

  it("does not read before what its view has inherited is committed", () => {
    const one = One.start("R1", 3, { lease_ms })
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 2), commit: 1 })
    one.receive("R2", { _tag: "DoViewChange", view: 1, logView: 0, first: 1, entries: [], commit: 0 })
    assert.strictEqual(one.replica.state._tag, "Primary")
    one.ask(read(1))
    one.receive("R2", confirm(1, true, 1))
    assert.deepStrictEqual(answered(one.ask(read(2))), [])
    one.receive("R2", { _tag: "PrepareOk", view: 1, op: 2 })
    assert.deepStrictEqual(answered(one.ask(read(3))), ["3 ok"])
  })

  it("has none left once it has handed off", () => {
    const one = holder()
    one.turn({ _tag: "HandOff", to: "R1" })
    assert.strictEqual(one.replica.state._tag, "ViewChange")
    assert.deepStrictEqual(answered(one.ask(read(2))), ["2 not primary"])
  })
})

const round: MessageOf<"Commit"> = { _tag: "Commit", view: 0, op: 0, commit: 0, round: 7, lease_ms }

/** R2, which has promised at 0 ms. R1 leads the next view. */
const granter = (): One => {
  const one = One.start("R2", 3, { lease_ms })
  const [sent] = only("CommitOk", one.receive("R0", round).early)
  assert.deepInclude(sent, { round: 7, promised: true })
  return one
}

const serving = ({ replica: { state } }: One): string => state._tag === "Primary" && state.abdicated ? "none" : state._tag

const leave = (view: View, probing = false): MessageOf<"StartViewChange"> => ({ _tag: "StartViewChange", view, probing })

describe("whoever has granted a lease", () => {
  it("leaves with the others, and votes when the promise is over", () => {
    const one = granter()
    const left = one.receive("R1", leave(1))
    assert.strictEqual(one.replica.state._tag, "ViewChange")
    assert.deepStrictEqual(only("DoViewChange", left.sends), [])
    assert.deepStrictEqual(only("DoViewChange", one.pass(longest_ms - 20)), [])
    assert.isNotEmpty(only("DoViewChange", one.pass(40)))
  })

  it("does not count its own vote before that either", () => {
    const one = One.start("R1", 3, { lease_ms })
    one.receive("R0", round)
    one.receive("R2", { _tag: "DoViewChange", view: 1, logView: 0, first: 1, entries: [], commit: 0 })
    one.pass(longest_ms - 20)
    assert.strictEqual(one.replica.state._tag, "ViewChange")
    one.pass(40)
    assert.strictEqual(one.replica.state._tag, "Primary")
  })

  it("is free once the primary says that it has left, and not when that only asks", () => {
    const asked = granter()
    const sends = [...asked.receive("R0", leave(1, true)).sends, ...asked.receive("R1", leave(1)).sends]
    assert.strictEqual(asked.replica.view, 1)
    assert.deepStrictEqual(only("DoViewChange", sends), [])
    const told = granter()
    assert.lengthOf(only("DoViewChange", told.receive("R0", leave(1)).sends), 1)
  })

  it("is bound by a promise to that very view still, if the primary says that it has left for it", () => {
    const one = One.start("R2", 3, { lease_ms })
    one.receive("R0", { _tag: "StartView", view: 3, first: 1, entries: [], commit: 0 })
    one.receive("R0", { ...round, view: 3 })
    one.receive("R0", leave(3))
    assert.deepStrictEqual(only("DoViewChange", one.receive("R1", leave(4)).sends), [])
  })

  it("is free of what it promised in an earlier view, once a later one has begun", () => {
    const one = granter()
    one.receive("R1", { _tag: "StartView", view: 1, first: 1, entries: [], commit: 0 })
    assert.lengthOf(only("DoViewChange", one.receive("R0", leave(3)).sends), 1)
  })

  it("misses the next primary only from when it may vote", () => {
    const one = granter()
    one.receive("R1", leave(1))
    one.pass(longest_ms + 20)
    one.receive("R0", leave(2, true))
    assert.strictEqual(one.replica.view, 1)
    one.pass(300)
    one.receive("R0", leave(2, true))
    assert.strictEqual(one.replica.view, 2)
  })

  it("sends its vote again soon, as if it had given it at once", () => {
    const one = granter()
    one.receive("R1", leave(1))
    one.pass(longest_ms + 20)
    assert.isNotEmpty(only("DoViewChange", one.pass(120)))
  })

  it("grants none that is longer than its own, as it would not know of it after a restart", () => {
    const one = One.start("R2", 3, { lease_ms: lease_ms - 1 })
    assert.deepInclude(only("CommitOk", one.receive("R0", round).early)[0], { promised: false })
    assert.lengthOf(only("DoViewChange", one.receive("R1", leave(1)).sends), 1)
  })

  it("keeps its promise after a restart, with its log or without it", () => {
    const kept = { view: 0, logView: 0, commit: 0, entries: [] }
    const one = One.resume("R2", kept, 3, { lease_ms, hold_ms: lease_ms })
    assert.deepStrictEqual(only("DoViewChange", one.receive("R1", leave(1)).sends), [])
    assert.isNotEmpty(only("DoViewChange", one.pass(longest_ms + 20)))
    const lost = One.restart("R2", 0, 3, { lease_ms, hold_ms: lease_ms })
    assert.deepStrictEqual(lost.replica.promised, { view: Infinity, until: longest_ms })
  })

  it("keeps it in the view that it comes back to without its log, and is free there when the primary leaves", () => {
    const back = (): One => {
      const one = One.restart("R2", 0, 3, { lease_ms, hold_ms: lease_ms })
      const [asked] = only("Recovery", one.turn({ _tag: "Tick" }).sends)
      for (const from of ["R1", "R0"]) {
        one.receive(from, { _tag: "RecoveryResponse", nonce: asked!.nonce, view: 0, op: 1, commit: 1 })
      }
      one.receive("R0", { _tag: "NewState", view: 0, first: 1, entries: entries(1, 1), op: 1, commit: 1 })
      assert.strictEqual(one.replica.state._tag, "Backup")
      return one
    }
    assert.deepStrictEqual(only("DoViewChange", back().receive("R1", leave(1)).sends), [])
    assert.lengthOf(only("DoViewChange", back().receive("R0", leave(1)).sends), 1)
  })

  it("waits as the first of a group that was begun anew, as those that are taken for dead may still read", () => {
    const view = firstView(Limits.recovery_epochs)
    const kept = { view, logView: view, commit: 0, entries: [] }
    const one = One.resume("R0", kept, 1, { lease_ms, hold_ms: lease_ms }, Limits.recovery_epochs)
    one.pass(longest_ms - 20)
    assert.notStrictEqual(serving(one), "Primary")
    one.pass(40)
    assert.strictEqual(serving(one), "Primary")
  })

  it("has promised to itself alone if it was the primary: restarted, it votes at once", () => {
    const one = One.resume("R0", { view: 0, logView: 0, commit: 0, entries: [] }, 3, { lease_ms, hold_ms: lease_ms })
    assert.lengthOf(only("DoViewChange", one.receive("R1", leave(1)).sends), 1)
  })
})
