/**
 * Directory: named elements below it, in order of their names, and no data of its own.
 *
 * @module
 */
import type { MsgpackWriter } from "../../base/MsgpackWriter.ts"
import type { Blobs, Entry } from "../Blobs.ts"
import { OrderedNames } from "../OrderedNames.ts"
import type { ElementBase, ElementKind } from "./Element.ts"

export class Directory implements ElementBase {
  readonly created_version: number
  version: number
  readonly entries: OrderedNames<Entry>
  /** Elements at any depth below it: a subtree can be cut off without visiting it, and the totals stay exact. */
  elements_below = 0
  /** Bytes of their values. */
  value_bytes_below = 0

  constructor(created_version: number, version: number, entries: OrderedNames<Entry>) {
    this.created_version = created_version
    this.version = version
    this.entries = entries
  }

  /** Without elements. `blobs`: those that will be in it. */
  static empty(blobs: Blobs, created_version: number, version: number): Directory {
    return new Directory(created_version, version, new OrderedNames<Entry>(blobs))
  }

  /** What it goes by in the directory above: itself. */
  get entry(): Directory {
    return this
  }

  get type(): "directory" {
    return "directory"
  }

  get size(): number {
    return 0
  }

  get children(): number {
    return this.entries.size
  }

  /** What is below is shared, and not visited. */
  copy(): Directory {
    const copy = new Directory(this.created_version, this.version, this.entries.copy())
    copy.elements_below = this.elements_below
    copy.value_bytes_below = this.value_bytes_below
    return copy
  }

  /** Only how many elements are below it: they follow, and so it is seen that none is missing. */
  encode(writer: MsgpackWriter): void {
    writer.uint(this.elements_below)
  }
}

export const directoryKind: ElementKind<Directory> = {
  refuse: (data) => data.length === 0 ? undefined : "a directory has no data",
  create: (_name, _data, version, blobs) => Directory.empty(blobs, version, version),
  decode: (reader, _name, created_version, version, blobs) => {
    const directory = Directory.empty(blobs, created_version, version)
    directory.elements_below = reader.integer("elements below")
    return directory
  }
}
