/**
 * Bytes in pieces, put together.
 *
 * @module
 */
import { assert, it } from "vitest"
import { concat } from "../../src/base/Bytes.ts"
import { poisonUnfilled } from "./Poison.ts"

poisonUnfilled()

it("puts chunks together in their order, and copies no single one", () => {
  const [one, two] = [Uint8Array.of(1, 2), Uint8Array.of(3)]
  assert.deepStrictEqual(concat([one, new Uint8Array(0), two]), Uint8Array.of(1, 2, 3))
  assert.strictEqual(concat([one]), one)
  assert.deepStrictEqual(concat([]), new Uint8Array(0))
})
