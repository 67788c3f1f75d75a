/**
 * Memory for the values of a tree, outside the heap of the JavaScript engine: its collector neither copies nor marks them, and a
 * value that takes the place of another one of about its length makes no garbage.
 *
 * It comes in pages of slots of one size. A slot belongs to the element that took it, until that gives it back. Who never gives
 * it back does no harm: a page lives as long as any element that has a slot of it.
 *
 * @module
 */

/** Longer values have memory of their own. */
export const slot_bytes_max = 512
/** The first page of a size is a small one, as many tenants have few values; each is as large as those before it together, up to this. */
const page_bytes_max = 64 * 1024
const page_bytes_min = 1024

/** By steps that grow with the length: no value leaves more than a fifth of its slot empty, or 15 bytes. */
const slotSizes: ReadonlyArray<number> = [
  ...Array.from({ length: 8 }, (_, i) => 16 * (i + 1)),
  ...Array.from({ length: 4 }, (_, i) => 128 + 32 * (i + 1)),
  ...Array.from({ length: 4 }, (_, i) => 256 + 64 * (i + 1))
]

/** Which of these sizes holds so many bytes, 1 to `slot_bytes_max`. */
const sizeIndex = (length: number): number =>
  length <= 128 ? (length - 1) >> 4 : length <= 256 ? 8 + ((length - 129) >> 5) : 12 + ((length - 257) >> 6)

/** Of slots, or the memory of one value alone. */
export class Page {
  readonly bytes: Uint8Array
  /** Of which of the sizes its slots are; -1: it is one value. */
  readonly size: number
  /** Where those are that were given back. */
  readonly returned: Array<number> = []
  /** Where the slots begin that nobody has had yet. */
  fresh = 0
  /** Slots that are taken. */
  taken = 0
  /** Its place among the pages of its size that have room; -1: it is full. */
  place = -1

  constructor(bytes: Uint8Array, size: number) {
    this.bytes = bytes
    this.size = size
  }

  /** Could a value of this length take the place of one that is here? */
  fits(length: number): boolean {
    return this.size < 0 ? length === this.bytes.length : length > 0 && length <= slot_bytes_max && sizeIndex(length) === this.size
  }
}

/** Of values that have no bytes. */
const nothing = new Page(new Uint8Array(0), -1)

export class Values {
  /** By size: pages that have room. */
  readonly #open: ReadonlyArray<Array<Page>> = slotSizes.map(() => [])
  /** By size: bytes of all pages. */
  readonly #bytes: Array<number> = slotSizes.map(() => 0)

  /** Of all pages: taken, and free. Not of values that have memory of their own. */
  get bytes(): number {
    return this.#bytes.reduce((sum, bytes) => sum + bytes, 0)
  }

  /** A page with room for a value of this length: where in it is for {@link take} to say, at once. */
  pageFor(length: number): Page {
    if (length === 0) return nothing
    if (length > slot_bytes_max) return new Page(new Uint8Array(length), -1)
    const size = sizeIndex(length)
    return this.#open[size]!.at(-1) ?? this.#grow(size)
  }

  /** The offset of the slot that the caller has from now on. */
  take(page: Page): number {
    if (page.size < 0) return 0
    page.taken += 1
    let at = page.returned.pop()
    if (at === undefined) {
      at = page.fresh
      page.fresh += slotSizes[page.size]!
    }
    if (page.returned.length === 0 && page.fresh === page.bytes.length) this.#close(page)
    return at
  }

  /** The slot is nobody's any more. */
  give(page: Page, at: number): void {
    if (page.size < 0) return
    page.taken -= 1
    page.returned.push(at)
    const open = this.#open[page.size]!
    if (page.place < 0) {
      page.place = open.length
      open.push(page)
    }
    // One is kept: else each value that comes and goes would take memory anew.
    if (page.taken > 0 || open.length === 1) return
    this.#close(page)
    this.#bytes[page.size]! -= page.bytes.length
  }

  #grow(size: number): Page {
    const slot_bytes = slotSizes[size]!
    const slots = Math.floor(Math.min(Math.max(this.#bytes[size]!, page_bytes_min), page_bytes_max) / slot_bytes)
    const page = new Page(new Uint8Array(slots * slot_bytes), size)
    this.#bytes[size]! += page.bytes.length
    page.place = 0
    this.#open[size]!.push(page)
    return page
  }

  /** It is not among those with room. */
  #close(page: Page): void {
    const open = this.#open[page.size]!
    const last = open.pop()!
    if (last !== page) {
      open[page.place] = last
      last.place = page.place
    }
    page.place = -1
  }
}
