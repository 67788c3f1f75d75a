/**
 * The checksum of two pieces, from those of each.
 *
 * @module
 */
import fc from "fast-check"
import { assert, it } from "vitest"
import { concat } from "../../src/base/Bytes.ts"
import { crc32, joinedCrc32 } from "../../src/base/Checksum.ts"

const piece = fc.uint8Array({ maxLength: 2_000, size: "max" })

it("is that of both together", () => {
  fc.assert(fc.property(piece, piece, (one, other) => {
    const joined = joinedCrc32(crc32(one, 0), crc32(other, 0), other.length)
    assert.strictEqual(joined, crc32(concat([one, other]), 0))
  }))
})

it("is so behind pieces of every length that has one bit, up to that of the longest part, and of those around it", () => {
  const one = Uint8Array.of(1, 2, 3)
  for (let bit = 1; bit <= 2 ** 21; bit *= 2) {
    for (const length of [bit - 1, bit, bit + 1]) {
      const other = new Uint8Array(length).fill(length)
      assert.strictEqual(joinedCrc32(crc32(one, 0), crc32(other, 0), length), crc32(other, crc32(one, 0)), `${length} bytes`)
    }
  }
})
