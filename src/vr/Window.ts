/**
 * Values under natural numbers that are close together and move up: requests of a session, ops that wait. A `Map` of these
 * makes a new table again and again, and its old tables keep what was deleted from them until the whole heap is collected.
 *
 * @module
 */

const capacity_min = 16
/** An empty one keeps so many places at most. */
const capacity_kept = 256

export class Window<T> {
  private numbers: Array<number>
  private values: Array<T | undefined>
  private held = 0

  constructor(capacity: number = capacity_min) {
    this.numbers = new Array<number>(capacity).fill(-1)
    this.values = new Array<T | undefined>(capacity).fill(undefined)
  }

  get size(): number {
    return this.held
  }

  get(number: number): T | undefined {
    const place = number % this.numbers.length
    return this.numbers[place] === number ? this.values[place] : undefined
  }

  /** Takes as many places as the numbers that are there lie apart, rounded up to a power of two. */
  set(number: number, value: T): void {
    const place = number % this.numbers.length
    const present = this.numbers[place]!
    if (present !== number) {
      if (present >= 0) {
        this.grow()
        return this.set(number, value)
      }
      this.numbers[place] = number
      this.held++
    }
    this.values[place] = value
  }

  delete(number: number): void {
    const place = number % this.numbers.length
    if (this.numbers[place] !== number) return
    this.numbers[place] = -1
    this.values[place] = undefined
    this.held--
    if (this.held === 0 && this.numbers.length > capacity_kept) this.clear()
  }

  clear(): void {
    this.numbers = new Array<number>(capacity_min).fill(-1)
    this.values = new Array<T | undefined>(capacity_min).fill(undefined)
    this.held = 0
  }

  copy(): Window<T> {
    const copy = new Window<T>(0)
    copy.numbers = this.numbers.slice()
    copy.values = this.values.slice()
    copy.held = this.held
    return copy
  }

  /** In order. */
  *[Symbol.iterator](): Generator<readonly [number, T]> {
    const numbers = this.numbers.filter((number) => number >= 0).sort((a, b) => a - b)
    for (const number of numbers) yield [number, this.values[number % this.numbers.length]!]
  }

  private grow(): void {
    const { numbers, values } = this
    const capacity = numbers.length * 2
    this.numbers = new Array<number>(capacity).fill(-1)
    this.values = new Array<T | undefined>(capacity).fill(undefined)
    // Twice as many places: what had one of its own has one of its own.
    for (let place = 0; place < numbers.length; place++) {
      const number = numbers[place]!
      if (number < 0) continue
      this.numbers[number % capacity] = number
      this.values[number % capacity] = values[place]
    }
  }
}
