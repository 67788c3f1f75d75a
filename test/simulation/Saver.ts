/**
 * Writes the snapshots of a process, part by part, while its replica goes on.
 *
 * @module
 */
import type { OpNumber } from "../../src/vr/Message.ts"
import type { Snapshot } from "../../src/vr/Snapshot.ts"
import type { EventQueue } from "./EventQueue.ts"

export interface SaverOptions {
  readonly events: EventQueue
  readonly hangs: () => boolean
  /** What the next part takes; drawn. */
  readonly part_ms: () => number
  readonly onSaved: (op: OpNumber, parts: ReadonlyArray<Uint8Array>) => void
}

export class Saver {
  /** The one that is being written, and the one that will be then. */
  private saving: Snapshot | null = null
  private next: Snapshot | null = null
  private readonly options: SaverOptions

  constructor(options: SaverOptions) {
    this.options = options
  }

  /** Given and not released. */
  get held(): number {
    return (this.saving === null ? 0 : 1) + (this.next === null ? 0 : 1)
  }

  save(snapshot: Snapshot): void {
    if (this.saving !== null) {
      this.next?.release()
      this.next = snapshot
      return
    }
    this.saving = snapshot
    this.write(snapshot)
  }

  /** What is not written is lost with the process. */
  stop(): void {
    this.saving = null
    this.next = null
  }

  private write(snapshot: Snapshot): void {
    const { events, hangs, onSaved, part_ms } = this.options
    const reader = snapshot.read()
    const parts: Array<Uint8Array> = []
    const goOn = (): void => {
      if (this.saving !== snapshot) return
      const part = hangs() ? undefined : reader.next()
      if (part === null) {
        onSaved(snapshot.op, parts)
        return this.written(snapshot)
      }
      if (part !== undefined) parts.push(part)
      events.after(part_ms(), goOn)
    }
    goOn()
  }

  private written(snapshot: Snapshot): void {
    const { next } = this
    snapshot.release()
    this.stop()
    if (next !== null) this.save(next)
  }
}
