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
  readonly #kept: Array<Map<Blob, Blob> | undefined> = []

  constructor(root: Directory) {
    this.root = root
    this.version = root.version
  }

  /** Called before the blob changes for the first time since this pin. `copy`: what it is now, which nobody changes. */
  keep(blob: Blob, copy: Blob): void {
    const map = this.#kept[blob.created_version % maps] ??= new Map()
    map.set(blob, copy)
  }

  /** An element below the root as it was. */
  asItWas(element: Element): Element {
    if (element.version <= this.version) return element
    invariant(element.type === "blob", "a directory that a pin has seen is not changed")
    const was = this.#kept[element.created_version % maps]?.get(element)
    invariant(was !== undefined, "what a blob was is kept before it changes")
    return was
  }
}
