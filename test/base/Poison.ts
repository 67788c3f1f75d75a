/**
 * Memory that is taken without being zeroed, full of what must not be seen: a byte that nobody has written shows in what is
 * compared, where it would else be 0 by chance.
 *
 * @module
 */
import { afterAll, beforeAll, vi } from "vitest"

/** No value of msgpack begins with it. */
const poison = 0xc1

/** For all tests of the file. */
export const poisonUnfilled = (): void => {
  const original = Buffer.allocUnsafeSlow.bind(Buffer)
  beforeAll(() => void vi.spyOn(Buffer, "allocUnsafeSlow").mockImplementation((size) => original(size).fill(poison)))
  afterAll(() => void vi.restoreAllMocks())
}
