/**
 * Goes through the parts of a tree, for one who wants to see its elements and not to keep them: no tree is made.
 *
 * Whether they are, byte for byte, a tree of ours is for `Builder.ts` to say.
 *
 * @module
 */
import { MsgpackReader } from "../base/MsgpackReader.ts"
import { quoted } from "../base/Names.ts"
import type { StateBuilder } from "../vr/Application.ts"
import { invariant } from "../base/Invariant.ts"
import { Blobs } from "./Blobs.ts"
import { readHeading } from "./Builder.ts"
import { elementKinds, type ElementType } from "./elements/Elements.ts"

export interface SeenElement {
  readonly path: string
  readonly type: ElementType
  readonly created_version: number
  readonly version: number
  /** Bytes of its value. */
  readonly size: number
}

export class PartsReader implements StateBuilder {
  /** Without the root. */
  elements = 0
  /** What the root says. */
  private expected: number | null = null
  /** The names of the directories on the way to the last element, the root's first. */
  private readonly names: Array<string> = []
  private readonly reader = new MsgpackReader()
  private readonly blobs = new Blobs()
  private readonly see: (element: SeenElement) => void

  constructor(see: (element: SeenElement) => void) {
    this.see = see
  }

  readonly add = (part: Uint8Array): string | null => {
    const { reader } = this
    reader.open(part)
    let refusal: string | null = null
    while (!reader.done && refusal === null) refusal = this.addRecord()
    reader.close()
    return refusal
  }

  readonly finish = (): string | null => {
    if (this.expected === null) return "it has no parts"
    return this.elements === this.expected ? null : `there are ${this.elements} elements, and not ${this.expected}`
  }

  readonly install = (): void => invariant(false, "what is only looked at is not installed")

  private addRecord(): string | null {
    const { blobs, names, reader } = this
    const heading = readHeading(reader)
    if (heading === null) return reader.fault
    const { created_version, depth, name, type, version } = heading
    const element = elementKinds[type].decode(reader, "", created_version, version, blobs)
    if (reader.fault !== null) return `${quoted(name)} at depth ${depth}: ${reader.fault}`
    if (depth > names.length || (depth === 0) !== (this.expected === null)) {
      return `${quoted(name)} at depth ${depth}: its parent does not come before it`
    }
    names.length = depth
    if (element.type === "directory") names.push(name)
    if (depth === 0) {
      this.expected = element.type === "directory" ? element.elements_below : 0
      return null
    }
    this.elements++
    const path = [...names.slice(0, depth), name].join("/")
    this.see({ path, type, created_version, version, size: element.size })
    if (element.type === "blob") blobs.free(element.entry)
    return null
  }
}
