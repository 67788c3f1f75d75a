/**
 * Pinned states against what a naive model held at the pin, however writes go on; and stores made of their parts.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { InvariantViolation } from "../../src/base/Invariant.ts"
import { Limits } from "../../src/base/Limits.ts"
import { seeded } from "../../src/base/Random.ts"
import { makeStore } from "../../src/store/Store.ts"
import type { PartReader, PinnedState } from "../../src/vr/Application.ts"
import { Model } from "./Model.ts"
import { type Parts, partsOf, restored } from "./Snapshots.ts"
import { plain, questions, step } from "./Steps.ts"
import { User } from "./User.ts"

/** From one record in a part to all in one. */
const partBytes = fc.constantFrom(1, 60, 200, Limits.snapshot_part_bytes_max)
const steps = fc.array(step, { maxLength: 60, size: "max" })

/** All that there is, with the answers of one who knows. */
const known = (model: Model) => questions(model).map((question) => [question, model.execute(question, 0)] as const)

interface Pin {
  readonly pinned: PinnedState
  isReleased: boolean
  readonly reader: PartReader
  /** Read so far. */
  readonly parts: Array<Uint8Array>
  readonly held: ReturnType<typeof known>
}

const assertHolds = (store: User["store"], answers: ReturnType<typeof known>): void => {
  const user = new User(store)
  for (const [question, answer] of answers) assert.deepStrictEqual(plain(user.execute(question)), answer)
}

describe("a pinned state", () => {
  it("stays as it was at the pin, read while writes go on", () => {
    const event = fc.oneof(
      { weight: 12, arbitrary: step },
      { weight: 1, arbitrary: fc.constant("pin" as const) },
      { weight: 1, arbitrary: fc.record({ release: fc.nat() }) },
      { weight: 4, arbitrary: fc.nat() }
    )
    let between = 0
    fc.assert(fc.property(partBytes, fc.array(event, { maxLength: 80, size: "max" }), (part_bytes_max, events) => {
      const user = new User(makeStore(part_bytes_max))
      const model = new Model()
      const pins: Array<Pin> = []
      for (const one of events) {
        if (one === "pin") {
          const pinned = user.store.pin()
          pins.push({ pinned, isReleased: false, reader: pinned.read(), parts: [], held: known(model) })
        } else if (typeof one === "object") {
          const pin = pins[one.release % Math.max(1, pins.length)]
          pin?.pinned.release()
          if (pin !== undefined) pin.isReleased = true
        } else if (typeof one === "number") {
          const pin = pins[one % Math.max(1, pins.length)]
          const part = pin === undefined || pin.isReleased ? null : pin.reader.next()
          if (part !== null) pin!.parts.push(part)
          between += part === null ? 0 : 1
        } else {
          const operation = one(model)
          assert.deepStrictEqual(plain(user.execute(operation)), model.execute(operation, user.op))
        }
      }
      const present = pins.filter(({ isReleased }) => !isReleased)
      assert.strictEqual(user.store.pins(), present.length)
      for (const { pinned, reader, parts, held } of present) {
        for (let part = reader.next(); part !== null; part = reader.next()) parts.push(part)
        assert.isNull(reader.next(), "it stays at the end")
        assert.deepStrictEqual(partsOf(pinned), parts, "from its beginning, as often as is needed")
        assertHolds(restored(parts), held)
      }
      assertHolds(user.store, known(model))
      assert.deepStrictEqual(user.store.stats(), model.stats())
    }), { numRuns: 300 })
    assert.isAtLeast(between, 300, "parts were read between writes")
  })

  it("stays as it was when nodes far away from each other change, join and split", () => {
    for (let seed = 1; seed <= 3; seed++) {
      const random = seeded(seed)
      const user = new User(makeStore(500))
      const path = (): string => `/${"abc"[Math.floor(random.next() * 3)]!}/${String(Math.floor(random.next() * 900)).padStart(4, "0")}`
      const pins: Array<readonly [PinnedState, Parts]> = []
      for (const creating of [1, 0.2, 0.6, 0.1, 0.8]) {
        for (let i = 0; i < 2_000; i++) {
          if (i % 500 === 0) {
            const pinned = user.store.pin()
            pins.push([pinned, partsOf(pinned)])
          }
          const at = path()
          const done = random.next() < creating ? user.create(at, at, { parents: true }) : user.delete(at)
          if (done._tag === "Error") user.put(at, `${i}`)
        }
      }
      for (const [pinned, parts] of pins) assert.deepStrictEqual(partsOf(pinned), parts)
    }
  })
})

describe("a state that is not needed any more", () => {
  it("is released: nothing is kept for it, and it cannot be read", () => {
    const user = new User()
    user.create("/a", "1")
    const pinned = user.store.pin()
    const other = user.store.pin()
    const parts = partsOf(other)
    const reader = pinned.read()
    pinned.release()
    pinned.release()
    assert.strictEqual(user.store.pins(), 1)
    assert.throws(() => reader.next(), InvariantViolation)
    assert.throws(() => pinned.read(), InvariantViolation)
    user.put("/a", "2")
    assert.strictEqual(user.value("/a"), "2")
    assert.deepStrictEqual(partsOf(other), parts)
  })
})

describe("a store made of parts", () => {
  it("holds the same, does the same from there on, and gives the same parts", () => {
    fc.assert(fc.property(partBytes, steps, steps, (part_bytes_max, before, after) => {
      const user = new User(makeStore(part_bytes_max))
      const model = new Model()
      for (const one of before) {
        const operation = one(model)
        user.execute(operation)
        model.execute(operation, user.op)
      }
      const parts = partsOf(user.store.pin())
      const twin = new User(restored(parts, part_bytes_max), user.op)
      assertHolds(twin.store, known(model))
      assert.deepStrictEqual(partsOf(twin.store.pin()), parts)
      for (const one of after) {
        const operation = one(model)
        const answer = plain(model.execute(operation, user.op + 1))
        assert.deepStrictEqual([plain(user.execute(operation)), plain(twin.execute(operation))], [answer, answer])
        assert.deepStrictEqual([twin.store.stats(), twin.store.size()], [user.store.stats(), user.store.size()])
      }
      assert.deepStrictEqual(partsOf(twin.store.pin()), partsOf(user.store.pin()))
      assertHolds(twin.store, known(model))
    }), { numRuns: 200 })
  })

  it("replaces a present one only when it is installed, and leaves what was pinned of that", () => {
    const user = new User()
    user.create("/old", "1")
    const pinned = user.store.pin()
    const parts = partsOf(pinned)
    const other = new User()
    for (const path of ["/d/a", "/d/b"]) other.create(path, path, { parents: true })
    const builder = user.store.restore()
    for (const part of partsOf(other.store.pin())) assert.isNull(builder.add(part))
    user.put("/old", "2")
    assert.isNull(builder.finish())
    assert.strictEqual(user.value("/old"), "2")
    builder.install()
    assert.strictEqual(user.store.pins(), 0)
    assert.deepStrictEqual(user.dump(), other.dump())
    user.op = 2
    user.put("/d/a", "changed")
    assert.deepStrictEqual(partsOf(pinned), parts)
    assert.deepStrictEqual([other.value("/d/a"), user.value("/d/a")], ["/d/a", "changed"])
  })

  it("is installed whole, and once", () => {
    const builder = makeStore().restore()
    assert.throws(() => builder.install(), InvariantViolation)
    for (const part of partsOf(makeStore().pin())) builder.add(part)
    assert.throws(() => builder.install(), InvariantViolation)
    builder.finish()
    builder.install()
    assert.throws(() => builder.install(), InvariantViolation)
  })
})
