/**
 * A tree as it was at one moment. Directories and their nodes are copied before they are changed, so below the root that is
 * pinned they stay as they were. A blob is changed where it is, as there are many and a copy would have to be put in its
 * place; what it was is kept here.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import type { Blob } from "./elements/Blob.ts"
import type { Directory } from "./elements/Directory.ts"
import type { Element } from "./elements/Elements.ts"

/** A map is made anew as it grows: many small ones never take long. */
const maps = 256

export class Pin {
  readonly root: Directory
  /** Of the tree: what has a higher one was changed since. */
  readonly version: number
  /** The next pin of the same tree: what first changed after that one is kept there, and only there. */
  #next: Pin | undefined = undefined
  readonly #kept: Array<Map<Blob, Blob> | undefined> = []

  constructor(root: Directory) {
    this.root = root
    this.version = root.version
  }

  /** From now on the next one is told what changes. */
  follow(next: Pin): void {
    this.#next = next
  }

  /** Called before the blob changes for the first time since this pin, if there is none after it. */
  keep(blob: Blob): void {
    const map = this.#kept[blob.created_version % maps] ??= new Map()
    map.set(blob, blob.copy())
  }

  /** An element below the root as it was. */
  asItWas(element: Element): Element {
    if (element.version <= this.version) return element
    invariant(element.type === "blob", "a directory that a pin has seen is not changed")
    const was = this.#find(element)
    invariant(was !== undefined, "what a blob was is kept before it changes")
    return was
  }

  #find(blob: Blob): Blob | undefined {
    let was = this.#kept[blob.created_version % maps]?.get(blob)
    for (let pin = this.#next; pin !== undefined && was === undefined; pin = pin.#next) {
      was = pin.#kept[blob.created_version % maps]?.get(blob)
    }
    return was
  }
}
