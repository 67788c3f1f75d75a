/**
 * One direction of a connection, as TCP has it: bytes in order, some time under way, cut anywhere; then an end in order
 * (FIN) or one that overtakes nothing but comes without a reason (RST). What is under way waits while the wire is cut.
 *
 * @module
 */
import type { Executor } from "./Executor.ts"
import type { Wires } from "./Wires.ts"

/** What travels: bytes, or the end. */
export type Segment = Uint8Array | "fin" | "rst"

export interface PipeOptions {
  readonly executor: Executor
  readonly wires: Wires
  readonly from: string
  readonly to: string
  readonly deliver: (segment: Segment) => void
}

export class Pipe {
  private readonly options: PipeOptions
  private travelling: Array<{ readonly segment: Segment; readonly at: number }> = []
  private last = 0
  private armed = false
  private ended: "fin" | "rst" | null = null
  /** Under way. */
  bytes = 0

  constructor(options: PipeOptions) {
    this.options = options
  }

  get isIdle(): boolean {
    return this.travelling.length === 0
  }

  send(segment: Segment): void {
    // Behind the end in order, a side can only be told that nobody is there any more.
    if (this.ended === "rst" || (this.ended === "fin" && segment !== "rst")) return
    const { executor, from, to, wires } = this.options
    if (typeof segment === "string") {
      this.ended = segment
      this.put(segment, executor.now + wires.delay(from, to))
      return
    }
    this.bytes += segment.length
    for (let rest = segment; rest.length > 0;) {
      const cut = rest.length > 1 && wires.isSplitting ? 1 + Math.floor(executor.random.next() * (rest.length - 1)) : rest.length
      this.put(rest.subarray(0, cut), executor.now + wires.delay(from, to))
      rest = rest.subarray(cut)
    }
  }

  private put(segment: Segment, at: number): void {
    this.last = Math.max(this.last, at)
    this.travelling.push({ segment, at: this.last })
    this.pump()
  }

  /** Loses what is under way behind a byte anywhere; nothing comes after it but what is sent now. */
  cut(): void {
    const kept = Math.floor(this.options.executor.random.next() * (this.bytes + 1))
    const before = this.travelling
    this.travelling = []
    this.bytes = 0
    for (const { at, segment } of before) {
      if (typeof segment === "string" || this.bytes >= kept) break
      const left = segment.subarray(0, kept - this.bytes)
      this.bytes += left.length
      this.travelling.push({ segment: left, at })
    }
    this.ended = null
  }

  /** Goes on, if it can: after a release too. */
  pump(): void {
    const first = this.travelling[0]
    const { executor, from, to, wires } = this.options
    if (first === undefined || this.armed || !wires.isOpen(from, to)) return
    this.armed = true
    executor.after(Math.max(0, first.at - executor.now), () => {
      this.armed = false
      this.arrive()
    })
  }

  private arrive(): void {
    const { deliver, from, to, wires } = this.options
    if (!wires.isOpen(from, to)) return
    const first = this.travelling.shift()
    if (first === undefined) return
    if (typeof first.segment !== "string") this.bytes -= first.segment.length
    deliver(first.segment)
    this.pump()
  }
}
