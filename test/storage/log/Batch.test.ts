/**
 * Batches and segment headers, as bytes and back.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import { entryKinds } from "../../../src/vr/Message.ts"
import * as fc from "fast-check"
import { crc32 } from "node:zlib"
import {
  alignment_bytes,
  type Batch,
  batchBytes,
  decodeBatchHeader,
  decodeBody,
  encodeBatch,
  isBodyWhole,
  isCutShort,
  nextOffset
} from "../../../src/storage/log/Batch.ts"
import { isGroup } from "../../../src/storage/JournalModel.ts"
import {
  bound_offset,
  decodeBound,
  decodePreamble,
  encodeBound,
  encodePreamble,
  preamble_bytes,
  seedOf
} from "../../../src/storage/log/Segment.ts"

const natural = fc.oneof(fc.maxSafeNat(), fc.nat(300))
const name = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/)
const replicaId = fc.tuple(name, name).map((names) => names.join("::"))
const drawnGroup = fc.uniqueArray(replicaId, { minLength: 1, maxLength: 7 }).map((ids) => ids.toSorted())
const drawnHead = fc.record({
  epoch: natural,
  view: natural,
  log_view: natural,
  fresh: fc.boolean(),
  whole: fc.boolean(),
  replicas: drawnGroup,
  left: fc.boolean()
})
const drawnEntry = fc.record({
  view: natural,
  time: natural,
  kind: fc.constantFrom(...entryKinds),
  session: natural,
  request: natural,
  answered: natural,
  operation: fc.oneof(fc.uint8Array({ maxLength: 200, size: "max" }), fc.nat(3000).map((length) => new Uint8Array(length)))
})
const drawnBatch: fc.Arbitrary<Batch> = fc.record({
  head: fc.option(drawnHead),
  snapshot: fc.option(fc.record({ op: natural, bytes: natural, digest: fc.nat(2 ** 32 - 1) })),
  truncate_to: fc.option(natural),
  entries: fc.tuple(fc.nat(2 ** 40), fc.array(drawnEntry, { maxLength: 4 })).map(([first, entries]) =>
    entries.map((entry, index) => ({ ...entry, op: first + index }))
  ),
  commit: natural
})
const nothing: Batch = { head: null, snapshot: null, truncate_to: null, entries: [], commit: 0 }
const seed = seedOf("0123456789abcdef", crc32)

/** A file with one batch in it, and zeros around. */
const fileWith = (write: Batch, at: number, sequence: number, chain: number) => {
  const { bytes, checksum } = encodeBatch(write, { at, sequence, chain, seed }, crc32)
  const file = new Uint8Array(at + bytes.length + 512)
  file.set(bytes, at)
  return { file, checksum }
}

const bitsIn = (bytes: Uint8Array): number =>
  bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0)

describe("a batch", () => {
  const placed = [drawnBatch, fc.nat(40).map((n) => n * alignment_bytes), natural, fc.nat(2 ** 32 - 1)] as const

  it("comes back as it was, anywhere", () => {
    fc.assert(fc.property(...placed, (write, at, sequence, chain) => {
      const { checksum, file } = fileWith(write, at, sequence, chain)
      const header = decodeBatchHeader(file, at, seed, crc32)!
      assert.deepInclude(header, { sequence, chain, checksum, commit: write.commit, truncate_to: write.truncate_to })
      assert.isTrue(isBodyWhole(file, at, header, seed, crc32))
      assert.strictEqual(nextOffset(at, header), at + batchBytes(write))
      assert.strictEqual(batchBytes(write) % alignment_bytes, 0)
      const { head, snapshot, entries } = write
      assert.deepStrictEqual(decodeBody(file, at, header), { head, snapshot, entries })
    }))
  })

  it("is cut short when a sector of it, not its first, or any end of it was not written", () => {
    fc.assert(fc.property(...placed, fc.nat(), (write, at, sequence, chain, drawn) => {
      const { file } = fileWith(write, at, sequence, chain)
      const header = decodeBatchHeader(file, at, seed, crc32)!
      const end = nextOffset(at, header)
      const holed = file.slice()
      const sector = at - at % 512 + 512 * (1 + drawn % 6)
      const bits: Array<number> = []
      for (let from = at - at % 512 + 512; from < end; from += 512) bits.push(bitsIn(file.slice(from, Math.min(from + 512, end))))
      // Of a single bit nobody can say whether it was written and flipped, or never written: that is in doubt.
      if (!bits.includes(1)) holed.fill(0, sector, Math.min(sector + 512, end))
      const ended = file.slice().fill(0, at + 64 + drawn % (end - at - 64), end)
      for (const torn of [holed, ended]) {
        const whole = isBodyWhole(torn, at, header, seed, crc32)
        if (!whole) assert.isTrue(isCutShort(torn, at, header))
      }
    }))
  })

  it("is not cut short when a bit has flipped", () => {
    fc.assert(fc.property(...placed, fc.nat(), fc.nat(7), (write, at, sequence, chain, drawn, bit) => {
      const { file } = fileWith(write, at, sequence, chain)
      const header = decodeBatchHeader(file, at, seed, crc32)!
      const place = at + drawn % (nextOffset(at, header) - at)
      file[place]! ^= 1 << bit
      const again = decodeBatchHeader(file, at, seed, crc32)
      if (place < at + 64) assert.isNull(again)
      else if (!isBodyWhole(file, at, header, seed, crc32)) assert.isFalse(isCutShort(file, at, header))
      else assert.isAtLeast(place, at + 64 + header.body_bytes)
    }))
  })

  it("is not cut short either when the one bit of a sector has flipped", () => {
    const operation = new Uint8Array(2000)
    operation[1000] = 4
    const entry = { op: 1, view: 0, time: 0, kind: "request", session: 0, request: 0, answered: 0, operation } as const
    const { file } = fileWith({ ...nothing, entries: [entry] }, 0, 1, 1)
    file[64 + 48 + 1000] = 0
    const header = decodeBatchHeader(file, 0, seed, crc32)!
    assert.isFalse(isBodyWhole(file, 0, header, seed, crc32) || isCutShort(file, 0, header))
  })

  it("has a group, or cannot be read, whatever its bytes are", () => {
    const header = (file: Uint8Array) => decodeBatchHeader(file, 0, seed, crc32)!
    const [length_at, group_at] = [64 + 28, 64 + 32]
    const change = fc.oneof(
      fc.record({ at: fc.constant(length_at), bytes: fc.uint8Array({ minLength: 4, maxLength: 4 }) }),
      // A length that is wrong by a little.
      fc.record({ at: fc.constant(length_at + 3), bytes: fc.uint8Array({ minLength: 1, maxLength: 1 }) }),
      fc.record({ at: fc.nat(900).map((offset) => group_at + offset), bytes: fc.uint8Array({ minLength: 1, maxLength: 6 }) })
    )
    const seen = { read: 0, refused: 0 }
    fc.assert(fc.property(drawnHead, drawnBatch, change, (head, batch, { at, bytes }) => {
      const { file } = fileWith({ ...batch, head }, 0, 1, 1)
      const known = header(file)
      // What its checksums would let through.
      file.set(bytes, Math.min(at, 64 + known.body_bytes - bytes.length))
      const body = decodeBody(file, 0, known)
      seen[body === null ? "refused" : "read"]++
      assert.isTrue(body === null || (body.head !== null && isGroup(body.head.replicas)))
    }), { numRuns: 2_000 })
    assert.isAbove(Math.min(seen.read, seen.refused), 100, JSON.stringify(seen))
  })

  it("cannot be read if its group is none", () => {
    const head = { epoch: 0, view: 0, log_view: 0, fresh: false, whole: true, left: false }
    const groups = [[], ["b::b", "a::a"], ["a::a", "a::a"], ["a"], ["a::a", "../b::b"], Array.from("12345678", (n) => `r${n}::n`)]
    for (const replicas of groups) {
      const { file } = fileWith({ ...nothing, head: { ...head, replicas } }, 0, 1, 1)
      const header = decodeBatchHeader(file, 0, seed, crc32)!
      assert.isTrue(isBodyWhole(file, 0, header, seed, crc32))
      assert.isNull(decodeBody(file, 0, header), replicas.join())
    }
    // A byte more than the group has, in a body that is as long as it says.
    const { file } = fileWith({ ...nothing, head: { ...head, replicas: ["a::a"] } }, 0, 1, 1)
    const header = decodeBatchHeader(file, 0, seed, crc32)!
    file[64 + 31]! += 1
    assert.isNull(decodeBody(file, 0, { ...header, body_bytes: header.body_bytes + 1 }))
  })

  it("is none in another log", () => {
    const { file } = fileWith({ ...nothing, commit: 1 }, 0, 1, 1)
    assert.isNull(decodeBatchHeader(file, 0, seedOf("fedcba9876543210", crc32), crc32))
  })
})

describe("a segment", () => {
  const drawnHeader = fc.record({
    tenant: fc.uuid({ version: 4 }),
    replica: replicaId,
    log: fc.stringMatching(/^[0-9a-f]{16}$/),
    number: fc.integer({ min: 1, max: 99_999_999 }),
    step_bytes: fc.nat(2 ** 31),
    sequence: natural,
    chain: fc.nat(2 ** 32 - 1),
    op: natural
  })

  it("says what it was made with, and nothing when any of it is changed", () => {
    fc.assert(fc.property(drawnHeader, fc.nat(511), fc.nat(7), (header, at, bit) => {
      const bytes = encodePreamble(header, crc32)
      assert.strictEqual(bytes.length, preamble_bytes)
      assert.deepStrictEqual(decodePreamble(bytes, crc32), header)
      bytes[at]! ^= 1 << bit
      assert.deepStrictEqual(decodePreamble(bytes, crc32), { version: null, reason: "its header is not as it was written" })
    }))
  })

  it("has a bound, or none", () => {
    fc.assert(fc.property(natural, natural, fc.nat(23), (size, sequence, at) => {
      const bytes = new Uint8Array(preamble_bytes)
      assert.isNull(decodeBound(bytes, seed, crc32))
      bytes.set(encodeBound({ size, sequence }, seed, crc32), bound_offset)
      assert.deepStrictEqual(decodeBound(bytes, seed, crc32), { size, sequence })
      bytes[bound_offset + at]! ^= 1
      assert.isNull(decodeBound(bytes, seed, crc32))
    }))
  })
})
