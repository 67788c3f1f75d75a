/**
 * Blob: some bytes, replaced as a whole.
 *
 * @module
 */
import { Limits } from "../../base/Limits.ts"
import type { MsgpackWriter } from "../../base/MsgpackWriter.ts"
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

  /** `data`: as it is kept. */
  constructor(data: string | Uint8Array, created_version: number, version: number) {
    this.created_version = created_version
    this.version = version
    this.#data = data
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
    return new Blob(this.#data, this.created_version, this.version)
  }

  encode(writer: MsgpackWriter): void {
    if (typeof this.#data === "string") writer.binOf(this.#data)
    else writer.bin(this.#data)
  }

  /** Copies the bytes. */
  replace(data: Uint8Array): void {
    this.#data = kept(data)
  }
}

const kept = (data: Uint8Array): string | Uint8Array => {
  // Not `data.slice()`: of a Node `Buffer` that is a view.
  if (data.length > inline_bytes_max) return new Uint8Array(data)
  const buffer = Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.length)
  return buffer.toString("latin1")
}

export const blobKind: ElementKind<Blob> = {
  refuse: () => undefined,
  create: (data, version) => new Blob(kept(data), version, version),
  decode: (reader, created_version, version) =>
    new Blob(kept(reader.bin("data", Limits.value_bytes_max)), created_version, version)
}
