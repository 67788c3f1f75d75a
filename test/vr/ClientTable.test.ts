/**
 * Sessions and their answers, against a model that keeps everything for ever.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Limits } from "../../src/base/Limits.ts"
import { ClientTable } from "../../src/vr/ClientTable.ts"
import { applyTo } from "./Applying.ts"

const nonce = (n: number): Uint8Array => new Uint8Array(16).fill(n)
const result = (n: number): Uint8Array => new Uint8Array([n & 255, n >> 8])

const withSession = (sessionsMax = 100): ClientTable => {
  const table = new ClientTable(sessionsMax)
  assert.strictEqual(table.register(1, nonce(1)), 1)
  return table
}

/** Executes request `n` of session 1. */
const execute = (table: ClientTable, request: number, answered = 0): Uint8Array | undefined =>
  applyTo(table, 1, request, answered, () => result(request))

const never = (): never => assert.fail("it ran a second time")

describe("a registration", () => {
  it("names the session by its op, and a nonce that comes again names the same", () => {
    const table = withSession()
    assert.strictEqual(table.register(7, nonce(1)), 1)
    assert.strictEqual(table.register(8, nonce(2)), 8)
    assert.deepStrictEqual([table.size, table.sessionOf(nonce(1)), table.sessionOf(nonce(3))], [2, 1, undefined])
  })

  it("is pending from its admission to its application, or to another view", () => {
    const table = new ClientTable()
    table.registrationPending(nonce(1), 5)
    assert.strictEqual(table.pendingRegistration(nonce(1)), 5)
    table.register(5, nonce(1))
    assert.isUndefined(table.pendingRegistration(nonce(1)))
    table.registrationPending(nonce(2), 6)
    table.forgetPending()
    assert.isUndefined(table.pendingRegistration(nonce(2)))
  })
})

describe("a request", () => {
  it("runs once, and is answered the same ever after", () => {
    const table = withSession()
    assert.deepStrictEqual(execute(table, 1), result(1))
    assert.deepStrictEqual(applyTo(table, 1, 1, 0, never), result(1))
    assert.deepStrictEqual(table.standing(1, 1, 0), { _tag: "Done", result: result(1) })
  })

  it("does not run again when its answer was acknowledged and forgotten", () => {
    const table = withSession()
    execute(table, 1)
    execute(table, 2, 1)
    assert.isUndefined(applyTo(table, 1, 1, 0, never))
    assert.strictEqual(table.standing(1, 1, 0)._tag, "Stale")
  })

  it("may come in any order within the window", () => {
    const table = withSession()
    for (const request of [3, 1, 2]) assert.deepStrictEqual(execute(table, request), result(request))
    for (const request of [1, 2, 3]) assert.deepStrictEqual(applyTo(table, 1, request, 0, never), result(request))
  })

  it("is pending until it is applied, or until another view", () => {
    const table = withSession()
    table.requestPending(1, 1, 9)
    assert.deepStrictEqual(table.standing(1, 1, 0), { _tag: "Pending", op: 9 })
    table.forgetPending()
    assert.strictEqual(table.standing(1, 1, 0)._tag, "New")
    table.requestPending(1, 1, 10)
    execute(table, 1)
    assert.strictEqual(table.standing(1, 1, 0)._tag, "Done")
  })

  it("of no session does not run", () => {
    const table = withSession()
    assert.isUndefined(applyTo(table, 2, 1, 0, never))
    assert.strictEqual(table.standing(2, 1, 0)._tag, "Unknown")
    assert.isFalse(table.has(2))
  })

  it("does not acknowledge itself", () => {
    const table = withSession()
    assert.deepStrictEqual(execute(table, 5, 5), result(5))
    assert.strictEqual(table.standing(1, 5, 5)._tag, "Done")
    assert.strictEqual(table.standing(1, 4, 0)._tag, "Stale")
  })
})

describe("the window", () => {
  it("is measured from what the client says that it was answered", () => {
    const table = withSession()
    const max = Limits.session_window_max
    assert.strictEqual(table.standing(1, max, 0)._tag, "New")
    assert.strictEqual(table.standing(1, max + 1, 0)._tag, "BeyondWindow")
    assert.strictEqual(table.standing(1, max + 1, 1)._tag, "New")
  })

  it("bounds the results that are kept, whatever is admitted", () => {
    const table = withSession()
    const kept = (): number => {
      let count = 0
      for (let n = 1; n <= 4_000; n++) if (table.standing(1, n, 0)._tag === "Done") count++
      return count
    }
    for (let request = 1; request <= 3_000; request++) {
      const answered = Math.max(0, request - Limits.session_window_max)
      assert.strictEqual(table.standing(1, request, answered)._tag, "New")
      execute(table, request, answered)
    }
    assert.isAtMost(kept(), Limits.session_window_max)
  })

  it("may be moved by a hostile client at no cost", () => {
    const table = withSession()
    // Each jump would take years if it were walked through.
    for (let i = 1; i <= 1_000; i++) {
      const request = i * 2 ** 42
      assert.strictEqual(table.standing(1, request, request - 1)._tag, "New")
      execute(table, request, request - 1)
    }
    assert.strictEqual(table.standing(1, 5, 0)._tag, "Stale")
    assert.strictEqual(table.standing(1, 1_000 * 2 ** 42, 0)._tag, "Done")
  })
})

describe("eviction", () => {
  it("takes the session that was used least recently, when one too many is registered", () => {
    const table = new ClientTable(3)
    for (const op of [1, 2, 3]) table.register(op, nonce(op))
    applyTo(table, 1, 1, 0, () => result(1))
    table.register(3, nonce(2))
    // Used last: 3, then 1, then 2 (its registration came again).
    table.register(4, nonce(4))
    assert.deepStrictEqual([1, 2, 3, 4].filter((id) => table.has(id)), [1, 2, 4])
    assert.isUndefined(table.sessionOf(nonce(3)))
    table.register(5, nonce(5))
    assert.deepStrictEqual([1, 2, 4, 5].filter((id) => table.has(id)), [2, 4, 5])
  })

  it("follows use that goes to and fro", () => {
    const table = new ClientTable(2)
    table.register(1, nonce(1))
    table.register(2, nonce(2))
    for (const id of [2, 1, 1, 2]) applyTo(table, id, 1, 0, () => result(1))
    table.register(3, nonce(3))
    assert.deepStrictEqual([1, 2, 3].filter((id) => table.has(id)), [2, 3])
    applyTo(table, 2, 2, 0, () => result(2))
    table.register(4, nonce(4))
    applyTo(table, 2, 3, 0, () => result(3))
    table.register(5, nonce(5))
    assert.deepStrictEqual([2, 3, 4, 5].filter((id) => table.has(id)), [2, 5])
  })

  it("is not undone by the old registration: that makes another session", () => {
    const table = new ClientTable(1)
    table.register(1, nonce(1))
    table.register(2, nonce(2))
    assert.strictEqual(table.register(3, nonce(1)), 3)
    assert.isUndefined(applyTo(table, 1, 1, 0, never))
  })
})

describe("any run", () => {
  const event = fc.oneof(
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("register" as const), nonce: fc.nat(5) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("request" as const),
        session: fc.nat(12),
        request: fc.integer({ min: 1, max: 8 }),
        answered: fc.nat(9)
      })
    }
  )

  it("agrees with a model, and equal runs make equal tables", () => {
    fc.assert(fc.property(fc.array(event, { maxLength: 60, size: "max" }), fc.integer({ min: 1, max: 4 }), (events, max) => {
      const [table, twin] = [new ClientTable(max), new ClientTable(max)]
      // Its own pending part must not matter to what is committed.
      twin.registrationPending(nonce(1), 99)
      const ran = new Set<string>()
      let live: Array<{ readonly id: number; readonly nonce: number; answered: number }> = []
      const use = (id: number): void => {
        live = [...live.filter((one) => one.id !== id), ...live.filter((one) => one.id === id)]
      }
      events.forEach((one, i) => {
        const op = i + 1
        if (one.kind === "register") {
          const known = live.find((session) => session.nonce === one.nonce)
          if (known !== undefined) use(known.id)
          else live = [...live, { id: op, nonce: one.nonce, answered: 0 }].slice(-max)
          assert.strictEqual(table.register(op, nonce(one.nonce)), known?.id ?? op)
          twin.register(op, nonce(one.nonce))
          return
        }
        const { answered, request, session } = one
        const key = `${session}:${request}`
        const model = live.find(({ id }) => id === session)
        const mayRun = model !== undefined && request > model.answered && !ran.has(key)
        let didRun = false
        const got = applyTo(table, session, request, answered, () => {
          didRun = true
          return result(op)
        })
        applyTo(twin, session, request, answered, () => result(op))
        assert.strictEqual(didRun, mayRun)
        if (model === undefined || (request <= model.answered && !mayRun)) assert.isUndefined(got)
        if (mayRun) ran.add(key)
        if (model === undefined) return
        use(session)
        model.answered = Math.max(model.answered, Math.min(answered, request - 1))
      })
      assert.deepStrictEqual(live.map(({ id }) => table.has(id)), live.map(() => true))
      assert.strictEqual(table.size, live.length)
      twin.forgetPending()
      assert.deepStrictEqual(twin, table)
    }))
  })
})
