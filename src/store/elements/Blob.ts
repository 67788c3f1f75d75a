/**
 * Blob: some bytes, replaced as a whole. They, and all else that is known of it, are kept by `Blobs.ts`: this is a look at it.
 *
 * @module
 */
import { Limits } from "../../base/Limits.ts"
import type { MsgpackWriter } from "../../base/MsgpackWriter.ts"
import type { Blobs } from "../Blobs.ts"
import type { ElementBase, ElementKind } from "./Element.ts"

export class Blob implements ElementBase {
  readonly #blobs: Blobs
  /** It goes by this. */
  readonly entry: number

  constructor(blobs: Blobs, entry: number) {
    this.#blobs = blobs
    this.entry = entry
  }

  get type(): "blob" {
    return "blob"
  }

  get created_version(): number {
    return this.#blobs.createdVersionOf(this.entry)
  }

  get version(): number {
    return this.#blobs.versionOf(this.entry)
  }

  set version(version: number) {
    this.#blobs.setVersion(this.entry, version)
  }

  get size(): number {
    return this.#blobs.sizeOf(this.entry)
  }

  get children(): number {
    return 0
  }

  /** The value: to be read now, not to be kept or changed. */
  get data(): Uint8Array {
    return this.#blobs.dataOf(this.entry)
  }

  encode(writer: MsgpackWriter): void {
    writer.bin(this.data)
  }

  /** Copies the bytes. */
  replace(data: Uint8Array): void {
    this.#blobs.replace(this.entry, data)
  }
}

export const blobKind: ElementKind<Blob> = {
  refuse: () => undefined,
  create: (name, data, version, blobs) => new Blob(blobs, blobs.create(name, data, version, version)),
  decode: (reader, name, created_version, version, blobs) =>
    new Blob(blobs, blobs.create(name, reader.bin("data", Limits.value_bytes_max), created_version, version))
}
