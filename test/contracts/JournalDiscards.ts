/**
 * What every version of `Journals` must say of what it holds, and do when a replica is not needed. Each test gets an empty
 * disk.
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
const later = "9a4d3f2b-8c1e-4e6f-8b1a-0c2d3e4f5a6b"

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
          yield* discarding(harness, [later, "r1::dev1"])
          yield* discarding(harness, own)
          assert.deepStrictEqual(yield* found(harness, durability, own), nothingStored)
          assert.deepStrictEqual(yield* found(harness, durability, neighbour), before)
          assert.deepStrictEqual(before.head, fresh)
        }))

      it.effect("tell of whom there is anything, and not of those of whom nothing was written", () =>
        Effect.gen(function*() {
          const harness = yield* makeHarness
          assert.deepStrictEqual(yield* holding(harness), [])
          const ids = [[later, "r1::dev1"], [tenant, "r10::dev1"], [tenant, "r1::dev2"], [tenant, "r1-b::dev1"], own] as const
          const nothing = write({})
          for (const id of ids) {
            const written = write({ head: head(0, 0, { fresh: id !== own }) })
            yield* lives(durability)(harness, (journal) => Effect.andThen(journal.write(nothing), journal.write(written)), id)
          }
          yield* lives(durability)(harness, (journal) => journal.write(nothing), neighbour)
          const held = [
            { tenant, replica: "r1-b::dev1" },
            { tenant, replica: "r10::dev1" },
            { tenant, replica: "r1::dev1" },
            { tenant, replica: "r1::dev2" },
            { tenant: later, replica: "r1::dev1" }
          ]
          assert.deepStrictEqual(yield* holding(harness), held)
          for (const [index, { replica, tenant }] of held.entries()) {
            yield* discarding(harness, [tenant, replica])
            assert.deepStrictEqual(yield* holding(harness), held.slice(index + 1))
          }
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

const holding = ({ journals }: JournalsHarness) =>
  Effect.provide(Effect.flatMap(Journals, (all) => all.held), journals, { local: true })

const discarding = ({ journals }: JournalsHarness, id: typeof own) =>
  Effect.provide(Effect.flatMap(Journals, (all) => all.discard(...id)), journals, { local: true })
