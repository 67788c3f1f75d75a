/**
 * Drawn lives of a journal of durability `disk` that write, save and install, and what may be found of them.
 *
 * @module
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { type Random, seeded } from "../../src/base/Random.ts"
import type { DiskJournal } from "../../src/storage/DiskJournalLive.ts"
import type { JournalWrite, Stored } from "../../src/storage/Journal.ts"
import { afterSave, afterWrite, type Held, lastOp, nothingHeld } from "../../src/storage/JournalModel.ts"
import { partsOf, restored, snapshotOf } from "../contracts/Snapshots.ts"
import { below, drawEntries, drawWrite, journalOn } from "./Scripts.ts"
import { TestLogDisk } from "./TestLogDisk.ts"

export type Action =
  | { readonly _tag: "Write"; readonly write: JournalWrite }
  /** `waits`: nothing else is done meanwhile. */
  | { readonly _tag: "Save"; readonly op: number; readonly waits: boolean }

export const after = (held: Held, action: Action): Held =>
  action._tag === "Write"
    ? afterWrite(held, action.write, "disk")
    : afterSave(held, { op: action.op, parts: partsOf(action.op) })

const drawSave = (random: Random, held: Held): Action | null => {
  const first = (held.snapshot ?? 0) + 1
  const last = lastOp(held)
  return first > last ? null : { _tag: "Save", op: first + below(random, last - first + 1), waits: random.next() < 0.5 }
}

const drawInstall = (random: Random, held: Held): Action => {
  const op = Math.max(1, held.commit + below(random, 9))
  const entries = drawEntries(random, op, held.head?.view ?? 0)
  const { head } = drawWrite(random, held)
  const commit = op + below(random, entries.length + 1)
  return { _tag: "Write", write: { head, snapshot: snapshotOf(op), truncate_to: null, entries, commit } }
}

const drawAction = (random: Random, held: Held): Action => {
  const chance = random.next()
  const save = chance < 0.25 ? drawSave(random, held) : null
  if (save !== null) return save
  return chance > 0.94 ? drawInstall(random, held) : { _tag: "Write", write: drawWrite(random, held) }
}

/** `count` actions, each legal after those before. */
export const drawActions = (random: Random, count: number, held: Held = nothingHeld): ReadonlyArray<Action> => {
  let now = held
  return Array.from({ length: count }, () => {
    const action = drawAction(random, now)
    now = after(now, action)
    return action
  })
}

/** A save if there is something to be saved, a few more actions, and an install. */
export const drawWholeLife = (random: Random, held: Held): ReadonlyArray<Action> => {
  const save = drawSave(random, held)
  const first = save === null ? [] : [save]
  const next = [...first, ...drawActions(random, 3, first.reduce(after, held))]
  return [...next, drawInstall(random, next.reduce(after, held))]
}

/** What became of the actions of a life: those that were acknowledged, and those that failed, by number. */
export interface Outcome {
  readonly done: ReadonlySet<number>
  readonly failed: ReadonlySet<number>
}

/** Does one after the other until one fails; a save may run beside the writes that follow it, up to the next save. */
export const perform = (journal: DiskJournal, actions: ReadonlyArray<Action>): Effect.Effect<Outcome> =>
  Effect.gen(function*() {
    const done = new Set<number>()
    const failed = new Set<number>()
    const settle = (index: number, exit: Exit.Exit<unknown, unknown>) => void (Exit.isSuccess(exit) ? done : failed).add(index)
    const write = (index: number, one: JournalWrite) => Effect.map(Effect.exit(journal.write(one)), (exit) => settle(index, exit))
    const save = (index: number, op: number) =>
      Effect.map(Effect.exit(journal.save(snapshotOf(op))), (exit) => settle(index, exit))
    let saving: Fiber.Fiber<void> | null = null
    for (const [index, action] of actions.entries()) {
      if (failed.size > 0) break
      if (action._tag === "Write") {
        yield* write(index, action.write)
        continue
      }
      if (saving !== null) yield* Fiber.join(saving)
      if (failed.size > 0) break
      saving = yield* Effect.forkChild(save(index, action.op), { startImmediately: true })
      if (action.waits) yield* Fiber.join(saving)
    }
    if (saving !== null) yield* Fiber.join(saving)
    return { done, failed }
  })

/** All that may be there: what was acknowledged, and of what failed any part. Nothing is shortened. */
export const possible = (actions: ReadonlyArray<Action>, { done, failed }: Outcome, before: Held = nothingHeld): ReadonlyArray<Held> =>
  actions.reduce<ReadonlyArray<Held>>((states, action, index) => {
    if (!done.has(index) && !failed.has(index)) return states
    const next = states.map((state) => after(state, action))
    return done.has(index) ? next : [...states, ...next]
  }, [before])

/** Is it that, shortened or not? */
export const isFound = (found: Stored, held: Held): boolean => {
  const { base, commit, doubt, entries, head, snapshot } = found
  const most = held.kept.length === 2 ? held.kept[0]!.op : held.base
  if (doubt !== null || base < held.base || base > most) return false
  if (commit !== held.commit || snapshot !== held.snapshot || lastOp(found) !== lastOp(held)) return false
  return isEqual({ entries, head }, { entries: held.entries.slice(base - held.base), head: held.head })
}

const isEqual = (one: unknown, other: unknown): boolean => {
  try {
    assert.deepStrictEqual(one, other)
    return true
  } catch {
    return false
  }
}

/** Fails unless it is one of these, and gives the snapshot that it says it has. Which one it is. */
export const judge = (journal: DiskJournal, found: Stored, states: ReadonlyArray<Held>, said: string): Effect.Effect<Held> =>
  Effect.gen(function*() {
    const held = states.find((state) => isFound(found, state))
    assert.isDefined(held, `${said}: ${JSON.stringify(summary(found))} is none of ${JSON.stringify(states.map(summary))}`)
    if (found.snapshot !== null) assert.deepStrictEqual(yield* Effect.orDie(restored(journal)), partsOf(found.snapshot), said)
    return { ...held!, base: found.base, entries: found.entries }
  })

const summary = (stored: Stored) => {
  const { base, commit, doubt, head, snapshot } = stored
  return { base, commit, doubt, snapshot, op: lastOp(stored), view: head?.view }
}

export interface Crash {
  readonly seed: number
  /** So many steps happen before. */
  readonly step: number
  /** Does the power go, or does the process end? */
  readonly power: boolean
}

/**
 * Does the actions until the disk fails, and then opening as well if need be: all that was acknowledged is there, and the
 * next life can do all of it. Did it fail at all, and what was it about to do? The disk is as it was found after that.
 */
export const crash = Effect.fnUntraced(function*(actions: ReadonlyArray<Action>, { power, seed, step }: Crash) {
  const random = seeded(seed * 1000 + step)
  const disk = new TestLogDisk(random)
  disk.isBusy = true
  const said = `seed ${seed}, step ${step}, power ${power}`
  const opened = Effect.suspend(() => {
    const journal = journalOn(disk)
    return Effect.map(journal.open, (found) => ({ journal, found }))
  })
  const restart = () => power ? disk.losePower() : disk.repair()
  const first = yield* opened
  disk.steps.length = 0
  disk.failAt(step)
  const outcome = yield* perform(first.journal, actions)
  const steps = disk.steps.slice()
  restart()
  // Opening may be cut short as well.
  disk.failAt(Math.floor(random.next() * 8))
  yield* Effect.exit(opened)
  restart()
  const { found, journal } = yield* opened
  const held = yield* judge(journal, found, possible(actions, outcome), said)
  // What was found is durable now, and the next life can do all of it.
  disk.losePower()
  const again = yield* opened
  const now = yield* judge(again.journal, again.found, [held], `${said}, again`)
  const more = drawWholeLife(random, now)
  const { failed } = yield* perform(again.journal, more)
  assert.strictEqual(failed.size, 0, said)
  disk.losePower()
  const last = yield* opened
  yield* judge(last.journal, last.found, [more.reduce(after, now)], `${said}, at the end`)
  assert.isFalse(disk.names.some((name) => /\.(?:tmp|damaged|spare)$/.test(name)), said)
  return { failed: outcome.failed.size > 0, cut: outcome.failed.size > 0 ? steps[step] ?? "" : "", steps }
})
