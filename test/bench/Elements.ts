/**
 * What the benchmarks of the store share: where its elements are, and how time and memory are told.
 *
 * @module
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

export const name = (n: number): string => `n${String(n).padStart(9, "0")}`

/** Where the n-th element is. */
export const shapes: Readonly<Record<string, (n: number) => string>> = {
  "one directory": (n) => `/d/${name(n)}`,
  "a tree, 100 wide": (n) => `/${name(Math.floor(n / 10_000))}/${name(Math.floor(n / 100))}/${name(n)}`
}

/** A permutation of 0 to count - 1: elements arrive in no order. 7919 is a prime that divides no size here. */
export const scattered = (i: number, count: number): number => (i * 7_919) % count

/** Bytes in use, in V8's heap and outside. */
export const memory = (): number => {
  collectGarbage()
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Medians, so that neither the collector's pauses nor a busy machine speak for the rest. */
export const median = (numbers: ReadonlyArray<number>): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!
