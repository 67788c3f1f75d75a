/**
 * What clients ask: all operations of the store on a few elements, so that they meet each other.
 *
 * @module
 */
import type { Random } from "../../../src/base/Random.ts"
import type { Operation } from "../../../src/store/Operation.ts"
import { pick } from "../Dice.ts"

/** The version that a client saw last, by path. */
export type Known = Map<string, number>

const directories = ["/a", "/b", "/c"]
const names = ["x", "y", "z"]

/** `tag`: what it writes, if it writes; nobody else writes the same. */
export const drawOperation = (random: Random, known: Known, tag: string): Operation => {
  const directory = pick(random, directories)
  const path = `${directory}/${pick(random, names)}`
  const data = new TextEncoder().encode(tag)
  const version = random.next() < 0.5 ? known.get(path) ?? null : null
  const chance = random.next()
  if (chance < 0.04) return { _tag: "Create", path: directory, type: "directory", data: new Uint8Array(0), parents: false }
  if (chance < 0.22) return { _tag: "Create", path, type: "blob", data, parents: random.next() < 0.8 }
  if (chance < 0.58) return { _tag: "Put", path, data, version }
  if (chance < 0.63) return { _tag: "Delete", path, version, recursive: false }
  if (chance < 0.64) return { _tag: "Delete", path: directory, version: null, recursive: random.next() < 0.5 }
  if (chance < 0.86) return { _tag: "Get", path }
  if (chance < 0.92) return { _tag: "Stat", path: pick(random, [path, directory]) }
  const after = pick(random, [null, null, ...names])
  return { _tag: "List", path: directory, limit: pick(random, [1, 2, 1_000]), after }
}
