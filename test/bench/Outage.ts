/**
 * How long writers without a pause get no acknowledgement while a node is killed under them.
 *
 * @module
 */
interface Writer {
  /** When it had an acknowledgement last. */
  at_ms: number
  gap_ms: number
  /** It has had an acknowledgement of a write that it began after the kill. */
  isThrough: boolean
}

export interface Gaps {
  /** The longest time without an acknowledgement to anybody. */
  readonly gap_ms: number
  /** The longest time that one of the writers had to wait for one. */
  readonly writer_gap_ms: number
}

/** Told of every acknowledgement. The generators in other languages do the same. */
export class Outage {
  private readonly writers: ReadonlyArray<Writer>
  private at_ms: number
  private gap_ms = 0
  private killed_ms = Infinity

  constructor(writers: number, now_ms: number) {
    this.at_ms = now_ms
    this.writers = Array.from({ length: writers }, () => ({ at_ms: now_ms, gap_ms: 0, isThrough: false }))
  }

  /** From now on: what was before does not count. */
  watch(): void {
    this.gap_ms = 0
    this.killed_ms = Infinity
    for (const writer of this.writers) Object.assign(writer, { gap_ms: 0, isThrough: false })
  }

  killed(now_ms: number): void {
    this.killed_ms = now_ms
  }

  /** Gives the gaps once all writers are through, and not again before the next `watch`. */
  acknowledged(index: number, begun_ms: number, now_ms: number): Gaps | null {
    const writer = this.writers[index]!
    this.gap_ms = Math.max(this.gap_ms, now_ms - this.at_ms)
    this.at_ms = now_ms
    writer.gap_ms = Math.max(writer.gap_ms, now_ms - writer.at_ms)
    writer.at_ms = now_ms
    if (writer.isThrough || begun_ms < this.killed_ms) return null
    writer.isThrough = true
    if (!this.writers.every(({ isThrough }) => isThrough)) return null
    return { gap_ms: this.gap_ms, writer_gap_ms: Math.max(...this.writers.map(({ gap_ms }) => gap_ms)) }
  }
}
