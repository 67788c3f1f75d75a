/**
 * A log that someone changed while nobody looked: every bit, every length, and whole parts lost, doubled or in each
 * other's place. What is found is what was written, or it is in doubt, or refused; never a wrong answer.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { crc32 } from "node:zlib"
import { seeded } from "../../src/base/Random.ts"
import { encodeHeadFile } from "../../src/storage/HeadFileLive.ts"
import type { JournalWrite, Stored } from "../../src/storage/Journal.ts"
import { afterWrite, foundIn, type Held, nothingHeld, nothingStored } from "../../src/storage/JournalModel.ts"
import { decodePreamble, format_version, preamble_bytes, seedOf } from "../../src/storage/log/Segment.ts"
import type { Layout } from "../../src/storage/SegmentsLive.ts"
import { entries, head, tenant, write } from "../contracts/Journal.ts"
import { journalOn, place, segment } from "./Scripts.ts"
import { TestLogDisk } from "./TestLogDisk.ts"

const big = entries(4, 2).map((entry) => ({ ...entry, operation: new Uint8Array(700).fill(entry.op) }))
const script: ReadonlyArray<JournalWrite> = [
  write({ head: head(0, 0, { fresh: true }) }),
  write({ head: head(1, 0), entries: entries(1, 3), commit: 1 }),
  write({ entries: big, commit: 2 }),
  write({ head: head(2), truncate_to: 3, entries: entries(4, 2), commit: 3 }),
  write({ entries: entries(6, 1), commit: 4 }),
  write({ entries: entries(7, 2), commit: 6 }),
  write({ entries: entries(9, 1), commit: 8 })
]
const states = script.reduce<ReadonlyArray<Held>>(
  (states, write) => [...states, afterWrite(states.at(-1)!, write, "disk")],
  [nothingHeld]
).map(foundIn)
const whole = states.at(-1)!

/** Two files, of 3 and 2 KiB and more. */
const layout: Layout = { segment_bytes_max: 3072, step_bytes: 1024 }
const oneFile: Layout = { segment_bytes_max: 2 ** 20, step_bytes: 1024 }

const written = (layout: Layout, writes = script) =>
  Effect.gen(function*() {
    const disk = new TestLogDisk(seeded(1))
    const journal = journalOn(disk, layout)
    yield* journal.open
    for (const write of writes) yield* journal.write(write)
    return disk
  })

type Outcome = "whole" | "tail lost" | "doubt" | "refused"

/** What opening makes of it; fails if that is a wrong answer. At most so many writes at the end may be lost. */
const judge = (disk: TestLogDisk, layout: Layout, said: string, losable: number): Effect.Effect<Outcome> =>
  Effect.gen(function*() {
    const before = disk.names.map((name) => disk.content(name).slice())
    const exit = yield* Effect.exit(journalOn(disk, layout).open)
    if (Exit.isFailure(exit)) return "refused"
    const found: Stored = { ...exit.value, notes: [] }
    if (found.doubt === null) {
      const isWhole = found.entries.length === whole.entries.length
      assert.deepInclude(isWhole ? [whole] : states.slice(-1 - losable), found, said)
      return isWhole ? "whole" : "tail lost"
    }
    assert.deepStrictEqual(found, { ...nothingStored, head: head(2), doubt: found.doubt }, said)
    assert.isTrue(disk.names.every((name, at) => equal(disk.content(name), before[at]!)), `${said}: files are touched`)
    return "doubt"
  })

const equal = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0

/** Opens a copy of the disk after each change, and counts what came of it. */
const outcomes = (
  layout: Layout,
  disk: TestLogDisk,
  changes: Iterable<readonly [said: string, change: (disk: TestLogDisk) => void]>,
  losable = 1
) =>
  Effect.gen(function*() {
    const names = disk.names.map((name) => [name, disk.content(name).slice()] as const)
    const seen: Record<Outcome, Array<string>> = { whole: [], "tail lost": [], doubt: [], refused: [] }
    for (const [said, change] of changes) {
      const copy = new TestLogDisk(seeded(1))
      for (const [name, bytes] of names) copy.change(name, bytes)
      change(copy)
      seen[yield* judge(copy, layout, said, losable)].push(said)
    }
    return seen
  })

const changed = (disk: TestLogDisk, name: string, change: (bytes: Uint8Array) => Uint8Array | void) => {
  const bytes = disk.content(name).slice()
  disk.change(name, change(bytes) ?? bytes)
}

describe("a small log, damaged", () => {
  it.effect("by any single bit is as it was, or in doubt", () =>
    Effect.gen(function*() {
      const disk = yield* written(layout)
      assert.deepStrictEqual(disk.names, [place.headFile, segment(1), segment(2)])
      /** All bits of the writes in the last file, and one of each other byte. */
      const flips = function*(name: string) {
        const bytes = disk.content(name)
        const end = bytes.findLastIndex((byte) => byte !== 0) + 64
        for (let at = 0; at < bytes.length; at++) {
          for (let bit = 0; bit < (name === segment(2) && at >= preamble_bytes && at < end ? 8 : 1); bit++) {
            const flip = (at + bit) % 8
            yield [`${name}: bit ${flip} of byte ${at}`, (copy: TestLogDisk) =>
              changed(copy, name, (bytes) => void (bytes[at]! ^= 1 << flip))] as const
          }
        }
      }
      for (const name of [segment(1), segment(2)]) {
        const seen = yield* outcomes(layout, disk, flips(name))
        assert.deepStrictEqual(seen["tail lost"], [])
        assert.deepStrictEqual(seen.refused, [])
        assert.isAbove(seen.doubt.length, 2000)
        assert.isAbove(seen.whole.length, 500)
      }
      const { doubt, refused, whole, ...rest } = yield* outcomes(layout, disk, flips(place.headFile))
      assert.deepStrictEqual(rest, { "tail lost": [] })
      // White space, and the digit of the format version.
      assert.isAbove(doubt.length, 300)
      assert.isBelow(whole.length, 150)
      assert.isBelow(refused.length, 10)
    }), 60_000)

  it.effect("by a cut at any byte is in doubt", () =>
    Effect.gen(function*() {
      const disk = yield* written(layout)
      const cuts = function*(name: string) {
        // Without its last byte, the end of a line, the head file is as good as before.
        for (let size = 0; size < disk.content(name).length - (name === place.headFile ? 1 : 0); size++) {
          yield [`${size}`, (copy: TestLogDisk) => changed(copy, name, (bytes) => bytes.slice(0, size))] as const
        }
      }
      for (const name of disk.names) {
        const { doubt: _, ...rest } = yield* outcomes(layout, disk, cuts(name))
        assert.deepStrictEqual(rest, { whole: [], "tail lost": [], refused: [] }, name)
      }
    }))

  it.effect("by a cut where a file may end is in doubt, without help of the head file", () =>
    Effect.gen(function*() {
      const long = big.map((entry) => entry.operation).concat(big.map((entry) => entry.operation))
      const disk = yield* written(oneFile, [
        write({ head: head(2) }),
        ...long.map((operation, index) => write({ entries: [{ ...entries(index + 1, 1)[0]!, operation }] }))
      ])
      const size = disk.content(segment(1)).length
      assert.isAbove(size, 4 * 1024)
      const steps = Array.from({ length: size / 1024 }, (_, index) => index * 1024)
      const { doubt } = yield* outcomes(
        oneFile,
        disk,
        steps.map((size) => [`${size}`, (copy) => changed(copy, segment(1), (bytes) => bytes.slice(0, size))])
      )
      assert.strictEqual(doubt.length, steps.length)
    }))

  it.effect("by zeros from any byte on is in doubt, or has lost writes that no bound covers", () =>
    Effect.gen(function*() {
      const disk = yield* written(layout)
      const zeros = function*(name: string) {
        for (let at = 0; at < disk.content(name).length; at++) {
          yield [`${at}`, (copy: TestLogDisk) => changed(copy, name, (bytes) => void bytes.fill(0, at))] as const
        }
      }
      const first = yield* outcomes(layout, disk, zeros(segment(1)))
      assert.deepStrictEqual(first["tail lost"], [])
      const second = yield* outcomes(layout, disk, zeros(segment(2)), 3)
      assert.isAbove(second["tail lost"].length, 100)
      assert.isAbove(second.doubt.length, preamble_bytes - 500)
    }))

  it.effect("by files that are lost, doubled, or in each other's place is in doubt", () =>
    Effect.gen(function*() {
      const disk = yield* written({ segment_bytes_max: 2048, step_bytes: 1024 })
      const files = disk.names
      assert.isAbove(files.length, 3)
      const changes = files.flatMap((one) => [
        [`${one} lost`, (copy: TestLogDisk) => copy.change(one, null)] as const,
        [`${one} empty`, (copy: TestLogDisk) => copy.change(one, new Uint8Array(0))] as const,
        ...files.filter((other) => other !== one).map((other) =>
          [`${one} as ${other}`, (copy: TestLogDisk) => copy.change(other, copy.content(one))] as const
        ),
        ...files.filter((other) => other > one && one !== place.headFile).map((other) =>
          [`${one} and ${other}`, (copy: TestLogDisk) => {
            const kept = copy.content(one)
            copy.change(one, copy.content(other))
            copy.change(other, kept)
          }] as const
        )
      ])
      const { doubt, ...rest } = yield* outcomes(layout, disk, changes)
      assert.deepStrictEqual(rest, { whole: [], "tail lost": [], refused: [] })
      assert.strictEqual(doubt.length, changes.length)
    }))

  it.effect("by writes that are lost, doubled, or in each other's place is in doubt", () =>
    Effect.gen(function*() {
      const disk = yield* written(oneFile)
      const file = disk.content(segment(1))
      const starts = Array.from({ length: file.length / 64 }, (_, index) => index * 64)
        .filter((at) => at >= preamble_bytes && Buffer.from(file.subarray(at, at + 4)).toString() === "V2RB")
      assert.strictEqual(starts.length, script.length)
      const end = file.findLastIndex((byte) => byte !== 0) + 1
      const batches = starts.map((at, index) => file.slice(at, starts[index + 1] ?? end))
      const made = (order: ReadonlyArray<number>) => (copy: TestLogDisk) => {
        const bytes = [file.slice(0, preamble_bytes), ...order.map((index) => batches[index]!)].flatMap((part) => [...part])
        copy.change(segment(1), Uint8Array.from([...bytes, ...new Uint8Array((1024 - bytes.length % 1024) % 1024)]))
      }
      const all = batches.map((_, index) => index)
      const orders = all.flatMap((one) => [
        ...(one === all.length - 1 ? [] : [all.filter((index) => index !== one)]),
        ...all.map((other) => all.toSpliced(other, 0, one)),
        ...all.filter((other) => other > one).map((other) => all.with(one, other).with(other, one))
      ])
      const { doubt, ...rest } = yield* outcomes(oneFile, disk, orders.map((order) => [order.join(), made(order)]))
      assert.deepStrictEqual({ ...rest, refused: [] }, { whole: [], "tail lost": [], refused: [] })
      assert.strictEqual(doubt.length, orders.length)
      const lost = yield* outcomes(oneFile, disk, [["last", made(all.slice(0, -1))]])
      assert.strictEqual(lost.doubt.length + lost["tail lost"].length, 1)
    }))
})

/** The header of a segment is right by its checksum. */
const resealed = (bytes: Uint8Array) => {
  const view = new DataView(bytes.buffer)
  view.setUint32(12, crc32(bytes.subarray(16, 512), crc32(bytes.subarray(8, 12))))
}

const decodedLog = (bytes: Uint8Array): string => {
  const header = decodePreamble(bytes, crc32)
  assert.isTrue("log" in header)
  return "log" in header ? header.log : ""
}

describe("a doubt", () => {
  const three: Layout = { segment_bytes_max: 2048, step_bytes: 1024 }
  const flip = (name: string, at: number) => (disk: TestLogDisk) =>
    changed(disk, name, (bytes) => void (bytes[at]! ^= 1))
  /** A file whose header says something else than it did, in 8 bytes, and is right by its checksum. */
  const said = (name: string, at: number, value: number) => (disk: TestLogDisk) =>
    changed(disk, name, (bytes) => {
      new DataView(bytes.buffer).setUint32(at + 4, value)
      resealed(bytes)
    })

  /** The head of the first write of a file, changed, with its checksums right and those of what follows it wrong. */
  const headChanged = (name: string, offset: number, value: number) => (disk: TestLogDisk) =>
    changed(disk, name, (bytes) => {
      const seed = seedOf(decodedLog(bytes), crc32)
      const batch = preamble_bytes
      const view = new DataView(bytes.buffer)
      bytes[batch + 64 + offset] = value
      view.setUint32(batch + 20, crc32(bytes.subarray(batch + 64, batch + 64 + view.getUint32(batch + 16)), seed))
      view.setUint32(batch + 4, crc32(bytes.subarray(batch + 8, batch + 64), seed))
    })

  it.effect.each<[string, (disk: TestLogDisk) => void, string]>([
    ["a group that is longer than its write", headChanged(segment(3), 28, 1), `${segment(3)}, at byte 1024: write 4 cannot be read`],
    ["a group that is shorter", headChanged(segment(3), 31, 3), `${segment(3)}, at byte 1024: write 4 cannot be read`],
    ["a group of other bytes", headChanged(segment(3), 33, 0xc1), `${segment(3)}, at byte 1024: write 4 cannot be read`],
    ["a file that is missing", (disk) => disk.change(segment(2), null), `${segment(2)} is missing`],
    [
      "a file in the place of another",
      (disk) => disk.change(segment(2), disk.content(segment(3))),
      `${segment(2)}: it is file 3 of its log, where file 2 has to be`
    ],
    [
      "a file that begins with another write",
      said(segment(2), 24, 9),
      `${segment(2)}: it begins with write 9, the file before it ends with write 2`
    ],
    [
      "a file that follows another op",
      said(segment(2), 32, 2),
      `${segment(2)}: it begins with write 3, the file before it ends with write 2`
    ],
    [
      "a file that follows another write with the same number",
      (disk) =>
        changed(disk, segment(2), (bytes) => {
          bytes[40]! ^= 1
          resealed(bytes)
        }),
      `${segment(2)}: it begins with write 3, the file before it ends with write 2`
    ],
    ["a header", flip(segment(1), 20), `${segment(1)}: its header is not as it was written`],
    ["a file that was cut", (disk) => changed(disk, segment(1), (bytes) => bytes.slice(0, 1500)),
      `${segment(1)}: it has been cut: it has 1500 bytes, no multiple of 1024`],
    ["a write", flip(segment(1), 1100), `${segment(1)}, at byte 1024: a write is not as it was written, and write 2 follows`],
    ["the head file", flip(place.headFile, 300), `${place.headFile} is damaged: `],
    ["the head file, lost", (disk) => disk.change(place.headFile, null), `${place.headFile} is missing, though there is a log`]
  ])("says what is wrong, and where: %s", ([, change, text]) =>
    Effect.gen(function*() {
      const disk = yield* written(three)
      change(disk)
      const { doubt } = yield* journalOn(disk, three).open
      assert.strictEqual(doubt?.slice(0, text.length), text)
    }))
})

describe("a log is refused", () => {
  const refusal = (change: (disk: TestLogDisk) => void) =>
    Effect.gen(function*() {
      const disk = yield* written(layout)
      change(disk)
      const error = yield* Effect.flip(journalOn(disk, layout).open)
      assert.strictEqual(error.during, "open")
      return error.message
    })
  it.effect("of another replica", () =>
    Effect.gen(function*() {
      const message = yield* refusal((disk) =>
        changed(disk, segment(1), (bytes) => {
          bytes.set(Buffer.from("r2::dev1"), Buffer.from(bytes).indexOf("r1::dev1"))
          resealed(bytes)
        }))
      const said = `the log belongs to ${tenant}::r2::dev1, not to ${tenant}::r1::dev1; put it back where it was`
      assert.strictEqual(message, `${segment(1)}: ${said}`)
    }))

  it.effect.each([
    ["a newer", format_version + 1, "start the program that wrote it, or a newer one"],
    ["an older", format_version - 1, "start the program that wrote it"]
  ] as const)("of %s program", ([, version, advice]) =>
    Effect.gen(function*() {
      const message = yield* refusal((disk) =>
        changed(disk, segment(1), (bytes) => {
          bytes[11] = version
          resealed(bytes)
        }))
      const said = `it has format version ${version}; this program knows version ${format_version}; ${advice}`
      assert.strictEqual(message, `${segment(1)}: ${said}`)
    }))

  it.effect("beside a head file of durability memory", () =>
    Effect.gen(function*() {
      const message = yield* refusal((disk) => disk.change(place.headFile, encodeHeadFile(place, { head: head(2), log: null })))
      assert.include(message, "the file is of a tenant with durability memory, not disk")
    }))
})

describe("what is not damage", () => {
  it.effect("a log of one write without a head file: the crash came between", () =>
    Effect.gen(function*() {
      const disk = yield* written(layout, script.slice(0, 1))
      disk.change(place.headFile, null)
      assert.deepStrictEqual(yield* journalOn(disk, layout).open, states[1])
      assert.include(disk.names, place.headFile)
    }))
})
