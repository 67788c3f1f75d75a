/**
 * The file of a snapshot: it comes back in chunks of any size, and nothing that is not as it was written passes.
 *
 * @module
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { crc32 } from "node:zlib"
import { concat } from "../../src/base/Bytes.ts"
import { part_bytes_max, SnapshotDecoder, SnapshotEncoder } from "../../src/wire/SnapshotFile.ts"

const tenant = "3f2b8c1e-9a4d-4e6f-8b1a-0c2d3e4f5a6b"
const otherTenant = "9a4d3f2b-8c1e-4e6f-8b1a-0c2d3e4f5a6b"
const header_bytes = 64
const end_bytes = 32

/** The header, a block for each part, and the end. */
const blocksOf = (parts: ReadonlyArray<Uint8Array>, op = 7, of = tenant): ReadonlyArray<Uint8Array> => {
  const encoder = new SnapshotEncoder({ tenant: of, op })
  return [encoder.header, ...parts.map((part) => concat(encoder.part(part))), encoder.end()].map((block) => block.slice())
}
const fileOf = (...args: Parameters<typeof blocksOf>): Uint8Array => concat(blocksOf(...args))

const decoded = (chunks: Iterable<Uint8Array>) => {
  const decoder = new SnapshotDecoder()
  const parts: Array<Uint8Array> = []
  for (const chunk of chunks) parts.push(...decoder.push(chunk).map((part) => part.slice()))
  return { parts, header: decoder.header, total: decoder.total, fault: decoder.finish() }
}
const faultOf = (bytes: Uint8Array) => decoded([bytes]).fault?.reason ?? null

/** The bytes in pieces, whose sizes are taken from a list, again and again. */
const inChunks = function*(bytes: Uint8Array, sizes: ReadonlyArray<number>) {
  for (let at = 0, next = 0; at < bytes.length; at += sizes[next++ % sizes.length]!) {
    yield bytes.slice(at, at + sizes[next % sizes.length]!)
  }
}

const drawnPart = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 40, size: "max" }),
  fc.integer({ min: 1, max: 5000 }).map((n) => new Uint8Array(n))
)
const drawnParts = fc.array(drawnPart, { maxLength: 6 })
const drawnSizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 6000 })), { minLength: 1, maxLength: 6 })

describe("a snapshot file", () => {
  it("comes back as it was, in chunks of any size", () => {
    fc.assert(fc.property(drawnParts, fc.maxSafeNat(), drawnSizes, (parts, op, sizes) => {
      const { fault, header, parts: found, total } = decoded(inChunks(fileOf(parts, op), sizes))
      assert.deepStrictEqual(found, parts)
      assert.deepStrictEqual({ fault, header }, { fault: null, header: { tenant, op } })
      const bytes = concat(parts)
      assert.deepStrictEqual(total, { parts: parts.length, bytes: bytes.length, digest: crc32(bytes) })
    }))
  })

  it("has a digest that does not depend on where parts end", () => {
    fc.assert(fc.property(drawnPart, drawnSizes, (all, sizes) => {
      const parts = [...inChunks(all, sizes)]
      assert.strictEqual(decoded([fileOf(parts)]).total.digest, decoded([fileOf([all])]).total.digest)
    }))
  })

  it("gives a part that lies within a chunk without a copy of it", () => {
    const file = fileOf([Uint8Array.of(1, 2, 3)])
    const [part] = new SnapshotDecoder().push(file)
    assert.strictEqual(part?.buffer, file.buffer)
  })

  it("takes the longest part, and no longer one", () => {
    const longest = new Uint8Array(part_bytes_max).fill(3)
    assert.isNull(faultOf(fileOf([longest])))
    assert.throws(() => fileOf([new Uint8Array(part_bytes_max + 1)]), "not too long")
    assert.throws(() => fileOf([new Uint8Array(0)]), "not empty")
    const claim = new Uint8Array(8)
    new DataView(claim.buffer).setUint32(0, part_bytes_max + 1)
    assert.strictEqual(faultOf(concat([blocksOf([])[0]!, claim])), "part 1 is not as it was written")
  })
})

describe("a snapshot file that is not as it was written", () => {
  const parts = [Uint8Array.of(1, 2, 3), Uint8Array.of(9), new Uint8Array(70), Uint8Array.of(4, 4, 4, 4, 4)]
  const file = fileOf(parts)
  const blocks = blocksOf(parts)

  it("is found by any single bit", () => {
    for (let at = 0; at < file.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = file.with(at, file[at]! ^ (1 << bit))
        const { fault, parts: found } = decoded([flipped])
        assert.isNotNull(fault, `bit ${bit} of byte ${at}`)
        assert.deepStrictEqual(found, parts.slice(0, found.length), `bit ${bit} of byte ${at}`)
      }
    }
  })

  it("is found by its length: any cut, and anything behind", () => {
    for (let size = 0; size < file.length; size++) assert.isNotNull(faultOf(file.slice(0, size)), `${size}`)
    assert.strictEqual(faultOf(file.slice(0, -1)), "it was cut: it ends behind part 4")
    assert.strictEqual(faultOf(concat([file, Uint8Array.of(0)])), "something follows its end")
  })

  it("is found by zeros from any byte on, and by zeros up to any byte", () => {
    for (let at = 0; at < file.length; at++) {
      const [behind, before] = [file.slice().fill(0, at), file.slice().fill(0, 0, at + 1)]
      assert.isNotNull(faultOf(behind), `from ${at}`)
      assert.isNotNull(faultOf(before), `up to ${at}`)
    }
  })

  it("is found by blocks that are missing, doubled, or in each other's place, header and end included", () => {
    const all = blocks.map((_, index) => index)
    const orders = all.flatMap((one) => [
      all.filter((index) => index !== one),
      ...all.map((other) => all.toSpliced(other, 0, one)),
      ...all.filter((other) => other > one).map((other) => all.with(one, other).with(other, one))
    ])
    for (const order of orders) assert.isNotNull(faultOf(concat(order.map((index) => blocks[index]!))), order.join())
  })

  it("is found by blocks of another op, tenant, or of a snapshot that begins otherwise", () => {
    const others = [blocksOf(parts, 8), blocksOf(parts, 7, otherTenant), blocksOf([parts[1]!, ...parts.slice(1)])]
    for (const other of others) {
      // Where the two agree up to some block, the other one's next block is the right one.
      for (let index = 0; index < blocks.length; index++) {
        const mixed = concat(blocks.with(index, other[index]!))
        if (Buffer.compare(mixed, file) !== 0 && Buffer.compare(mixed, concat(other)) !== 0) {
          assert.isNotNull(faultOf(mixed), `block ${index}`)
        }
      }
    }
  })

  it("says what is wrong", () => {
    const flip = (at: number) => faultOf(file.with(at, file[at]! ^ 1))
    assert.strictEqual(flip(20), "its header is not as it was written")
    assert.strictEqual(flip(header_bytes + 8), "part 1 is not as it was written")
    assert.strictEqual(flip(file.length - end_bytes - 1), "part 4 is not as it was written")
    assert.strictEqual(flip(file.length - 1), "its end, behind part 4, is not as it was written")
  })

  it("is told from one that a newer program made", () => {
    const newer = file.with(11, 2)
    new DataView(newer.buffer).setUint32(12, crc32(newer.subarray(16, header_bytes), crc32(newer.subarray(8, 12))))
    const reason = "it has format version 2; this program knows version 1"
    assert.deepStrictEqual(decoded([newer]).fault, { newer: true, reason })
  })
})
