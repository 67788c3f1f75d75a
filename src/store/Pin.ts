/**
 * A tree as it was at one moment. Directories and their nodes are copied before they are changed, so below the root that is
 * pinned they stay as they were. A blob is changed where it is, as there are many and a copy would have to be put in its
 * place; what it was is kept until the pin is released.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import { Blobs, type Entry } from "./Blobs.ts"
import { Blob } from "./elements/Blob.ts"
import type { Directory } from "./elements/Directory.ts"
import type { Element } from "./elements/Elements.ts"

/** A map is made anew as it grows: many small ones never take long. */
const maps = 256

/** Below all versions: there was no pin, so there is nothing to spare. */
export const never_pinned = -1

export class Pin {
  /** Of the tree: what has a higher one was changed since. */
  readonly version: number
  /** Of the tree. A number that was given to another one since, whose version is higher then, is still that of what it was here. */
  readonly blobs: Blobs
  /** What blobs were. */
  readonly #were = new Blobs()
  /** Null once it is released. */
  #root: Directory | null
  /** Among those, what blobs were that have changed since. */
  #beforeImages: Array<Map<number, number> | undefined> = []

  constructor(root: Directory, blobs: Blobs) {
    this.#root = root
    this.version = root.version
    this.blobs = blobs
  }

  get root(): Directory {
    invariant(this.#root !== null, "a pin is read before it is released")
    return this.#root
  }

  get isReleased(): boolean {
    return this.#root === null
  }

  /** Called before the blob changes for the first time since this pin. */
  keep({ created_version, data, entry, version }: Blob): void {
    const map = this.#beforeImages[entry % maps] ??= new Map()
    map.set(entry, this.#were.create("", data, created_version, version))
  }

  /** An element below the root as it was. */
  asItWas(entry: Entry): Element {
    if (typeof entry !== "number") {
      invariant(entry.version <= this.version, "a directory that a pin has seen is not changed")
      return entry
    }
    if (this.blobs.versionOf(entry) <= this.version) return new Blob(this.blobs, entry)
    const was = this.#beforeImages[entry % maps]?.get(entry)
    invariant(was !== undefined, "what a blob was is kept before it changes")
    return new Blob(this.#were, was)
  }

  release(): void {
    this.#root = null
    this.#beforeImages = []
  }
}
