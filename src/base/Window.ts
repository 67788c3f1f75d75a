/**
 * Values under natural numbers that are close together and move up: requests of a session, ops that wait. A `Map` of these
 * makes a new table again and again, and its old tables keep what was deleted from them until the whole heap is collected.
 *
 * @module
 */
import { Limits } from "./Limits.ts"

/** With holes, which are read as `undefined`: to fill it would take as long as the rest of what is done. */
const places = <A>(count: number): Array<A> => {
  const all: Array<A> = []
  all.length = count
  return all
}
const noNumbers = (capacity: number): Array<number> => places<number>(capacity).fill(-1)
const noValues = (capacity: number): Array<undefined> => places<undefined>(capacity)

export class Window<T> {
  private numbers: Array<number>
  private values: Array<T | undefined>
  /** Those whose place is another's, where there are too few to make room for what lies between. */
  private others: Map<number, T> | null = null
  /** Without the others. */
  private held = 0

  constructor() {
    this.numbers = noNumbers(Limits.window_places_min)
    this.values = noValues(Limits.window_places_min)
  }

  get size(): number {
    return this.held + (this.others?.size ?? 0)
  }

  get(number: number): T | undefined {
    const place = number % this.numbers.length
    return this.numbers[place] === number ? this.values[place] : this.others?.get(number)
  }

  /** Takes memory for what is there, however far apart the numbers are. */
  set(number: number, value: T): void {
    const place = number % this.numbers.length
    const present = this.numbers[place]!
    if (present !== number) {
      if (this.others?.has(number) === true) return void this.others.set(number, value)
      if (present >= 0) return this.setBeside(number, value)
      this.numbers[place] = number
      this.held++
    }
    this.values[place] = value
  }

  delete(number: number): void {
    const place = number % this.numbers.length
    if (this.numbers[place] !== number) return void this.others?.delete(number)
    this.numbers[place] = -1
    this.values[place] = undefined
    this.held--
    const { length } = this.numbers
    const { window_places_kept, window_shrinks_at } = Limits
    if (length > window_places_kept && this.held * window_shrinks_at < length) this.resize(window_places_kept)
  }

  clear(): void {
    this.numbers = noNumbers(Limits.window_places_min)
    this.values = noValues(Limits.window_places_min)
    this.others = null
    this.held = 0
  }

  copy(): Window<T> {
    const copy = new Window<T>()
    copy.numbers = this.numbers.slice()
    copy.values = this.values.slice()
    copy.others = this.others === null ? null : new Map(this.others)
    copy.held = this.held
    return copy
  }

  /** In order. */
  *[Symbol.iterator](): Generator<readonly [number, T]> {
    const numbers = [...this.numbers.filter((number) => number >= 0), ...this.others?.keys() ?? []].sort((a, b) => a - b)
    for (const number of numbers) yield [number, this.get(number)!]
  }

  /** Its place is taken. */
  private setBeside(number: number, value: T): void {
    const { length } = this.numbers
    if (this.held * Limits.window_grows_at >= length) {
      this.resize(length * 2)
      return this.set(number, value)
    }
    this.others ??= new Map()
    this.others.set(number, value)
  }

  /** Each batch of requests may grow it, and its end let it shrink: so this is no more than it has to be. */
  private resize(capacity: number): void {
    const { numbers, others, values } = this
    this.numbers = noNumbers(capacity)
    this.values = noValues(capacity)
    this.others = null
    this.held = 0
    for (let place = 0; place < numbers.length; place++) if (numbers[place]! >= 0) this.set(numbers[place]!, values[place] as T)
    if (others !== null) for (const [number, value] of others) this.set(number, value)
  }
}
