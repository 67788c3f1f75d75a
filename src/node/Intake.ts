/**
 * How much of what clients ask for is decoded before it is routed: so that a turn of the event loop stays short, however
 * many clients send however much, and ticks and other nodes get theirs in between. Connections take turns, each with a
 * slice of what it has sent: one that sends little does not wait for those that send much.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { Limits } from "../base/Limits.ts"
import type { Portions } from "../network/Framed.ts"

export class Intake implements Portions {
  readonly frames_max = Limits.intake_slice_max
  /** Handed to the dispatcher, and not routed. */
  private taken = 0
  /** The same, in bytes of what came. */
  private takenBytes = 0
  /** In the order in which they came. */
  private readonly waiting = new Set<() => void>()

  /** Ends once a connection may take in a slice: at once, unless there is enough already, or others wait. */
  readonly turn: Effect.Effect<void> = Effect.suspend(() =>
    this.taken < Limits.intake_requests_max && this.waiting.size === 0 ? Effect.void : this.room)

  private readonly room: Effect.Effect<void> = Effect.callback((resume) => {
    const go = (): void => resume(Effect.void)
    this.waiting.add(go)
    return Effect.sync(() => {
      this.waiting.delete(go)
    })
  })

  /** What is about to be handed to the dispatcher. */
  took(requests: number, bytes: number): void {
    this.taken += requests
    this.takenBytes += bytes
  }

  /** Does so much wait to be routed that it is the dispatcher's turn, and that of everybody else? */
  get isEnough(): boolean {
    return this.taken >= Limits.intake_slice_max || this.takenBytes >= Limits.intake_bytes_max
  }

  /** At the end of each turn of the dispatcher. One that was let in and has gone since is made up for at the next. */
  routed(requests: number): void {
    this.taken -= requests
    // The dispatcher takes all there is.
    this.takenBytes = 0
    let room = Limits.intake_requests_max - this.taken
    for (const go of this.waiting) {
      if (room <= 0) return
      room -= Limits.intake_slice_max
      this.waiting.delete(go)
      go()
    }
  }
}
