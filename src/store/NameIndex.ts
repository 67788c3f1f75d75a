/**
 * Finds the value of a name at once, beside the order: a hash table. The way through an ordered tree of a million names
 * is a dozen places in memory of which none is in the processor's caches; this is three.
 *
 * It need not know all names: whoever does not find one here looks it up in the order. So a slot is looked for in a short
 * stretch only, a name for which there is none is left out, and names that were made to collide cost no more than others.
 *
 * It consists of segments, each for the hashes that begin with certain bits (extendible hashing). A full one is split,
 * so no single call ever pays for the whole.
 *
 * @module
 */

const hash_bits = 30
/** A segment's slots. While it is the only one it begins with few, and doubles. */
const slots_min = 64
/** So many that what leads to the segments stays in the processor's caches. To split one takes a millisecond or two. */
const segment_slots_max = 16_384
/** From where its hash points to, a name is in one of so many slots. */
const stretch = 16
/** A slot: hash, name, value, side by side. */
const width = 3

/** Of all slots of a segment, side by side. */
type Cells<Value> = Array<number | string | Value | undefined>

interface Segment<Value> {
  /** All its hashes have so many first bits in common. */
  readonly depth: number
  readonly mask: number
  readonly cells: Cells<Value>
}

const makeSegment = <Value>(depth: number, slots: number): Segment<Value> =>
  ({ depth, mask: slots - 1, cells: Array.from<undefined>({ length: slots * width }) })

/** Of `hash_bits` bits. */
const hashOf = (name: string): number => {
  let hash = name.length
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x5bd1e995) ^ hash >>> 15
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b)
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35)
  return (hash ^ hash >>> 16) >>> 32 - hash_bits
}

export class NameIndex<Value> {
  /** The segments by the first `#depth` bits: one that is less deep is there several times. */
  #segments: Array<Segment<Value>> = [makeSegment(0, slots_min)]
  #depth = 0
  #slots = slots_min
  readonly #segment_slots_max: number

  /** Tests have more to split. */
  constructor({ slots_max = segment_slots_max } = {}) {
    this.#segment_slots_max = slots_max
  }

  get(name: string): Value | undefined {
    const hash = hashOf(name)
    const { cells, mask } = this.#segmentOf(hash)
    const at = cellOf(cells, mask, hash, name)
    return at < 0 ? undefined : cells[at + 2] as Value
  }

  get slots(): number {
    return this.#slots
  }

  /** Where it will be looked for. */
  locate(name: string, slots: Slots<Value>): void {
    const hash = hashOf(name)
    const { cells, mask } = this.#segmentOf(hash)
    slots.add(cells, (hash & mask) * width)
  }

  /** Takes a name that is not here. `size`: how many names there are in all. */
  set(name: string, value: Value, size: number): void {
    const hash = hashOf(name)
    do {
      const { cells, mask } = this.#segmentOf(hash)
      const at = freeCell(cells, mask, hash)
      if (at < 0) continue
      cells[at] = hash
      cells[at + 1] = name
      cells[at + 2] = value
      return
    } while (this.#grow(hash, size))
  }

  /** Another value, if the name is here. */
  replace(name: string, value: Value): void {
    const hash = hashOf(name)
    const { cells, mask } = this.#segmentOf(hash)
    const at = cellOf(cells, mask, hash, name)
    if (at >= 0) cells[at + 2] = value
  }

  delete(name: string): void {
    const hash = hashOf(name)
    const { cells, mask } = this.#segmentOf(hash)
    const at = cellOf(cells, mask, hash, name)
    if (at >= 0) cells.fill(undefined, at, at + width)
  }

  #segmentOf(hash: number): Segment<Value> {
    return this.#segments[hash >>> hash_bits - this.#depth]!
  }

  /** Makes room where this hash belongs; false if there are too few names to need more. */
  #grow(hash: number, size: number): boolean {
    const full = this.#segmentOf(hash)
    const slots = full.mask + 1
    // Of so few names only some that collide fill a stretch.
    if (size < slots << full.depth >>> 2) return false
    this.#slots += slots
    if (slots < this.#segment_slots_max) {
      this.#segments = [makeSegment(0, 2 * slots)]
      this.#refill(full)
      return true
    }
    if (full.depth === this.#depth) {
      this.#segments = this.#segments.flatMap((segment) => [segment, segment])
      this.#depth += 1
    }
    const depth = full.depth + 1
    const count = 1 << this.#depth - depth
    const first = hash >>> hash_bits - full.depth << this.#depth - full.depth
    this.#segments.fill(makeSegment(depth, slots), first, first + count)
    this.#segments.fill(makeSegment(depth, slots), first + count, first + 2 * count)
    this.#refill(full)
    return true
  }

  #refill({ cells: from }: Segment<Value>): void {
    for (let i = 0; i < from.length; i += width) {
      if (from[i] === undefined) continue
      const hash = from[i] as number
      const { cells, mask } = this.#segmentOf(hash)
      const at = freeCell(cells, mask, hash)
      if (at < 0) continue
      cells[at] = hash
      cells[at + 1] = from[i + 1]
      cells[at + 2] = from[i + 2]
    }
  }
}

/** Where names will be looked for: of different indexes, as it may be. */
export class Slots<Value> {
  readonly #cells: Array<Cells<Value>> = []
  readonly #at: Array<number> = []

  add(cells: Cells<Value>, at: number): void {
    this.#cells.push(cells)
    this.#at.push(at)
  }

  /**
   * Looks at the slots, then at the names and values there, then at what those have elsewhere, and forgets them. In loops so short
   * that the processor begins with the next ones while it waits for memory. What it gives means nothing.
   */
  touch(lookAt: (value: Value) => number, lookInto: (value: Value) => number): number {
    const all = this.#cells
    const at = this.#at
    let seen = 0
    for (let i = 0; i < all.length; i++) if (all[i]![at[i]!] === undefined) seen++
    for (let i = 0; i < all.length; i++) {
      const cells = all[i]!
      const value = cells[at[i]! + 2]
      if (value !== undefined) seen += (cells[at[i]! + 1] as string).length + lookAt(value as Value)
    }
    for (let i = 0; i < all.length; i++) {
      const value = all[i]![at[i]! + 2]
      if (value !== undefined) seen += lookInto(value as Value)
    }
    all.length = 0
    at.length = 0
    return seen
  }
}

/** Of this name, or -1. */
const cellOf = (cells: Cells<unknown>, mask: number, hash: number, name: string): number => {
  for (let i = 0; i < stretch; i++) {
    const at = (hash + i & mask) * width
    if (cells[at] === hash && cells[at + 1] === name) return at
  }
  return -1
}

const freeCell = (cells: Cells<unknown>, mask: number, hash: number): number => {
  for (let i = 0; i < stretch; i++) {
    const at = (hash + i & mask) * width
    if (cells[at] === undefined) return at
  }
  return -1
}
