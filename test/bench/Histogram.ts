/**
 * How long calls took, counted by length: a few kilobytes however many there are, and those of several processes can be
 * added.
 *
 * @module
 */
const step = 1.02
const shortest_ms = 0.01
const buckets = 1_000

/** As it travels between processes. */
export interface Counted {
  readonly counts: ReadonlyArray<number>
  readonly max_ms: number
}

export class Histogram {
  private readonly counts = new Float64Array(buckets)
  count = 0
  max_ms = 0

  add(ms: number): void {
    const bucket = Math.ceil(Math.log(Math.max(ms, shortest_ms) / shortest_ms) / Math.log(step))
    this.counts[Math.min(bucket, buckets - 1)]! += 1
    this.count++
    this.max_ms = Math.max(this.max_ms, ms)
  }

  merge({ counts, max_ms }: Counted): void {
    counts.forEach((count, bucket) => {
      this.counts[bucket]! += count
      this.count += count
    })
    this.max_ms = Math.max(this.max_ms, max_ms)
  }

  /** At most two per cent too long. */
  at(share: number): number {
    let left = this.count * share
    for (let bucket = 0; bucket < buckets; bucket++) {
      left -= this.counts[bucket]!
      if (left < 0) return Math.min(shortest_ms * step ** bucket, this.max_ms)
    }
    return this.max_ms
  }

  toJSON(): Counted {
    return { counts: [...this.counts], max_ms: this.max_ms }
  }
}
