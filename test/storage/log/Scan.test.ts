/**
 * What there is at a place in a segment: each kind, by hand. Damage.test.ts has all places.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import { crc32 } from "node:zlib"
import { encodeBatch } from "../../../src/storage/log/Batch.ts"
import { type Expected, type Found, scan } from "../../../src/storage/log/Scan.ts"
import { seedOf } from "../../../src/storage/log/Segment.ts"
import { entries, write } from "../../contracts/Journal.ts"

const seed = seedOf("0123456789abcdef", crc32)
const batch = (sequence: number, chain: number, operation = new Uint8Array(600).fill(9), at = 0) => {
  const one = { ...entries(sequence, 1)[0]!, operation }
  return encodeBatch({ ...write({ entries: [one] }), snapshot: null }, { at, sequence, chain, seed }, crc32)
}
const first = batch(1, seed)
const second = batch(2, first.checksum, undefined, first.bytes.length)
const size = first.bytes.length

const file = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const bytes = new Uint8Array(4096)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
const found = (bytes: Uint8Array, at: number, expected: Expected, last = true): Found =>
  scan({ bytes, seed, last }, at, expected, crc32)
const said = (found: Found): string => found._tag === "Damaged" ? found.reason : found._tag
const next = { sequence: 2, chain: first.checksum }

describe("the next batch", () => {
  it("is there, or there is nothing more", () => {
    const both = file(first.bytes, second.bytes)
    assert.strictEqual(said(found(both, 0, { sequence: 1, chain: seed })), "Batch")
    assert.strictEqual(said(found(both, size, next, false)), "Batch")
    assert.strictEqual(said(found(file(first.bytes), size, next, false)), "End")
    assert.strictEqual(said(found(first.bytes, size, next)), "End")
  })

  it("was cut short: its end, a sector or its header is zeros", () => {
    for (const [from, to] of [[400, size], [512 - size % 512, 512 - size % 512 + 512], [0, 64], [40, size]] as const) {
      const bytes = file(first.bytes, second.bytes.slice().fill(0, from, to))
      const { _tag } = found(bytes, size, next)
      assert.strictEqual(_tag, "Torn", `${from} to ${to}`)
      assert.strictEqual(said(found(bytes, size, next, false)), "a write is not as it was written, and another file follows")
    }
  })

  it("was cut short where the file ends before it does, though all of its body is there: the size that it grew to is lost", () => {
    // The body ends with a block of 64 bytes, and the end mark is in the next one.
    const third = batch(2, first.checksum, new Uint8Array(528).fill(9), size)
    const bytes = Uint8Array.from([...first.bytes, ...third.bytes.subarray(0, -64)])
    assert.strictEqual(said(found(file(first.bytes, third.bytes), size, next)), "Batch")
    assert.deepStrictEqual(found(bytes, size, next), { _tag: "Torn", to: bytes.length })
    assert.strictEqual(said(found(bytes, size, next, false)), "a write is not as it was written, and another file follows")
  })

  it("is of another history, though it has the right number", () => {
    const other = batch(2, batch(1, seed, new Uint8Array(600).fill(8)).checksum)
    assert.strictEqual(said(found(file(first.bytes, other.bytes), size, next)), "write 2 does not follow the one before it")
  })

  it("is another one than has to be there, though it has the right chain", () => {
    const other = batch(3, first.checksum)
    const reason = "write 3 is there, where write 2 has to be"
    assert.strictEqual(said(found(file(first.bytes, other.bytes), size, next)), reason)
  })

  it("is damaged, and may have been acknowledged", () => {
    const flipped = (at: number) => file(first.bytes, second.bytes.map((byte, index) => index === at ? byte ^ 16 : byte))
    assert.strictEqual(said(found(flipped(10), size, next)), "the header of the last write is not as it was written")
    assert.include(said(found(flipped(100), size, next)), "it may have been acknowledged")
  })

  it("is damaged or cut short, and another one follows", () => {
    const third = batch(3, second.checksum)
    for (const at of [10, 100]) {
      for (const change of [16, second.bytes[at]!]) {
        const bytes = file(first.bytes, second.bytes.map((byte, index) => index === at ? byte ^ change : byte), third.bytes)
        if (change !== 0) assert.include(said(found(bytes, size, next)), `write 3 follows at byte ${2 * size}`)
      }
    }
    const torn = file(first.bytes, second.bytes.slice().fill(0, 300), third.bytes)
    assert.include(said(found(torn, size, next)), `write 3 follows at byte ${2 * size}`)
  })
})
