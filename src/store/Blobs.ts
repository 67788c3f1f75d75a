/**
 * The blobs of a tree, outside the heap of the JavaScript engine. Among very many, to find where a place in memory lies takes the
 * processor longer than to read it, and the engine scatters what it keeps all over the address space: so what a write looks at is in
 * few large blocks.
 *
 * A blob goes by a number, from when it is created until it is freed. At a place that its number tells is its record: its versions,
 * and where its slot is, in which are its name and, behind that, its value. The record outlives the blob until its number is given to
 * another one, so whoever still has a number sees a version that is not below the last one.
 *
 * @module
 */
import { invariant } from "../base/Invariant.ts"
import { Limits } from "../base/Limits.ts"
import type { Directory } from "./elements/Directory.ts"
import type { NameKeeper } from "./NameIndex.ts"
import { Values } from "./Values.ts"

/** What is in a directory under a name: a directory, or the number of a blob. */
export type Entry = Directory | number

// A record is so many numbers of 64 bits: two for its versions, and two for four words of 32 bits.
const record_numbers = 4
const [version_at, created_version_at] = [0, 1]
const record_words = 2 * record_numbers
const [page_at, offset_at, length_at, name_length_at] = [4, 5, 6, 7]

/** The first block begins with few records, and doubles. Others come whole, 4 MiB each. */
const block_records_min = 16
const block_bits = 17
const block_records_max = 2 ** block_bits
const block_mask = block_records_max - 1

/** In place of the length of a name. */
const is_free = -1
const no_more = -1

/** What the processor takes from memory at a time. */
const cache_line_bytes = 64

interface Block {
  readonly numbers: Float64Array
  readonly words: Int32Array
}

const makeBlock = (records: number): Block => {
  const numbers = new Float64Array(records * record_numbers)
  return { numbers, words: new Int32Array(numbers.buffer) }
}

/** Where a record begins in the words of its block. */
const wordsAt = (blob: number): number => (blob & block_mask) * record_words
const numbersAt = (blob: number): number => (blob & block_mask) * record_numbers

/** One byte a character is enough. */
const isNarrow = (name: string): boolean => {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) > 0xff) return false
  return true
}

export class Blobs implements NameKeeper<Entry> {
  readonly #values: Values
  #blocks: Array<Block> = [makeBlock(block_records_min)]
  /** Records that were ever used. */
  #used = 0
  /** The number that was freed last; its record has in place of an offset the one before. */
  #free = no_more

  constructor(values = new Values()) {
    this.#values = values
  }

  /** So many numbers were ever given: all are below. */
  get numbers(): number {
    return this.#used
  }

  /** Copies `data`. `name`: "" if nobody will look for it. */
  create(name: string, data: Uint8Array, created_version: number, version: number): number {
    const blob = this.#take()
    const { numbers, words } = this.#blockOf(blob)
    const at = wordsAt(blob)
    numbers[numbersAt(blob) + version_at] = version
    numbers[numbersAt(blob) + created_version_at] = created_version
    const name_length = isNarrow(name) ? name.length : 0
    words[at + name_length_at] = name_length
    words[at + length_at] = data.length
    const page = this.#values.pageFor(name_length + data.length)
    const offset = this.#values.take(page)
    words[at + page_at] = page.number
    words[at + offset_at] = offset
    for (let i = 0; i < name_length; i++) page.bytes[offset + i] = name.charCodeAt(i)
    page.bytes.set(data, offset + name_length)
    return blob
  }

  versionOf(blob: number): number {
    return this.#blockOf(blob).numbers[numbersAt(blob) + version_at]!
  }

  setVersion(blob: number, version: number): void {
    this.#blockOf(blob).numbers[numbersAt(blob) + version_at] = version
  }

  createdVersionOf(blob: number): number {
    return this.#blockOf(blob).numbers[numbersAt(blob) + created_version_at]!
  }

  /** Bytes of its value. */
  sizeOf(blob: number): number {
    return this.#blockOf(blob).words[wordsAt(blob) + length_at]!
  }

  /** Its value: to be read now, not to be kept or changed. */
  dataOf(blob: number): Uint8Array {
    const { words } = this.#blockOf(blob)
    const at = wordsAt(blob)
    const begin = words[at + offset_at]! + words[at + name_length_at]!
    return this.#values.bytesOf(words[at + page_at]!).subarray(begin, begin + words[at + length_at]!)
  }

  /** Copies the bytes, which are not another value of these blobs. */
  replace(blob: number, data: Uint8Array): void {
    const { words } = this.#blockOf(blob)
    const at = wordsAt(blob)
    const name_length = words[at + name_length_at]!
    if (words[at + length_at] !== data.length) {
      this.#makeFit(words, at, name_length + data.length)
      words[at + length_at] = data.length
    }
    this.#values.bytesOf(words[at + page_at]!).set(data, words[at + offset_at]! + name_length)
  }

  /** Moves the name of this record to a slot for so many bytes, unless its own is one. */
  #makeFit(words: Int32Array, at: number, length: number): void {
    const old = this.#values.page(words[at + page_at]!)
    if (old.fits(length)) return
    const from = words[at + offset_at]!
    const page = this.#values.pageFor(length)
    const offset = this.#values.take(page)
    page.bytes.set(old.bytes.subarray(from, from + words[at + name_length_at]!), offset)
    this.#values.give(old, from)
    words[at + page_at] = page.number
    words[at + offset_at] = offset
  }

  /** Gives its memory back, and its number to others. */
  free(blob: number): void {
    const { words } = this.#blockOf(blob)
    const at = wordsAt(blob)
    invariant(words[at + name_length_at] !== is_free, "a blob is freed once")
    this.#values.give(this.#values.page(words[at + page_at]!), words[at + offset_at]!)
    words[at + page_at] = 0
    words[at + offset_at] = this.#free
    words[at + length_at] = 0
    words[at + name_length_at] = is_free
    this.#free = blob
  }

  /**
   * Brings their records and slots into the processor's caches: one kind of place after the other, each in a loop so short that the
   * processor begins with the next ones while it waits for memory. What it gives means nothing.
   */
  glimpse(blobs: ReadonlyArray<number>): number {
    let seen = 0
    for (const blob of blobs) seen += this.#blockOf(blob).words[wordsAt(blob) + page_at]!
    for (const blob of blobs) seen += this.#values.bytesOf(this.#blockOf(blob).words[wordsAt(blob) + page_at]!).length
    for (const blob of blobs) {
      const { words } = this.#blockOf(blob)
      const at = wordsAt(blob)
      // What has no bytes has no first one.
      seen += this.#values.bytesOf(words[at + page_at]!)[words[at + offset_at]!]! | 0
    }
    for (const blob of blobs) {
      const { words } = this.#blockOf(blob)
      const at = wordsAt(blob)
      const bytes = this.#values.bytesOf(words[at + page_at]!)
      const begin = words[at + offset_at]!
      // What is longer is copied so fast that it need not be known before.
      const end = begin + Math.min(words[at + name_length_at]! + words[at + length_at]!, Limits.value_slot_bytes_max)
      for (let i = begin + cache_line_bytes; i < end; i += cache_line_bytes) seen += bytes[i]!
    }
    return seen
  }

  numberOf(entry: Entry): number {
    if (typeof entry !== "number") return -1
    return this.#blockOf(entry).words[wordsAt(entry) + name_length_at]! > 0 ? entry : -1
  }

  entryOf(blob: number): Entry {
    return blob
  }

  isNamed(blob: number, name: string): boolean {
    const { words } = this.#blockOf(blob)
    const at = wordsAt(blob)
    if (words[at + name_length_at] !== name.length) return false
    const bytes = this.#values.bytesOf(words[at + page_at]!)
    const offset = words[at + offset_at]!
    for (let i = 0; i < name.length; i++) if (bytes[offset + i] !== name.charCodeAt(i)) return false
    return true
  }

  #blockOf(blob: number): Block {
    return this.#blocks[blob >>> block_bits]!
  }

  /** A record that nobody has. */
  #take(): number {
    const blob = this.#free
    if (blob !== no_more) {
      this.#free = this.#blockOf(blob).words[wordsAt(blob) + offset_at]!
      return blob
    }
    if (this.#used === this.#records) this.#grow()
    return this.#used++
  }

  get #records(): number {
    const [first] = this.#blocks
    return this.#blocks.length === 1 ? first!.words.length / record_words : this.#blocks.length * block_records_max
  }

  #grow(): void {
    const records = this.#records
    if (records >= block_records_max) {
      this.#blocks.push(makeBlock(block_records_max))
      return
    }
    const block = makeBlock(2 * records)
    block.numbers.set(this.#blocks[0]!.numbers)
    this.#blocks[0] = block
  }
}
