/**
 * The checksum of everything that V2R2 writes or sends in pieces.
 *
 * @module
 */
import { crc32 as platform } from "node:zlib"
import { invariant } from "./Invariant.ts"

/** CRC-32, that of zlib, of `bytes`; continued from `seed`, the checksum of what came before, or from 0. */
export const crc32 = (bytes: Uint8Array, seed: number): number => platform(bytes, seed)

/** The polynomial of CRC-32 without its highest term; the coefficient of the lowest one is the highest bit, here and below. */
const polynomial = 0xedb88320

/** The product of two polynomials over GF(2), modulo that of CRC-32. */
const product = (one: number, other: number): number => {
  let sum = 0
  let shifted = other
  for (let bit = 0x8000_0000; bit !== 0; bit >>>= 1) {
    if ((one & bit) !== 0) sum ^= shifted
    shifted = (shifted & 1) !== 0 ? shifted >>> 1 ^ polynomial : shifted >>> 1
  }
  return sum >>> 0
}

/** x^8, x^16, x^32, …: what a byte behind, two, four … make of what comes before them. */
const shifts: Array<number> = [0x0080_0000]
while (shifts.length < 32) shifts.push(product(shifts.at(-1)!, shifts.at(-1)!))

/**
 * The CRC-32 of one piece with another one behind it: from that of each by itself, and how many bytes the second one has, below 2^32.
 * Neither is looked at.
 */
export const joinedCrc32 = (first: number, second: number, length: number): number => {
  invariant(length >= 0 && length < 2 ** 32, "a piece has less than 4 GiB", { length })
  let moved = first
  for (let left = length, i = 0; left > 0; left = left >>> 1, i++) {
    if ((left & 1) !== 0) moved = product(shifts[i]!, moved)
  }
  return (moved ^ second) >>> 0
}
