/**
 * What every version of `Journals` must do for a tenant with durability `memory`. Each test gets an empty disk.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import type { Scope } from "effect/Scope"
import { type Journal, Journals, type JournalWrite, nothingStored, type ReplicaHead } from "../../src/storage/Journal.ts"
import type { Entry } from "../../src/vr/Message.ts"

export interface JournalsHarness {
  /** Building it is the start of a process on the test's disk; the last one crashed. */
  readonly journals: Layer.Layer<Journals>
  /** From now on, every write fails. */
  readonly breakDisk: () => void
}

export const tenant = "3f2b8c1e-9a4d-4e6f-8b1a-0c2d3e4f5a6b"
const otherTenant = "9a4d3f2b-8c1e-4e6f-8b1a-0c2d3e4f5a6b"

export const head = (view: number, log_view = view, more: Partial<ReplicaHead> = {}): ReplicaHead => ({
  epoch: 0,
  view,
  log_view,
  fresh: false,
  whole: true,
  ...more
})

export const entries = (first: number, count: number): ReadonlyArray<Entry> =>
  Array.from({ length: count }, (_, index) => ({
    op: first + index,
    view: 0,
    time: 1,
    kind: "request",
    session: 1,
    request: first + index,
    answered: 0,
    operation: new Uint8Array([index])
  }))

export const write = (change: Partial<JournalWrite>): JournalWrite => ({
  head: null,
  truncate_to: null,
  entries: [],
  commit: 0,
  ...change
})

export const journalContract = (version: string, makeHarness: Effect.Effect<JournalsHarness, never, Scope>): void => {
  /** One life of a process, with one journal, which is opened first. */
  const life = <A, E>(
    { journals }: JournalsHarness,
    body: (journal: Journal, found: Effect.Success<Journal["open"]>) => Effect.Effect<A, E>,
    id: readonly [string, string] = [tenant, "r1::dev1"]
  ) =>
    Effect.provide(
      Effect.gen(function*() {
        const journal = yield* (yield* Journals).journal(...id, "memory")
        return yield* body(journal, yield* journal.open)
      }),
      journals,
      { local: true }
    )
  const found = (harness: JournalsHarness, id?: readonly [string, string]) =>
    life(harness, (_, found) => Effect.succeed(found), id)

  describe(`Journals, ${version}`, () => {
    it.effect("has no head for a replica that never wrote one, or whose head is lost", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* found(yield* makeHarness), nothingStored)
      }))

    it.effect("finds the last head again after a crash", () =>
      Effect.gen(function*() {
        const harness = yield* makeHarness
        yield* life(harness, (journal) =>
          Effect.gen(function*() {
            yield* journal.write(write({ head: head(0, 0, { fresh: true }) }))
            yield* journal.write(write({ head: head(0) }))
            yield* journal.write(write({ head: head(3, 1) }))
          }))
        assert.deepStrictEqual((yield* found(harness)).head, head(3, 1))
        yield* life(harness, (journal) => journal.write(write({ head: head(0, 0, { epoch: 1 }) })))
        assert.deepStrictEqual((yield* found(harness)).head, head(0, 0, { epoch: 1 }))
      }))

    it.effect("tells a replica that was never started from one that was", () =>
      Effect.gen(function*() {
        const harness = yield* makeHarness
        yield* life(harness, (journal) => journal.write(write({ head: head(0, 0, { fresh: true }) })))
        assert.isTrue((yield* found(harness)).head?.fresh)
        yield* life(harness, (journal) => journal.write(write({ head: head(0) })))
        assert.isFalse((yield* found(harness)).head?.fresh)
      }))

    it.effect("does not promise entries, and keeps the head when only entries are written", () =>
      Effect.gen(function*() {
        const harness = yield* makeHarness
        yield* life(harness, (journal) =>
          Effect.gen(function*() {
            yield* journal.write(write({ head: head(1), entries: entries(1, 3) }))
            yield* journal.write(write({ truncate_to: 2, entries: entries(3, 2) }))
          }))
        assert.deepStrictEqual(yield* found(harness), { ...nothingStored, head: head(1) })
      }))

    it.effect("keeps the replicas of a node apart", () =>
      Effect.gen(function*() {
        const harness = yield* makeHarness
        const names = [[tenant, "r1::dev1"], [tenant, "r2::dev1"], [tenant, "r1::dev2"]] as const
        const ids = [...names, [otherTenant, "r1::dev1"]] as const
        for (const [view, id] of ids.entries()) {
          yield* life(harness, (journal) => journal.write(write({ head: head(view) })), id)
        }
        for (const [view, id] of ids.entries()) assert.strictEqual((yield* found(harness, id)).head?.view, view)
      }))

    it.effect("says when it cannot write, keeps what was durable, and takes nothing more", () =>
      Effect.gen(function*() {
        const harness = yield* makeHarness
        const errors = yield* life(harness, (journal) =>
          Effect.gen(function*() {
            yield* journal.write(write({ head: head(1) }))
            harness.breakDisk()
            return [
              yield* Effect.flip(journal.write(write({ head: head(2) }))),
              yield* Effect.flip(journal.write(write({ entries: entries(1, 1) }))),
              yield* Effect.flip(journal.open)
            ]
          }))
        assert.deepStrictEqual(errors.map((error) => error.during), ["write", "write", "write"])
        assert.include(errors[0]!.message, "no space left on device")
        assert.deepStrictEqual((yield* found(harness)).head, head(1))
      }))

    it.effect.each<[string, ReadonlyArray<Partial<JournalWrite>>]>([
      ["the view never falls", [{ head: head(2) }, { head: head(1) }]],
      ["the log view never falls", [{ head: head(2) }, { head: head(3, 1) }]],
      ["the epoch never falls", [{ head: head(0, 0, { epoch: 1 }) }, { head: head(5) }]],
      ["the log view is not above the view", [{ head: head(1, 2) }]],
      ["a replica that was started is not fresh again", [{ head: head(0) }, { head: head(1, 1, { fresh: true }) }]],
      ["entries are contiguous", [{ entries: [...entries(1, 2), ...entries(4, 1)] }]]
    ])("dies when the caller breaks a promise: %s", ([fact, writes]) =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(
          life(yield* makeHarness, (journal) => Effect.forEach(writes, (one) => journal.write(write(one))))
        )
        assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "no failure", fact)
      }))

    it.effect("dies when the promise was made before the crash", () =>
      Effect.gen(function*() {
        const harness = yield* makeHarness
        yield* life(harness, (journal) => journal.write(write({ head: head(2) })))
        const exit = yield* Effect.exit(life(harness, (journal) => journal.write(write({ head: head(1) }))))
        assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "no failure", "the view never falls")
      }))

    it.effect("dies when it is written before it is opened", () =>
      Effect.gen(function*() {
        const { journals } = yield* makeHarness
        const unopened = Effect.flatMap(Journals, (all) => all.journal(tenant, "r1::dev1", "memory"))
        const exit = yield* Effect.exit(
          Effect.provide(Effect.flatMap(unopened, (journal) => journal.write(write({}))), journals)
        )
        assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "no failure", "opened before it is written")
      }))
  })
}
