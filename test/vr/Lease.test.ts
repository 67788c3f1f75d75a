/**
 * Leases at one replica: who holds one and for how long, and what those that have granted it do not do meanwhile.
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import type { MessageOf, View } from "../../src/vr/Message.ts"
import type { ClientRequest, Outcome } from "../../src/vr/Replica.ts"
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

  it("has promised to itself alone if it was the primary: restarted, it votes at once", () => {
    const one = One.resume("R0", { view: 0, logView: 0, commit: 0, entries: [] }, 3, { lease_ms, hold_ms: lease_ms })
    assert.lengthOf(only("DoViewChange", one.receive("R1", leave(1)).sends), 1)
  })
})
