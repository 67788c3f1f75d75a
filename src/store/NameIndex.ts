/**
 * Finds the value of a name at once, beside the order: a hash table. The way through an ordered tree of a million names
 * is a dozen places in memory of which none is in the processor's caches; this is one, and where the name is kept.
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
/** So many that what leads to the segments stays in the processor's caches. To split one takes a millisecond or two, seldom ten. */
const segment_slots_max = 65_536
/** From where its hash points to, a name is in one of so many slots. */
const stretch = 16
/**
 * A slot: a hash, and 0 if it is free, a kept name's number + 1, or less than 0 for one of the index's own. In memory of its own, not
 * the engine's, which would scatter it.
 */
const width = 2

/** Of all slots of a segment, side by side. */
type Cells = Int32Array

/** Somebody who has names anyway, by numbers from 0 on. So the index need not have them, nor look for them where they are not. */
export interface NameKeeper<Value> {
  /** Below 0: the name of this value is not kept. */
  readonly numberOf: (value: Value) => number
  readonly entryOf: (number: number) => Value
  readonly isNamed: (number: number, name: string) => boolean
}

interface Segment {
  /** All its hashes have so many first bits in common. */
  readonly depth: number
  readonly mask: number
  readonly cells: Cells
}

interface Own<Value> {
  readonly name: string
  readonly value: Value
}

const makeSegment = (depth: number, slots: number): Segment => ({ depth, mask: slots - 1, cells: new Int32Array(slots * width) })

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
  #segments: Array<Segment> = [makeSegment(0, slots_min)]
  #depth = 0
  #slots = slots_min
  readonly #segment_slots_max: number
  readonly #keeper: NameKeeper<Value>
  /** Names that are not kept. */
  readonly #own: Array<Own<Value> | undefined> = []
  /** Places among those that are free. */
  readonly #free: Array<number> = []

  /** `slots_max`: tests have more to split. */
  constructor(keeper: NameKeeper<Value>, { slots_max = segment_slots_max } = {}) {
    this.#keeper = keeper
    this.#segment_slots_max = slots_max
  }

  get(name: string): Value | undefined {
    const hash = hashOf(name)
    const { cells, mask } = this.#segmentOf(hash)
    const at = this.#find(cells, mask, hash, name)
    if (at < 0) return undefined
    const known = cells[at + 1]!
    return known > 0 ? this.#keeper.entryOf(known - 1) : this.#own[~known]!.value
  }

  get slots(): number {
    return this.#slots
  }

  /** Where it will be looked for. */
  locate(name: string, places: Places): void {
    const hash = hashOf(name)
    const { cells, mask } = this.#segmentOf(hash)
    places.add(cells, mask, hash)
  }

  /** Takes a name that is not here. `size`: how many names there are in all. */
  set(name: string, value: Value, size: number): void {
    const hash = hashOf(name)
    do {
      const { cells, mask } = this.#segmentOf(hash)
      const at = freeCell(cells, mask, hash)
      if (at < 0) continue
      cells[at] = hash
      cells[at + 1] = this.#learn(name, value)
      return
    } while (this.#grow(hash, size))
  }

  /** Another value, if the name is here. */
  replace(name: string, value: Value): void {
    const hash = hashOf(name)
    const { cells, mask } = this.#segmentOf(hash)
    const at = this.#find(cells, mask, hash, name)
    if (at < 0) return
    this.#forget(cells[at + 1]!)
    cells[at + 1] = this.#learn(name, value)
  }

  delete(name: string): void {
    const hash = hashOf(name)
    const { cells, mask } = this.#segmentOf(hash)
    const at = this.#find(cells, mask, hash, name)
    if (at < 0) return
    this.#forget(cells[at + 1]!)
    cells[at + 1] = 0
  }

  /** What the cell of this name says. */
  #learn(name: string, value: Value): number {
    const number = this.#keeper.numberOf(value)
    if (number >= 0) return number + 1
    const at = this.#free.pop() ?? this.#own.length
    this.#own[at] = { name, value }
    return ~at
  }

  #forget(known: number): void {
    if (known > 0) return
    this.#own[~known] = undefined
    this.#free.push(~known)
  }

  /** The cell of this name, or -1. */
  #find(cells: Cells, mask: number, hash: number, name: string): number {
    for (let i = 0; i < stretch; i++) {
      const at = (hash + i & mask) * width
      if (cells[at] !== hash) continue
      const known = cells[at + 1]!
      if (known > 0 ? this.#keeper.isNamed(known - 1, name) : known < 0 && this.#own[~known]!.name === name) return at
    }
    return -1
  }

  #segmentOf(hash: number): Segment {
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

  #refill({ cells: from }: Segment): void {
    for (let i = 0; i < from.length; i += width) {
      if (from[i + 1] === 0) continue
      const hash = from[i]!
      const { cells, mask } = this.#segmentOf(hash)
      const at = freeCell(cells, mask, hash)
      if (at < 0) {
        this.#forget(from[i + 1]!)
        continue
      }
      cells[at] = hash
      cells[at + 1] = from[i + 1]!
    }
  }
}

/** Where names will be looked for: in different indexes, as it may be, of names that one keeper has. */
export class Places {
  readonly #cells: Array<Cells> = []
  readonly #masks: Array<number> = []
  readonly #hashes: Array<number> = []
  /** Of those names that are kept, if it is they. */
  readonly #numbers: Array<number> = []

  add(cells: Cells, mask: number, hash: number): void {
    this.#cells.push(cells)
    this.#masks.push(mask)
    this.#hashes.push(hash)
  }

  /**
   * Looks at the slots there, has a look taken at what is kept under the numbers in them, and forgets them. In loops so short that the
   * processor begins with the next ones while it waits for memory. What it gives means nothing.
   */
  touch(look: (numbers: ReadonlyArray<number>) => number): number {
    const [all, masks, hashes, numbers] = [this.#cells, this.#masks, this.#hashes, this.#numbers]
    let seen = 0
    for (let i = 0; i < all.length; i++) seen += all[i]![(hashes[i]! & masks[i]!) * width]!
    for (let i = 0; i < all.length; i++) {
      const number = numberAt(all[i]!, masks[i]!, hashes[i]!)
      if (number >= 0) numbers.push(number)
    }
    seen += look(numbers)
    all.length = masks.length = hashes.length = numbers.length = 0
    return seen
  }
}

/** Of the first kept name with this hash, or below 0. */
const numberAt = (cells: Cells, mask: number, hash: number): number => {
  for (let i = 0; i < stretch; i++) {
    const at = (hash + i & mask) * width
    if (cells[at] === hash && cells[at + 1]! > 0) return cells[at + 1]! - 1
  }
  return -1
}

const freeCell = (cells: Cells, mask: number, hash: number): number => {
  for (let i = 0; i < stretch; i++) {
    const at = (hash + i & mask) * width
    if (cells[at + 1] === 0) return at
  }
  return -1
}
