/**
 * A tree as it was at one moment. Directories and their nodes are copied before they are changed, so below the root that is
 * pinned they stay as they were. A blob is changed where it is, as there are many and a copy would have to be put in its
 * place; what it was is kept for as long as the pin is not released.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import type { Blob } from "./elements/Blob.ts"
import type { Directory } from "./elements/Directory.ts"
import type { Element } from "./elements/Elements.ts"

/** A map is made anew as it grows: many small ones never take long. */
const maps = 256

/** What blobs were that have changed since a pin. */
export class Kept {
  /** Of the tree, at the pin: what has a higher one was changed since. */
  readonly version: number
  #maps: Array<Map<Blob, Blob> | undefined> | null = []

  constructor(version: number) {
    this.version = version
  }

  /** Called before the blob changes for the first time since the pin. `copy`: what it is now, which nobody changes. */
  add(blob: Blob, copy: Blob): void {
    if (this.#maps === null) return
    const map = this.#maps[blob.created_version % maps] ??= new Map()
    map.set(blob, copy)
  }

  get(blob: Blob): Blob {
    invariant(this.#maps !== null, "a pin is read before it is released")
    const was = this.#maps[blob.created_version % maps]?.get(blob)
    invariant(was !== undefined, "what a blob was is kept before it changes")
    return was
  }

  release(): void {
    this.#maps = null
  }
}

export class Pin {
  readonly root: Directory
  readonly kept: Kept

  constructor(root: Directory, kept: Kept) {
    this.root = root
    this.kept = kept
  }

  /** An element below the root as it was. */
  asItWas(element: Element): Element {
    if (element.version <= this.kept.version) return element
    invariant(element.type === "blob", "a directory that a pin has seen is not changed")
    return this.kept.get(element)
  }
}
