/**
 * The tree as a sequence of parts, which `Builder.ts` makes a tree of again. A part is a row of records, one for every
 * element, in the order of a walk: a directory, then all that is below it, children in order of their names.
 *
 * ```
 * [depth, name, type, created_version, version, state]
 * ```
 * `depth`: 0 for the root, which has the name "". `state`: what the type says; for a directory how many elements are
 * below it, so the root says how many there are. A record is never cut in two, and a part is as full as the limits let it be.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import { Limits } from "../base/Limits.ts"
import { MsgpackWriter } from "../base/MsgpackWriter.ts"
import type { PartReader } from "../vr/Application.ts"
import type { Entry } from "./Blobs.ts"
import type { Element } from "./elements/Elements.ts"
import type { NamesCursor } from "./OrderedNames.ts"
import type { Pin } from "./Pin.ts"

export const record_fields = 6

/** A record without its name and its state, about. */
export const record_bytes = 32

export const writeRecord = (writer: MsgpackWriter, depth: number, name: string, element: Element): void => {
  writer.array(record_fields).uint(depth).string(name).string(element.type)
  writer.uint(element.created_version).uint(element.version)
  element.encode(writer)
}

/** With room for a part and the longest record behind it. */
const writer = new MsgpackWriter(Limits.snapshot_part_bytes_max + Limits.operation_bytes_max)

/** Each part costs what is in it. */
export const partsOf = (pin: Pin, part_bytes_max: number): PartReader => {
  const walk = new Walk(pin)
  return {
    next: (room) => {
      invariant(!pin.isReleased, "a pin is read before it is released")
      if (walk.entry === undefined) return null
      writer.start()
      let end = 0
      for (let elements = 0; walk.entry !== undefined && elements < Limits.snapshot_part_elements_max; elements++) {
        // Not before it is written: meanwhile it may change.
        writeRecord(writer, walk.depth, walk.name, pin.asItWas(walk.entry))
        if (elements > 0 && writer.length > part_bytes_max) break
        end = writer.length
        walk.advance()
      }
      return writer.take(end, room)
    }
  }
}

/** Goes through all elements, in the order of the parts. */
class Walk {
  depth = 0
  name = ""
  /** Undefined behind the last one. */
  entry: Entry | undefined
  /** Of each directory on the way here: at what comes next in it. */
  readonly #open: Array<NamesCursor<Entry>> = []

  constructor({ root }: Pin) {
    this.entry = root
  }

  advance(): void {
    const open = this.#open
    if (typeof this.entry === "object") open.push(this.entry.entries.cursor())
    while (open.length > 0 && open[open.length - 1]!.name === undefined) open.pop()
    const cursor = open[open.length - 1]
    this.depth = open.length
    this.name = cursor?.name ?? ""
    this.entry = cursor?.value
    cursor?.advance()
  }
}
