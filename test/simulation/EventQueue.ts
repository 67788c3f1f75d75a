/**
 * Simulated time: what is due next. A binary heap by time, then by order of entry, so that a seed replays a run.
 *
 * @module
 */

interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

export class EventQueue {
  /** Milliseconds since the simulation began. */
  now = 0
  private readonly heap: Array<Event> = []
  private entered = 0

  after(delay_ms: number, run: () => void): void {
    this.at(this.now + delay_ms, run)
  }

  /** What is due at the same time runs in the order in which it was entered. */
  at(time_ms: number, run: () => void): void {
    const event = { at: Math.max(this.now, time_ms), order: this.entered++, run }
    const heap = this.heap
    let i = heap.length
    heap.push(event)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!isBefore(event, heap[parent]!)) break
      heap[i] = heap[parent]!
      i = parent
    }
    heap[i] = event
  }

  get nextAt(): number {
    return this.heap.length === 0 ? Infinity : this.heap[0]!.at
  }

  /** Runs the next event; false if there is none. */
  runNext(): boolean {
    const heap = this.heap
    if (heap.length === 0) return false
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length > 0) this.sink(last)
    this.now = first.at
    first.run()
    return true
  }

  private sink(event: Event): void {
    const heap = this.heap
    let i = 0
    while (true) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, event)) break
      heap[i] = heap[child]!
      i = child
    }
    heap[i] = event
  }
}
