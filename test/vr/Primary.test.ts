/**
 * What a primary counts, admits and lets out, step by step (VRR §4.1).
 *
 * @module
 */
import { assert, describe, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import type { Outcome } from "../../src/vr/Replica.ts"
import { awaitsOwnCopy } from "../../src/vr/states/Primary.ts"
import { step } from "../../src/vr/Step.ts"
import { append, get } from "../simulation/Register.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { entries, heard, One, only, to, write } from "./One.ts"

const register = { kind: "register", to, nonce: new Uint8Array(16) } as const

/** A primary of three with a session, which is committed. */
const serving = (): One => {
  const one = One.start("R0")
  one.ask(register)
  one.receive("R1", { _tag: "PrepareOk", view: 0, op: 1 })
  assert.strictEqual(one.replica.commit, 1)
  return one
}

const abdicated = ({ replica: { state } }: One): boolean => state._tag === "Primary" && state.abdicated

/** A turn whose writes are not durable yet. */
const begin = (one: One, ...inputs: Parameters<typeof step>[1]): Outcome => step(one.replica, inputs, one.now)

describe("a commit", () => {
  it("takes a quorum, the primary's own copy included", () => {
    const one = serving()
    one.ask(write(1, 1))
    assert.strictEqual(one.replica.commit, 1)
    const { replies } = one.receive("R2", { _tag: "PrepareOk", view: 0, op: 2 })
    assert.strictEqual(one.replica.commit, 2)
    assert.deepStrictEqual(replies.map(({ request, status }) => [request, status]), [[1, "ok"]])
  })

  it("does not count the primary's own copy before it is durable", () => {
    const one = serving()
    begin(one, { _tag: "Requests", requests: [write(1, 1)] })
    begin(one, heard("R1", { _tag: "PrepareOk", view: 0, op: 2 }))
    assert.strictEqual(one.replica.commit, 1)
    begin(one, { _tag: "Durable", op: 2 })
    assert.strictEqual(one.replica.commit, 2)
  })

  it("awaits its own copy where that is all that is missing", () => {
    const one = serving()
    begin(one, { _tag: "Requests", requests: [write(1, 1)] })
    assert.isFalse(awaitsOwnCopy(one.replica))
    begin(one, heard("R1", { _tag: "PrepareOk", view: 0, op: 2 }))
    assert.isTrue(awaitsOwnCopy(one.replica))
    begin(one, heard("R2", { _tag: "PrepareOk", view: 0, op: 2 }))
    assert.isFalse(awaitsOwnCopy(one.replica), "it is committed by the others")
    assert.isTrue(awaitsOwnCopy(One.start("R0", 1).replica), "there is nobody else")
    assert.isFalse(awaitsOwnCopy(One.start("R1", 3).replica), "a backup commits nothing by itself")
  })

  it("does not need it when a quorum of others holds the op", () => {
    const one = serving()
    begin(one, { _tag: "Requests", requests: [write(1, 1)] })
    begin(one, heard("R1", { _tag: "PrepareOk", view: 0, op: 2 }), heard("R2", { _tag: "PrepareOk", view: 0, op: 2 }))
    assert.strictEqual(one.replica.commit, 2)
  })

  it("does not count one replica twice", () => {
    const one = One.start("R0", 5)
    one.ask(register)
    one.receive("R1", { _tag: "PrepareOk", view: 0, op: 1 })
    one.receive("R1", { _tag: "CommitOk", view: 0, op: 1, round: 0, promised: false })
    assert.strictEqual(one.replica.commit, 0)
  })

  it("does not count what was acknowledged in an earlier view", () => {
    const one = serving()
    one.ask(write(1, 1))
    // View 1 drops op 2; in view 3, R0 is primary again and gives its number to another operation.
    one.receive("R1", { _tag: "StartView", view: 1, first: 2, entries: [], commit: 1 })
    one.receive("R2", { _tag: "DoViewChange", view: 3, logView: 1, first: 2, entries: [], commit: 1 })
    one.ask(write(1, 2))
    one.receive("R1", { _tag: "PrepareOk", view: 0, op: 2 })
    one.receive("R1", { _tag: "CommitOk", view: 0, op: 2, round: 0, promised: false })
    assert.strictEqual(one.replica.commit, 1)
  })
})

describe("a Prepare", () => {
  it("leaves before the primary's own write", () => {
    const one = serving()
    const { early, sends } = begin(one, { _tag: "Requests", requests: [write(1, 1), write(1, 2)] })
    assert.deepStrictEqual(only("Prepare", early).map(({ entries, first }) => [first, entries.length]), [[2, 2], [2, 2]])
    assert.isEmpty(only("Prepare", sends))
  })

  it("does not leave before its view is durable", () => {
    const one = One.start("R1")
    const { early, sends } = begin(
      one,
      heard("R2", { _tag: "DoViewChange", view: 1, logView: 0, first: 1, entries: [], commit: 0 }),
      { _tag: "Requests", requests: [register] }
    )
    assert.isEmpty(early)
    assert.isNotEmpty(only("StartView", sends))
    assert.isNotEmpty(only("Prepare", sends))
  })

  it("carries no more than fits, and many leave at once", () => {
    const one = serving()
    const large = new Uint8Array(Buffer.from(`append k ${"x".repeat(400 * 1024)}`))
    const requests = [1, 2, 3, 4, 5].map((request) =>
      ({ kind: "write", to, session: 1, request, answered: 0, operation: Buffer.concat([large, Buffer.from(`${request}`)]) }) as const)
    const { early } = begin(one, { _tag: "Requests", requests })
    const toR1 = only("Prepare", early.filter((one) => one.to === "R1"))
    assert.deepStrictEqual(toR1.map(({ entries, first }) => [first, entries.length]), [[2, 2], [4, 2], [6, 1]])
  })
})

describe("the pipeline", () => {
  const fill = (one: One, count: number, operation: (request: number) => Uint8Array): ReadonlyArray<string> => {
    const statuses: Array<string> = []
    // Within the window, by a client that says it was answered.
    for (let request = 1; request <= count; request++) {
      const { replies } = begin(one, {
        _tag: "Requests",
        requests: [{ kind: "write", to, session: 1, request, answered: Math.max(0, request - 1_000), operation: operation(request) }]
      })
      statuses.push(...replies.map(({ status }) => status))
    }
    return statuses
  }

  it("admits so many operations and no more, until something commits", () => {
    const one = serving()
    const refused = fill(one, Limits.pipeline_ops_max + 5, (request) => append("k", `${request}`))
    assert.deepStrictEqual(refused, Array.from({ length: 5 }, () => "overloaded"))
    assert.strictEqual(one.replica.log.op - one.replica.commit, Limits.pipeline_ops_max)
    begin(one, { _tag: "Durable", op: one.replica.log.op }, heard("R1", { _tag: "PrepareOk", view: 0, op: 2 }))
    const next = Limits.pipeline_ops_max + 1
    assert.isEmpty(begin(one, {
      _tag: "Requests",
      requests: [{ kind: "write", to, session: 1, request: next, answered: next - 1, operation: append("k", `${next}`) }]
    }).replies)
  })

  it("admits so many bytes, and what a view inherits counts", () => {
    const one = serving()
    const padding = "x".repeat(1024 * 1024)
    const operation = (request: number): Uint8Array => append("k", `${request}${padding}`)
    assert.strictEqual(fill(one, 20, operation).length, 4)
    assert.isAtMost(one.replica.log.bytes, Limits.pipeline_bytes_max + Limits.operation_bytes_max)
    const [vote] = only("DoViewChange", one.receive("R1", { _tag: "StartViewChange", view: 2, probing: false }).sends)
    const next = One.start("R2")
    next.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: one.replica.log.range(1, 1), commit: 1 })
    next.receive("R0", vote!)
    assert.strictEqual(next.replica.state._tag, "Primary")
    // Committed in view 2, it does not count any more.
    const ask = { ...write(1, 30), operation: append("k", "30") }
    assert.strictEqual(next.ask(ask).replies[0]?.status, "overloaded")
    next.receive("R0", { _tag: "PrepareOk", view: 2, op: next.replica.log.op })
    assert.isEmpty(next.ask(ask).replies)
  })

  it("takes so many reads, and no more", () => {
    const one = serving()
    const requests = Array.from({ length: Limits.pending_reads_max + 3 }, (_, request) =>
      ({ kind: "read", to, request, operation: get("k") }) as const)
    const { replies } = begin(one, { _tag: "Requests", requests })
    assert.deepStrictEqual(replies.map(({ status }) => status), ["overloaded", "overloaded", "overloaded"])
  })
})

describe("time in the log", () => {
  it("never falls, though the wall clock does, at one primary and from one to the next", () => {
    const one = serving()
    const at = (wall: number, request: number): number => {
      step(one.replica, [{ _tag: "Requests", requests: [write(1, request)] }], { mono: 0, wall })
      return one.replica.log.get(one.replica.log.op).time
    }
    assert.deepStrictEqual([at(2_000_000, 1), at(1_500_000, 2), at(2_500_000, 3)], [2_000_000, 2_000_000, 2_500_000])
    const next = One.start("R1")
    next.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: one.replica.log.range(1, 4), commit: 1 })
    next.receive("R2", { _tag: "DoViewChange", view: 1, logView: 0, first: 1, entries: [], commit: 0 })
    next.ask({ ...register, nonce: new Uint8Array(16).fill(1) })
    assert.strictEqual(next.replica.log.get(5).time, 2_500_000)
  })
})

describe("a new primary", () => {
  it("answers no read before all that it inherited is committed, though a quorum confirms its view", () => {
    const one = One.start("R1")
    begin(one, heard("R2", { _tag: "DoViewChange", view: 1, logView: 0, first: 1, entries: entries(1, 3), commit: 0 }))
    begin(one, { _tag: "Requests", requests: [{ kind: "read", to, request: 1, operation: get("k") }] })
    // R2 holds it all; R1's own copy is not durable yet.
    const confirmed = begin(one, heard("R2", { _tag: "CommitOk", view: 1, op: 3, round: 1, promised: false }))
    assert.deepStrictEqual([one.replica.commit, confirmed.replies], [0, []])
    const { replies } = begin(one, { _tag: "Durable", op: 3 })
    assert.deepStrictEqual(replies.map(({ request, status }) => [request, status]), [[1, "ok"]])
  })
})

describe("a tick", () => {
  it("lets the primary be heard in each time between heartbeats, though it comes late; and once after a standstill", () => {
    const one = One.start("R0")
    const beats = (duration_ms: number, every_ms: number): number => {
      let heard = 0
      for (let passed = 0; passed < duration_ms; passed += every_ms) {
        heard += only("Commit", one.pass(every_ms, every_ms)).length / 2
        one.receive("R1", { _tag: "CommitOk", view: 0, op: 0, round: 0, promised: false })
      }
      return heard
    }
    one.pass(20)
    assert.strictEqual(beats(6_980, 70), 70)
    assert.strictEqual(beats(900, 900), 1)
    assert.strictEqual(beats(100, 25), 1)
  })

  it("gives the data time for what was put off, whatever state the replica is in", () => {
    const all = [One.start("R0"), One.start("R1"), One.learner("R3"), One.restart("R1", 3)]
    for (const one of all) {
      one.turn()
      assert.strictEqual(one.data.tidied, 0)
      one.turn({ _tag: "Tick" })
      assert.strictEqual(one.data.tidied, 1)
    }
  })

  it("finds no fault with a disk that has written meanwhile, and goes on writing", () => {
    const one = serving()
    const wait = (duration_ms: number): void => {
      for (const end = one.now.mono + duration_ms; one.now.mono < end;) {
        for (const from of ["R1", "R2"]) one.receive(from, { _tag: "CommitOk", view: 0, op: 1, round: 0, promised: false })
        one.pass(100, 100)
      }
    }
    begin(one, { _tag: "Requests", requests: [write(1, 1)] })
    wait(900)
    begin(one, { _tag: "Requests", requests: [write(1, 2)] })
    wait(100)
    begin(one, { _tag: "Durable", op: 2 }, { _tag: "Tick" })
    assert.isFalse(abdicated(one))
    wait(1_500)
    assert.isTrue(abdicated(one), "it has not written for long")
  })

  it("lets a log that does not grow any more let go of memory", () => {
    const release = squeeze({ log_unpacked_max: 1, log_piece_bytes: 400, log_pieces_idle_max: 0, log_pieces_long: 3, log_idle_ticks: 2 })
    const one = One.start("R1")
    const { log } = one.replica
    one.receive("R0", { _tag: "Prepare", view: 0, first: 1, entries: entries(1, 200), commit: 200 })
    log.shorten(190)
    assert.isAbove(log["packed"]["spare"].length, 3)
    one.turn({ _tag: "Tick" })
    one.turn({ _tag: "Tick" })
    assert.strictEqual(log["packed"]["spare"].length, 0)
    release()
  })
})
