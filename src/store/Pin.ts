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

/** What is kept is found by the numbers of blobs, in rows for so many of them: only for those of which one has changed. */
const row_bits = 10
const row_blobs = 2 ** row_bits

/** Below all versions: there was no pin, so there is nothing to spare. */
export const never_pinned = -1

export class Pin {
  /** Of the tree: what has a higher one was changed since. */
  readonly version: number
  /**
   * Of the tree. A number may be another blob's by now: that one's version is above the pin's, so what is kept under the number is
   * still the blob that the pin has seen.
   */
  readonly blobs: Blobs
  /** What blobs were; most pins need none. */
  #were: Blobs | null = null
  /** By the number of a blob that has changed since: 1 + the number, among those, of what it was; 0 for all others. */
  #beforeImages: Array<Int32Array | undefined> | null = null
  /** Null once it is released. */
  #root: Directory | null

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
    const were = this.#were ??= new Blobs()
    // Long enough at once: one that grows by leaps becomes a hash table. Blobs that come later were not seen.
    const rows = this.#beforeImages ??= Array.from<Int32Array | undefined>({ length: (this.blobs.numbers >>> row_bits) + 1 })
    const row = rows[entry >>> row_bits] ??= new Int32Array(row_blobs)
    row[entry % row_blobs] = 1 + were.create("", data, created_version, version)
  }

  /** An element below the root as it was. */
  asItWas(entry: Entry): Element {
    if (typeof entry !== "number") {
      invariant(entry.version <= this.version, "a directory that a pin has seen is not changed")
      return entry
    }
    if (this.blobs.versionOf(entry) <= this.version) return new Blob(this.blobs, entry)
    const kept = this.#beforeImages?.[entry >>> row_bits]?.[entry % row_blobs] ?? 0
    invariant(kept > 0 && this.#were !== null, "what a blob was is kept before it changes")
    return new Blob(this.#were, kept - 1)
  }

  release(): void {
    this.#root = null
    this.#were = null
    this.#beforeImages = null
  }
}
