/**
 * All states that were found: fixed numbers of 32-bit words in one array, in the order in which they were found, with a
 * hash table over them. States are compared as a whole, so none is ever taken for another one.
 *
 * @module
 */

const mix = (hash: number, word: number): number => {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1)
  return mixed ^ (mixed >>> 15)
}

export class StateTable {
  count = 0
  private readonly width: number
  private words: Int32Array
  private parents: Int32Array
  private actions: Int32Array
  /** State number + 1, or 0. */
  private slots = new Int32Array(1 << 16)

  /** `width`: words of a state. */
  constructor(width: number) {
    this.width = width
    this.words = new Int32Array(width << 14)
    this.parents = new Int32Array(1 << 14)
    this.actions = new Int32Array(1 << 14)
  }

  private hash(words: Int32Array, at: number): number {
    let hash = 0
    for (let i = 0; i < this.width; i++) hash = mix(hash, words[at + i]!)
    return hash >>> 0
  }

  /** The number of the state if it is a new one, else -1. `action` led to it from state `parent`. */
  add(state: Int32Array, parent: number, action: number): number {
    const { slots, width } = this
    const mask = slots.length - 1
    let slot = this.hash(state, 0) & mask
    for (let held = slots[slot]!; held !== 0; held = slots[slot]!) {
      if (this.equals(state, held - 1)) return -1
      slot = (slot + 1) & mask
    }
    if ((this.count + 1) * width > this.words.length) this.growStates()
    slots[slot] = this.count + 1
    this.words.set(state, this.count * width)
    this.parents[this.count] = parent
    this.actions[this.count] = action
    this.count++
    if (this.count * 2 > slots.length) this.growSlots()
    return this.count - 1
  }

  /** Copies state `number` to `into`. */
  read(number: number, into: Int32Array): void {
    const at = number * this.width
    for (let i = 0; i < this.width; i++) into[i] = this.words[at + i]!
  }

  /** The actions that led to state `number`, from the first state on. */
  pathTo(number: number): Array<number> {
    const path: Array<number> = []
    for (let at = number; this.parents[at]! >= 0; at = this.parents[at]!) path.push(this.actions[at]!)
    return path.reverse()
  }

  private equals(state: Int32Array, number: number): boolean {
    const at = number * this.width
    for (let i = 0; i < this.width; i++) if (state[i] !== this.words[at + i]) return false
    return true
  }

  private growStates(): void {
    const doubled = (old: Int32Array): Int32Array => {
      const grown = new Int32Array(old.length * 2)
      grown.set(old)
      return grown
    }
    this.words = doubled(this.words)
    this.parents = doubled(this.parents)
    this.actions = doubled(this.actions)
  }

  private growSlots(): void {
    const slots = new Int32Array(this.slots.length * 2)
    const mask = slots.length - 1
    for (let number = 0; number < this.count; number++) {
      let slot = this.hash(this.words, number * this.width) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = number + 1
    }
    this.slots = slots
  }
}
