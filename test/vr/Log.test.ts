/**
 * The log of one replica: contiguous, counted in bytes, read in chunks.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { entryBytes, Log } from "../../src/vr/Log.ts"
import type { Entry } from "../../src/vr/Message.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { entry } from "./One.ts"

const sized = (op: number, bytes: number): Entry => ({ ...entry(op), operation: new Uint8Array(bytes) })

const filled = (sizes: ReadonlyArray<number>): Log => {
  const log = new Log()
  sizes.forEach((bytes, i) => log.append(sized(i + 1, bytes)))
  return log
}

/** Of a packed entry, beside its operation. */
const packed_bytes = 48

const sizes = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 30, size: "max" })

describe("the log", () => {
  it("is empty at first", () => {
    const log = new Log()
    assert.deepStrictEqual([log.op, log.bytes, log.range(1, 0)], [0, 0, []])
    assert.throws(() => log.get(0))
    assert.throws(() => log.get(1))
  })

  it("takes the next op only", () => {
    const log = filled([1, 1])
    assert.throws(() => log.append(entry(2)))
    assert.throws(() => log.append(entry(4)))
    log.append(entry(3))
    assert.strictEqual(log.get(3).op, 3)
  })

  it("counts its bytes, whatever is appended and cut", () => {
    fc.assert(fc.property(sizes, fc.nat(40), sizes, (before, cut, after) => {
      const log = filled(before)
      log.truncate(cut)
      const kept = before.slice(0, cut)
      const all = [...kept, ...after]
      after.forEach((bytes, i) => log.append(sized(kept.length + i + 1, bytes)))
      assert.strictEqual(log.op, all.length)
      assert.strictEqual(log.bytes, all.reduce((sum, bytes, i) => sum + entryBytes(sized(i + 1, bytes)), 0))
    }))
  })

  it("is shortened to a base, and goes on behind it as before", () => {
    fc.assert(fc.property(sizes, fc.nat(30), fc.nat(30), sizes, (before, base, cut, after) => {
      const whole = filled(before)
      const log = filled(before)
      const to = Math.min(base, log.op)
      log.shorten(to)
      log.shorten(Math.max(0, to - 1))
      assert.strictEqual(log.base, to)
      for (const one of [whole, log]) {
        one.truncate(Math.max(to, cut))
        for (const bytes of after) one.append(sized(one.op + 1, bytes))
      }
      assert.strictEqual(log.op, whole.op)
      assert.deepStrictEqual(log.range(to + 1, log.op), whole.range(to + 1, whole.op))
      assert.deepStrictEqual(log.chunk(to + 1, log.op, 200), whole.chunk(to + 1, whole.op, 200))
      const gone = to === 0 ? [] : whole.range(1, to)
      assert.strictEqual(log.bytes, whole.bytes - gone.reduce((sum, one) => sum + entryBytes(one), 0))
    }))
  })

  it("does not give, cut or shorten what is not there", () => {
    const log = filled([1, 1, 1, 1])
    log.shorten(2)
    assert.throws(() => log.get(2), /is in it/)
    assert.throws(() => log.range(2, 3), /above its base/)
    assert.throws(() => log.truncate(1), /below its base/)
    assert.throws(() => log.shorten(5), /above its head/)
  })

  it("is the same when what is settled is packed, in pieces of any size, whatever it is asked", () => {
    const part = fc.record({ sizes, settled: fc.nat(30), shortened: fc.nat(60) })
    fc.assert(fc.property(fc.array(part, { maxLength: 6 }), fc.constantFrom(1, 5), fc.constantFrom(200, 1_000), (parts, few, piece) => {
      const release = squeeze({ log_unpacked_max: few, log_piece_bytes: piece })
      const log = new Log()
      const plain: Array<Entry> = []
      try {
        for (const { settled, shortened, sizes } of parts) {
          for (const bytes of sizes) {
            const one = { ...sized(log.op + 1, bytes), view: 2 ** 40, time: log.op * 1_000 }
            one.operation.fill(one.op)
            log.append(one)
            plain.push(one)
          }
          log.settle(Math.max(log.base, log.op - settled))
          log.shorten(Math.min(shortened, log.op))
          const left = plain.slice(log.base)
          assert.deepStrictEqual(log.range(log.base + 1, log.op), left)
          assert.strictEqual(log.bytes, left.reduce((sum, one) => sum + entryBytes(one), 0))
          for (const one of left) assert.deepStrictEqual(log.get(one.op), one)
          let room = 500
          const more = left.findIndex((one) => (room -= entryBytes(one)) < 0)
          const fits = more < 0 ? left.length : more
          assert.deepStrictEqual(log.chunk(log.base + 1, log.op, 500), left.slice(0, Math.max(fits, 1)))
        }
      } finally {
        release()
      }
    }))
  })

  it("says how far back so many bytes go, to a piece of memory", () => {
    const pieces = fc.constantFrom(400, 1_000)
    fc.assert(fc.property(sizes, fc.nat(5), fc.nat(30), fc.nat(1_500), pieces, (sizes, shortened, op, bytes, piece) => {
      const release = squeeze({ log_unpacked_max: 1, log_piece_bytes: piece })
      const log = filled(sizes)
      log.settle(log.op)
      log.shorten(Math.min(shortened, log.op))
      const to = Math.max(log.base, Math.min(op, log.op))
      const from = log.opBehind(to, bytes)
      release()
      const between = sizes.slice(from, to).reduce((sum, length) => sum + packed_bytes + length, 0)
      assert.isTrue(from >= log.base && from <= to)
      assert.isTrue(from === log.base || between >= bytes)
      assert.isTrue(between < bytes + Math.max(piece, packed_bytes + 300) || from === to)
    }))
  })

  it("gives packed entries that stay as they are when their memory is used again", () => {
    const release = squeeze({ log_unpacked_max: 1 })
    const log = filled([9, 9])
    log.settle(2)
    const before = log.get(1)
    log.reset(2)
    log.append({ ...sized(3, 9), operation: new Uint8Array(9).fill(7) })
    log.settle(3)
    assert.deepStrictEqual(before, sized(1, 9))
    assert.throws(() => log.truncate(2), /where it is settled/)
    release()
  })

  it("keeps free memory for what it grows to again, until it has not grown for long", () => {
    const release = squeeze({ log_unpacked_max: 1, log_piece_bytes: 400, log_pieces_idle_max: 0, log_pieces_long: 3, log_idle_ticks: 5 })
    const log = new Log()
    const [pieces, spare] = [() => log["packed"]["pieces"].length, () => log["packed"]["spare"].length]
    const grow = (count: number): void => {
      for (let i = 0; i < count; i++) log.append(entry(log.op + 1))
      log.settle(log.op)
    }
    const tick = (times: number): void => {
      for (let i = 0; i < times; i++) log.onTick()
    }
    grow(300)
    const most = pieces()
    for (let round = 0; round < 3; round++) {
      // Step by step, as it is done.
      while (log.op - log.base > 20) log.shorten(Math.min(log.op - 20, log.base + 100))
      assert.isAtLeast(pieces() + spare(), most - 10, "what is free is kept")
      tick(4)
      grow(280)
      assert.isAtMost(pieces() + spare(), most + 1)
    }
    log.shorten(log.op - 150)
    assert.isAbove(spare(), 3)
    tick(4)
    assert.isAbove(spare(), 3)
    tick(1)
    assert.strictEqual(spare(), 0)
    const now = pieces()
    for (let i = 0; i < 100; i++) {
      grow(10)
      log.shorten(log.op - 2)
    }
    assert.isBelow(spare(), now - 5, "one that stays short forgets that it was long")
    release()
  })

  it("keeps free memory up to a bound", () => {
    const pieces = { log_piece_bytes: 400, log_pieces_idle_max: 0, log_pieces_long: 3, log_pieces_kept_max: 8 }
    const release = squeeze({ log_unpacked_max: 1, ...pieces })
    const log = new Log()
    for (let i = 0; i < 300; i++) log.append(entry(log.op + 1))
    log.settle(log.op)
    log.shorten(log.op - 5)
    assert.isAtMost(log["packed"]["spare"].length, 7)
    assert.isAbove(log["packed"]["spare"].length, 3)
    release()
  })

  it("begins anew behind any op", () => {
    const log = filled([1, 1, 1])
    log.reset(9)
    assert.deepStrictEqual([log.base, log.op, log.bytes], [9, 9, 0])
    log.append(entry(10))
    assert.strictEqual(log.get(10).op, 10)
  })

  it("gives chunks that fit, contiguous, never empty while there is more, to the last one", () => {
    fc.assert(fc.property(sizes, fc.integer({ min: 1, max: 1_000 }), (bytes, max) => {
      const log = filled(bytes)
      const seen: Array<number> = []
      for (let first = 1; first <= log.op;) {
        const chunk = log.chunk(first, log.op, max)
        const size = chunk.reduce((sum, one) => sum + entryBytes(one), 0)
        assert.isNotEmpty(chunk)
        assert.isTrue(size <= max || chunk.length === 1)
        // No smaller than it has to be.
        const next = first + chunk.length
        if (next <= log.op) assert.isAbove(size + entryBytes(log.get(next)), max)
        seen.push(...chunk.map(({ op }) => op))
        first = next
      }
      assert.deepStrictEqual(seen, bytes.map((_, i) => i + 1))
    }))
  })

  it("gives no chunk beyond the op that was asked for, or beyond the head", () => {
    const log = filled([1, 1, 1, 1])
    assert.deepStrictEqual(log.chunk(2, 3, 10_000).map(({ op }) => op), [2, 3])
    assert.deepStrictEqual(log.chunk(5, 4, 10_000), [])
  })
})
