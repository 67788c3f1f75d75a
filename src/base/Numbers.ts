/**
 * Numbers in the bytes of files: big-endian, like everything else that V2R2 puts into bytes.
 *
 * @module
 */
import { invariant } from "./Invariant.ts"

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** An integer of 8 bytes. */
export const setUint = (view: DataView, at: number, value: number): void => {
  invariant(Number.isSafeInteger(value) && value >= 0, "natural numbers are stored", { value })
  view.setUint32(at, Math.floor(value / 2 ** 32))
  view.setUint32(at + 4, value % 2 ** 32)
}
export const getUint = (view: DataView, at: number): number => view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4)

export const isZero = (bytes: Uint8Array, from: number, to: number): boolean => {
  for (let index = from; index < to; index++) if (bytes[index] !== 0) return false
  return true
}
