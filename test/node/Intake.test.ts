/**
 * Who may take in how much of what clients ask for, before it is routed.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Limits } from "../../src/base/Limits.ts"
import { Intake } from "../../src/node/Intake.ts"

/** Connections that wait for their turn, and the order in which they got it. */
const queue = (intake: Intake, count: number, turns: Array<number>) =>
  Effect.forEach(Array.from({ length: count }, (_, i) => i), (i) =>
    Effect.forkChild(Effect.map(intake.turn, () => turns.push(i)), { startImmediately: true }))

const settled = Effect.replicateEffect(Effect.yieldNow, 10, { discard: true })

describe("the intake", () => {
  it.effect("lets connections in at once, until so much waits to be routed; then in the order in which they came", () =>
    Effect.gen(function*() {
      const intake = new Intake()
      const turns: Array<number> = []
      intake.took(Limits.intake_requests_max - 1, 0)
      yield* intake.turn
      intake.took(1, 0)
      yield* queue(intake, 100, turns)
      yield* settled
      assert.deepStrictEqual(turns, [])
      intake.routed(3 * Limits.intake_slice_max)
      yield* settled
      assert.deepStrictEqual(turns, [0, 1, 2])
      // Whoever comes now stands behind those that wait, though there is room.
      intake.routed(0)
      intake.routed(Limits.intake_requests_max - 3 * Limits.intake_slice_max)
      yield* settled
      assert.deepStrictEqual(turns, [...turns].sort((a, b) => a - b))
    }))

  it("has enough once there is a slice, or so many bytes, until that is routed", () => {
    const intake = new Intake()
    intake.took(Limits.intake_slice_max - 1, Limits.intake_bytes_max - 1)
    assert.isFalse(intake.isEnough)
    intake.took(1, 0)
    assert.isTrue(intake.isEnough)
    intake.routed(Limits.intake_slice_max)
    assert.isFalse(intake.isEnough)
    intake.took(1, Limits.intake_bytes_max)
    assert.isTrue(intake.isEnough)
    intake.routed(1)
    assert.isFalse(intake.isEnough)
  })

  it.effect("makes up for one that has gone while it waited", () =>
    Effect.gen(function*() {
      const intake = new Intake()
      const turns: Array<number> = []
      intake.took(Limits.intake_requests_max, 0)
      const [first] = yield* queue(intake, 3, turns)
      yield* Fiber.interrupt(first!)
      intake.routed(Limits.intake_slice_max)
      yield* settled
      assert.deepStrictEqual(turns, [1])
    }))
})
