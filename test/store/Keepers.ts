/**
 * Those who keep names, for an index that is alone.
 *
 * @module
 */
import type { NameKeeper } from "../../src/store/NameIndex.ts"

/** The index has all names itself. */
export const nobody: NameKeeper<number> = { numberOf: () => -1, entryOf: (number) => number, isNamed: () => false }

/** Has the names of some: of even numbers, as a table says. */
export const kept = (names: ReadonlyMap<number, string>): NameKeeper<number> => ({
  numberOf: (value) => value % 2 === 0 ? value : -1,
  entryOf: (number) => number,
  isNamed: (number, name) => names.get(number) === name
})
