/**
 * What was cut off a tree, until the memory of its values is given back: a few elements at a time, so that to delete a directory
 * takes as long however much is in it.
 *
 * @module
 */
import type { Blob } from "./elements/Blob.ts"
import type { Element } from "./elements/Elements.ts"
import type { NamesCursor } from "./OrderedNames.ts"
import type { Values } from "./Values.ts"

export class Graveyard {
  readonly #blobs: Array<Blob> = []
  /** Of directories, each at what comes next in it; those last that are below others. */
  readonly #directories: Array<NamesCursor<Element>> = []

  /** The element, and all below it, is nobody's but those's who have it pinned. */
  add(element: Element): void {
    if (element.type === "blob") this.#blobs.push(element)
    else this.#directories.push(element.entries.cursor())
  }

  /** Gives back what up to `count` elements have. Not while anything of it is pinned. */
  clear(count: number, values: Values): void {
    for (let left = count; left > 0; left--) {
      const blob = this.#blobs.pop()
      if (blob !== undefined) {
        blob.free(values)
        continue
      }
      const directory = this.#directories.at(-1)
      if (directory === undefined) return
      const element = directory.value
      directory.advance()
      if (element === undefined) this.#directories.pop()
      else if (element.type === "blob") element.free(values)
      else this.add(element)
    }
  }
}
