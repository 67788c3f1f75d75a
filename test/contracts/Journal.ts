/**
 * What every version of `Journals` must do. Each test gets an empty disk.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import type { Scope } from "effect/Scope"
import {
  type Durability,
  type Journal,
  Journals,
  type JournalWrite,
  type ReplicaHead
} from "../../src/storage/Journal.ts"
import { nothingStored, replacement } from "../../src/storage/JournalModel.ts"
import type { Entry } from "../../src/vr/Message.ts"

export interface JournalsHarness {
  /** Building it is the start of a process on the test's disk; the last one crashed. */
  readonly journals: Layer.Layer<Journals>
  /** From now on, every write fails. */
  readonly breakDisk: () => void
  /** The log of r1::dev1, in durability `disk`, is not as it was written. */
  readonly damage: () => void
  /** The same of its snapshot of that op. */
  readonly damageSnapshot: (op: number) => void
}

export const tenant = "3f2b8c1e-9a4d-4e6f-8b1a-0c2d3e4f5a6b"
const otherTenant = "9a4d3f2b-8c1e-4e6f-8b1a-0c2d3e4f5a6b"

export const group = ["r1::dev1", "r2::dev2", "r3::dev3"]

export const head = (view: number, log_view = view, more: Partial<ReplicaHead> = {}): ReplicaHead => ({
  epoch: 0,
  view,
  log_view,
  fresh: false,
  whole: true,
  replicas: group,
  left: false,
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
    operation: new Uint8Array([first + index])
  }))

export const write = (change: Partial<JournalWrite>): JournalWrite => ({
  head: null,
  snapshot: null,
  truncate_to: null,
  entries: [],
  commit: 0,
  ...change
})

type Id = readonly [tenant: string, replica: string]
export const own: Id = [tenant, "r1::dev1"]

/** One life of a process, with one journal, which is opened first. */
export const lives = (durability: Durability) => <A, E>(
  { journals }: JournalsHarness,
  body: (journal: Journal, found: Effect.Success<Journal["open"]>) => Effect.Effect<A, E>,
  id = own
) =>
  Effect.provide(
    Effect.gen(function*() {
      const journal = yield* (yield* Journals).journal(...id, durability)
      return yield* body(journal, yield* journal.open)
    }),
    journals,
    { local: true }
  )
export const writing = (...writes: ReadonlyArray<Partial<JournalWrite>>) => (journal: Journal) =>
  Effect.forEach(writes, (one) => journal.write(write(one)), { discard: true })

export const why = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "no failure"

export const journalContract = (version: string, makeHarness: Effect.Effect<JournalsHarness, never, Scope>): void => {
  for (const durability of ["memory", "disk"] as const) {
    describe(`Journals, ${version}, durability ${durability}`, () => {
      keepsHeads(durability, makeHarness)
      fails(durability, makeHarness)
    })
  }
  describe(`Journals, ${version}, durability memory`, () => keepsNoEntries(makeHarness))
  describe(`Journals, ${version}, durability disk`, () => {
    keepsEntries(makeHarness)
    recovers(makeHarness)
  })
}

export type Harness = Effect.Effect<JournalsHarness, never, Scope>

const keepsHeads = (durability: Durability, makeHarness: Harness): void => {
  const life = lives(durability)
  const found = (harness: JournalsHarness, id?: Id) => life(harness, (_, found) => Effect.succeed(found), id)

  it.effect("has no head for a replica that never wrote one, or whose head is lost", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* found(yield* makeHarness), nothingStored)
    }))

  it.effect("finds the last head again after a crash", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      yield* life(harness, writing({ head: head(0, 0, { fresh: true }) }, { head: head(0) }, { head: head(3, 1) }))
      assert.deepStrictEqual((yield* found(harness)).head, head(3, 1))
      yield* life(harness, writing({ head: head(0, 0, { epoch: 1 }) }))
      assert.deepStrictEqual((yield* found(harness)).head, head(0, 0, { epoch: 1 }))
    }))

  it.effect("tells a replica that was never started from one that was", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      yield* life(harness, writing({ head: head(0, 0, { fresh: true }) }))
      assert.isTrue((yield* found(harness)).head?.fresh)
      yield* life(harness, writing({ head: head(0) }))
      assert.isFalse((yield* found(harness)).head?.fresh)
    }))

  it.effect("finds its group again, and that it has left, epoch by epoch", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      const seven = [1, 2, 3, 4, 5, 6, 7].map((n) => `${"r".repeat(63)}${n}::${"n".repeat(63)}${n}`)
      const heads = [
        head(0, 0, { fresh: true }),
        head(2, 1),
        // As one that is to join, as one that is alone, and as one that is needed no more.
        head(0, 0, { epoch: 1, replicas: seven }),
        head(5, 4, { epoch: 2, replicas: [own[1]] }),
        head(6, 6, { epoch: 3, replicas: group.slice(1), left: true }),
        head(9, 9, { epoch: 4, replicas: ["r4::dev4"], left: true })
      ]
      for (const one of heads) {
        yield* life(harness, writing({ head: one }, {}))
        for (let time = 0; time < 2; time++) assert.deepStrictEqual((yield* found(harness)).head, one)
      }
    }))

  it.effect("keeps the replicas of a node apart", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      const names = [[tenant, "r1::dev1"], [tenant, "r2::dev1"], [tenant, "r1::dev2"]] as const
      const ids = [...names, [otherTenant, "r1::dev1"]] as const
      for (const [view, id] of ids.entries()) yield* life(harness, writing({ head: head(view) }), id)
      for (const [view, id] of ids.entries()) assert.strictEqual((yield* found(harness, id)).head?.view, view)
    }))

  it.effect("gives the same to a second owner in the same process", () =>
    Effect.gen(function*() {
      const { journals } = yield* makeHarness
      const both = Effect.gen(function*() {
        const all = yield* Journals
        const first = yield* all.journal(...own, durability)
        yield* first.open
        yield* first.write(write({ head: head(0, 0, { fresh: true }) }))
        const second = yield* all.journal(...own, durability)
        const found = yield* second.open
        yield* second.write(write({ head: head(1) }))
        return [found.head, (yield* second.open).head]
      })
      assert.deepStrictEqual(yield* Effect.provide(both, journals), [head(0, 0, { fresh: true }), head(1)])
    }))
}

const fails = (durability: Durability, makeHarness: Harness): void => {
  const life = lives(durability)

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
      assert.deepStrictEqual((yield* life(harness, (_, found) => Effect.succeed(found))).head, head(1))
    }))

  it.effect.each<[string, ReadonlyArray<Partial<JournalWrite>>]>([
    ["the view never falls", [{ head: head(2) }, { head: head(1) }]],
    ["the log view never falls", [{ head: head(2) }, { head: head(3, 1) }]],
    ["the epoch never falls", [{ head: head(0, 0, { epoch: 1 }) }, { head: head(5) }]],
    ["the log view is not above the view", [{ head: head(1, 2) }]],
    ["a group has 1 to 7", [{ head: head(1, 1, { replicas: [] }) }]],
    ["a group has 1 to 7", [{ head: head(1, 1, { replicas: "12345678".split("").map((n) => `r${n}::dev1`) }) }]],
    ["sorted and distinct", [{ head: head(1, 1, { replicas: ["r2::dev2", "r1::dev1"] }) }]],
    ["sorted and distinct", [{ head: head(1, 1, { replicas: ["r1::dev1", "r1::dev1"] }) }]],
    ["the group of an epoch never changes", [{ head: head(1) }, { head: head(2, 1, { replicas: ["r1::dev1"] }) }]],
    ["has left never comes back", [{ head: head(1, 1, { left: true }) }, { head: head(2, 2, { epoch: 1 }) }]],
    ["a replica that was started is not fresh again", [{ head: head(0) }, { head: head(1, 1, { fresh: true }) }]],
    ["entries are contiguous", [{ entries: [...entries(1, 2), ...entries(4, 1)] }]]
  ])("dies when the caller breaks a promise: %s", ([fact, writes]) =>
    Effect.gen(function*() {
      assert.include(why(yield* Effect.exit(life(yield* makeHarness, writing(...writes)))), fact)
    }))

  it.effect("dies when the promise was made before the crash", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      yield* life(harness, writing({ head: head(2) }))
      const exit = yield* Effect.exit(life(harness, writing({ head: head(1) })))
      assert.include(why(exit), "the view never falls")
    }))

  it.effect("dies when it is written before it is opened", () =>
    Effect.gen(function*() {
      const { journals } = yield* makeHarness
      const unopened = Effect.flatMap(Journals, (all) => all.journal(...own, durability))
      const exit = yield* Effect.exit(
        Effect.provide(Effect.flatMap(unopened, (journal) => journal.write(write({}))), journals)
      )
      assert.include(why(exit), "opened before it is written")
    }))
}

const keepsNoEntries = (makeHarness: Harness): void => {
  const life = lives("memory")

  it.effect("does not promise entries, and keeps the head when only entries are written", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      yield* life(
        harness,
        writing({ head: head(1), entries: entries(1, 3) }, { truncate_to: 2, entries: entries(3, 2), commit: 3 })
      )
      const found = yield* life(harness, (_, found) => Effect.succeed(found))
      assert.deepStrictEqual(found, { ...nothingStored, head: head(1) })
    }))
}

const keepsEntries = (makeHarness: Harness): void => {
  const life = lives("disk")
  const found = (harness: JournalsHarness) => life(harness, (_, found) => Effect.succeed(found))

  it.effect("finds head, entries and commit number again after a crash", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      yield* life(harness, writing({ head: head(1), entries: entries(1, 3) }, { entries: entries(4, 2), commit: 3 }))
      const five = { ...nothingStored, head: head(1), entries: entries(1, 5), commit: 3 }
      assert.deepStrictEqual(yield* found(harness), five)
      yield* life(harness, writing({ entries: entries(6, 1), commit: 5 }))
      assert.deepStrictEqual(yield* found(harness), { ...five, entries: entries(1, 6), commit: 5 })
    }))

  it.effect("keeps every field of an entry, and operations of any length", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      const operations = [0, 1, 63, 64, 448, 4096, 70_000].map((length) => new Uint8Array(length).fill(length % 256))
      const many: ReadonlyArray<Entry> = operations.map((operation, index) => ({
        op: index + 1,
        view: 2 ** 40 + index,
        time: 2 ** 41,
        kind: index === 0 ? "register" : "request",
        session: index,
        request: 2 ** 52,
        answered: index,
        operation
      }))
      yield* life(harness, writing({ head: head(2 ** 40 + 9), entries: many }, { head: head(2 ** 41) }))
      const { entries: kept } = yield* found(harness)
      assert.deepStrictEqual(kept, many)
    }))

  it.effect("cuts first and appends then, in one write, and again after that", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      const other = entries(3, 2).map((entry) => ({ ...entry, view: 1 }))
      yield* life(
        harness,
        writing(
          { head: head(0), entries: entries(1, 5), commit: 2 },
          { head: head(1), truncate_to: 2, entries: other, commit: 2 }
        )
      )
      const expected = [...entries(1, 2), ...other]
      const cut = { ...nothingStored, head: head(1), entries: expected, commit: 2 }
      assert.deepStrictEqual(yield* found(harness), cut)
      yield* life(harness, writing({ truncate_to: 3, entries: [], commit: 3 }))
      assert.deepStrictEqual(yield* found(harness), { ...cut, entries: expected.slice(0, 3), commit: 3 })
    }))

  it.effect("writes nothing for a commit number alone", () =>
    Effect.gen(function*() {
      const harness = yield* makeHarness
      yield* life(harness, writing({ head: head(1), entries: entries(1, 2), commit: 1 }, { commit: 2 }))
      assert.strictEqual((yield* found(harness)).commit, 1)
    }))

  it.effect.each<[string, ReadonlyArray<Partial<JournalWrite>>]>([
    ["entries follow the log", [{ entries: entries(2, 1) }]],
    ["entries follow the log", [{ entries: entries(1, 2) }, { truncate_to: 1, entries: entries(3, 1) }]],
    ["what is cut was there", [{ entries: entries(1, 2) }, { truncate_to: 3 }]],
    ["what is committed is never cut", [{ entries: entries(1, 2), commit: 2 }, { truncate_to: 1, commit: 2 }]],
    ["the commit number never falls", [{ entries: entries(1, 2), commit: 2 }, { head: head(1), commit: 1 }]],
    ["what is committed is there", [{ entries: entries(1, 2), commit: 3 }]]
  ])("dies when the log would not be one: %s", ([fact, writes]) =>
    Effect.gen(function*() {
      assert.include(why(yield* Effect.exit(life(yield* makeHarness, writing(...writes)))), fact)
    }))
}

const recovers = (makeHarness: Harness): void => {
  const life = lives("disk")
  const found = (harness: JournalsHarness) => life(harness, (_, found) => Effect.succeed(found))
  const makeDamaged = Effect.gen(function*() {
    const harness = yield* makeHarness
    yield* life(
      harness,
      writing({ head: head(4, 3), entries: entries(1, 2), commit: 1 }, { entries: entries(3, 1), commit: 2 })
    )
    harness.damage()
    return harness
  })

  it.effect("serves nothing of a log that is damaged, and keeps its promise, as often as it is opened", () =>
    Effect.gen(function*() {
      const harness = yield* makeDamaged
      for (let time = 0; time < 2; time++) {
        const { doubt, ...rest } = yield* found(harness)
        assert.isString(doubt)
        assert.deepStrictEqual({ ...rest, doubt: null }, { ...nothingStored, head: head(4, 3) })
      }
    }))

  it.effect("takes a replacement before anything else", () =>
    Effect.gen(function*() {
      const harness = yield* makeDamaged
      assert.include(why(yield* Effect.exit(life(harness, writing({ head: head(5) })))), "a log in doubt is replaced")
      assert.isString((yield* found(harness)).doubt)
    }))

  it.effect("begins anew with a replacement, is not whole until it is told so, and takes another replacement", () =>
    Effect.gen(function*() {
      const harness = yield* makeDamaged
      const fresh = { ...nothingStored, head: head(4, 3, { whole: false }) }
      yield* life(harness, (journal) => journal.write(replacement(head(4, 3))))
      assert.deepStrictEqual(yield* found(harness), fresh)
      yield* life(harness, writing({ entries: entries(1, 3), commit: 3 }))
      assert.deepStrictEqual(yield* found(harness), { ...fresh, entries: entries(1, 3), commit: 3 })
      yield* life(harness, (journal) => journal.write(replacement(head(4, 3))))
      assert.deepStrictEqual(yield* found(harness), fresh)
      yield* life(harness, writing({ entries: entries(1, 2), commit: 2 }, { head: head(6), commit: 2 }))
      assert.deepStrictEqual(yield* found(harness), { ...fresh, head: head(6), entries: entries(1, 2), commit: 2 })
    }))

  it.effect("is damaged again after that, if it is damaged again", () =>
    Effect.gen(function*() {
      const harness = yield* makeDamaged
      yield* life(harness, (journal) => journal.write(replacement(head(4, 3))))
      yield* life(harness, writing({ head: head(5), entries: entries(1, 2) }))
      harness.damage()
      assert.isString((yield* found(harness)).doubt)
      yield* life(harness, (journal) => journal.write(replacement(head(5))))
      assert.deepStrictEqual(yield* found(harness), { ...nothingStored, head: head(5, 5, { whole: false }) })
    }))
}
