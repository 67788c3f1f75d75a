/**
 * A file that is written in whole pages: what is in it, and how it came there.
 *
 * @module
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { concat } from "../../src/base/Bytes.ts"
import { Limits } from "../../src/base/Limits.ts"
import { seeded } from "../../src/base/Random.ts"
import { page_bytes } from "../../src/storage/log/LogDisk.ts"
import { PageWriter } from "../../src/storage/PageWriter.ts"
import { squeeze } from "../simulation/Squeeze.ts"
import { TestLogDisk } from "./TestLogDisk.ts"

const longest = 3 * page_bytes

/** Bytes of its own, or made in the room that there is. */
const chunk = fc.record({
  length: fc.oneof(fc.nat(40), fc.integer({ min: 0, max: longest }), fc.constantFrom(page_bytes - 1, page_bytes, page_bytes + 1)),
  inRoom: fc.boolean()
})

const write = (lengths: ReadonlyArray<{ readonly length: number; readonly inRoom: boolean }>) =>
  Effect.gen(function*() {
    const disk = new TestLogDisk(seeded(1))
    const file = yield* disk.create("/file")
    const past: Array<Uint8Array> = []
    const writer = new PageWriter({
      ...file,
      read: file.read,
      close: file.close,
      writePast: (at, bytes) => {
        assert.deepStrictEqual([at % page_bytes, bytes.byteOffset % page_bytes, bytes.length % page_bytes], [0, 0, 0])
        assert.isAtLeast(bytes.length, Limits.snapshot_write_bytes)
        past.push(bytes)
        return file.writePast(at, bytes)
      }
    }, longest)
    const all: Array<Uint8Array> = []
    for (const [index, { inRoom, length }] of lengths.entries()) {
      const bytes = new Uint8Array(length).fill(1 + index % 250)
      const place = writer.room(0).subarray(0, length)
      if (inRoom) place.set(bytes)
      writer.add(inRoom ? place : bytes)
      all.push(bytes)
      if (writer.isFull) yield* writer.write
    }
    yield* writer.end
    assert.deepStrictEqual(disk.content("/file"), Uint8Array.from(concat(all)))
    disk.losePower()
    assert.strictEqual(disk.steps.at(-1), "sync /file")
    return past
  })

it("has all that was added, in order, however that comes, and goes past the cache in whole pages", () => {
  const release = squeeze({ snapshot_write_bytes: 2 * page_bytes })
  try {
    fc.assert(fc.property(fc.array(chunk, { maxLength: 40, size: "max" }), (chunks) => {
      Effect.runSync(write(chunks))
    }), { numRuns: 200 })
  } finally {
    release()
  }
})

it("that is short is one write", () => {
  assert.deepStrictEqual(Effect.runSync(write([{ length: 100, inRoom: true }, { length: 100, inRoom: false }])), [])
})

it("is written from memory that no other one has, but that one had that has ended", () => {
  const file = new TestLogDisk(seeded(1)).create("/file").pipe(Effect.runSync)
  const [one, another] = [new PageWriter(file, longest), new PageWriter(file, longest)]
  const memoryOf = (writer: PageWriter) => writer.room(0).buffer
  assert.notStrictEqual(memoryOf(one), memoryOf(another))
  Effect.runSync(one.end)
  const next = new PageWriter(file, longest)
  assert.strictEqual(memoryOf(next), memoryOf(one))
  assert.notStrictEqual(memoryOf(new PageWriter(file, longest)), memoryOf(one))
  Effect.runSync(next.end)
  assert.notStrictEqual(memoryOf(new PageWriter(file, 2 * longest)), memoryOf(one))
})
