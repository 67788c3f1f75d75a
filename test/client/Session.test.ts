/**
 * The session machine: examples for its rules, and one property over all histories of sends, losses and answers.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { Call, type Verdict } from "../../src/client/Call.ts"
import { Session } from "../../src/client/Session.ts"
import type { ClientMessage, Outcome } from "../../src/wire/ClientProtocol.ts"

const limits = { window: 4, unanswered_bytes: 1_000, waiting: 8, waiting_bytes: 2_000 }

interface Watched {
  readonly call: Call
  readonly verdicts: Array<Verdict>
}

const watched = (kind: "write" | "read", operation: Uint8Array, deadline_ms = 100): Watched => {
  const verdicts: Array<Verdict> = []
  return { call: new Call(kind, operation, deadline_ms, (verdict) => verdicts.push(verdict)), verdicts }
}

const submit = (session: Session, kind: "write" | "read", bytes = 1): Watched => {
  const one = watched(kind, new Uint8Array(bytes))
  assert.isTrue(session.submit(one.call))
  return one
}

const requests = (messages: ReadonlyArray<ClientMessage>) =>
  messages.flatMap((message) => message._tag === "Write" ? [[message.request, message.answered]] : [])

const ok: Outcome = { _tag: "Ok", result: Uint8Array.of(1) }
const retry: Outcome = { _tag: "Retry", ms: 1, reason: "busy" }
const noSession: Outcome = { _tag: "NoSession", message: "evicted" }

describe("the window", () => {
  it("holds back what is more than `window` beyond the answered ones, whatever was answered above", () => {
    const session = new Session(limits)
    for (let i = 0; i < 6; i++) submit(session, "write")
    assert.deepStrictEqual(requests(session.take(1, 1_000)), [[1, 0], [2, 0], [3, 0], [4, 0]])
    session.answer("write", 2, ok)
    assert.isFalse(session.sendable)
    assert.deepStrictEqual(session.take(1, 1_000), [])
    session.answer("write", 1, ok)
    assert.deepStrictEqual(requests(session.take(1, 1_000)), [[5, 2], [6, 2]])
  })

  it("has room for reads of its own", () => {
    const session = new Session({ ...limits, waiting: 10 })
    for (let i = 0; i < 5; i++) submit(session, "write")
    for (let i = 0; i < 5; i++) submit(session, "read")
    const tags = session.take(1, 1_000).map(({ _tag }) => _tag)
    assert.deepStrictEqual(tags, ["Read", "Read", "Read", "Read", "Write", "Write", "Write", "Write"])
    assert.strictEqual(session.unanswered, 8)
  })

  it("also bounds the bytes under way, of one message more at most", () => {
    const session = new Session(limits)
    for (let i = 0; i < 3; i++) submit(session, "write", 600)
    assert.strictEqual(session.take(1, 10_000).length, 2)
    session.answer("write", 1, ok)
    assert.strictEqual(session.take(1, 10_000).length, 1)
  })

  it("gives at most a write's worth, and at least one message", () => {
    const session = new Session(limits)
    for (let i = 0; i < 3; i++) submit(session, "write", 100)
    assert.strictEqual(session.take(1, 1).length, 1)
    assert.strictEqual(session.take(1, 101).length, 2)
  })

  it("takes no more in than may wait, in number or in bytes", () => {
    const session = new Session(limits)
    for (let i = 0; i < 8; i++) submit(session, "write")
    assert.isFalse(session.submit(watched("read", new Uint8Array(1)).call))
    session.take(1, 1_000)
    submit(session, "write", 1_990)
    assert.isFalse(session.submit(watched("write", new Uint8Array(20)).call))
  })
})

describe("the end of a call", () => {
  it("by the deadline: in doubt only what was sent and is a write", () => {
    const session = new Session({ ...limits, window: 1 })
    const [sent, unsent, read] = [submit(session, "write"), submit(session, "write"), submit(session, "read")]
    session.take(1, 1_000)
    session.expire(99)
    assert.strictEqual(session.deadline_ms, 100)
    session.expire(100)
    assert.deepStrictEqual(sent.verdicts, [{ _tag: "InDoubt", cause: "deadline" }])
    assert.deepStrictEqual(unsent.verdicts, [{ _tag: "Undone", cause: "deadline" }])
    assert.deepStrictEqual(read.verdicts, [{ _tag: "Undone", cause: "deadline" }])
    assert.isTrue(session.idle)
    assert.strictEqual(session.deadline_ms, Infinity)
  })

  it("comes at the earlier deadline of both kinds, and keeps no other call", () => {
    for (const [first, second] of [["read", "write"], ["write", "read"]] as const) {
      const session = new Session(limits)
      const [early, late] = [watched(first, new Uint8Array(1), 100), watched(second, new Uint8Array(1), 200)]
      for (const { call } of [early, late]) session.submit(call)
      assert.strictEqual(session.deadline_ms, 100)
      session.expire(100)
      assert.deepStrictEqual([early.verdicts.length, late.verdicts.length], [1, 0])
      assert.strictEqual(session.deadline_ms, 200)
    }
    const session = new Session(limits)
    const calls = [submit(session, "write"), submit(session, "write"), submit(session, "write")]
    session.abandon(calls[1]!.call)
    assert.deepStrictEqual([calls[1]!.call.previous, calls[1]!.call.next], [null, null])
  })

  it("is not in doubt if every copy was turned down", () => {
    const session = new Session(limits)
    const write = submit(session, "write")
    session.take(1, 1_000)
    assert.deepStrictEqual(session.answer("write", 1, retry), retry)
    session.expire(100)
    assert.deepStrictEqual(write.verdicts, [{ _tag: "Undone", cause: "deadline" }])
  })

  it("is in doubt if a copy is in a log that no primary vouches for, whatever is said of later copies", () => {
    const session = new Session(limits)
    const write = submit(session, "write")
    session.take(1, 1_000)
    assert.deepStrictEqual(session.answer("write", 1, { _tag: "Doubt", ms: 1, reason: "gave up" }), { ...retry, reason: "gave up" })
    session.take(1, 1_000)
    session.answer("write", 1, retry)
    session.lose()
    assert.deepStrictEqual(write.verdicts, [{ _tag: "InDoubt", cause: "session lost" }])
  })

  it("is in doubt if only the last copy was turned down", () => {
    const session = new Session(limits)
    const write = submit(session, "write")
    session.take(1, 1_000)
    session.resend()
    session.take(2, 1_000)
    session.answer("write", 1, retry)
    session.close()
    assert.deepStrictEqual(write.verdicts, [{ _tag: "InDoubt", cause: "closed" }])
  })

  it("comes once: what is answered twice, or after it was abandoned, changes nothing", () => {
    const session = new Session(limits)
    const [one, two] = [submit(session, "write"), submit(session, "write")]
    session.take(1, 1_000)
    session.answer("write", 1, ok)
    session.answer("write", 1, retry)
    session.abandon(two.call)
    session.answer("write", 2, noSession)
    assert.deepStrictEqual([one.verdicts.length, two.verdicts.length], [1, 0])
    assert.isFalse(session.sendable)
    submit(session, "write")
    assert.deepStrictEqual(requests(session.take(1, 1_000)), [[3, 2]])
  })

  it("lets its caller come back at once", () => {
    const session = new Session(limits)
    const again = watched("write", new Uint8Array(1), 200)
    const first = new Call("write", new Uint8Array(1), 100, () => session.submit(again.call))
    session.submit(first)
    session.take(1, 1_000)
    session.expire(100)
    assert.isFalse(session.idle)
    assert.deepStrictEqual(requests(session.take(1, 1_000)), [[2, 1]])
  })
})

describe("a lost session", () => {
  it("keeps the order: what was numbered goes before what waited", () => {
    const session = new Session(limits)
    const writes = Array.from({ length: 6 }, (_, i) => submit(session, "write", i + 1))
    session.take(1, 1_000)
    for (const number of [1, 2, 3, 4]) session.answer("write", number, number === 2 ? retry : noSession)
    session.lose()
    const sizes = session.take(1, 1_000).map((message) => message._tag === "Write" ? message.operation.length : 0)
    assert.deepStrictEqual(sizes, [1, 2, 3, 4])
    assert.isTrue(writes.every(({ verdicts }) => verdicts.length === 0))
  })
})

type Action =
  | { readonly _tag: "submit"; readonly kind: "write" | "read" }
  | { readonly _tag: "send"; readonly bytes: number }
  | { readonly _tag: "serve"; readonly count: number; readonly busy: boolean }
  | { readonly _tag: "receive"; readonly count: number }
  | { readonly _tag: "cut" | "late" | "evict" | "lose" }
  | { readonly _tag: "abandon"; readonly which: number }
  | { readonly _tag: "expire"; readonly after_ms: number }

const count = fc.integer({ min: 1, max: 6 })
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ _tag: fc.constant("submit"), kind: fc.constantFrom("write", "read") }) },
  { weight: 6, arbitrary: fc.record({ _tag: fc.constant("send"), bytes: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 6, arbitrary: fc.record({ _tag: fc.constant("serve"), count, busy: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ _tag: fc.constant("receive"), count }) },
  { weight: 3, arbitrary: fc.record({ _tag: fc.constantFrom("cut", "late", "evict", "lose") }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("abandon"), which: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("expire"), after_ms: fc.integer({ min: 1, max: 60 }) }) }
)

type Reply = readonly [kind: "write" | "read", number: number, outcome: Outcome]

/** A session, and a server that executes each (session, number) once, with wires between that lose what is on them. */
class World {
  readonly session = new Session(limits)
  readonly calls: Array<Watched> = []
  /** How often each call's operation was executed, by the number of the call. */
  readonly executions = new Map<number, number>()
  now_ms = 0
  private epoch = 0
  private evicted = false
  private done = new Map<number, Uint8Array>()
  private acknowledged = 0
  private wire: Array<ClientMessage> = []
  private replies: Array<Reply> = []
  /** Sent on a connection that is gone, and still on its way. */
  private late: Array<readonly [epoch: number, message: ClientMessage]> = []

  act(step: Action): void {
    switch (step._tag) {
      case "submit": {
        const one = watched(step.kind, Uint8Array.of(this.calls.length >> 8, this.calls.length), this.now_ms + 100)
        if (this.session.submit(one.call)) this.calls.push(one)
        return
      }
      case "send":
        this.wire.push(...this.session.take(1, step.bytes))
        return
      case "serve":
        for (const message of this.wire.splice(0, step.count)) this.replies.push(this.serve(message, step.busy))
        return
      case "receive":
        for (const [kind, number, outcome] of this.replies.splice(0, step.count)) this.session.answer(kind, number, outcome)
        return
      case "cut":
        this.cut()
        return
      case "late":
        for (const [epoch, message] of this.late.splice(0, 3)) if (epoch === this.epoch) this.serve(message, false)
        return
      case "evict":
        this.evicted = true
        return
      case "lose":
        if (this.evicted) this.lose()
        return
      case "abandon": {
        // One that has ended, too: that changes nothing.
        const one = this.calls[step.which]
        if (one !== undefined) this.session.abandon(one.call)
        return
      }
      case "expire":
        this.now_ms += step.after_ms
        this.session.expire(this.now_ms)
        return
    }
  }

  /** From here on nothing goes wrong any more. */
  finish(): void {
    this.cut()
    while (this.late.length > 0) this.act({ _tag: "late" })
    if (this.evicted) this.lose()
    for (let i = 0; i < 100 && !this.session.idle; i++) {
      this.act({ _tag: "send", bytes: 1_000 })
      this.act({ _tag: "serve", count: 1_000, busy: false })
      this.act({ _tag: "receive", count: 1_000 })
    }
  }

  private cut(): void {
    for (const message of this.wire) this.late.push([this.epoch, message])
    this.wire = []
    this.replies = []
    this.session.resend()
  }

  private lose(): void {
    this.cut()
    this.session.lose()
    this.epoch += 1
    this.evicted = false
    this.done = new Map()
    this.acknowledged = 0
  }

  private serve(message: ClientMessage, busy: boolean): Reply {
    if (message._tag === "Read") return ["read", message.id, busy ? retry : { _tag: "Ok", result: message.operation }]
    assert(message._tag === "Write")
    const { request, answered, operation } = message
    assert.isAtMost(request, answered + limits.window)
    if (this.evicted) return ["write", request, noSession]
    if (busy) return ["write", request, retry]
    this.acknowledged = Math.max(this.acknowledged, answered)
    for (const number of this.done.keys()) if (number <= this.acknowledged) this.done.delete(number)
    if (request <= this.acknowledged) return ["write", request, { _tag: "Stale", message: "stale" }]
    if (!this.done.has(request)) {
      const call = operation[0]! * 256 + operation[1]!
      this.executions.set(call, (this.executions.get(call) ?? 0) + 1)
      this.done.set(request, operation)
    }
    return ["write", request, { _tag: "Ok", result: this.done.get(request)! }]
  }
}

describe("every history", () => {
  it("executes a write once at most, answers it with its own result, and lies about none", () => {
    fc.assert(fc.property(fc.array(action, { maxLength: 120, size: "max" }), (actions) => {
      const world = new World()
      for (const step of actions) world.act(step)
      world.finish()
      world.calls.forEach(({ call, verdicts }, i) => {
        const executions = world.executions.get(i) ?? 0
        assert.isAtMost(verdicts.length, 1)
        assert.isAtMost(executions, 1)
        assert.strictEqual(call.state, "done")
        const verdict = verdicts[0]
        if (verdict?._tag === "Ok") assert.deepStrictEqual(verdict.result, call.operation)
        if (verdict?._tag === "Ok" && call.kind === "write") assert.strictEqual(executions, 1)
        if (verdict?._tag === "Undone") assert.strictEqual(executions, 0)
        if (verdict?._tag === "InDoubt") assert.strictEqual(call.kind, "write")
        assert.notStrictEqual(verdict?._tag, "Stale")
      })
    }), { numRuns: 3_000 })
  })
})
