/**
 * Lines that somebody else can cause: so many a second, and the rest is counted.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"
import { Limits } from "../../src/base/Limits.ts"
import { makeLineLimit } from "../../src/network/LineLimit.ts"

describe("a limit on lines", () => {
  it.effect("lets so many through a second, and counts the rest in one line", () =>
    Effect.suspend(() => {
      const log: Array<string> = []
      const body = Effect.gen(function*() {
        const most = Limits.bad_lines_per_second_max
        const limited = yield* makeLineLimit("bad connections")
        const say = (count: number) =>
          Effect.forEach(Array.from({ length: count }), () => limited(Effect.logWarning("bad")), { discard: true })
        yield* say(most + 7)
        assert.strictEqual(log.length, most)
        yield* TestClock.adjust(500)
        yield* say(3)
        yield* TestClock.adjust(500)
        assert.deepStrictEqual(log.splice(0).slice(most), ["bad connections: 10 more of these lines were left out"])
        yield* say(2)
        yield* TestClock.adjust(5_000)
        assert.deepStrictEqual(log.splice(0), ["bad", "bad"])
        yield* say(most + 1)
        yield* TestClock.adjust(1_000)
        assert.strictEqual(log.at(-1), "bad connections: 1 more of these lines were left out")
      })
      return body.pipe(Effect.provide(Logger.layer([Logger.make(({ message }) => void log.push(String(message)))])))
    }))
})
