/**
 * The checksum of everything that V2R2 writes or sends in pieces.
 *
 * @module
 */
import { crc32 as platform } from "node:zlib"

/** CRC-32, that of zlib, of `bytes`; continued from `seed`, the checksum of what came before, or from 0. */
export const crc32 = (bytes: Uint8Array, seed: number): number => platform(bytes, seed)
