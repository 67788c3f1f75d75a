/**
 * Snapshots, and logs that begin behind one, that someone changed while nobody looked: any bit, any length, files lost or
 * in each other's place. What is found is what was written, or it is in doubt, or refused; never a wrong answer.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { crc32 } from "node:zlib"
import { concat } from "../../src/base/Bytes.ts"
import { seeded } from "../../src/base/Random.ts"
import { afterSave, afterWrite, type Held, nothingHeld, nothingStored, replacement } from "../../src/storage/JournalModel.ts"
import { SnapshotEncoder } from "../../src/wire/SnapshotFile.ts"
import { entries, head, tenant, write } from "../contracts/Journal.ts"
import { partsOf, range, snapshotOf } from "../contracts/Snapshots.ts"
import { journalOn, place, segment, snapshotFile } from "./Scripts.ts"
import { judge } from "./SnapshotScripts.ts"
import { TestLogDisk } from "./TestLogDisk.ts"

const otherTenant = "9a4d3f2b-8c1e-4e6f-8b1a-0c2d3e4f5a6b"

/** Ops 1 to 6, each in a file of its own; the head is in the first one. */
const writes = [
  write({ head: head(3), entries: [{ ...entries(1, 1)[0]!, operation: new Uint8Array(4000) }] }),
  ...range(2, 6).map((op) =>
    write({ entries: [{ ...entries(op, 1)[0]!, operation: new Uint8Array(4000).fill(op) }], commit: op - 1 })
  )
]
const logOnly = writes.reduce((held, one) => afterWrite(held, one, "disk"), nothingHeld)
const savedAt = (...ops: ReadonlyArray<number>): Held =>
  ops.reduce((held, op) => afterSave(held, { op, parts: partsOf(op) }), logOnly)

/** The snapshot of that op serves, and the log has all that follows it, or more. */
const serving = (op: number): Held => {
  const kept = { op, parts: partsOf(op) }
  return { ...savedAt(op), kept: [kept, kept] }
}

/** With snapshots of these ops. */
const filledDisk = (...ops: ReadonlyArray<number>) =>
  Effect.gen(function*() {
    const disk = new TestLogDisk(seeded(1))
    const journal = journalOn(disk)
    yield* journal.open
    for (const one of writes) yield* journal.write(one)
    for (const op of ops) yield* journal.save(snapshotOf(op))
    return disk
  })

const copyOf = (disk: TestLogDisk): TestLogDisk => {
  const copy = new TestLogDisk(seeded(1))
  for (const name of disk.names) copy.change(name, disk.content(name))
  return copy
}
const changed = (disk: TestLogDisk, name: string, change: (bytes: Uint8Array) => Uint8Array | void): void => {
  const bytes = disk.content(name).slice()
  disk.change(name, change(bytes) ?? bytes)
}
const filesOf = (disk: TestLogDisk) => disk.names.map((name) => `${name} ${crc32(disk.content(name))}`)

/** The file of a snapshot, whole, of what `op` says, or of something else. */
const fileOf = (op: number, of = tenant, parts = partsOf(op)): Uint8Array => {
  const encoder = new SnapshotEncoder({ tenant: of, op })
  return concat([encoder.header, ...parts.flatMap((part) => [...encoder.part(part)]), encoder.end()])
}

const changedHeader = (op: number): Uint8Array => {
  const bytes = fileOf(op)
  bytes[20]! ^= 1
  return bytes
}

type Result = "doubt" | "refused" | number | null

/** What opening comes to: the snapshot that serves, with all that was ever written, or why there is none. */
const outcome = (disk: TestLogDisk, said: string, states: ReadonlyArray<Held>): Effect.Effect<Result> =>
  Effect.gen(function*() {
    const before = filesOf(disk)
    const journal = journalOn(disk)
    const exit = yield* Effect.exit(journal.open)
    if (Exit.isSuccess(exit) && exit.value.doubt === null) {
      const { commit, ...found } = exit.value
      // Of what only a snapshot that is damaged had committed, nothing is known.
      const known = states.map((held) => ({ ...held, commit }))
      yield* judge(journal, { ...found, commit, notes: [], damage: [] }, known, said)
      assert.isTrue(commit >= (found.snapshot ?? 0) && commit <= 6)
      return found.snapshot
    }
    assert.deepStrictEqual(filesOf(disk), before, `${said}: files are touched`)
    if (Exit.isFailure(exit)) {
      assert.isTrue(Exit.isFailure(exit) && String(exit.cause).includes("JournalError"), `${said}: ${String(exit.cause)}`)
      return "refused"
    }
    assert.deepStrictEqual({ ...exit.value, doubt: null, head: null }, nothingStored, said)
    assert.strictEqual(exit.value.head?.view, 3, said)
    return "doubt"
  })

/** What opening a copy of the disk comes to after each change; how often each. */
const outcomes = (
  disk: TestLogDisk,
  states: ReadonlyArray<Held>,
  changes: Iterable<readonly [said: string, change: (disk: TestLogDisk) => void]>
) =>
  Effect.gen(function*() {
    const seen = new Map<Result, number>()
    for (const [said, change] of changes) {
      const copy = copyOf(disk)
      change(copy)
      const result = yield* outcome(copy, said, states)
      seen.set(result, (seen.get(result) ?? 0) + 1)
    }
    return seen
  })

const flip = (name: string, bit: number) =>
  [`bit ${bit} of ${name}`, (disk: TestLogDisk) =>
    changed(disk, name, (bytes) => void (bytes[bit >> 3]! ^= 1 << (bit & 7)))] as const

const states = [serving(2), serving(4)]

describe("a snapshot, damaged", () => {
  it.effect("by any single bit, or a cut at any byte, makes room for the older one", () =>
    Effect.gen(function*() {
      const disk = yield* filledDisk(2, 4)
      const size = disk.content(snapshotFile(4)).length
      const bits = range(0, 8 * size - 1)
      const flips = yield* outcomes(disk, states, bits.filter((bit) => bit % 3 === 0).map((bit) => flip(snapshotFile(4), bit)))
      assert.deepStrictEqual([...flips.keys()], [2])
      const cuts = range(0, size - 1).map((length) => [`${length}`, (disk: TestLogDisk) =>
        changed(disk, snapshotFile(4), (bytes) => bytes.slice(0, length))] as const)
      assert.deepStrictEqual([...(yield* outcomes(disk, states, cuts)).keys()], [2])
      const older = yield* outcomes(disk, states, range(0, 99).map((bit) => flip(snapshotFile(2), bit * 7)))
      assert.deepStrictEqual([...older.keys()], [4])
    }), 60_000)

  const seed = 20_261_128
  it.effect(`by bits drawn from seed ${seed}, with parts of any length, makes room for the older one`, () =>
    Effect.gen(function*() {
      const random = seeded(seed)
      const parts = [70_000, 1, 300_000, 5, 1_200_000, 900].map((size, index) => new Uint8Array(size).fill(index))
      const disk = yield* filledDisk(2, 4)
      disk.change(snapshotFile(4), fileOf(4, tenant, parts))
      const size = disk.content(snapshotFile(4)).length
      for (let time = 0; time < 60; time++) {
        const copy = copyOf(disk)
        const at = Math.floor(random.next() * size)
        changed(copy, snapshotFile(4), (bytes) => void (bytes[at]! ^= 1 << (at & 7)))
        assert.strictEqual(yield* outcome(copy, `seed ${seed}, byte ${at}`, states), 2)
      }
    }))

  it.effect("is set aside, and said; the next one takes its place", () =>
    Effect.gen(function*() {
      const disk = yield* filledDisk(2, 4)
      for (const time of [1, 2]) {
        changed(disk, snapshotFile(4), (bytes) => void (bytes[70]! ^= 1))
        const journal = journalOn(disk)
        const { damage } = yield* journal.open
        const reason = "part 1 is not as it was written. It is set aside; that of op 2 serves"
        assert.deepStrictEqual(damage, [`${snapshotFile(4)} is damaged: ${reason}`])
        yield* journal.save(snapshotOf(4))
        const aside = range(1, time).map((number) => `${snapshotFile(4)}.${number}.damaged`)
        const log = range(3, 6).map(segment)
        assert.deepStrictEqual(disk.names, [place.headFile, ...log, snapshotFile(2), snapshotFile(4), ...aside])
        assert.strictEqual(yield* outcome(copyOf(disk), "mended", states), 4)
      }
    }))

  it.effect("is one of another op, and one that is not what was installed", () =>
    Effect.gen(function*() {
      const disk = yield* filledDisk(2, 4)
      disk.change(snapshotFile(4), fileOf(3))
      assert.strictEqual(yield* outcome(disk, "of another op", states), 2)
      const journal = journalOn(disk)
      yield* journal.open
      yield* journal.write(write({ snapshot: snapshotOf(9), commit: 9 }))
      disk.change(snapshotFile(9), fileOf(9, tenant, partsOf(10)))
      const { doubt } = yield* journalOn(disk).open
      assert.include(doubt, `${snapshotFile(9)} is damaged: it is not the one that the log was begun with`)
    }))

  it.effect("is refused if it is another tenant's, or a newer program's", () =>
    Effect.gen(function*() {
      const disk = yield* filledDisk(2, 4)
      disk.change(snapshotFile(4), fileOf(4, otherTenant))
      const foreign = `the snapshot is of tenant ${otherTenant}, not ${tenant}; put it back where it was`
      assert.strictEqual((yield* Effect.flip(journalOn(disk).open)).message, `${snapshotFile(4)}: ${foreign}`)
      disk.change(snapshotFile(4), fileOf(4))
      changed(disk, snapshotFile(4), (bytes) => {
        bytes[11] = 2
        new DataView(bytes.buffer).setUint32(12, crc32(bytes.subarray(16, 64), crc32(bytes.subarray(8, 12))))
      })
      const newer = "it has format version 2; this program knows version 1; start the program that wrote it, or a newer one"
      assert.strictEqual((yield* Effect.flip(journalOn(disk).open)).message, `${snapshotFile(4)}: ${newer}`)
    }))

  it.effect("is refused if it is another tenant's, wherever its name puts it", () =>
    Effect.gen(function*() {
      for (const op of [1, 3, 9]) {
        const disk = yield* filledDisk(2, 4)
        disk.change(snapshotFile(op), fileOf(op, otherTenant))
        assert.strictEqual(yield* outcome(disk, `op ${op}`, states), "refused")
      }
    }))

  it.effect("in its header, or called otherwise than it is, is set aside, and never the older one", () =>
    Effect.gen(function*() {
      const files = (op: number) => [new Uint8Array(0), changedHeader(op), fileOf(op).slice(0, 63), fileOf(5)]
      for (const op of [1, 3, 9]) {
        for (const [index, bytes] of files(op).entries()) {
          const said = `op ${op}, file ${index}`
          const disk = yield* filledDisk(2, 4)
          disk.change(snapshotFile(op), bytes)
          const { damage } = yield* journalOn(disk).open
          assert.lengthOf(damage, 1, said)
          assert.include(damage[0], `${snapshotFile(op)} is damaged: `)
          assert.include(disk.names, `${snapshotFile(op)}.1.damaged`, said)
          changed(disk, snapshotFile(4), (bytes) => bytes.slice(0, 100))
          assert.strictEqual(yield* outcome(disk, said, states), 2)
        }
      }
    }))

  it.effect("while it is restored fails, and the next life finds it", () =>
    Effect.gen(function*() {
      const disk = yield* filledDisk(2, 4)
      const journal = journalOn(disk)
      yield* journal.open
      changed(disk, snapshotFile(4), (bytes) => void (bytes[70]! ^= 1))
      const error = yield* Effect.flip(journal.restore(() => {}))
      const advice = "start the node again: it is set aside then, and the older one serves"
      const message = `${snapshotFile(4)}: part 1 is not as it was written; ${advice}`
      assert.deepInclude(error, { during: "restore", message })
      assert.deepStrictEqual(yield* Effect.flip(journal.write(write({ head: head(4), commit: 5 }))), error)
      assert.strictEqual(yield* outcome(disk, "the next life", states), 2)
    }))
})

describe("a log that begins behind a snapshot", () => {
  it.effect("of which any files are lost has all, or is in doubt (etcd#18055; brief §8.25)", () =>
    Effect.gen(function*() {
      const disk = yield* filledDisk(2, 4)
      // Spares are of no help.
      const files = disk.names.filter((name) => !name.endsWith(".spare"))
      assert.lengthOf(files, 7)
      const subsets = range(0, 2 ** files.length - 1).map((chosen) => files.filter((_, bit) => (chosen >> bit & 1) === 1))
      const lost = (these: ReadonlyArray<string>) => (disk: TestLogDisk) => these.forEach((name) => disk.change(name, null))
      const changes = subsets.map((these) => [`without ${these.join()}`, lost(these)] as const)
      const isHeadless = ([said]: readonly [string, unknown]): boolean => said.includes("head.json")
      const seen = yield* outcomes(disk, states, changes.filter((change) => !isHeadless(change)))
      // The newer one, and the log from file 3, 4 or 5 on; or the older one, and the log from file 3 on.
      assert.deepStrictEqual(seen, new Map<Result, number>([[4, 6], [2, 1], ["doubt", 57]]))
      const hasLog = ([said]: readonly [string, unknown]): boolean => !said.includes("00000006.log")
      const headless = yield* outcomes(disk, states, changes.filter((change) => isHeadless(change) && hasLog(change)))
      assert.deepStrictEqual(headless, new Map<Result, number>([["doubt", 32]]))
      lost(files.filter((name) => name !== snapshotFile(4)))(disk)
      const { doubt, head: promise } = yield* journalOn(disk).open
      assert.deepStrictEqual([doubt, promise], [`${snapshotFile(4)} was saved, though the log ends with op 0`, null])
    }))

  it.effect("and ends before the newest one is in doubt: it has lost what was there when that was saved", () =>
    Effect.gen(function*() {
      const disk = yield* filledDisk()
      const old = copyOf(disk)
      const journal = journalOn(disk)
      yield* journal.open
      yield* journal.write(write({ entries: entries(7, 3), commit: 6 }))
      yield* journal.save(snapshotOf(8))
      for (const name of [segment(6), segment(7)]) {
        if (disk.names.includes(name)) disk.change(name, old.names.includes(name) ? old.content(name) : null)
      }
      disk.change(place.headFile, old.content(place.headFile))
      const { doubt, head: promise } = yield* journalOn(disk).open
      assert.strictEqual(doubt, `${snapshotFile(8)} was saved, though the log ends with op 6`)
      assert.deepStrictEqual(promise, head(3))
    }))

  it.effect("and is in doubt has the highest promise that can be read, be it in a file behind the damage", () =>
    Effect.gen(function*() {
      const disk = yield* filledDisk(2, 4)
      const journal = journalOn(disk)
      yield* journal.open
      const last = { ...entries(7, 1)[0]!, view: 9, operation: new Uint8Array(5000) }
      yield* journal.write(write({ head: head(9), entries: [last], commit: 6 }))
      flip(place.headFile, 2400)[1](disk)
      const damages = [flip(segment(3), 8800)[1], flip(segment(4), 100)[1], (disk: TestLogDisk) => disk.change(segment(5), null)]
      for (const damage of damages) {
        const copy = copyOf(disk)
        damage(copy)
        const { doubt, head: promise } = yield* journalOn(copy).open
        assert.isString(doubt)
        assert.deepStrictEqual(promise, head(9))
        // What cannot be read itself promises nothing.
        flip(segment(7), 8800)[1](copy)
        assert.deepStrictEqual((yield* journalOn(copy).open).head, head(3))
      }
    }))

  const seed = 18_055
  it.effect(`damaged by bits drawn from seed ${seed} is as it was, or in doubt`, () =>
    Effect.gen(function*() {
      const random = seeded(seed)
      const disk = yield* filledDisk(2, 4)
      const logs = disk.names.filter((name) => name.startsWith(place.folder))
      const flips = range(1, 1500).map((): readonly [string, (disk: TestLogDisk) => void] => {
        const name = logs[Math.floor(random.next() * logs.length)]!
        return flip(name, Math.floor(random.next() * 8 * disk.content(name).length))
      })
      const seen = yield* outcomes(disk, states, flips)
      assert.sameMembers([...seen.keys()], [4, "doubt"])
      assert.isAbove(seen.get("doubt")!, 700)
    }), 60_000)
})

describe("a replacement", () => {
  it.effect("of a log in doubt, cut short at any step, sets its snapshots aside with it", () =>
    Effect.gen(function*() {
      for (const power of [false, true]) {
        for (let step = 0, failed = true; failed; step++) {
          const disk = yield* filledDisk(2, 4)
          changed(disk, segment(4), (bytes) => void (bytes[1100]! ^= 1))
          const files = disk.names.filter((name) => name !== place.headFile).map((name) => crc32(disk.content(name)))
          const journal = journalOn(disk)
          assert.isString((yield* journal.open).doubt)
          disk.failAt(step)
          failed = Exit.isFailure(yield* Effect.exit(journal.write(replacement(head(3)))))
          if (power) disk.losePower()
          else disk.repair()
          const again = journalOn(disk)
          const { doubt, head: promise, snapshot } = yield* again.open
          assert.isNull(snapshot)
          assert.isTrue(promise?.view === 3 && (doubt !== null || !promise.whole), `step ${step}`)
          yield* again.write(replacement(head(3)))
          yield* again.write(write({ snapshot: snapshotOf(9), commit: 9 }))
          const found = yield* journalOn(disk).open
          assert.deepStrictEqual([found.doubt, found.base, found.snapshot], [null, 9, 9])
          const aside = disk.names.filter((name) => name.includes(".damaged/")).map((name) => crc32(disk.content(name)))
          for (const file of files) assert.include(aside, file, `step ${step}, power ${power}`)
        }
      }
    }))

  it.effect("of a log that is not in doubt, cut short at any step, has happened or not", () =>
    Effect.gen(function*() {
      const replaced = afterWrite(savedAt(2, 4), replacement(head(3)), "disk")
      for (const power of [false, true]) {
        for (let step = 0, failed = true; failed; step++) {
          const disk = yield* filledDisk(2, 4)
          const journal = journalOn(disk)
          yield* journal.open
          disk.failAt(step)
          failed = Exit.isFailure(yield* Effect.exit(journal.write(replacement(head(3)))))
          if (power) disk.losePower()
          else disk.repair()
          const again = journalOn(disk)
          const found = yield* again.open
          yield* judge(again, { ...found, notes: [], damage: [] }, failed ? [savedAt(2, 4), replaced] : [replaced], `step ${step}`)
          if (found.snapshot === null) assert.isFalse(disk.names.some((name) => name.startsWith(place.snapshots)))
        }
      }
    }))
})
