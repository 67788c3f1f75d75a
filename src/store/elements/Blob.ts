/**
 * Blob: some bytes, replaced as a whole.
 *
 * @module
 */
import type { ElementBase, ElementKind } from "./Element.ts"

/**
 * Up to this many bytes a value is kept as a string of one-byte characters: 16 bytes of overhead where a `Uint8Array`
 * takes about 230 (and, above 64 bytes, an allocation outside the heap). Larger ones stay outside the heap, whose size
 * Node limits.
 */
const inline_bytes_max = 512

export class Blob implements ElementBase {
  readonly created_version: number
  version: number
  #data: string | Uint8Array

  constructor(data: Uint8Array, created_version: number, version: number) {
    this.created_version = created_version
    this.version = version
    this.#data = kept(data)
  }

  get type(): "blob" {
    return "blob"
  }

  get size(): number {
    return this.#data.length
  }

  get children(): number {
    return 0
  }

  /** The value: to be read now, not to be kept or changed. */
  get data(): Uint8Array {
    return typeof this.#data === "string" ? Buffer.from(this.#data, "latin1") : this.#data
  }

  copy(): Blob {
    const copy = new Blob(no_data, this.created_version, this.version)
    copy.#data = this.#data
    return copy
  }

  /** Copies the bytes. */
  replace(data: Uint8Array): void {
    this.#data = kept(data)
  }
}

const no_data = new Uint8Array(0)

const kept = (data: Uint8Array): string | Uint8Array => {
  // Not `data.slice()`: of a Node `Buffer` that is a view.
  if (data.length > inline_bytes_max) return new Uint8Array(data)
  return Buffer.from(data.buffer, data.byteOffset, data.length).toString("latin1")
}

export const blobKind: ElementKind<Blob> = {
  refuse: () => undefined,
  create: (data, version) => new Blob(data, version, version)
}
