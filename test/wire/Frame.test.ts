/**
 * Frames: whatever the chunks, the same payloads come out; a header is never believed.
 *
 * @module
 */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { encodeFrame, FrameDecoder } from "../../src/wire/Frame.ts"
import { poisonUnfilled } from "../base/Poison.ts"

poisonUnfilled()

const MiB = 1024 * 1024
const payloads = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300, size: "max" }), { maxLength: 30, size: "max" })

/** The stream cut at the given places, which wrap around. */
const cut = (stream: Uint8Array, sizes: ReadonlyArray<number>): Array<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  for (let at = 0, i = 0; at < stream.length; i++) {
    const size = sizes[i % sizes.length] ?? stream.length
    chunks.push(stream.subarray(at, at + size))
    at += size
  }
  return chunks
}

const join = (frames: ReadonlyArray<Uint8Array>): Uint8Array => Uint8Array.from(frames.flatMap((frame) => [...frame]))

const header = (length: number): Uint8Array => Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length)

describe("frames", () => {
  it("come out as they went in, however the stream is cut", () => {
    fc.assert(fc.property(payloads, fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }), (sent, sizes) => {
      const decoder = new FrameDecoder(300)
      const got = cut(join(sent.map(encodeFrame)), sizes).flatMap((chunk) => decoder.push(chunk))
      assert.deepStrictEqual(got, sent)
      assert.isNull(decoder.fault)
    }))
  })

  it("are views of a chunk that holds them whole", () => {
    const chunk = join([encodeFrame(Uint8Array.of(1)), encodeFrame(Uint8Array.of(2, 3))])
    for (const payload of new FrameDecoder(8).push(chunk)) assert.strictEqual(payload.buffer, chunk.buffer)
  })

  it("take one pass in ever so many chunks: a mebibyte, byte by byte", () => {
    // To copy what was gathered with every byte would be 512 GiB.
    const decoder = new FrameDecoder(MiB)
    const frame = encodeFrame(new Uint8Array(MiB).fill(7))
    const got: Array<Uint8Array> = []
    for (let at = 0; at < frame.length; at++) got.push(...decoder.push(frame.subarray(at, at + 1)))
    assert.lengthOf(got, 1)
    assert.strictEqual(got[0]?.length, MiB)
    assert.isTrue(got[0]?.every((byte) => byte === 7))
  })

  it.each([
    [0xffffffff, "a frame of 4294967295 bytes; at most 1000 are allowed"],
    [1001, "a frame of 1001 bytes; at most 1000 are allowed"],
    [0, "a frame of length 0"]
  ])("with a header of %d end the stream, those before it still count", (length, reason) => {
    const decoder = new FrameDecoder(1000)
    const good = Uint8Array.of(9)
    assert.deepStrictEqual(decoder.push(join([encodeFrame(good), header(length), encodeFrame(good)])), [good])
    assert.deepStrictEqual(decoder.fault, { _tag: "FrameFault", length, limit: 1000, reason })
    assert.lengthOf(decoder.push(encodeFrame(good)), 0)
  })

  it("find a bad header that comes in pieces", () => {
    const decoder = new FrameDecoder(1000)
    const lengths = [0xff, 0xff, 0xff, 0xff].map((byte) => {
      decoder.push(Uint8Array.of(byte))
      return decoder.fault?.length
    })
    assert.deepStrictEqual(lengths, [undefined, undefined, undefined, 0xffffffff])
  })

  it("take memory for what has come, not for what a header promises", () => {
    const before = process.memoryUsage().arrayBuffers
    const decoders = Array.from({ length: 64 }, () => {
      const decoder = new FrameDecoder(32 * MiB)
      decoder.push(join([header(32 * MiB), new Uint8Array(100)]))
      return decoder
    })
    assert.isTrue(decoders.every(({ fault }) => fault === null))
    assert.isBelow(process.memoryUsage().arrayBuffers - before, 32 * MiB)
  })

  it("may be taken one at a time, the limit raised in between", () => {
    const decoder = new FrameDecoder(4)
    const hello = Uint8Array.of(1, 2, 3, 4)
    const long = new Uint8Array(500).fill(5)
    assert.deepStrictEqual(decoder.push(join([encodeFrame(hello), encodeFrame(long)]), 1), [hello])
    assert.isNull(decoder.fault)
    decoder.setLimit(500)
    assert.deepStrictEqual(decoder.push(decoder.rest), [long])
    assert.lengthOf(decoder.rest, 0)
  })

  it("survive any bytes", () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 64, size: "max" })), (chunks) => {
      const decoder = new FrameDecoder(32)
      for (const payload of chunks.flatMap((chunk) => decoder.push(chunk))) {
        assert.isAtLeast(payload.length, 1)
        assert.isAtMost(payload.length, 32)
      }
    }))
  })
})
