/**
 * A tree as it was at one moment. Directories and their nodes are copied before they are changed, so below the root that is
 * pinned they stay as they were. A blob is changed where it is, as there are many and a copy would have to be put in its
 * place; what it was is kept until the pin is released.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import type { Blob } from "./elements/Blob.ts"
import type { Directory } from "./elements/Directory.ts"
import type { Element } from "./elements/Elements.ts"
import { Values } from "./Values.ts"

/** A map is made anew as it grows: many small ones never take long. */
const maps = 256

/** Below all versions: there was no pin, so there is nothing to spare. */
export const never_pinned = -1

export class Pin {
  /** Of the tree: what has a higher one was changed since. */
  readonly version: number
  /** Memory for what blobs were. */
  readonly values = new Values()
  /** Null once it is released. */
  #root: Directory | null
  /** What blobs were that have changed since. */
  #beforeImages: Array<Map<Blob, Blob> | undefined> = []

  constructor(root: Directory) {
    this.#root = root
    this.version = root.version
  }

  get root(): Directory {
    invariant(this.#root !== null, "a pin is read before it is released")
    return this.#root
  }

  get isReleased(): boolean {
    return this.#root === null
  }

  /** Called before the blob changes for the first time since this pin. `copy`: what it is now, which nobody changes. */
  keep(blob: Blob, copy: Blob): void {
    const map = this.#beforeImages[blob.created_version % maps] ??= new Map()
    map.set(blob, copy)
  }

  /** An element below the root as it was. */
  asItWas(element: Element): Element {
    if (element.version <= this.version) return element
    invariant(element.type === "blob", "a directory that a pin has seen is not changed")
    const was = this.#beforeImages[element.created_version % maps]?.get(element)
    invariant(was !== undefined, "what a blob was is kept before it changes")
    return was
  }

  release(): void {
    this.#root = null
    this.#beforeImages = []
  }
}
