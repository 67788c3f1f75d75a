/**
 * States written out and made again, and records of any kind.
 *
 * @module
 */
import { Packr } from "msgpackr/pack"
import { assert } from "vitest"
import { concat } from "../../src/base/Bytes.ts"
import { makeStore, type Store } from "../../src/store/Store.ts"
import type { PinnedState } from "../../src/vr/Application.ts"

const packr = new Packr({ useRecords: false, int64AsType: "number" })

export type Parts = ReadonlyArray<Uint8Array>

export const partsOf = (state: PinnedState): Parts => {
  const parts: Array<Uint8Array> = []
  const reader = state.read()
  for (let part = reader.next(); part !== null; part = reader.next()) parts.push(part)
  return parts
}

/** Why these are no state, or a store that holds it. The parts are lent: their memory is overwritten after each. */
export const restore = (parts: Parts, part_bytes_max?: number): string | Store => {
  const store = makeStore(part_bytes_max)
  const builder = store.restore()
  for (const part of parts) {
    const lent = Buffer.from(part)
    const refusal = builder.add(lent)
    lent.fill(0x7f)
    if (refusal !== null) return refusal
  }
  const refusal = builder.finish()
  if (refusal !== null) return refusal
  builder.install()
  return store
}

export const restored = (parts: Parts, part_bytes_max?: number): Store => {
  const store = restore(parts, part_bytes_max)
  return typeof store === "string" ? assert.fail(store) : store
}

/** What is in the parts, decoded by somebody else. */
export const recordsIn = (parts: Parts): ReadonlyArray<unknown> => packr.unpackMultiple(concat(parts)) as ReadonlyArray<unknown>

export const packed = (...records: ReadonlyArray<unknown>): Uint8Array =>
  concat(records.map((record) => new Uint8Array(packr.pack(record))))
