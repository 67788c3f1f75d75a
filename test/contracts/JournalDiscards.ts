/**
 * What every version of `Journals` must do when what was prepared is not needed. Each test gets an empty disk.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Durability, Journals } from "../../src/storage/Journal.ts"
import { nothingStored } from "../../src/storage/JournalModel.ts"
import { entries, type Harness, head, type JournalsHarness, lives, own, tenant, why, write } from "./Journal.ts"
import { snapshotOf } from "./Snapshots.ts"

const neighbour = [tenant, "r2::dev1"] as const

export const discardContract = (version: string, makeHarness: Harness): void => {
  for (const durability of ["memory", "disk"] as const) {
    describe(`Journals, ${version}, durability ${durability}`, () => {
      it.effect("discard all of one replica, and nothing of another", () =>
        Effect.gen(function*() {
          const harness = yield* makeHarness
          const fresh = head(0, 0, { fresh: true })
          for (const id of [own, neighbour]) {
            yield* lives(durability)(harness, (journal) =>
              Effect.andThen(
                journal.write(write({ head: fresh, snapshot: snapshotOf(20), commit: 20 })),
                journal.write(write({ entries: entries(21, 3), commit: 20 }))
              ), id)
          }
          const before = yield* found(harness, durability, neighbour)
          yield* discarding(harness, own)
          assert.deepStrictEqual(yield* found(harness, durability, own), nothingStored)
          assert.deepStrictEqual(yield* found(harness, durability, neighbour), before)
          assert.deepStrictEqual(before.head, fresh)
        }))

      it.effect("discard what is open, which can write no more; and then it begins anew", () =>
        Effect.gen(function*() {
          const harness = yield* makeHarness
          yield* Effect.provide(Effect.gen(function*() {
            const journals = yield* Journals
            const journal = yield* journals.journal(...own, durability)
            yield* journal.open
            yield* journal.write(write({ head: head(0, 0, { fresh: true }), entries: entries(1, 2) }))
            yield* journals.discard(...own)
            yield* journals.discard(...own)
            if (durability === "disk") assert.include(why(yield* Effect.exit(journal.write(write({ head: head(1) })))), "is opened before")
            const next = yield* journals.journal(...own, durability)
            assert.deepStrictEqual(yield* next.open, nothingStored)
            yield* next.write(write({ head: head(0, 0, { fresh: true }) }))
          }), harness.journals, { local: true })
          assert.deepStrictEqual((yield* found(harness, durability, own)).head, head(0, 0, { fresh: true }))
        }))
    })
  }
}

const found = (harness: JournalsHarness, durability: Durability, id: typeof own) =>
  lives(durability)(harness, (_, stored) => Effect.succeed(stored), id)

const discarding = ({ journals }: JournalsHarness, id: typeof own) =>
  Effect.provide(Effect.flatMap(Journals, (all) => all.discard(...id)), journals, { local: true })
