/**
 * Blob: some bytes, replaced as a whole.
 *
 * @module
 */
import { Limits } from "../../base/Limits.ts"
import type { MsgpackWriter } from "../../base/MsgpackWriter.ts"
import type { Page, Values } from "../Values.ts"
import type { ElementBase, ElementKind } from "./Element.ts"

export class Blob implements ElementBase {
  readonly created_version: number
  version: number
  /** Where its value is. */
  #page: Page
  #at: number
  #length: number

  /** Copies `data` to memory of `values`. */
  constructor(data: Uint8Array, created_version: number, version: number, values: Values) {
    this.created_version = created_version
    this.version = version
    this.#page = values.pageFor(data.length)
    this.#at = values.take(this.#page)
    this.#length = data.length
    this.#page.bytes.set(data, this.#at)
  }

  get type(): "blob" {
    return "blob"
  }

  get size(): number {
    return this.#length
  }

  get children(): number {
    return 0
  }

  /** The value: to be read now, not to be kept or changed. */
  get data(): Uint8Array {
    return this.#page.bytes.subarray(this.#at, this.#at + this.#length)
  }

  /** Its first byte, to have it in the processor's cache soon. */
  get glimpse(): number | undefined {
    return this.#page.bytes[this.#at]
  }

  /** The same once more, with memory of these. */
  copy(values: Values): Blob {
    return new Blob(this.data, this.created_version, this.version, values)
  }

  encode(writer: MsgpackWriter): void {
    writer.bin(this.data)
  }

  /** Copies the bytes. `values`: those that it has its memory of. */
  replace(data: Uint8Array, values: Values): void {
    if (!this.#page.fits(data.length)) {
      const page = values.pageFor(data.length)
      const at = values.take(page)
      values.give(this.#page, this.#at)
      this.#page = page
      this.#at = at
    }
    this.#length = data.length
    this.#page.bytes.set(data, this.#at)
  }

  /** Gives its memory back. Nobody reads it any more. */
  free(values: Values): void {
    values.give(this.#page, this.#at)
    this.#page = values.pageFor(0)
    this.#at = 0
    this.#length = 0
  }
}

export const blobKind: ElementKind<Blob> = {
  refuse: () => undefined,
  create: (data, version, values) => new Blob(data, version, version, values),
  decode: (reader, created_version, version, values) =>
    new Blob(reader.bin("data", Limits.value_bytes_max), created_version, version, values)
}
