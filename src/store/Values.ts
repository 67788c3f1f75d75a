/**
 * Memory for the names and values of a tree's blobs, outside the heap of the JavaScript engine: its collector neither copies nor
 * marks them, and a value that takes the place of another one of about its length makes no garbage.
 *
 * It comes in pages of slots of one size. A slot belongs to the blob that took it, until that gives it back. A page is let go
 * once all its slots were given back, or with all of the memory, as that of a pin is. One slot that is taken keeps its page.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import { Limits } from "../base/Limits.ts"

/** By steps that grow with the length: nothing leaves more than a ninth of its slot empty, or 15 bytes. */
const slotSizes: ReadonlyArray<number> = [
  ...Array.from({ length: 16 }, (_, i) => 16 * (i + 1)),
  ...Array.from({ length: 8 }, (_, i) => 256 + 32 * (i + 1)),
  ...Array.from({ length: 8 }, (_, i) => 512 + 64 * (i + 1))
]

invariant(slotSizes.at(-1) === Limits.value_slot_bytes_max, "the longest that lies in a slot fits one")

/** Which of these sizes holds so many bytes, 1 to `value_slot_bytes_max`. */
const sizeIndex = (length: number): number =>
  length <= 256 ? (length - 1) >> 4 : length <= 512 ? 16 + ((length - 257) >> 5) : 24 + ((length - 513) >> 6)

/** Slots of one size, or one slot that is too long for them. */
export class Page {
  readonly bytes: Uint8Array
  /** Of which of the sizes its slots are; -1: it is a slot by itself. */
  readonly size: number
  /** It is found by this, while any of it is taken. */
  number = 0
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

  /** Could something of this length take the place of what is here? */
  fits(length: number): boolean {
    if (this.size < 0) return length === this.bytes.length
    return length > 0 && length <= Limits.value_slot_bytes_max && sizeIndex(length) === this.size
  }
}

/** Of what has no bytes. */
const nothing = new Page(new Uint8Array(0), -1)

export class Values {
  /** By size: pages that have room. */
  readonly #open: ReadonlyArray<Array<Page>> = slotSizes.map(() => [])
  /** By their numbers. */
  readonly #pages: Array<Page> = [nothing]
  /** The same pages' memory: to what is asked for most it is one look fewer. */
  readonly #memory: Array<Uint8Array> = [nothing.bytes]
  /** Of pages that were let go. */
  readonly #numbers: Array<number> = []
  /** By size: the page that is kept though nothing of it is taken. */
  readonly #empty: Array<Page | undefined> = slotSizes.map(() => undefined)
  /** By size: bytes of all pages. */
  readonly #bytes: Array<number> = slotSizes.map(() => 0)

  /** The page of this number; that of what has no bytes is 0. */
  page(number: number): Page {
    return this.#pages[number]!
  }

  /** The memory of this page. */
  bytesOf(number: number): Uint8Array {
    return this.#memory[number]!
  }

  /** Of all pages, taken and free, but not of what has memory of its own: for tests. */
  get bytes(): number {
    return this.#bytes.reduce((sum, bytes) => sum + bytes, 0)
  }

  /** A page with room for so many bytes: where in it is for {@link take} to say, at once. */
  pageFor(length: number): Page {
    if (length === 0) return nothing
    if (length > Limits.value_slot_bytes_max) return this.#number(new Page(new Uint8Array(length), -1))
    const size = sizeIndex(length)
    return this.#open[size]!.at(-1) ?? this.#grow(size)
  }

  /** The offset of the slot that the caller has from now on. */
  take(page: Page): number {
    if (page.size < 0) return 0
    if (page.taken === 0 && this.#empty[page.size] === page) this.#empty[page.size] = undefined
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
    if (page === nothing) return
    invariant(this.#pages[page.number] === page, "what is given back was taken from here")
    if (page.size < 0) return this.#forget(page)
    invariant(page.taken > 0, "what is given back was taken")
    page.taken -= 1
    page.returned.push(at)
    const open = this.#open[page.size]!
    if (page.place < 0) {
      page.place = open.length
      open.push(page)
    }
    if (page.taken === 0) this.#keepOne(page)
  }

  /**
   * Of empty pages one is kept, if no other page has room: else each value that comes and goes would take memory anew. It is the
   * smaller one, and no larger than one would be that was made now.
   */
  #keepOne(empty: Page): void {
    const { size } = empty
    const kept = this.#empty[size]
    this.#empty[size] = undefined
    const both = kept === undefined ? [empty] : [kept, empty].sort((one, other) => other.bytes.length - one.bytes.length)
    for (const page of both) {
      const rest = this.#bytes[size]! - page.bytes.length
      const length_max = Math.max(Limits.value_page_bytes_usual, rest * Limits.value_page_share)
      if (this.#open[size]!.length === 1 && page.bytes.length <= length_max) {
        this.#empty[size] = page
        continue
      }
      this.#close(page)
      this.#bytes[size]! -= page.bytes.length
      this.#forget(page)
    }
  }

  #number(page: Page): Page {
    page.number = this.#numbers.pop() ?? this.#pages.length
    this.#memory[page.number] = page.bytes
    return this.#pages[page.number] = page
  }

  #forget(page: Page): void {
    this.#pages[page.number] = nothing
    this.#memory[page.number] = nothing.bytes
    this.#numbers.push(page.number)
  }

  #grow(size: number): Page {
    const slot_bytes = slotSizes[size]!
    const { value_page_bytes_max, value_page_bytes_min, value_page_bytes_usual, value_page_share } = Limits
    const present = this.#bytes[size]!
    const few = Math.min(Math.max(present, value_page_bytes_min), value_page_bytes_usual)
    const many = Math.min(present * value_page_share, value_page_bytes_max)
    const slots = Math.floor(Math.max(few, many) / slot_bytes)
    const page = this.#number(new Page(new Uint8Array(slots * slot_bytes), size))
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
