/**
 * A tree out of its parts, which may come from a damaged file or a faulty peer: they are taken only if they are, byte
 * for byte, what `Parts.ts` writes for the tree that they make. Only where a part ends may differ.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import { Limits } from "../base/Limits.ts"
import { MsgpackReader } from "../base/MsgpackReader.ts"
import { MsgpackWriter } from "../base/MsgpackWriter.ts"
import { quoted } from "../base/Names.ts"
import type { StateBuilder } from "../vr/Application.ts"
import { Blobs } from "./Blobs.ts"
import type { Directory } from "./elements/Directory.ts"
import { type Element, elementKinds, type ElementType, isElementType } from "./elements/Elements.ts"
import { record_fields, writeRecord } from "./Parts.ts"
import { flat, refuseName, utf8Length } from "./Path.ts"
import { never_pinned } from "./Pin.ts"

/** A longer one holds more than one element. */
const part_bytes_max = Math.max(Limits.snapshot_part_bytes_max, Limits.operation_bytes_max)

/** Writes each part once more. */
const writer = new MsgpackWriter(part_bytes_max)

/** All of a record but the state of its element. */
export interface Heading {
  readonly depth: number
  readonly name: string
  readonly type: ElementType
  readonly created_version: number
  readonly version: number
}

/** A directory of which more children may come. */
interface Open {
  readonly directory: Directory
  readonly name: string
  readonly path_bytes: number
  /** The child that came last. */
  last: string
  /** What has come below it, without what is below those that are open themselves. */
  elements: number
  value_bytes: number
}

export class Builder implements StateBuilder {
  readonly #reader = new MsgpackReader()
  readonly #install: (root: Directory, blobs: Blobs) => void
  readonly #blobs = new Blobs()
  /** The directories on the way to the last element, from the root. */
  readonly #open: Array<Open> = []
  #root: Directory | undefined = undefined
  #refusal: string | null = null

  /** `install` gets the root of a whole tree, which is its own from then on, and its blobs. */
  constructor(install: (root: Directory, blobs: Blobs) => void) {
    this.#install = install
  }

  readonly add = (part: Uint8Array): string | null => {
    this.#refusal ??= this.#add(part)
    this.#reader.close()
    return this.#refusal
  }

  readonly finish = (): string | null => {
    this.#refusal ??= this.#root === undefined ? "it has no parts" : this.#close(0)
    return this.#refusal
  }

  readonly install = (): void => {
    const root = this.#root
    invariant(root !== undefined && this.#open.length === 0 && this.#refusal === null, "what is installed is whole, and new")
    this.#root = undefined
    this.#install(root, this.#blobs)
  }

  #add(part: Uint8Array): string | null {
    if (part.length === 0 || part.length > part_bytes_max) return `a part has ${part.length} bytes`
    this.#reader.open(part)
    writer.start()
    while (!this.#reader.done) {
      const refusal = this.#addRecord()
      if (refusal !== null) return refusal
    }
    // Msgpack has several ways to write a number or a length: of these only ours is taken.
    return writer.wrote(part) ? null : "a part is not encoded as it would be here"
  }

  #addRecord(): string | null {
    const heading = readHeading(this.#reader)
    if (heading === null) return this.#reader.fault
    const { depth, name, type, created_version, version } = heading
    const problem = this.#misplaced(heading)
    if (problem !== null) return `${quoted(name)} at depth ${depth}: ${problem}`
    const element = elementKinds[type].decode(this.#reader, name, created_version, version, this.#blobs)
    if (this.#reader.fault !== null) return `${quoted(name)} at depth ${depth}: ${this.#reader.fault}`
    writeRecord(writer, depth, name, element)
    this.#attach(name, element)
    return null
  }

  /** Why it cannot be the next element; null if it can, and then its parent is the last of those that are open. */
  #misplaced({ depth, name, type, created_version, version }: Heading): string | null {
    if (this.#root === undefined) {
      return depth === 0 && name === "" && type === "directory" && created_version === 0 ? null : "the root comes first"
    }
    if (depth < 1 || depth > this.#open.length) return "its parent does not come before it"
    if (depth > Limits.path_depth_max) return `the depth is at most ${Limits.path_depth_max}`
    const missing = this.#close(depth)
    if (missing !== null) return missing
    const { directory, last, path_bytes } = this.#open[depth - 1]!
    if (directory.children > 0 && name <= last) return `it comes after ${quoted(last)}`
    const unfit = refuseName(name)
    if (unfit !== undefined) return unfit
    if (path_bytes + 1 + utf8Length(name) > Limits.path_bytes_max) return "its path is too long"
    if (created_version < 1 || created_version < directory.created_version) return "it is older than its parent"
    if (version < created_version || version > directory.version) return `its version cannot be ${version}`
    return null
  }

  #attach(name: string, element: Element): void {
    const parent = this.#open[this.#open.length - 1]
    if (parent !== undefined) {
      const own_name = flat(name)
      parent.directory.entries.add(own_name, element.entry, never_pinned)
      parent.last = own_name
      parent.elements += 1
      parent.value_bytes += element.size
    }
    if (element.type !== "directory") return
    this.#root ??= element
    const path_bytes = parent === undefined ? 0 : parent.path_bytes + 1 + utf8Length(name)
    this.#open.push({ directory: element, name, path_bytes, last: "", elements: 0, value_bytes: 0 })
  }

  /** No more comes below the directories at this depth and deeper. */
  #close(depth: number): string | null {
    const open = this.#open
    for (let top = open[open.length - 1]; top !== undefined && open.length > depth; top = open[open.length - 1]) {
      const { directory, name, elements, value_bytes } = top
      if (elements !== directory.elements_below) {
        return `there are ${elements} elements below ${quoted(name)}, and not ${directory.elements_below}`
      }
      directory.value_bytes_below = value_bytes
      open.pop()
      const above = open[open.length - 1]
      if (above === undefined) continue
      above.elements += elements
      above.value_bytes += value_bytes
    }
    return null
  }
}

/** Null if the reader has found a fault. */
export const readHeading = (reader: MsgpackReader): Heading | null => {
  if (reader.array("record", record_fields) < record_fields) reader.fail(`a record has ${record_fields} fields`)
  const depth = reader.integer("depth")
  const name = reader.string("name", Limits.path_bytes_max)
  const type = reader.string("type", Limits.path_bytes_max)
  const created_version = reader.integer("created version")
  const version = reader.integer("version")
  if (reader.fault !== null) return null
  if (isElementType(type)) return { depth, name, type, created_version, version }
  reader.fail(`${quoted(type)} is no type`)
  return null
}
