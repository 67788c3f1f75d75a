/**
 * Bytes in pieces.
 *
 * @module
 */

/** The platform's CRC-32 (that of zlib) of `bytes`, continued from `seed`; 0 begins. Pure, but not ours to write. */
export type Crc32 = (bytes: Uint8Array, seed: number) => number

/** Memory that may hold anything: for what is written before it is read. To zero 64 KiB takes longer than to take them. */
export const unfilled = (length: number): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)

/**
 * Memory that begins at a page of the system, as what is written past the system's cache has to. Only memory that could be resized
 * does, for certain; nobody resizes it.
 */
export const pageAligned = (length: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(new ArrayBuffer(length, { maxByteLength: length }), 0, length)

/** All chunks in one; a single chunk is given back as it is, without a copy. */
export const concat = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const [first] = chunks
  if (chunks.length === 1 && first !== undefined) return first
  const whole = unfilled(bytesOf(chunks))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

/** Of all chunks together. */
export const bytesOf = (chunks: ReadonlyArray<Uint8Array>): number => {
  let bytes = 0
  for (const chunk of chunks) bytes += chunk.length
  return bytes
}
