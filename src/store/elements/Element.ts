/**
 * What every element is, whatever its type. To add a type: a file beside this one, and a row in `Elements.ts`.
 *
 * @module
 */
import type { MsgpackReader } from "../../base/MsgpackReader.ts"
import type { MsgpackWriter } from "../../base/MsgpackWriter.ts"
import type { Blobs } from "../Blobs.ts"

/** One element of the tree, as listings and `stat` see it. Versions are op numbers. */
export interface ElementBase {
  /** The write that created it. */
  readonly created_version: number
  /** The last write to it or, for a directory, to anything below it. */
  version: number
  /** Bytes of the value that it holds itself. */
  readonly size: number
  /** Elements directly below it. */
  readonly children: number
  /** Writes what it holds besides its versions: one msgpack value, the same for equal states. */
  readonly encode: (writer: MsgpackWriter) => void
}

/** A row of the table of types. */
export interface ElementKind<Element extends ElementBase> {
  /** Why an element of this type cannot be created from these bytes, in words. Looks at the bytes alone. */
  readonly refuse: (data: Uint8Array) => string | undefined
  /** The new element. `blobs` keep what there is to keep; what they need of `data`, which belongs to the network, is copied. */
  readonly create: (name: string, data: Uint8Array, version: number, blobs: Blobs) => Element
  /** Reads what `encode` wrote, from bytes of unknown origin: the reader knows what is wrong. What is kept is copied, as above. */
  readonly decode: (reader: MsgpackReader, name: string, created_version: number, version: number, blobs: Blobs) => Element
}
