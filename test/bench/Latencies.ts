/**
 * How long calls took: all of them, so that the percentiles are exact.
 *
 * @module
 */

/** A plain array would cost the collector more than the client does. */
export class Latencies {
  recording = false
  count = 0
  private latencies_ms = new Float64Array(1 << 16)

  /** Counts only while recording. */
  add(latency_ms: number): void {
    if (!this.recording) return
    if (this.count === this.latencies_ms.length) {
      const grown = new Float64Array(2 * this.count)
      grown.set(this.latencies_ms)
      this.latencies_ms = grown
    }
    this.latencies_ms[this.count++] = latency_ms
  }

  percentiles(): { readonly p50_ms: number; readonly p99_ms: number; readonly p999_ms: number } {
    const sorted = this.latencies_ms.slice(0, this.count).sort()
    const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0
    return { p50_ms: at(0.5), p99_ms: at(0.99), p999_ms: at(0.999) }
  }
}
