/**
 * Brings into the processor's caches what a batch of operations will ask for, before they are executed one by one. Among very many
 * elements each look-up waits for several places in memory that are in no cache, one after the other; here those of all are asked
 * for side by side, and the processor waits for many at a time. Nothing depends on it: what is looked at here is looked at again.
 * Only for paths that end in the directory of the one before: to find the way to another one takes as long as to do without.
 *
 * @module
 */
import type { Blobs } from "./Blobs.ts"
import type { Directory } from "./elements/Directory.ts"
import { Places } from "./NameIndex.ts"

/** So that the compiler does not leave out what nobody uses. */
const seen = { last: 0 }

export class Prefetch {
  readonly #places = new Places()
  readonly #look: (numbers: ReadonlyArray<number>) => number

  constructor(blobs: Blobs) {
    this.#look = (numbers) => blobs.glimpse(numbers)
  }

  /** `parentOf`: the directory that a path leads to the end of; undefined if there is none. */
  run(operations: ReadonlyArray<{ readonly path: string }>, parentOf: (path: string) => Directory | undefined): void {
    let before = ""
    let parent: Directory | null | undefined = null
    for (const { path } of operations) {
      const end = path.lastIndexOf("/")
      if (end === before.lastIndexOf("/") && before.startsWith(path.slice(0, end + 1))) {
        if (parent === null) parent = parentOf(path)
        parent?.entries.locate(path.slice(end + 1), this.#places)
      } else parent = null
      before = path
    }
    seen.last = this.#places.touch(this.#look)
  }
}
