/**
 * Bytes in pieces.
 *
 * @module
 */

/** The platform's CRC-32 (that of zlib) of `bytes`, continued from `seed`; 0 begins. Pure, but not ours to write. */
export type Crc32 = (bytes: Uint8Array, seed: number) => number

/** All chunks in one; a single chunk is given back as it is, without a copy. */
export const concat = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const [first] = chunks
  if (chunks.length === 1 && first !== undefined) return first
  const whole = new Uint8Array(chunks.reduce((bytes, chunk) => bytes + chunk.length, 0))
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
