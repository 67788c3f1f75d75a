/**
 * The table of element types: the one place to register a further one.
 *
 * @module
 */
import type { Blobs, Entry } from "../Blobs.ts"
import { Blob, blobKind } from "./Blob.ts"
import { type Directory, directoryKind } from "./Directory.ts"
import type { ElementKind } from "./Element.ts"

/** Any element; `type` tells which. */
export type Element = Directory | Blob

/** What is under a name. `blobs`: those of the tree. */
export const elementOf = (blobs: Blobs, entry: Entry): Element => typeof entry === "number" ? new Blob(blobs, entry) : entry

/** As clients name them. */
export type ElementType = Element["type"]

export const elementKinds: {
  readonly [Type in ElementType]: ElementKind<Extract<Element, { readonly type: Type }>>
} = {
  directory: directoryKind,
  blob: blobKind
}

export const isElementType = (name: string): name is ElementType => Object.hasOwn(elementKinds, name)

export const elementTypes: ReadonlyArray<string> = Object.keys(elementKinds)

/** For messages: `"directory" or "blob"`. */
export const elementTypesInWords: string = elementTypes.map((type) => `"${type}"`).join(" or ")
